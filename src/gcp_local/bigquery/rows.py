"""Rows as BigQuery's answers have them: `{"f": [{"v": "1"}, …]}`."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.schema import Field, Schema

if TYPE_CHECKING:
    import pyarrow as pa


def rows_json(rows: pa.Table, schema: Schema, *, int64_timestamps: bool) -> list[dict[str, Any]]:
    """Write rows.

    Args:
        rows: in the Arrow types of the schema.
        schema: their columns.
        int64_timestamps: TIMESTAMP in microseconds, which is what clients ask for; else in seconds.

    """
    columns = [
        [_cell(value, field, int64_timestamps) for value in column.to_pylist()]
        for column, field in zip(rows.columns, schema, strict=True)
    ]
    return [{"f": [{"v": value} for value in row]} for row in zip(*columns, strict=True)]


def _cell(value: Any, field: Field, int64: bool) -> Any:
    if field.repeated:
        return [{"v": _cell(each, field.element, int64)} for each in value or ()]
    if value is None:
        return None
    if field.type == "RECORD":
        return {"f": [{"v": _cell(value[each.name], each, int64)} for each in field.fields]}
    if isinstance(value, datetime) and field.type == "TIMESTAMP":
        micros = clock.micros(value)
        return str(micros) if int64 else repr(micros / 1e6)
    return _text(value)


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return _float(value)
        case Decimal():
            return format(value.normalize(), "f")
        case bytes():
            return base64.b64encode(value).decode()
        case date() | time():  # a datetime is a date
            return value.isoformat()
        case _:
            return str(value)


def _float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def selected(schema: Schema, names: Iterable[str]) -> Schema:
    """Give those top-level columns that are asked for, in the schema's order."""
    wanted = {name.lower() for name in names}
    return tuple(field for field in schema if field.name.lower() in wanted)


def slice_of(rows: pa.Table, schema: Schema, columns: Sequence[Field]) -> pa.Table:
    """Give those columns of the rows."""
    known = [field.name for field in schema]
    return rows.select([known.index(field.name) for field in columns])
