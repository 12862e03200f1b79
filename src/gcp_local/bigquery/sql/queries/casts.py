"""CAST and SAFE_CAST.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import quoted
from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.literals import text_sql
from gcp_local.bigquery.sql.queries.typed import Typed, converted
from gcp_local.bigquery.sql.runtime import numbers, timeformats, timetexts
from gcp_local.bigquery.sql.runtime.numbers import QueryError
from gcp_local.bigquery.sql.types import Type, distinct_names, same

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.compilation import Compilation

_PLAIN = {
    ("INT64", "BOOL"), ("INT64", "FLOAT64"), ("INT64", "NUMERIC"), ("INT64", "STRING"),
    ("BOOL", "INT64"), ("BOOL", "STRING"), ("NUMERIC", "FLOAT64"), ("NUMERIC", "INT64"),
    ("DATE", "STRING"), ("DATE", "DATETIME"), ("DATE", "TIMESTAMP"), ("DATETIME", "DATE"),
    ("DATETIME", "TIME"), ("DATETIME", "TIMESTAMP"), ("TIMESTAMP", "DATE"),
    ("TIMESTAMP", "DATETIME"),
}  # fmt: skip
_TIMES = ("DATE", "DATETIME", "TIME", "TIMESTAMP")


def cast(
    value: Typed, wanted: Type, node: exp.Expr, context: Compilation, *, safe: bool = False,
    form: Typed | None = None, zone: Typed | None = None,
) -> Typed:  # fmt: skip
    """Cast a value.

    Raises:
        BigQueryError: no value of that type can be.

    """
    if value.type.unknown:
        return replace(converted(value, wanted), literal=False)
    if form is not None:
        sql = _formatted(value, wanted, form, zone, node, context)
    else:
        sql = cast_sql(value.sql, value.type, wanted, node, context)
    parts = [each for each in (value, form, zone) if each is not None]
    if safe and sql != value.sql:
        sql = f"TRY({sql})"
    return Typed(sql, wanted, parts=tuple(parts), name="", node=node)


def cast_sql(sql: str, given: Type, wanted: Type, node: exp.Expr, context: Compilation) -> str:
    """Write a cast; errors as `cast`."""
    if given == wanted:
        return sql
    if given.kind == wanted.kind and given.kind in ("ARRAY", "STRUCT"):
        return _nested(sql, given, wanted, node, context)
    if same(given, wanted):
        return sql
    way = _WAYS.get((given.kind, wanted.kind))
    if way is None:
        raise _invalid(given, wanted, node)
    return way(sql, context)


def _nested(sql: str, given: Type, wanted: Type, node: exp.Expr, context: Compilation) -> str:
    if given.kind == "ARRAY":
        if given.of.unknown or given.of.kind == wanted.of.kind:
            return f"CAST({sql} AS {wanted.duckdb})"
        inner = cast_sql("x", given.of, wanted.of, node, context)
        return f"list_transform({sql}, lambda x: {inner})"
    if len(given.fields) != len(wanted.fields):
        raise _invalid(given, wanted, node)
    pairs = []
    for at, name in enumerate(distinct_names(wanted)):
        part = f"struct_extract_at({sql}, {at + 1})"
        inner = cast_sql(part, given.fields[at][1], wanted.fields[at][1], node, context)
        pairs.append(f"{quoted(name)} := {inner}")
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE struct_pack({', '.join(pairs)}) END"


def _invalid(given: Type, wanted: Type, node: exp.Expr) -> BigQueryError:
    value = node.this if node.key in ("cast", "trycast") else node
    return refusal(f"Invalid cast from {given} to {wanted}", value)


def interval_text_sql(sql: str, context: Compilation) -> str:
    """Write an INTERVAL as text."""
    months = f"(datepart('year', {sql}) * 12 + datepart('month', {sql}))"
    clock = f"(datepart('hour', {sql}) * 3600 + datepart('minute', {sql}) * 60) * 1000000"
    arguments = [
        (f"CAST({months} AS BIGINT)", "BIGINT"),
        (f"CAST(datepart('day', {sql}) AS BIGINT)", "BIGINT"),
        (f"CAST({clock} + datepart('microsecond', {sql}) AS BIGINT)", "BIGINT"),
    ]
    return context.call(timetexts.interval_text, arguments, "VARCHAR")


def _formatted(
    value: Typed, wanted: Type, form: Typed, zone: Typed | None, node: exp.Expr,
    context: Compilation,
) -> str:  # fmt: skip
    if not form.constant or not isinstance(form.value, str):
        raise BigQueryError.lacking("CAST with a FORMAT that is no literal", location="query")
    if form.value.upper() in ("HEX", "BASE64", "UTF-8", "UTF8", "ASCII"):
        return _bytes_formatted(value, wanted, form.value.upper(), node)
    try:
        pattern = text_sql(timeformats.cast_pattern(form.value))
    except QueryError as error:
        raise BigQueryError.lacking(f"CAST with that FORMAT: {error}", location="query") from None
    told = zone.sql if zone is not None else "'UTC'"
    if wanted.kind == "STRING" and value.type.kind in _TIMES:
        if value.type.kind == "DATE":
            arguments = [(pattern, "VARCHAR"), (value.sql, "DATE")]
            return context.call(timeformats.formatted_date, arguments, "VARCHAR")
        arguments = [(pattern, "VARCHAR"), (f"epoch_us({value.sql})", "BIGINT"), (told, "VARCHAR")]
        return context.call(timeformats.formatted, arguments, "VARCHAR")
    if value.type.kind == "STRING" and wanted.kind in _TIMES:
        arguments = [(pattern, "VARCHAR"), (value.sql, "VARCHAR")]
        if wanted.kind == "DATE":
            return context.call(timeformats.parsed_date, arguments, "DATE")
        if wanted.kind == "TIMESTAMP":
            arguments.append((told, "VARCHAR"))
            found = context.call(timeformats.parsed_timestamp, arguments, "BIGINT")
        else:
            act = timeformats.parsed if wanted.kind == "DATETIME" else timeformats.parsed_time
            found = context.call(act, arguments, "BIGINT")
        return from_micros_sql(found, wanted.kind)
    raise BigQueryError.lacking(f"CAST of {value.type} to {wanted} with FORMAT", location="query")


def _bytes_formatted(value: Typed, wanted: Type, form: str, node: exp.Expr) -> str:
    pair = (value.type.kind, wanted.kind)
    if pair == ("BYTES", "STRING"):
        return {"HEX": f"lower(hex({value.sql}))", "BASE64": f"to_base64({value.sql})"}.get(
            form, f"decode({value.sql})"
        )
    if pair == ("STRING", "BYTES"):
        return {"HEX": f"from_hex({value.sql})", "BASE64": f"from_base64({value.sql})"}.get(
            form, f"encode({value.sql})"
        )
    raise _invalid(value.type, wanted, node)


# What a cast does to a value


def text_of_bytes(value: bytes) -> str:
    """Read BYTES as UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise QueryError("Invalid UTF-8 string") from None


def int64_of(text: str) -> int:
    """Read an INT64."""
    found = re.fullmatch(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|\d+)\s*", text)
    if not found:
        raise QueryError(f"Bad int64 value: {text}")
    value = int(found[2], 16 if found[2][:2] in ("0x", "0X") else 10)
    value = -value if found[1] == "-" else value
    if not -(2**63) <= value < 2**63:
        raise QueryError(f"Bad int64 value: {text}")
    return value


def float64_of(text: str) -> float:
    """Read a FLOAT64."""
    try:
        value = float(text.replace("_", "none"))
    except ValueError:
        raise QueryError(f"Bad double value: {text}") from None
    return value


def numeric_of(text: str) -> Decimal:
    """Read a NUMERIC."""
    try:
        value = Decimal(text.strip().replace("_", "none"))
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite():
        raise QueryError(f"Invalid NUMERIC value: {text}")
    return numbers.numeric(value)


def bool_of(text: str) -> bool:
    """Read a BOOL."""
    found = {"true": True, "false": False}.get(text.lower())
    if found is None:
        raise QueryError(f"Bad bool value: {text}")
    return found


def from_micros_sql(sql: str, kind: str) -> str:
    """Write microseconds as a DATETIME, TIMESTAMP or TIME."""
    made_of = f"make_timestamp({sql})"
    return made_of if kind == "DATETIME" else f"CAST({made_of} AS {Type(kind).duckdb})"


_Way = Callable[[str, "Compilation"], str]


def _plainly(wanted: str) -> _Way:
    return lambda sql, _context: f"CAST({sql} AS {Type(wanted).duckdb})"


def _by(act: Callable[..., object], given: str, wanted: str) -> _Way:
    """Cast by a function in Python, which takes times as microseconds."""
    micros = ("DATETIME", "TIMESTAMP", "TIME")

    def way(sql: str, context: Compilation) -> str:
        if given in micros:
            return context.call(act, [(f"epoch_us({sql})", "BIGINT")], Type(wanted).duckdb)
        argument = [(sql, Type(given).duckdb)]
        if wanted in micros:
            return from_micros_sql(context.call(act, argument, "BIGINT"), wanted)
        return context.call(act, argument, Type(wanted).duckdb)

    return way


_PYTHON: dict[tuple[str, str], Callable[..., object]] = {
    ("BYTES", "STRING"): text_of_bytes, ("FLOAT64", "STRING"): numbers.float_text,
    ("FLOAT64", "INT64"): numbers.whole, ("FLOAT64", "NUMERIC"): numbers.float_numeric,
    ("NUMERIC", "STRING"): numbers.numeric_text, ("STRING", "INT64"): int64_of,
    ("STRING", "FLOAT64"): float64_of, ("STRING", "NUMERIC"): numeric_of,
    ("STRING", "BOOL"): bool_of, ("STRING", "DATE"): timetexts.date_of,
    ("STRING", "DATETIME"): timetexts.datetime_micros,
    ("STRING", "TIMESTAMP"): timetexts.timestamp_micros,
    ("STRING", "TIME"): timetexts.time_micros, ("DATETIME", "STRING"): timetexts.datetime_text,
    ("TIMESTAMP", "STRING"): timetexts.timestamp_text, ("TIME", "STRING"): timetexts.time_text,
}  # fmt: skip
_WAYS: dict[tuple[str, str], _Way] = {
    **{pair: _plainly(pair[1]) for pair in _PLAIN},
    **{pair: _by(act, *pair) for pair, act in _PYTHON.items()},
    ("STRING", "BYTES"): lambda sql, _context: f"encode({sql})",
    ("INTERVAL", "STRING"): interval_text_sql,
    ("TIMESTAMP", "TIME"): lambda sql, _context: f"CAST(CAST({sql} AS TIMESTAMP) AS TIME)",
}
