"""What a table's partitioning may be.

Source: https://cloud.google.com/bigquery/docs/partitioned-tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.partitions import Partitioning, check_column
from gcp_local.bigquery.schema import Schema

_UNITS = ("DAY", "HOUR", "MONTH", "YEAR")
_MOST_RANGES = 10_000
_KINDS = ("timePartitioning", "rangePartitioning")


def checked_partitioning(body: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Hold a table's partitioning to the rules, and give the table with its column's own name.

    Raises:
        BigQueryError: one is broken.

    """
    there = [kind for kind in _KINDS if kind in body]
    if not there:
        if body.get("requirePartitionFilter"):
            message = "requirePartitionFilter can be set only for a partitioned table."
            raise BigQueryError("invalid", message)
        return dict(body)
    if len(there) > 1:
        message = "Cannot specify both timePartitioning and rangePartitioning."
        raise BigQueryError("invalid", message)
    said = dict(body[there[0]])
    (_check_time if there[0] == "timePartitioning" else _check_range)(said)
    partitioning = Partitioning.of({there[0]: said})
    assert partitioning is not None
    check_column(partitioning, schema)
    for field in schema:
        if field.name.lower() == said.get("field", "").lower():
            said["field"] = field.name
    return {**body, there[0]: said}


def check_same(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Refuse to partition a table otherwise than it was made.

    Raises:
        BigQueryError: `invalid`.

    """
    old, new = Partitioning.of(before), Partitioning.of(after)
    if old == new:
        return
    if old is None:
        message = "Cannot convert non partitioned/clustered table to partitioned/clustered table."
    else:
        message = (
            "Cannot change partitioning spec of a table: expected"
            f" {old.as_message()}, but it is {new.as_message() if new else 'none'}."
        )
    raise BigQueryError("invalid", message)


def _check_time(said: Mapping[str, Any]) -> None:
    unit = said.get("type", "")
    if not unit:
        raise BigQueryError("required", "Required parameter is missing: timePartitioning.type")
    if unit not in _UNITS:
        raise BigQueryError("invalid", f"Invalid value for timePartitioning.type: {unit:.100}")
    if int(said.get("expirationMs", 1)) <= 0:
        raise BigQueryError("invalid", "timePartitioning.expirationMs must be above 0.")


def _check_range(said: Mapping[str, Any]) -> None:
    bounds = said.get("range", {})
    missing = [name for name in ("start", "end", "interval") if name not in bounds]
    if "field" not in said or missing:
        name = "field" if "field" not in said else f"range.{missing[0]}"
        raise BigQueryError("required", f"Required parameter is missing: rangePartitioning.{name}")
    start, end, interval = (int(bounds[name]) for name in ("start", "end", "interval"))
    if start >= end or interval <= 0:
        message = "rangePartitioning.range: start must be below end, and interval above 0."
        raise BigQueryError("invalid", message)
    if (end - start - 1) // interval + 1 > _MOST_RANGES:
        message = f"rangePartitioning.range has more than {_MOST_RANGES} partitions."
        raise BigQueryError("invalid", message)
