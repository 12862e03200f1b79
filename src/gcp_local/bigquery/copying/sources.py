"""What jobs read of tables: as they are, as they were, or one partition of them.

A name may end in `@MILLISECONDS`, since the epoch or, if below zero, before now; or it may end in
`$PARTITION`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.partitions import Partitioning
from gcp_local.bigquery.references import TableRef
from gcp_local.bigquery.schema import arrow_schema
from gcp_local.bigquery.warehouse import WINDOW

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.warehouse import Version, Warehouse

_TIME = re.compile(r"-?[0-9]{1,18}")
_ROWS = ("TABLE", "SNAPSHOT")


@dataclass(frozen=True)
class TableSource:
    """A table that a job reads.

    Attributes:
        ref: without time and partition.
        partition: the id of the partition that alone is read; empty for all.
        moment: the time as of which it is read.

    """

    ref: TableRef
    entry: Entry
    version: Version
    moment: datetime
    partition: str = ""

    @property
    def partitioning(self) -> Partitioning | None:
        """How the table is partitioned."""
        return Partitioning.of(self.entry.body)


class TableSources:
    """Finds tables and reads their rows."""

    def __init__(self, catalog: Catalog, warehouse: Warehouse) -> None:
        self._catalog = catalog
        self._warehouse = warehouse

    def find(self, named: TableRef) -> TableSource:
        """Find a table, and the version that is meant.

        Raises:
            BigQueryError: no such table, or none at that time; a view; a partition of a table that
                has none.

        """
        name, _, partition = named.table.partition("$")
        name, at, time = name.partition("@")
        ref = named.parent.table(name)
        moment = _moment(named, time) if at else clock.now()
        entry = self._catalog.find(ref)
        if entry is None and at:
            entry = self._catalog.deleted.table(ref, moment)
        if entry is None:
            entry = self._catalog.get(ref)
        if entry.kind not in _ROWS:
            message = (
                f"{ref} is not allowed for this operation because it is currently a {entry.kind}."
            )
            raise BigQueryError("invalid", message)
        version = self._warehouse.at(entry.uid, moment) if at else None
        if at and version is None and clock.micros(moment) < entry.created:
            raise BigQueryError("invalid", f"Invalid time travel timestamp {time} for table {ref}.")
        source = TableSource(
            ref, entry, version or self._warehouse.current(entry.uid), moment, partition
        )
        if partition:
            if source.partitioning is None:
                message = f"The table {ref} is not partitioned: there is no partition {partition}."
                raise BigQueryError("invalid", message)
            source.partitioning.check_id(partition)
        return source

    def rows(self, source: TableSource) -> pa.Table:
        """Read the rows, without hidden columns."""
        shape = arrow_schema(source.entry.schema)
        if not source.partition:
            return self._warehouse.read(source.version, shape)
        rows = self.partition(source)
        return rows.select(shape.names)

    def partition(self, source: TableSource) -> pa.Table:
        """Read the rows of the source's partition, with the hidden column if there is one."""
        import pyarrow.compute as pc

        partitioning = source.partitioning
        assert partitioning is not None
        shape = partitioning.with_hidden(arrow_schema(source.entry.schema))
        rows = self._warehouse.read(source.version, shape)
        return rows.filter(pc.equal(partitioning.ids(rows), source.partition))


def _moment(named: TableRef, time: str) -> datetime:
    now = clock.now()
    if not _TIME.fullmatch(time):
        raise BigQueryError("invalid", f"Invalid snapshot time in the table name {named.table}.")
    offset = timedelta(milliseconds=int(time))
    moment = now + offset if offset < timedelta() else clock.from_micros(int(time) * 1000)
    if not now - WINDOW <= moment <= now:
        message = f"Invalid snapshot time {time} for table {named}: it is not within seven days."
        raise BigQueryError("invalid", message)
    return moment
