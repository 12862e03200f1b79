"""Aggregate functions, exact, approximate and statistical.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/aggregate_functions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_local.bigquery.sql.queries.functions.aggregation import aggregate
from gcp_local.bigquery.sql.queries.functions.signatures import Aggregate, Function, function
from gcp_local.bigquery.sql.queries.typed import Typed
from gcp_local.bigquery.sql.runtime import numbers
from gcp_local.bigquery.sql.types import NUMERIC, Type

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.functions.reading import Reading


def _statistic(name: str, act: str) -> Function:
    return function(name, ("FLOAT64 -> FLOAT64", Aggregate(act)), kind="aggregate")


def _pair(name: str, act: str) -> Function:
    return function(name, ("FLOAT64, FLOAT64 -> FLOAT64", Aggregate(act)), kind="aggregate")


def _constant(values: list[Typed], at: int, what: str) -> int:
    value = values[at]
    if not value.constant or not isinstance(value.value, int):
        raise value.refuse(f"{what} must be a literal or query parameter")
    return value.value


def _quantiles(values: list[Typed], reading: Reading, node: exp.Expr) -> Typed:
    count = _constant(values, 1, "The second argument of APPROX_QUANTILES")
    if count < 1:
        raise values[1].refuse("The number of quantiles must be positive")
    points = ", ".join(f"CAST({at} AS DOUBLE) / {count}" for at in range(count + 1))
    act = Aggregate("quantile_disc", arguments=f"{{0}}, [{points}]")
    kind = Type("ARRAY", values[0].type)
    return aggregate(_named("APPROX_QUANTILES"), act, values[:1], kind, node, reading)


def _top(values: list[Typed], reading: Reading, node: exp.Expr) -> Typed:
    count = _constant(values, 1, "The second argument of APPROX_TOP_COUNT")
    kind = Type("STRUCT", fields=(("value", values[0].type), ("count", Type("INT64"))))
    entries = (
        "list_transform(list_reverse(list_sort(list_transform(map_entries({}), lambda e:"
        ' struct_pack(c := e.value, k := e.key)))), lambda e: struct_pack("value" := e.k,'
        ' "count" := CAST(e.c AS BIGINT)))'
    )
    act = Aggregate("histogram", f"list_slice({entries}, 1, {count})", "{0}")
    entry = _named("APPROX_TOP_COUNT")
    return aggregate(entry, act, values[:1], Type("ARRAY", kind), node, reading)


def _average(values: list[Typed], reading: Reading, node: exp.Expr) -> Typed:
    total, count = (
        aggregate(_named("AVG"), Aggregate(name), values, NUMERIC, node, reading)
        for name in ("sum", "count")
    )
    kind = NUMERIC.duckdb
    arguments = [(total.sql, kind), (f"CAST(nullif({count.sql}, 0) AS {kind})", kind)]
    return replace(total, sql=reading.context.call(numbers.divide_numeric, arguments, kind))


def _named(name: str) -> Function:
    return Function(name, (), "aggregate")


def _orderable(name: str, act: str) -> Function:
    def build(values: list[Typed], reading: Reading, node: exp.Expr) -> Typed:
        if values[0].type.kind in ("ARRAY", "STRUCT", "JSON"):
            raise values[0].refuse(f"{name} is not defined for arguments of type {values[0].type}")
        call = Aggregate(act)
        if act == "min" and values[0].type.kind == "FLOAT64":
            # NaN among the values is the result in GoogleSQL; to DuckDB it is the greatest.
            pair = "CASE WHEN {0} IS NOT NULL THEN struct_pack(n := NOT isnan({0}), v := {0}) END"
            call = Aggregate(act, "struct_extract({}, 'v')", pair)
        return aggregate(_named(name), call, values, values[0].type, node, reading)

    return function(name, ("T -> T", build), kind="aggregate")


FUNCTIONS = (
    function("ANY_VALUE", ("T -> T", Aggregate("any_value")), kind="aggregate"),
    function("ARRAY_AGG", ("T -> ARRAY<T>", Aggregate("list")), kind="aggregate"),
    function("ARRAY_CONCAT_AGG", ("ARRAY<T> -> ARRAY<T>", Aggregate("list", "flatten({})")),
             kind="aggregate"),
    function("AVG", ("INT64 -> FLOAT64", Aggregate("avg")), ("NUMERIC -> NUMERIC", _average),
             ("FLOAT64 -> FLOAT64", Aggregate("avg")), kind="aggregate"),
    function("BIT_AND", ("INT64 -> INT64", Aggregate("bit_and")), kind="aggregate"),
    function("BIT_OR", ("INT64 -> INT64", Aggregate("bit_or")), kind="aggregate"),
    function("BIT_XOR", ("INT64 -> INT64", Aggregate("bit_xor")), kind="aggregate"),
    function("COUNT", ("-> INT64", Aggregate("count", arguments="*")),
             ("ANY -> INT64", Aggregate("count")), kind="aggregate"),
    # Not `count_if`, which gives NULL where all conditions are NULL.
    function("COUNTIF", ("BOOL -> INT64", Aggregate("count", arguments="CASE WHEN {0} THEN 1 END")),
             kind="aggregate"),
    function("GROUPING", ("ANY -> INT64", Aggregate("grouping")), kind="aggregate"),
    function("LOGICAL_AND", ("BOOL -> BOOL", Aggregate("bool_and")), kind="aggregate"),
    function("LOGICAL_OR", ("BOOL -> BOOL", Aggregate("bool_or")), kind="aggregate"),
    _orderable("MAX", "max"),
    _orderable("MIN", "min"),
    function("MAX_BY", ("T, U -> T", Aggregate("arg_max")), kind="aggregate"),
    function("MIN_BY", ("T, U -> T", Aggregate("arg_min")), kind="aggregate"),
    function("STRING_AGG", ("STRING -> STRING", Aggregate("string_agg", arguments="{0}, ','")),
             ("STRING, STRING -> STRING", Aggregate("string_agg")), kind="aggregate"),
    function("SUM", ("INT64 -> INT64", Aggregate("sum", "CAST({} AS BIGINT)")),
             ("NUMERIC -> NUMERIC", Aggregate("sum")), ("FLOAT64 -> FLOAT64", Aggregate("sum")),
             kind="aggregate"),
    function("APPROX_COUNT_DISTINCT",
             ("ANY -> INT64", Aggregate("count", arguments="DISTINCT {0}")), kind="aggregate"),
    function("APPROX_QUANTILES", ("T, INT64 -> ARRAY<T>", _quantiles), kind="aggregate"),
    function("APPROX_TOP_COUNT", ("T, INT64 -> T", _top), kind="aggregate"),
    _statistic("STDDEV", "stddev_samp"),
    _statistic("STDDEV_SAMP", "stddev_samp"),
    _statistic("STDDEV_POP", "stddev_pop"),
    _statistic("VARIANCE", "var_samp"),
    _statistic("VAR_SAMP", "var_samp"),
    _statistic("VAR_POP", "var_pop"),
    _pair("CORR", "corr"),
    _pair("COVAR_POP", "covar_pop"),
    _pair("COVAR_SAMP", "covar_samp"),
)  # fmt: skip
