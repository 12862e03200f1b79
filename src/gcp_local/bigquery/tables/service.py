"""The methods of `tables`, but for those of access policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery import locations, names
from gcp_local.bigquery.call import listed
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.merging import check_lacking, merged
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.schema import Schema, read_schema, schema_json
from gcp_local.bigquery.tabledata.selection import selected_columns
from gcp_local.bigquery.tables.columns import changed_schema
from gcp_local.bigquery.tables.partitioning import check_same
from gcp_local.bigquery.tables.queries import check_named

if TYPE_CHECKING:
    from gcp_local.bigquery.call import Call
    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.tables.description import TableDescriber
    from gcp_local.bigquery.tables.partition import Partitions
    from gcp_local.bigquery.tables.queries import TableQueries

# What a client sends back of what it was answered, and what only says whose table it is.
_OWN = ("kind", "tableReference")
# What only a table of rows has, by the kinds that have it not.
_ROWS_ONLY = ("timePartitioning", "rangePartitioning", "clustering", "requirePartitionFilter",
              "tableConstraints")  # fmt: skip
# What stays as it was made with a PUT that does not say it.
_KEPT = ("type", "snapshotDefinition", "cloneDefinition")


class TableService:
    """`bigquery.tables`."""

    def __init__(
        self,
        catalog: Catalog,
        describer: TableDescriber,
        queries: TableQueries,
        partitions: Partitions,
    ) -> None:
        self._catalog = catalog
        self._describer = describer
        self._queries = queries
        self._partitions = partitions

    def tables_insert(self, call: Call) -> dict[str, Any]:
        """Make an empty table, or a view."""
        home = DatasetRef(call.project, call.variables["datasetId"])
        ref = names.member_of(home, call.body.get("tableReference", {}))
        place = self._place(ref)
        body = {name: value for name, value in call.body.items() if name not in _OWN}
        if "materializedView" in body:
            raise BigQueryError.lacking("materialized views")
        if "view" in body:
            if body.get("schema", {}).get("fields"):
                message = "Schema field shouldn't be used as input with a view"
                raise BigQueryError("invalid", message)
            body["view"] = {"useLegacySql": True, **body["view"]}
            body = self._view(ref, body, place)
        else:
            schema = _schema(body)
            self._queries.check_defaults(ref, schema, place)
            if "schema" in body:
                body["schema"] = schema_json(schema)
            body["type"] = "TABLE"
        return self._describer.described(call, ref, self._catalog.add(ref, body), place)

    def tables_get(self, call: Call) -> dict[str, Any]:
        """Answer a table, or one of its partitions."""
        ref = _ref(call)
        if "$" in ref.table:
            return self._partitions.described(call, ref, self._place(ref))
        _check_decorator(ref)
        entry = self._catalog.get(ref)
        view = call.query.get("view", "FULL")
        answer = self._describer.described(call, ref, entry, self._place(ref), view=view)
        wanted = call.query.get("selectedFields")
        if wanted and entry.schema:
            answer["schema"] = schema_json(selected_columns(entry.schema, wanted)[1])
        return answer

    def tables_list(self, call: Call) -> dict[str, Any]:
        """Answer a dataset's tables and views."""
        home = DatasetRef(call.project, call.variables["datasetId"])
        self._catalog.dataset(home)
        found = list(self._catalog.entries(home))
        page, token = call.page(found)
        items = [self._describer.listed(ref, entry) for ref, entry in page]
        return listed("bigquery#tableList", "tables", items, token, totalItems=len(found))

    def tables_patch(self, call: Call) -> dict[str, Any]:
        """Change those fields of a table that are given."""
        return self._change(call, patch=True)

    def tables_update(self, call: Call) -> dict[str, Any]:
        """Replace a table's fields by those that are given."""
        return self._change(call, patch=False)

    def tables_delete(self, call: Call) -> None:
        """Delete a table, or the rows of one of its partitions."""
        ref = _ref(call)
        if "$" in ref.table:
            self._partitions.delete(ref)
            return
        _check_decorator(ref)
        with self._catalog.transaction():
            call.check_match(self._describer.etag(self._catalog.get(ref)))
            self._catalog.delete(ref)

    # Inside

    def _change(self, call: Call, *, patch: bool) -> dict[str, Any]:
        ref = _ref(call)
        _check_decorator(ref)
        if call.query.get("autodetect_schema"):
            raise BigQueryError.lacking("schemas of external tables (autodetect_schema)")
        names.member_of(ref.parent, call.body.get("tableReference") or {}, ref.table)
        said = {name: value for name, value in call.body.items() if name not in _OWN}
        place = self._place(ref)
        # What is asked of the SQL engine is asked before anybody else has to wait.
        entry = self._catalog.get(ref)
        call.check_match(self._describer.etag(entry))
        wanted = self._wanted(ref, entry, said, place, patch=patch)
        with self._catalog.transaction():
            entry = self._catalog.get(ref)
            call.check_match(self._describer.etag(entry))
            if wanted[0] != entry.etag:
                wanted = self._wanted(ref, entry, said, place, patch=patch)
            entry = self._catalog.replace(ref, wanted[1])
            if entry.kind == "VIEW":
                self._check_loop(ref, place)
        return self._describer.described(call, ref, entry, place)

    def _wanted(
        self, ref: TableRef, entry: Entry, said: dict[str, Any], place: str, *, patch: bool
    ) -> tuple[str, dict[str, Any]]:
        """Give what a table is to be, and the mark of the state for which that holds."""
        before = entry.body
        _check_kind(entry.kind, said)
        if patch:
            after = merged(before, said)
        else:
            kept = {name: before[name] for name in _KEPT if name in before}
            after = {**said, **kept}
        if entry.kind == "VIEW":
            return entry.etag, self._view(ref, after, place, before)
        check_same(before, after)
        schema = entry.schema
        if said.get("schema") or not patch:
            if entry.kind == "SNAPSHOT" and _schema(after) != schema:
                raise BigQueryError("invalid", f"The schema of the snapshot {ref} cannot change.")
            schema = changed_schema(ref, entry.schema, _schema(after))
            self._queries.check_defaults(ref, schema, place)
        if "schema" in after:
            after["schema"] = schema_json(schema)
        elif schema:
            after["schema"] = before["schema"]
        return entry.etag, after

    def _view(
        self,
        ref: TableRef,
        body: dict[str, Any],
        place: str,
        before: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Give a view with the columns of its query, and the descriptions that these were given."""
        for name in _ROWS_ONLY:
            if name in body:
                raise BigQueryError("invalid", f"Cannot specify {name} for a view.")
        if "view" not in body:
            raise BigQueryError("required", "Required parameter is missing: view.query")
        if before is not None and body["view"] == before["view"]:
            schema = read_schema(before["schema"]["fields"])
        else:
            schema = self._queries.view(ref, body["view"], place)
            check_named(schema, body["view"]["query"])
        described = {field.name: field for field in _schema(body)}
        if before is not None and before["view"] == body["view"]:
            unknown = described.keys() - {field.name for field in schema}
            if unknown:
                message = f"Provided Schema does not match Table {ref}. Unknown fields: "
                raise BigQueryError("invalid", message + ", ".join(sorted(unknown)))
        columns = []
        for field in schema:
            note = dict(described[field.name].more) if field.name in described else {}
            said = field.as_json()
            if "description" in note:
                said["description"] = note["description"]
            columns.append(said)
        return {**body, "type": "VIEW", "schema": {"fields": columns}}

    def _check_loop(self, ref: TableRef, place: str) -> None:
        """Run a changed view once more, dry: it may read itself now."""
        query = {"query": f"SELECT * FROM `{ref.dotted}`", "useLegacySql": False}  # noqa: S608
        self._queries.view(ref, query, place)

    def _place(self, ref: TableRef) -> str:
        said = self._catalog.dataset(ref.parent).body.get("location", locations.DEFAULT)
        return str(said)


def _ref(call: Call) -> TableRef:
    return TableRef(call.project, call.variables["datasetId"], call.variables["tableId"])


def _schema(body: dict[str, Any]) -> Schema:
    said = body.get("schema") or {}
    check_lacking(said, {"foreignTypeInfo": "foreign types"})
    return read_schema(said.get("fields", ()))


def _check_decorator(ref: TableRef) -> None:
    if "@" in ref.table:
        raise BigQueryError.lacking("decorators of time here; a query takes FOR SYSTEM_TIME AS OF")
    if "$" in ref.table:
        message = f'Invalid table ID "{ref.table}": a partition has nothing of its own to change.'
        raise BigQueryError("invalid", message)


def _check_kind(kind: str, said: dict[str, Any]) -> None:
    """Refuse to make something else of a table than it is."""
    for name, owner in (("view", "VIEW"), ("materializedView", "MATERIALIZED_VIEW")):
        if said.get(name) and kind != owner:
            raise BigQueryError("invalid", f"Cannot convert a {kind} to a {owner} ({name}).")
    if kind == "VIEW":
        for name in _ROWS_ONLY:
            if said.get(name):
                raise BigQueryError("invalid", f"Cannot specify {name} for a view.")
