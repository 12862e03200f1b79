"""Partitioned tables: which partition a row lies in, by the table's `Table` resource.

A table partitioned by the time of ingestion has a hidden column PARTITION_TIME in its files, cut to
the partition's beginning (Arrow's timestamp[us, UTC]), which its schema does not name. Whoever adds
rows to such a table gives them that column by `stamped`.

Source: https://cloud.google.com/bigquery/docs/partitioned-tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.schema import Schema

PARTITION_TIME = "_PARTITIONTIME"
NULL = "__NULL__"
OUTSIDE = "__UNPARTITIONED__"
# The form of an id, and how many digits it has.
_FORMS = {"YEAR": ("%Y", 4), "MONTH": ("%Y%m", 6), "DAY": ("%Y%m%d", 8), "HOUR": ("%Y%m%d%H", 10)}
_WHOLE = re.compile(r"-?[0-9]+")


@dataclass(frozen=True)
class Partitioning:
    """How a table is partitioned.

    Attributes:
        kind: HOUR, DAY, MONTH, YEAR; or RANGE.
        column: by which column; PARTITION_TIME if by the time of ingestion.
        start: of the ranges of whole numbers.
        end: after the last of them.
        interval: how long each is.

    """

    kind: str
    column: str = PARTITION_TIME
    start: int = 0
    end: int = 0
    interval: int = 1

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Partitioning | None:
        """Read it from a `Table` (or a job's configuration); None if it is not partitioned."""
        time = table.get("timePartitioning")
        if time is not None:
            return cls(time.get("type", "DAY"), time.get("field") or PARTITION_TIME)
        said = table.get("rangePartitioning")
        if said is None:
            return None
        bounds = {name: int(said["range"][name]) for name in ("start", "end", "interval")}
        return cls("RANGE", said["field"], **bounds)

    @property
    def ingested(self) -> bool:
        """Whether rows lie where the time of their ingestion puts them."""
        return self.column == PARTITION_TIME

    def check_id(self, partition: str) -> None:
        """Refuse what is no id of a partition of such a table."""
        if partition in (NULL, OUTSIDE):
            return
        if self.kind == "RANGE":
            fits = bool(_WHOLE.fullmatch(partition))
        else:
            fits = self._time_of(partition) is not None
        if not fits:
            message = (
                f"Invalid partition id {partition!r}: it does not fit a table with"
                f" {self.kind} partitions."
            )
            raise BigQueryError("invalid", message)

    def time_of(self, partition: str) -> datetime:
        """Give the time at which a partition begins; errors as `check_id`."""
        found = self._time_of(partition)
        if found is None:
            raise BigQueryError("invalid", f"Invalid partition id {partition!r}.")
        return found

    def _time_of(self, partition: str) -> datetime | None:
        form, digits = _FORMS[self.kind]
        if len(partition) != digits or not partition.isdecimal():
            return None
        try:
            return datetime.strptime(partition, form).replace(tzinfo=UTC)
        except ValueError:
            return None

    def ids(self, rows: pa.Table) -> pa.ChunkedArray:
        """Give the id of each row's partition."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.column not in rows.column_names:
            return pa.chunked_array([pa.repeat(NULL, rows.num_rows)], type=pa.string())
        values = rows.column(self.column)
        if self.kind == "RANGE":
            inside = pc.and_(pc.greater_equal(values, self.start), pc.less(values, self.end))
            # Arrow divides towards zero, but what is inside lies above the start.
            steps = pc.divide(pc.subtract(values, self.start), self.interval)
            begins = pc.add(pc.multiply(steps, self.interval), self.start)
            ids = pc.if_else(inside, pc.cast(begins, pa.string()), OUTSIDE)
        else:
            ids = pc.strftime(pc.cast(values, pa.timestamp("us")), format=_FORMS[self.kind][0])
        return pc.fill_null(ids, NULL)

    def stamped(self, rows: pa.Table, moment: datetime, partition: str | None = None) -> pa.Table:
        """Give rows the hidden column, where the table is one that has it.

        Args:
            rows: to be added.
            moment: when.
            partition: the id of the partition that they are to lie in, if it was named.

        """
        import pyarrow as pa

        if not self.ingested:
            return rows
        begins = self.time_of(partition) if partition else _cut(moment, self.kind)
        column = pa.repeat(pa.scalar(begins, pa.timestamp("us", tz="UTC")), rows.num_rows)
        return rows.append_column(PARTITION_TIME, column)

    def with_hidden(self, shape: pa.Schema) -> pa.Schema:
        """Add the hidden column to the shape of the rows, where the table has it."""
        import pyarrow as pa

        if not self.ingested:
            return shape
        return shape.append(pa.field(PARTITION_TIME, pa.timestamp("us", tz="UTC")))

    def as_message(self) -> str:
        """Say it as BigQuery's refusals do."""
        if self.kind == "RANGE":
            return (
                f"range(field:{self.column},start:{self.start},end:{self.end},"
                f"interval:{self.interval})"
            )
        field = "" if self.ingested else f",field:{self.column}"
        return f"interval(type:{self.kind.lower()}{field})"


def check_column(partitioning: Partitioning, schema: Schema) -> None:
    """Refuse partitions by a column that is not there, or not of a type for it."""
    if partitioning.ingested:
        return
    name = partitioning.column
    field = next((each for each in schema if each.name.lower() == name.lower()), None)
    if field is None:
        message = f"The field specified for partitioning cannot be found in the schema: {name}."
        raise BigQueryError("invalid", message)
    if partitioning.kind == "RANGE":
        allowed: tuple[str, ...] = ("INTEGER",)
    elif partitioning.kind == "HOUR":
        allowed = ("TIMESTAMP", "DATETIME")
    else:
        allowed = ("DATE", "TIMESTAMP", "DATETIME")
    if field.repeated or field.type not in allowed:
        message = (
            f"The field specified for partitioning can only be of type {', '.join(allowed)}. The"
            f" type found is: {field.sql}."
        )
        raise BigQueryError("invalid", message)


def _cut(moment: datetime, kind: str) -> datetime:
    fresh = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    match kind:
        case "YEAR":
            return fresh.replace(month=1, day=1, hour=0)
        case "MONTH":
            return fresh.replace(day=1, hour=0)
        case "DAY":
            return fresh.replace(hour=0)
    return fresh
