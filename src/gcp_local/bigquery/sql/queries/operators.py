"""Operators.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/operators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.typed import Typed, converted, fits, made
from gcp_local.bigquery.sql.runtime import numbers
from gcp_local.bigquery.sql.types import (
    BOOL,
    BYTES,
    DATETIME,
    FLOAT64,
    INT64,
    INTERVAL,
    NUMERIC,
    STRING,
    Type,
    supertype,
)  # fmt: skip

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.errors import BigQueryError
    from gcp_local.bigquery.sql.queries.compilation import Compilation

_NUMBERS = (INT64, NUMERIC, FLOAT64)
_COMPARISONS = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_UNORDERED = ("STRUCT", "ARRAY", "JSON", "GEOGRAPHY")
_WORDS = {"=": "Equality", "!=": "Inequality", "<": "Less than", "<=": "Less than",
          ">": "Greater than", ">=": "Greater than"}  # fmt: skip


def no_signature(what: str, node: exp.Expr, given: list[Typed], supported: str) -> BigQueryError:
    """Say that an operator or function takes no such types."""
    kinds = ", ".join(described(each) for each in given)
    plural = "signatures" if ";" in supported else "signature"
    message = f"No matching signature for {what} for argument types: {kinds}."
    return Typed("", INT64, node=node).refuse(f"{message} Supported {plural}: {supported}")


def described(given: Typed) -> str:
    """Name an argument's type as errors do."""
    return "NULL" if given.type.unknown and given.value is None else str(given.type)


def arithmetic(
    symbol: str, one: Typed, other: Typed, node: exp.Expr, context: Compilation
) -> Typed:
    """Add, subtract, multiply, divide.

    Raises:
        BigQueryError: these types cannot be.

    """
    special = _with_times(symbol, one, other, node)
    if special is not None:
        return special
    kinds: tuple[Type, ...] = _NUMBERS if symbol != "/" else (NUMERIC, FLOAT64)
    if symbol == "/" and not any(each.type.kind == "NUMERIC" for each in (one, other)):
        kinds = (FLOAT64,)
    for kind in kinds:
        if all(_takes(each, kind) for each in (one, other)):
            a, b = (_as(each, kind) for each in (one, other))
            return made(_calculated(symbol, a.sql, b.sql, kind, context), kind, a, b, node=node)
    forms = "; ".join(f"{kind} {symbol} {kind}" for kind in _NUMBERS if kind in kinds)
    if symbol in "+-":
        forms += f"; DATE {symbol} INT64"
    raise no_signature(f"operator {symbol}", node, [one, other], forms)


def _takes(given: Typed, kind: Type) -> bool:
    if given.literal and given.type.kind == "FLOAT64" and kind is NUMERIC:
        return False
    return fits(given, kind)


def _as(given: Typed, kind: Type) -> Typed:
    return converted(given, kind)


def _calculated(symbol: str, a: str, b: str, kind: Type, context: Compilation) -> str:
    name = kind.duckdb
    if symbol == "/":
        act = numbers.divide_numeric if kind.kind == "NUMERIC" else numbers.divide
        return context.call(act, [(a, name), (b, name)], name)
    if symbol == "*" and kind.kind == "NUMERIC":
        return context.call(numbers.multiply_numeric, [(a, name), (b, name)], name)
    return f"({a} {symbol} {b})"


def _with_times(symbol: str, one: Typed, other: Typed, node: exp.Expr) -> Typed | None:
    if symbol == "+" and (one.type.kind, other.type.kind) in _TURNED:
        one, other = other, one
    found = _TIMES.get((one.type.kind, symbol, other.type.kind))
    if found is None:
        return None
    kind, form = found
    sql = form.format(one.sql, other.sql, symbol)
    return made(sql, kind or one.type, one, other, node=node)


_TURNED = {("INT64", "DATE"), ("INTERVAL", "DATE"), ("INTERVAL", "TIMESTAMP"),
           ("INTERVAL", "DATETIME")}  # fmt: skip
_DAYS = "({0} {2} CAST({1} AS INTEGER))"
_MOVED = "({0} {2} {1})"
_GAP = "to_microseconds(epoch_us({0}) - epoch_us({1}))"
_TIMES: dict[tuple[str, str, str], tuple[Type | None, str]] = {
    ("INTERVAL", "*", "INT64"): (INTERVAL, _MOVED), ("INT64", "*", "INTERVAL"): (INTERVAL, _MOVED),
    **{("DATE", symbol, "INT64"): (None, _DAYS) for symbol in "+-"},
    **{("DATE", symbol, "INTERVAL"): (DATETIME, _MOVED) for symbol in "+-"},
    **{(kind, symbol, "INTERVAL"): (None, _MOVED)
       for kind in ("DATETIME", "TIMESTAMP", "INTERVAL") for symbol in "+-"},
    ("TIMESTAMP", "-", "TIMESTAMP"): (INTERVAL, _GAP),
    ("DATETIME", "-", "DATETIME"): (INTERVAL, _GAP),
    ("DATE", "-", "DATE"): (INTERVAL, "to_days(CAST({0} - {1} AS INTEGER))"),
}  # fmt: skip


def comparison(symbol: str, one: Typed, other: Typed, node: exp.Expr) -> Typed:
    """Compare.

    Raises:
        BigQueryError: these types cannot be compared.

    """
    a, b = together(symbol, one, other, node)
    return made(compared_sql(symbol, a, b), BOOL, a, b, node=node)


def compared_sql(symbol: str, one: Typed, other: Typed) -> str:
    """Write the comparison of two values of one type.

    DuckDB takes NaN for a number that is equal to itself and greater than all others; in GoogleSQL
    it is neither less, nor equal, nor greater.
    """
    sql = f"({one.sql} {_COMPARISONS[symbol]} {other.sql})"
    if one.type.kind != "FLOAT64":
        return sql
    if symbol in ("=", "!=") and (_is_number(one) or _is_number(other)):
        return sql
    greater = other if symbol in ("<", "<=") else one
    if _is_number(greater):
        return sql
    if symbol == "!=":
        return f"({sql} OR isnan({greater.sql}))"
    return f"({sql} AND NOT isnan({greater.sql}))"


def _is_number(value: Typed) -> bool:
    return value.constant and value.value == value.value  # NaN is not


def together(symbol: str, one: Typed, other: Typed, node: exp.Expr) -> tuple[Typed, Typed]:
    """Bring two values to the type that they are compared in; errors as `comparison`."""
    kind = supertype([(one.type, one.literal), (other.type, other.literal)])
    order = symbol not in ("=", "!=", "IN", "IS DISTINCT FROM")
    if kind is None and {one.type.kind, other.type.kind} == {"INT64", "NUMERIC"}:
        kind = NUMERIC
    unfit = kind is not None and kind.kind in (_UNORDERED if order else ("ARRAY", "JSON"))
    if unfit and symbol in _WORDS:
        what = f"{_WORDS[symbol]} is not defined for arguments of type {kind}"
        raise refusal(what, node)
    if kind is None or unfit:
        raise no_signature(f"operator {symbol}", node, [one, other], f"ANY {symbol} ANY")
    return converted(one, kind), converted(other, kind)


def concatenation(one: Typed, other: Typed, node: exp.Expr) -> Typed:
    """Join texts, bytes or arrays."""
    if one.type.kind == other.type.kind == "ARRAY":
        kind = supertype([(one.type, one.literal), (other.type, other.literal)])
        if kind is not None:
            a, b = converted(one, kind), converted(other, kind)
            return made(f"list_concat({a.sql}, {b.sql})", kind, a, b, node=node)
    for kind in (STRING, BYTES):
        if all(fits(each, kind) for each in (one, other)):
            a, b = converted(one, kind), converted(other, kind)
            return made(f"({a.sql} || {b.sql})", kind, a, b, node=node)
    forms = "STRING || STRING; BYTES || BYTES; ARRAY<T1> || ARRAY<T1>"
    raise no_signature("operator ||", node, [one, other], forms)


def logical(word: str, given: list[Typed], node: exp.Expr) -> Typed:
    """Join conditions by AND or OR; or turn one round by NOT."""
    if not all(fits(each, BOOL) for each in given):
        forms = "NOT BOOL" if word == "NOT" else f"BOOL {word} BOOL"
        raise no_signature(f"operator {word}", node, given, forms)
    parts = [converted(each, BOOL) for each in given]
    if word == "NOT":
        return made(f"(NOT {parts[0].sql})", BOOL, *parts, node=node)
    joined = f" {word} ".join(each.sql for each in parts)
    return made(f"({joined})", BOOL, *parts, node=node)


def bitwise(symbol: str, one: Typed, other: Typed, node: exp.Expr) -> Typed:
    """Combine bits, or shift them."""
    if not all(fits(each, INT64) for each in (one, other)):
        raise no_signature(
            f"operator {symbol}", node, [one, other], f"INT64 {symbol} INT64; BYTES {symbol} BYTES"
        )
    a, b = converted(one, INT64), converted(other, INT64)
    if symbol == "^":
        return made(f"xor({a.sql}, {b.sql})", INT64, a, b, node=node)
    if symbol == "<<":
        moved = f"CAST({a.sql} AS BIT) << CAST({b.sql} AS INTEGER)"
        sql = f"CASE WHEN {b.sql} >= 64 THEN 0 ELSE CAST({moved} AS BIGINT) END"
        return made(f"({sql})", INT64, a, b, node=node)
    return made(f"({a.sql} {symbol} {b.sql})", INT64, a, b, node=node)


def negative(given: Typed, node: exp.Expr, context: Compilation) -> Typed:
    """Change the sign."""
    if given.type.kind == "INTERVAL":
        return made(f"(-{given.sql})", INTERVAL, given, node=node)
    for kind in _NUMBERS:
        if fits(given, kind):
            part = converted(given, kind)
            if kind is INT64:
                sql = context.call(numbers.negate, [(part.sql, "BIGINT")], "BIGINT")
                return made(sql, kind, part, node=node)
            return made(f"(-{part.sql})", kind, part, node=node)
    forms = "; ".join(f"-{kind}" for kind in _NUMBERS)
    raise no_signature("operator -", node, [given], forms)
