"""Mathematical functions, and those of bits.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/mathematical_functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.sql.queries.functions.signatures import Function, Python, function
from gcp_local.bigquery.sql.queries.typed import Typed, converted
from gcp_local.bigquery.sql.runtime import numbers
from gcp_local.bigquery.sql.types import FLOAT64, INT64, NUMERIC, supertype

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.functions.reading import Reading


def _floats(name: str, sql: str) -> Function:
    return function(name, ("FLOAT64 -> FLOAT64", sql))


def _steps(name: str, plain: str) -> Function:
    return function(name, ("NUMERIC -> NUMERIC", f"CAST({plain}({{0}}) AS DECIMAL(38, 9))"),
                    ("FLOAT64 -> FLOAT64", f"{plain}({{0}})"))  # fmt: skip


def _extreme(name: str) -> Function:
    """Make LEAST or GREATEST, which are NULL if an argument is."""

    def build(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
        del reading, node
        sqls = ", ".join(each.sql for each in values)
        missing = " OR ".join(f"{each.sql} IS NULL" for each in values)
        return f"CASE WHEN {missing} THEN NULL ELSE {name.lower()}({sqls}) END"

    return function(name, ("T, T... -> T", build))


def _division(name: str) -> Function:
    act = Python(numbers.divide_safely)
    return function(name, ("FLOAT64, FLOAT64 -> FLOAT64", act))


def _safely(name: str, symbol: str) -> Function:
    def build(values: list[Typed], reading: Reading, node: exp.Expr) -> Typed:
        from gcp_local.bigquery.sql.queries import operators

        found = operators.arithmetic(symbol, values[0], values[1], node, reading.context)
        return Typed(f"TRY({found.sql})", found.type, parts=found.parts)

    return function(name, ("ANY, ANY -> INT64", build))


def _rounding(values: list[Typed], reading: Reading, node: exp.Expr) -> Typed:
    kind = NUMERIC if values[0].type.kind == "NUMERIC" else FLOAT64
    value = converted(values[0], kind)
    act = numbers.rounded_numeric if kind is NUMERIC else numbers.rounded
    digits = values[1].sql if len(values) > 1 else "CAST(0 AS BIGINT)"
    del node
    sql = reading.context.call(act, [(value.sql, kind.duckdb), (digits, "BIGINT")], kind.duckdb)
    return Typed(sql, kind, parts=tuple(values))


def _mod(values: list[Typed], reading: Reading, node: exp.Expr) -> Typed:
    kind = supertype([(each.type, each.literal) for each in values]) or INT64
    one, other = (converted(each, kind) for each in values)
    del node
    act = numbers.remainder if kind.kind == "INT64" else numbers.remainder_numeric
    arguments = [(one.sql, kind.duckdb), (other.sql, kind.duckdb)]
    return Typed(reading.context.call(act, arguments, kind.duckdb), kind, parts=(one, other))


FUNCTIONS = (
    function("ABS", ("INT64 -> INT64", Python(numbers.absolute)),
             ("NUMERIC -> NUMERIC", "abs({0})"), ("FLOAT64 -> FLOAT64", "abs({0})")),
    function("SIGN", ("INT64 -> INT64", "CAST(sign({0}) AS BIGINT)"),
             ("NUMERIC -> NUMERIC", "CAST(sign({0}) AS DECIMAL(38, 9))"),
             ("FLOAT64 -> FLOAT64", "CAST(sign({0}) AS DOUBLE)")),
    function("IS_INF", ("FLOAT64 -> BOOL", "isinf({0})")),
    function("IS_NAN", ("FLOAT64 -> BOOL", "isnan({0})")),
    function("IEEE_DIVIDE", ("FLOAT64, FLOAT64 -> FLOAT64", Python(numbers.divide_ieee))),
    _division("SAFE_DIVIDE"),
    _safely("SAFE_ADD", "+"),
    _safely("SAFE_SUBTRACT", "-"),
    _safely("SAFE_MULTIPLY", "*"),
    function("SAFE_NEGATE", ("INT64 -> INT64", Python(numbers.negate)),
             ("NUMERIC -> NUMERIC", "(-{0})"), ("FLOAT64 -> FLOAT64", "(-{0})")),
    function("RAND", ("-> FLOAT64", Python(numbers.uniform, volatile=True))),
    function("SQRT", ("FLOAT64 -> FLOAT64", Python(numbers.root))),
    function("CBRT", ("FLOAT64 -> FLOAT64", Python(numbers.cube_root))),
    function("POW", ("FLOAT64, FLOAT64 -> FLOAT64", Python(numbers.power))),
    function("POWER", ("FLOAT64, FLOAT64 -> FLOAT64", Python(numbers.power))),
    function("EXP", ("FLOAT64 -> FLOAT64", Python(numbers.exponential))),
    function("LN", ("FLOAT64 -> FLOAT64", Python(numbers.logarithm))),
    function("LOG", ("FLOAT64 -> FLOAT64", Python(numbers.logarithm)),
             ("FLOAT64, FLOAT64 -> FLOAT64", Python(numbers.logarithm_of))),
    function("LOG10", ("FLOAT64 -> FLOAT64", Python(numbers.logarithm_10))),
    _extreme("GREATEST"),
    _extreme("LEAST"),
    function("DIV", ("INT64, INT64 -> INT64", Python(numbers.quotient))),
    function("MOD", ("INT64, INT64 -> INT64", _mod), ("NUMERIC, NUMERIC -> NUMERIC", _mod)),
    function("ROUND", ("NUMERIC, [INT64] -> NUMERIC", _rounding),
             ("FLOAT64, [INT64] -> FLOAT64", _rounding)),
    function("TRUNC", ("FLOAT64 -> FLOAT64", "trunc({0})"),
             ("FLOAT64, INT64 -> FLOAT64", Python(numbers.truncated))),
    _steps("CEIL", "ceil"),
    _steps("CEILING", "ceil"),
    _steps("FLOOR", "floor"),
    *(_floats(name, f"{name.lower()}({{0}})") for name in (
        "COS", "COSH", "ACOS", "ACOSH", "SIN", "SINH", "ASIN", "ASINH", "TAN", "TANH", "ATAN",
        "ATANH", "COT",
    )),
    function("ATAN2", ("FLOAT64, FLOAT64 -> FLOAT64", "atan2({0}, {1})")),
    function("RANGE_BUCKET", ("FLOAT64, ARRAY<FLOAT64> -> INT64", Python(numbers.bucket))),
    function("BIT_COUNT", ("INT64 -> INT64", "CAST(bit_count({0}) AS BIGINT)")),
)  # fmt: skip
