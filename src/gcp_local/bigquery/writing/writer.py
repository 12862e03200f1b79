"""Writes rows to a job's destination: files first, then all that changes in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.locations import DEFAULT
from gcp_local.bigquery.partitions import Partitioning, check_column
from gcp_local.bigquery.schema import arrow_schema, schema_json
from gcp_local.bigquery.writing.merging import merged

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.schema import Field, Schema
    from gcp_local.bigquery.tables.queries import TableQueries
    from gcp_local.bigquery.warehouse import DataFile, Version, Warehouse
    from gcp_local.bigquery.writing.destination import Destination

_NOUNS = {"VIEW": "VIEW", "MATERIALIZED_VIEW": "MATERIALIZED VIEW", "EXTERNAL": "EXTERNAL TABLE"}


@dataclass(frozen=True)
class Written:
    """Rows that wait to be committed.

    Attributes:
        commit: enters them; to be called within a transaction, which it leaves to be rolled back
            by what it raises.
        rows: how many.
        bytes: by BigQuery's account.

    """

    commit: Callable[[], None]
    rows: int
    bytes: int


class Writer:
    """Writes to tables."""

    def __init__(self, catalog: Catalog, warehouse: Warehouse, queries: TableQueries) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self._queries = queries

    def check(self, destination: Destination) -> Entry | None:
        """Refuse a destination that cannot be written, and give the table if there is one.

        Raises:
            BigQueryError: no such dataset; no such table, and it is not to be made; a view or a
                snapshot; other partitions than the job wants; rows where there must be none.

        """
        self._catalog.dataset(destination.table.parent)
        entry = self._catalog.find(destination.table)
        if entry is None:
            if not destination.create:
                raise BigQueryError.not_found("Table", destination.table)
            _check_partition(destination, destination.partitioning)
            return None
        if entry.kind != "TABLE":
            kind = _NOUNS.get(entry.kind, entry.kind)
            message = (
                f"{destination.table} is not allowed for this operation because it is currently a"
                f" {kind}."
            )
            raise BigQueryError("invalid", message)
        present = Partitioning.of(entry.body)
        _check_partition(destination, present)
        _check_layout(destination, entry)
        if destination.write == "WRITE_EMPTY" and self._warehouse.current(entry.uid).rows:
            raise BigQueryError.duplicate("Table", destination.table)
        return entry

    def schema(self, destination: Destination, offered: Schema) -> Schema:
        """Tell the table's columns once rows of these are written; errors as `check`."""
        return self._schema(destination, self.check(destination), offered)

    @staticmethod
    def _schema(destination: Destination, entry: Entry | None, offered: Schema) -> Schema:
        if entry is None:
            return offered
        if destination.write == "WRITE_TRUNCATE" and not destination.partition:
            return offered
        present = entry.schema
        if not present:  # made without a schema: it takes the first that comes
            return offered
        return merged(destination.table, present, offered, destination.updates)

    def write(self, destination: Destination, rows: pa.Table, offered: Schema) -> Written:
        """Write rows to a file, and give what enters it.

        Args:
            destination: where to.
            rows: in the Arrow types of the columns.
            offered: their columns.

        Raises:
            BigQueryError: as `check`; a column that does not fit; rows of other partitions than
                the one that is named. The commit raises the same if it has come to be so since.

        """
        entry = self.check(destination)
        schema = self._schema(destination, entry, offered)
        partitioning = (Partitioning.of(entry.body) if entry else None) or destination.partitioning
        if partitioning is not None:
            check_column(partitioning, schema)
        fitted = fit(rows, offered, schema, self._defaults(destination, schema, offered, rows))
        if partitioning is not None:
            fitted = partitioning.stamped(fitted, clock.now(), destination.partition or None)
            _check_rows(fitted, partitioning, destination.partition)
        files = [self._warehouse.write(fitted)] if fitted.num_rows else []
        size = sum(file.bytes for file in files)

        def commit() -> None:
            self._commit(destination, files, offered)

        return Written(commit, rows.num_rows, size)

    def _defaults(
        self, destination: Destination, schema: Schema, offered: Schema, rows: pa.Table
    ) -> pa.Table:
        """Give the default values of columns that are not offered; check those of offered ones."""
        home = self._catalog.dataset(destination.table.parent)
        place = str(home.body.get("location", DEFAULT))
        self._queries.check_defaults(destination.table, offered, place)
        given = {field.name.lower() for field in offered}
        missing = tuple(field for field in schema if field.name.lower() not in given)
        return self._queries.defaults(destination.table, missing, place, rows.num_rows)

    def entering(
        self, destination: Destination, files: Sequence[DataFile], offered: Schema
    ) -> Callable[[], None]:
        """Give what enters files that are written already, whose columns have the table's names.

        Raises:
            BigQueryError: as `write`.

        """
        self._schema(destination, self.check(destination), offered)
        return lambda: self._commit(destination, files, offered)

    def _commit(self, destination: Destination, files: Sequence[DataFile], offered: Schema) -> None:
        entry = self.check(destination)
        schema = self._schema(destination, entry, offered)
        if entry is None:
            entry = self._catalog.add(destination.table, self._new(destination, schema))
        else:
            self._describe(destination, entry, schema)
        if not destination.replaces:
            if files:
                self._warehouse.commit(entry.uid, files, append=True)
            return
        if destination.partition:
            kept = self._others(entry, destination.partition, schema)
            self._warehouse.commit(entry.uid, [*kept, *files])
        else:
            self._warehouse.commit(entry.uid, files)

    @staticmethod
    def _new(destination: Destination, schema: Schema) -> dict[str, Any]:
        return {"type": "TABLE", "schema": schema_json(schema), **destination.description}

    def _describe(self, destination: Destination, entry: Entry, schema: Schema) -> None:
        body = dict(entry.body)
        if schema != entry.schema:
            body["schema"] = schema_json(schema)
        if destination.write == "WRITE_TRUNCATE" and not destination.partition:
            body |= destination.description
        if body != entry.body:
            self._catalog.replace(destination.table, body)

    def _others(self, entry: Entry, partition: str, schema: Schema) -> list[DataFile]:
        """Give files of all rows that lie in other partitions."""
        import pyarrow.compute as pc

        partitioning = Partitioning.of(entry.body)
        assert partitioning is not None
        kept = []
        version = self._warehouse.current(entry.uid)
        shape = partitioning.with_hidden(arrow_schema(schema))
        for file in version.files:
            rows = self._warehouse.read(_only(version, file), shape)
            others = pc.not_equal(partitioning.ids(rows), partition)
            staying = rows.filter(others)
            if staying.num_rows == rows.num_rows:
                kept.append(file)
            elif staying.num_rows:
                kept.append(self._warehouse.write(staying))
        return kept


def fit(rows: pa.Table, offered: Schema, schema: Schema, defaults: pa.Table) -> pa.Table:
    """Order and name columns as a table has them; those without even a default value are null.

    Args:
        rows: with the offered columns.
        offered: their columns, by other cases of the same names.
        schema: the table's.
        defaults: what stands in columns that are not offered.

    Raises:
        BigQueryError: a null where the table requires a value.

    """
    import pyarrow as pa

    places = {field.name.lower(): at for at, field in enumerate(offered)}
    columns = []
    for field in schema:
        at = places.get(field.name.lower())
        if at is None and field.name in defaults.column_names:
            column = defaults.column(field.name)
        elif at is None:
            column = pa.chunked_array([pa.nulls(rows.num_rows, field.arrow)], type=field.arrow)
        else:
            _check_case(offered[at], field)
            column = rows.column(at).cast(field.arrow)
        if field.repeated and column.null_count:  # a stored array is empty, never null
            column = pa.chunked_array(
                [pa.array([value or [] for value in column.to_pylist()], field.arrow)]
            )
        if field.mode == "REQUIRED" and column.null_count:
            raise BigQueryError("invalid", f"Required field {field.name} cannot be null")
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=arrow_schema(schema))


def _check_case(offered: Field, present: Field) -> None:
    names = {field.name.lower(): field for field in present.fields}
    for field in offered.fields:
        if field.name != names[field.name.lower()].name:
            raise BigQueryError.lacking(
                f"the writing of a record's field under a name of another case ({field.name})"
            )
        _check_case(field, names[field.name.lower()])


def _only(version: Version, file: DataFile) -> Version:
    return type(version)(version.number, version.committed, (file,))


def _check_partition(destination: Destination, present: Partitioning | None) -> None:
    if not destination.partition:
        return
    if present is None:
        message = (
            f"Partition ID was specified for a table that is not partitioned:"
            f" {destination.table}${destination.partition}"
        )
        raise BigQueryError("invalid", message)
    present.check_id(destination.partition)


def _check_layout(destination: Destination, entry: Entry) -> None:
    """Refuse other partitions or clusters than the table has."""
    wanted, present = destination.partitioning, Partitioning.of(entry.body)
    clusters = destination.description.get("clustering")
    differ = clusters and clusters != entry.body.get("clustering") and not destination.replaces
    if (wanted is None or wanted == present) and not differ:
        return
    message = (
        "Incompatible table partitioning specification. Expects partitioning specification"
        f" {_layout(entry.body)}, but input partitioning specification is"
        f" {_layout(destination.description)}"
    )
    raise BigQueryError("invalid", message)


def _layout(said: Any) -> str:
    partitioning = Partitioning.of(said)
    clusters = said.get("clustering")
    parts = [partitioning.as_message()] if partitioning else []
    if clusters:
        parts.append(f"clustering({','.join(clusters['fields'])})")
    return " ".join(parts) or "none"


def _check_rows(rows: pa.Table, partitioning: Partitioning, partition: str) -> None:
    import pyarrow.compute as pc

    if partition and not partitioning.ingested:
        fits = pc.all(pc.equal(partitioning.ids(rows), partition)).as_py()
        if fits is False:
            message = (
                f"Some rows belong to different partitions rather than destination partition"
                f" {partition}"
            )
            raise BigQueryError("invalid", message)
