"""ALTER TABLE, ALTER VIEW."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.partitions import Partitioning
from gcp_local.bigquery.schema import Field, Schema, arrow_schema, read_schema, schema_json
from gcp_local.bigquery.sql.ddl import options
from gcp_local.bigquery.sql.ddl.outcomes import Made, made
from gcp_local.bigquery.sql.ddl.tables import foreign_key
from gcp_local.bigquery.sql.dml.assigning import array_of, column_of, fits, held_to
from gcp_local.bigquery.sql.dml.writing import position
from gcp_local.bigquery.sql.tables import Held
from gcp_local.bigquery.warehouse import StaleError

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.catalog import Entry
    from gcp_local.bigquery.references import TableRef
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.ddl.syntax import Action, Alter
    from gcp_local.bigquery.sql.session import Outcome, Session
    from gcp_local.bigquery.sql.tables import Tables
    from gcp_local.bigquery.tables.queries import TableQueries

_KINDS = {"TABLE": ("TABLE", "SNAPSHOT"), "VIEW": ("VIEW",), "MATERIALIZED VIEW": ()}
_REWRITING = ("DROP COLUMN", "RENAME COLUMN", "ALTER COLUMN TYPE")
_TRIES = 4


class Alterations:
    """Changes tables and views."""

    def __init__(self, tables: Tables, asker: Asker, queries: TableQueries) -> None:
        self._tables = tables
        self._asker = asker
        self._queries = queries

    def alter(self, said: Alter, session: Session, *, dry: bool) -> Outcome:
        """Carry out an ALTER TABLE or ALTER VIEW, all of it or nothing.

        Raises:
            BigQueryError: it is refused.

        """
        kind = f"ALTER_{said.kind.replace(' ', '_')}"
        ref = self._tables.ref(said.path, session)
        if said.lenient and self._tables.catalog.find(ref) is None:
            return made(kind, Made("SKIP", ref))
        entry = self._tables.entry(ref, session)
        if entry.kind not in _KINDS[said.kind]:
            raise BigQueryError.query(
                f"{ref} is not allowed for this operation because it is currently a {entry.kind}."
            )
        verb = said.actions[0].verb
        if entry.kind == "SNAPSHOT" and verb != "SET OPTIONS":
            raise BigQueryError.query(f"{ref} is a snapshot; only its options can be changed")
        for _ in range(_TRIES):
            try:
                done = made(kind, Made("ALTER", ref))
                self._apply(said, ref, session, done, dry=dry)
            except StaleError:
                continue
            return done
        raise BigQueryError.query(
            f"Could not serialize access to table {ref} due to concurrent update"
        )

    def _apply(
        self, said: Alter, ref: TableRef, session: Session, done: Outcome, *, dry: bool
    ) -> None:
        """Compute the new state and put it in place; StaleError if the old one is gone by then."""
        catalog, warehouse = self._tables.catalog, self._tables.warehouse
        entry = self._tables.entry(ref, session)
        if said.actions[0].verb == "RENAME TO":
            with catalog.transaction():
                self._rename(said.actions[0], ref, dry=dry)
                if not dry:
                    session.settle(done)
            return
        change = _Change(self, ref, entry, session)
        for action in said.actions:
            change.apply(action)
        place = str(catalog.dataset(ref.parent).body.get("location", "US"))
        self._queries.check_defaults(ref, read_schema(change.body["schema"]["fields"]), place)
        if dry:
            return
        version = warehouse.current(entry.uid)
        files = None
        if said.actions[0].verb in _REWRITING and version.files:
            rows = self._tables.rows(Held(ref, entry, version))
            files = (warehouse.write(change.rewritten(rows)),)
        with catalog.transaction():
            if catalog.get(ref).etag != entry.etag:
                raise StaleError
            catalog.replace(ref, change.body)
            if files is not None:
                warehouse.commit(entry.uid, files, base=version.number)
            session.settle(done)

    def _rename(self, action: Action, ref: TableRef, *, dry: bool) -> None:
        if "." in action.new:
            raise action.place.error("ALTER TABLE RENAME TO takes a name without a dataset")
        new = ref.parent.table(action.new)
        if self._tables.catalog.find(new):
            raise BigQueryError.duplicate("Table", new)
        if not dry:
            self._tables.catalog.rename(ref, action.new)

    # For changes

    def options(
        self, body: dict[str, Any], action: Action, known: Any, session: Session
    ) -> dict[str, Any]:
        """Give a resource with the action's options set."""
        return options.changed(body, action.options, known, self._asker, session)

    def ref(self, path: tuple[str, ...], session: Session) -> TableRef:
        """Tell which table a name means."""
        return self._tables.ref(path, session)


class _Change:
    """The state of a table while the actions of one statement are applied to it."""

    def __init__(self, owner: Alterations, ref: TableRef, entry: Entry, session: Session) -> None:
        self._owner = owner
        self._ref = ref
        self._session = session
        self._before: Schema = entry.schema
        self._kind = entry.kind
        self._from: list[int | None] = list(range(len(entry.schema)))
        self.body = {**entry.body, "schema": schema_json(entry.schema)}

    @property
    def schema(self) -> Schema:
        return read_schema(self.body["schema"]["fields"])

    def _set(self, schema: Schema) -> None:
        self.body["schema"] = schema_json(schema)

    def apply(self, action: Action) -> None:
        match action.verb:
            case "SET OPTIONS":
                known = options.VIEW if self._kind == "VIEW" else options.TABLE
                self.body = self._owner.options(self.body, action, known, self._session)
            case "ADD COLUMN":
                self._add(action)
            case "DROP COLUMN":
                self._drop(action)
            case "RENAME COLUMN":
                self._rename(action)
            case "ADD PRIMARY KEY" | "DROP PRIMARY KEY" | "ADD FOREIGN KEY" | "DROP CONSTRAINT":
                self._constrain(action)
            case _:
                self._alter(action)

    def rewritten(self, rows: pa.Table) -> pa.Table:
        """Give the table's rows as its new columns have them, hidden ones too."""
        import pyarrow as pa

        schema = self.schema
        columns = []
        for target, at in zip(schema, self._from, strict=True):
            if at is None:
                empty: Any = [] if target.repeated else None
                columns.append(array_of([empty] * rows.num_rows, target))
            else:
                new = column_of(rows.column(at), self._before[at], target)
                columns.append(held_to(new, target))
        table = pa.Table.from_arrays(columns, schema=arrow_schema(schema))
        for hidden in rows.column_names[len(self._before) :]:
            table = table.append_column(hidden, rows.column(hidden))
        return table

    def _at(self, action: Action) -> int | None:
        at = position(self.schema, action.name)
        if at is None and not action.lenient:
            raise action.place.error(f"Column {action.name} was not found in table {self._ref}")
        return at

    def _add(self, action: Action) -> None:
        assert action.column is not None
        if position(self.schema, action.name) is not None:
            if action.lenient:
                return
            raise action.place.error(f"Column already exists: {action.name}")
        if action.column.schema.get("mode") == "REQUIRED":
            raise BigQueryError.query(
                f"Provided Schema does not match Table {self._ref}. Cannot add required fields to"
                f" an existing schema. (field: {action.name})"
            )
        if action.column.default is not None:
            raise action.place.error(
                "Adding a column with a default value is not supported; add the column, then use"
                " ALTER COLUMN SET DEFAULT"
            )
        said = self._owner.options(
            action.column.schema,
            replace(action, options=action.column.options),
            options.COLUMN,
            self._session,
        )
        self._set((*self.schema, *read_schema([said])))
        self._from.append(None)

    def _drop(self, action: Action) -> None:
        at = self._at(action)
        if at is None:
            return
        self._refuse_used(action)
        schema = self.schema
        if len(schema) == 1:
            raise action.place.error("ALTER TABLE DROP COLUMN cannot drop the last column")
        self._set((*schema[:at], *schema[at + 1 :]))
        del self._from[at]

    def _rename(self, action: Action) -> None:
        at = self._at(action)
        if at is None:
            return
        if position(self.schema, action.new) not in (None, at):
            raise action.place.error(f"Column already exists: {action.new}")
        self._refuse_used(action)
        schema = list(self.schema)
        schema[at] = replace(schema[at], name=action.new)
        self._set(tuple(schema))

    def _refuse_used(self, action: Action) -> None:
        name = action.name.lower()
        partitioning = Partitioning.of(self.body)
        uses = {
            "partitioning": [partitioning.column] if partitioning else [],
            "clustering": self.body.get("clustering", {}).get("fields", []),
            "a primary key": self.body.get("tableConstraints", {})
            .get("primaryKey", {})
            .get("columns", []),
        }
        for use, names in uses.items():
            if name in [each.lower() for each in names]:
                raise action.place.error(
                    f"{action.verb} cannot be applied to {action.name}, which is used for {use}"
                )

    def _alter(self, action: Action) -> None:
        at = self._at(action)
        if at is None:
            return
        schema = list(self.schema)
        field = schema[at]
        said = field.as_json()
        if action.verb == "ALTER COLUMN OPTIONS":
            said = self._owner.options(said, action, options.COLUMN, self._session)
        elif action.verb == "ALTER COLUMN NULLABLE":
            if field.mode != "REQUIRED":
                raise action.place.error(f"Column {field.name} is not NOT NULL")
            said["mode"] = "NULLABLE"
        elif action.verb == "ALTER COLUMN DEFAULT":
            said.pop("defaultValueExpression", None)
            if action.default is not None:
                said["defaultValueExpression"] = action.default.text
        else:
            said = self._retyped(action, field)
        (schema[at],) = read_schema([said])
        self._set(tuple(schema))

    @staticmethod
    def _retyped(action: Action, field: Field) -> dict[str, Any]:
        said = field.as_json()
        for name in ("type", "fields", "maxLength", "precision", "scale"):
            said.pop(name, None)
        said |= {"mode": field.mode, **action.type}
        (new,) = read_schema([said])
        if not fits(field, new) or _narrower(field, new):
            raise action.place.error(
                f"ALTER TABLE ALTER COLUMN SET DATA TYPE requires that the existing column type"
                f" ({field.sql}) is assignable to the new type ({new.sql})"
            )
        return said

    def _constrain(self, action: Action) -> None:
        said = dict(self.body.get("tableConstraints", {}))
        if action.verb == "ADD PRIMARY KEY":
            if said.get("primaryKey"):
                raise action.place.error("The table has a primary key already")
            said["primaryKey"] = {"columns": list(action.columns)}
        elif action.verb == "DROP PRIMARY KEY":
            if said.pop("primaryKey", None) is None and not action.lenient:
                raise action.place.error("The table has no primary key")
        elif action.verb == "ADD FOREIGN KEY":
            assert action.foreign is not None
            keys = list(said.get("foreignKeys", []))
            other = self._owner.ref(action.foreign.path, self._session)
            said["foreignKeys"] = [*keys, foreign_key(action.foreign, other, len(keys) + 1)]
        else:
            keys = said.get("foreignKeys", [])
            said["foreignKeys"] = [each for each in keys if each["name"] != action.name]
            if len(said["foreignKeys"]) == len(keys) and not action.lenient:
                raise action.place.error(f"The table has no constraint {action.name}")
        self.body["tableConstraints"] = said


def _narrower(before: Field, after: Field) -> bool:
    """Tell whether the new type takes room away from what is there."""
    old, new = dict(before.more), dict(after.more)
    if "maxLength" in new:
        return "maxLength" not in old or int(new["maxLength"]) < int(old["maxLength"])
    if "precision" in new and before.type == "NUMERIC":
        if "precision" not in old:
            return True
        whole = [int(each["precision"]) - int(each.get("scale", 0)) for each in (old, new)]
        return whole[1] < whole[0] or int(new.get("scale", 0)) < int(old.get("scale", 0))
    return False
