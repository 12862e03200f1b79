"""Values as DuckDB's SQL has them."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from gcp_local.bigquery.schema import quoted
from gcp_local.bigquery.sql.runtime import documents, times, timetexts
from gcp_local.bigquery.sql.runtime.numbers import numeric
from gcp_local.bigquery.sql.types import Type, distinct_names


def sql_of(value: Any, kind: Type) -> str:
    """Write a value: that of a literal, parameter or variable.

    Args:
        value: as `Parameter.value` has it.
        kind: its type.

    """
    if value is None:
        return f"CAST(NULL AS {kind.duckdb})"
    if kind.kind == "ARRAY":
        inner = ", ".join(sql_of(each, kind.of) for each in value)
        return f"CAST([{inner}] AS {kind.duckdb})"
    if kind.kind == "STRUCT":
        values = value.values() if isinstance(value, dict) else value
        pairs = zip(distinct_names(kind), values, kind.fields, strict=True)
        inner = ", ".join(f"{quoted(name)} := {sql_of(each, of)}" for name, each, (_, of) in pairs)
        return f"struct_pack({inner})"
    return _scalar(value, kind)


def _scalar(value: Any, kind: Type) -> str:
    writer = _WRITERS.get(kind.kind)
    return writer(value) if writer else f"CAST({text_sql(_text(value))} AS {kind.duckdb})"


def _int64(value: int) -> str:
    # DuckDB would read the least number as what is less than none, turned round.
    return f"CAST({value} AS BIGINT)" if value >= 0 else f"CAST('{value}' AS BIGINT)"


def _float64(value: float) -> str:
    text = repr(float(value)) if math.isfinite(value) else f"'{value}'"
    return f"CAST({text} AS DOUBLE)"


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        zone = "+00" if value.tzinfo else ""
        return timetexts.datetime_text(times.micros_of(value)) + zone
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value)


def text_sql(text: str) -> str:
    """Write a STRING."""
    if "\0" in text:
        parts = text.split("\0")
        return "(" + " || chr(0) || ".join(text_sql(part) for part in parts) + ")"
    return "'" + text.replace("'", "''") + "'"


def value_of_text(text: str, kind: str) -> Any:
    """Read the text of a literal.

    Raises:
        ArithmeticError, ValueError, RuntimeError: it is none.

    """
    return _READERS[kind](text) if kind in _READERS else text


def _json(text: str) -> str:
    return documents.dumps(documents.loads(text))


_WRITERS: dict[str, Callable[[Any], str]] = {
    "BOOL": lambda value: "true" if value else "false",
    "INT64": lambda value: _int64(int(value)),
    "FLOAT64": _float64,
    "NUMERIC": lambda value: f"CAST('{numeric(Decimal(value)):f}' AS DECIMAL(38, 9))",
    "BYTES": lambda value: f"from_hex('{bytes(value).hex()}')",
    "STRING": lambda value: text_sql(str(value)),
}
_READERS: dict[str, Callable[[str], Any]] = {
    "DATE": timetexts.date_of,
    "DATETIME": lambda text: times.from_micros(timetexts.datetime_micros(text)).replace(
        tzinfo=None
    ),
    "TIMESTAMP": lambda text: times.from_micros(timetexts.timestamp_micros(text)),
    "TIME": lambda text: times.from_micros(timetexts.time_micros(text)).time(),
    "NUMERIC": lambda text: numeric(Decimal(text.strip())),
    "JSON": _json,
}
