"""One partition of a table, named by a decorator: `events$20240131`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.partitions import NULL, OUTSIDE, PARTITION_TIME, Partitioning
from gcp_local.bigquery.references import TableRef
from gcp_local.bigquery.schema import Field, arrow_schema, schema_json
from gcp_local.bigquery.warehouse import StaleError, Version, logical_bytes

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.call import Call
    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.tables.description import TableDescriber
    from gcp_local.bigquery.warehouse import DataFile, Warehouse

# What clients read to list a table's partitions.
SUMMARY = "__PARTITIONS_SUMMARY__"
SUMMARY_SCHEMA = (
    Field("project_id", "STRING"),
    Field("dataset_id", "STRING"),
    Field("table_id", "STRING"),
    Field("partition_id", "STRING"),
    Field("creation_time", "INTEGER"),
    Field("creation_timestamp", "TIMESTAMP"),
    Field("last_modified_time", "INTEGER"),
    Field("last_modified_timestamp", "TIMESTAMP"),
)


class Partitions:
    """Describes, reads and deletes partitions."""

    def __init__(self, catalog: Catalog, warehouse: Warehouse, describer: TableDescriber) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self._describer = describer

    def described(self, call: Call, ref: TableRef, location: str) -> dict[str, Any]:
        """Give a partition as a `Table` with its rows alone; errors as `rows`."""
        entry, partitioning, name = self._found(ref)
        answer = self._describer.described(call, ref, entry, location, view="BASIC")
        if name == SUMMARY:
            for gone in ("timePartitioning", "rangePartitioning", "clustering"):
                answer.pop(gone, None)
            return {**answer, "schema": schema_json(SUMMARY_SCHEMA)}
        rows = self._part(entry, partitioning, name, self._warehouse.current(entry.uid))
        size = str(logical_bytes(rows.select([field.name for field in entry.schema])))
        return {**answer, "numRows": str(rows.num_rows), "numBytes": size, "numLongTermBytes": "0"}

    def rows(self, ref: TableRef) -> tuple[tuple[Field, ...], pa.Table]:
        """Give the columns and rows of a partition, or of a table's list of partitions.

        Raises:
            BigQueryError: there is no such table, it is not partitioned, or no partition of it
                can be called that.

        """
        entry, partitioning, name = self._found(ref)
        version = self._warehouse.current(entry.uid)
        if name == SUMMARY:
            return SUMMARY_SCHEMA, self._summary(ref, entry, version)
        rows = self._part(entry, partitioning, name, version)
        return entry.schema, rows.select([field.name for field in entry.schema])

    def delete(self, ref: TableRef) -> None:
        """Delete the rows of a partition; errors as `rows`."""
        entry, partitioning, name = self._found(ref)
        self._remove(entry, partitioning, {name})

    def expire(self, entry: Entry) -> None:
        """Delete the rows of a table's partitions whose time has come, if it is to have such."""
        said = entry.body.get("timePartitioning", {}).get("expirationMs")
        partitioning = Partitioning.of(entry.body)
        if said is None or partitioning is None:
            return
        before = clock.now() - timedelta(milliseconds=int(said))
        names = self._describer.partitions(entry, self._warehouse.current(entry.uid))
        gone = {
            name
            for name in names
            if name not in (NULL, OUTSIDE) and partitioning.time_of(name) <= before
        }
        if gone:
            self._remove(entry, partitioning, gone)

    # Inside

    def _remove(self, entry: Entry, partitioning: Partitioning, names: set[str]) -> None:
        while True:
            version = self._warehouse.current(entry.uid)
            files = [
                kept
                for file in version.files
                if (kept := self._without(entry, partitioning, names, file)) is not None
            ]
            if tuple(files) == version.files:
                return
            try:
                self._warehouse.commit(entry.uid, files, base=version.number)
            except StaleError:
                continue
            return

    def _found(self, ref: TableRef) -> tuple[Entry, Partitioning, str]:
        table, _, name = ref.table.partition("$")
        whole = ref.parent.table(table)
        entry = self._catalog.get(whole)
        partitioning = Partitioning.of(entry.body)
        if partitioning is None:
            message = "Cannot read partition information from a table that is not partitioned: "
            raise BigQueryError("invalid", f"{message}{whole}${name}")
        if name != SUMMARY:
            partitioning.check_id(name)
        return entry, partitioning, name

    def _columns(self, entry: Entry, partitioning: Partitioning) -> pa.Schema:
        hidden = (Field(PARTITION_TIME, "TIMESTAMP"),) if partitioning.ingested else ()
        return arrow_schema((*entry.schema, *hidden))

    def _part(
        self, entry: Entry, partitioning: Partitioning, name: str, version: Version
    ) -> pa.Table:
        import pyarrow.compute as pc

        rows = self._warehouse.read(version, self._columns(entry, partitioning))
        return rows.filter(pc.equal(partitioning.ids(rows), name))

    def _without(
        self, entry: Entry, partitioning: Partitioning, names: set[str], file: DataFile
    ) -> DataFile | None:
        """Give a file without these partitions: itself if it has none, None if nothing else."""
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = self._warehouse.read(Version(0, 0, (file,)), self._columns(entry, partitioning))
        inside = pc.is_in(partitioning.ids(rows), value_set=pa.array(sorted(names)))
        kept = rows.filter(pc.invert(inside))
        if kept.num_rows == rows.num_rows:
            return file
        return self._warehouse.write(kept) if kept.num_rows else None

    def _summary(self, ref: TableRef, entry: Entry, version: Version) -> pa.Table:
        import pyarrow as pa

        table = ref.table.partition("$")[0]
        made, changed = entry.created, max(entry.modified, version.committed)
        rows = [
            {
                "project_id": ref.project,
                "dataset_id": ref.dataset,
                "table_id": table,
                "partition_id": name,
                "creation_time": made // 1000,
                "creation_timestamp": made,
                "last_modified_time": changed // 1000,
                "last_modified_timestamp": changed,
            }
            for name in self._describer.partitions(entry, version)
        ]
        return pa.Table.from_pylist(rows, schema=arrow_schema(SUMMARY_SCHEMA))
