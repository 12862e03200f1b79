"""Functions of ARRAY.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/array_functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.functions.signatures import Python, function
from gcp_local.bigquery.sql.queries.typed import Typed
from gcp_local.bigquery.sql.runtime import numbers, sequences, timeparts

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.functions.reading import Reading


def _concat(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    del reading, node
    joined = values[0].sql
    for each in values[1:]:
        joined = f"list_concat({joined}, {each.sql})"
    missing = " OR ".join(f"{each.sql} IS NULL" for each in values)
    return f"CASE WHEN {missing} THEN NULL ELSE {joined} END"


def _dates(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    from sqlglot import exp as nodes

    count, part = "CAST(1 AS BIGINT)", "DAY"
    if len(values) > 2:
        step = node.expressions[2]
        if not isinstance(step, nodes.Interval):
            raise refusal("The step must be INTERVAL int64_expression date_part", node)
        inner = reading.read(step.this)
        count, part = inner.sql, step.args["unit"].name.upper()
        if part not in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR"):
            raise refusal(f"GENERATE_DATE_ARRAY does not support the {part} date part", node)
    arguments = [
        (values[0].sql, "DATE"), (values[1].sql, "DATE"), (count, "BIGINT"),
        (f"'{part}'", "VARCHAR"),
    ]  # fmt: skip
    return reading.context.call(timeparts.dates, arguments, "DATE[]")


def _moments(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    from sqlglot import exp as nodes

    step = node.expressions[2]
    if not isinstance(step, nodes.Interval):
        raise refusal("The step must be INTERVAL int64_expression date_part", node)
    part = step.args["unit"].name.upper()
    if part not in ("MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY"):
        raise refusal(f"GENERATE_TIMESTAMP_ARRAY does not support the {part} date part", node)
    arguments = [
        (f"epoch_us({values[0].sql})", "BIGINT"), (f"epoch_us({values[1].sql})", "BIGINT"),
        (reading.read(step.this).sql, "BIGINT"), (f"'{part}'", "VARCHAR"),
    ]  # fmt: skip
    found = reading.context.call(timeparts.moments, arguments, "BIGINT[]")
    return f"list_transform({found}, lambda x: CAST(make_timestamp(x) AS TIMESTAMPTZ))"


_SLICE = (
    "list_slice({0}, CASE WHEN {1} >= 0 THEN {1} + 1 ELSE {1} END,"
    " CASE WHEN {2} >= 0 THEN {2} + 1 ELSE {2} END)"
)
FUNCTIONS = (
    function("ARRAY_LENGTH", ("ARRAY<T> -> INT64", "len({0})")),
    function("ARRAY_REVERSE", ("ARRAY<T> -> ARRAY<T>", "list_reverse({0})")),
    function("ARRAY_CONCAT", ("ARRAY<T>, ARRAY<T>... -> ARRAY<T>", _concat)),
    function("ARRAY_TO_STRING", ("ARRAY<STRING>, STRING, [STRING] -> STRING",
                                 Python(sequences.joined))),
    function("ARRAY_FIRST", ("ARRAY<T> -> T", "list_extract({0}, 1)")),
    function("ARRAY_LAST", ("ARRAY<T> -> T", "list_extract({0}, -1)")),
    function("ARRAY_SLICE", ("ARRAY<T>, INT64, INT64 -> ARRAY<T>", _SLICE)),
    function("GENERATE_ARRAY", ("INT64, INT64, [INT64] -> ARRAY<INT64>", Python(numbers.sequence)),
             ("NUMERIC, NUMERIC, [NUMERIC] -> ARRAY<NUMERIC>", Python(numbers.sequence_numeric)),
             ("FLOAT64, FLOAT64, [FLOAT64] -> ARRAY<FLOAT64>", Python(numbers.sequence_float))),
    function("GENERATE_DATE_ARRAY", ("DATE, DATE, [INTERVAL] -> ARRAY<DATE>", _dates)),
    function("GENERATE_TIMESTAMP_ARRAY",
             ("TIMESTAMP, TIMESTAMP, INTERVAL -> ARRAY<TIMESTAMP>", _moments)),
)  # fmt: skip
