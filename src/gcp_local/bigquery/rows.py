"""Rows as BigQuery's answers have them: `{"f": [{"v": "1"}, …]}`."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import Field, Schema

if TYPE_CHECKING:
    import pyarrow as pa

INT64, FLOAT64, ISO8601 = "INT64", "FLOAT64", "ISO8601_STRING"
_Write = Callable[[Any], Any]


def rows_json(rows: pa.Table, schema: Schema, *, timestamps: str) -> list[dict[str, Any]]:
    """Write rows.

    Args:
        rows: in the Arrow types of the schema.
        schema: their columns.
        timestamps: INT64, in microseconds, which is what clients ask for; FLOAT64, in seconds; or
            ISO8601_STRING.

    """
    columns = []
    for column, field in zip(rows.columns, schema, strict=True):
        write = writer_of(field, timestamps)
        columns.append([{"v": write(value)} for value in column.to_pylist()])
    return [{"f": list(row)} for row in zip(*columns, strict=True)]


def writer_of(field: Field, form: str) -> _Write:
    """Make what writes a field's values; `rows_json` says which forms of times there are."""
    if field.repeated:
        write = writer_of(field.element, form)
        return lambda value: [{"v": write(each)} for each in value or ()]
    if field.type == "RECORD":
        parts = [(each.name, writer_of(each, form)) for each in field.fields]

        def record(value: Any) -> Any:
            if value is None:
                return None
            return {"f": [{"v": write(value[name])} for name, write in parts]}

        return record
    if field.type == "TIMESTAMP":
        return _nullable({INT64: _micros, FLOAT64: _seconds, ISO8601: _iso}[form])
    return _nullable(_WRITERS[field.type])


def _nullable(write: _Write) -> _Write:
    return lambda value: None if value is None else write(value)


def _micros(value: datetime) -> str:
    return str(clock.micros(value))


def _seconds(value: datetime) -> str:
    return repr(clock.micros(value) / 1e6)


def _iso(value: datetime) -> str:
    naive = value.astimezone(UTC).replace(tzinfo=None)
    return naive.isoformat(timespec="microseconds") + "Z"


def _isoformat(value: Any) -> str:
    return str(value.isoformat())


def _numeric(value: Decimal) -> str:
    # Not `normalize`, which rounds to the precision of the context.
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def _interval(value: Any) -> str:
    """Write months, days and nanoseconds as `1-2 3 4:5:6.5`."""
    months, days, nanoseconds = value
    years, rest = divmod(abs(months), 12)
    seconds, micros = divmod(abs(nanoseconds) // 1000, 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    part = f".{micros:06}".rstrip("0") if micros else ""
    sign, minus = ("-" if months < 0 else ""), ("-" if nanoseconds < 0 else "")
    return f"{sign}{years}-{rest} {days} {minus}{hours}:{minutes}:{seconds}{part}"


_WRITERS: dict[str, _Write] = {
    "INTEGER": str, "FLOAT": _float, "NUMERIC": _numeric, "STRING": str, "JSON": str,
    "BOOLEAN": lambda value: "true" if value else "false",
    "BYTES": lambda value: base64.b64encode(value).decode(),
    "DATE": _isoformat, "TIME": _isoformat, "DATETIME": _isoformat, "INTERVAL": _interval,
}  # fmt: skip


def timestamp_form(options: Mapping[str, Any]) -> str:
    """Tell in which form `DataFormatOptions` want TIMESTAMP.

    Raises:
        BigQueryError: `invalid`; they want two.

    """
    said = options.get("timestampOutputFormat", "TIMESTAMP_OUTPUT_FORMAT_UNSPECIFIED")
    if said != "TIMESTAMP_OUTPUT_FORMAT_UNSPECIFIED":
        if options.get("useInt64Timestamp") and said != INT64:
            message = "useInt64Timestamp and timestampOutputFormat contradict each other."
            raise BigQueryError("invalid", message)
        return str(said)
    return INT64 if options.get("useInt64Timestamp") else FLOAT64
