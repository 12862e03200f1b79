"""PARTITION BY, in all its forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.cursor import Cursor

_PARTS = ("HOUR", "DAY", "MONTH", "YEAR")
_PSEUDO = ("_PARTITIONTIME", "_PARTITIONDATE")


def read_partitions(cursor: Cursor) -> tuple[dict[str, Any], bool]:
    """Take what stands behind PARTITION BY.

    Returns:
        the `timePartitioning` or `rangePartitioning`, under that name; and whether it is a column
        as it is.

    Raises:
        BigQueryError: none of the forms that there are.

    """
    first = cursor.token
    if cursor.peek().text != "(":
        name = cursor.name()
        if name.upper() in _PSEUDO:
            return {"timePartitioning": {"type": "DAY"}}, False
        return {"timePartitioning": {"type": "DAY", "field": name}}, True
    function = cursor.next().upper
    said: dict[str, Any] | None = None
    cursor.expect("(")
    if function == "RANGE_BUCKET":
        said = _ranges(cursor)
    elif function in ("DATE", "DATE_TRUNC", "DATETIME_TRUNC", "TIMESTAMP_TRUNC"):
        said = _times(cursor, function)
    if said is None:
        raise cursor.since(first).error(
            "PARTITION BY expression must be DATE(<timestamp_column>), DATE(<datetime_column>),"
            " DATETIME_TRUNC(<datetime_column>, DAY/HOUR/MONTH/YEAR), a DATE column,"
            " TIMESTAMP_TRUNC(<timestamp_column>, DAY/HOUR/MONTH/YEAR), DATE_TRUNC(<date_column>,"
            " MONTH/YEAR), or RANGE_BUCKET(<int64_column>, GENERATE_ARRAY(<int64_value>,"
            " <int64_value>[, <int64_value>]))"
        )
    cursor.expect(")")
    return said, False


def _ranges(cursor: Cursor) -> dict[str, Any] | None:
    name = cursor.name()
    cursor.expect(",", "GENERATE_ARRAY")
    bounds = cursor.parenthesised(lambda: _whole(cursor))
    if len(bounds) not in (2, 3):
        return None
    start, end, interval = (*bounds, 1)[:3]
    limits = {"start": str(start), "end": str(end), "interval": str(interval)}
    return {"rangePartitioning": {"field": name, "range": limits}}


def _times(cursor: Cursor, function: str) -> dict[str, Any] | None:
    name, part = cursor.name(), "DAY"
    if function != "DATE":
        cursor.expect(",")
        part = cursor.next().upper
    if part not in _PARTS or (function == "DATE_TRUNC" and part == "HOUR"):
        return None
    field = {} if name.upper() in _PSEUDO else {"field": name}
    return {"timePartitioning": {"type": part, **field}}


def _whole(cursor: Cursor) -> int:
    sign = -1 if cursor.skip("-") else 1
    return sign * cursor.integer()
