"""Functions that need OVER.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/numbering_functions,
https://cloud.google.com/bigquery/docs/reference/standard-sql/navigation_functions.
"""

from __future__ import annotations

from gcp_local.bigquery.sql.queries.functions.signatures import Aggregate, Function, function


def _number(name: str) -> Function:
    act = Aggregate(name.lower())
    return function(name, ("-> INT64", act), kind="analytic")


def _value(name: str) -> Function:
    return function(name, ("T -> T", Aggregate(name.lower())), kind="analytic")


FUNCTIONS = (
    _number("ROW_NUMBER"),
    _number("RANK"),
    _number("DENSE_RANK"),
    function("PERCENT_RANK", ("-> FLOAT64", Aggregate("percent_rank")), kind="analytic"),
    function("CUME_DIST", ("-> FLOAT64", Aggregate("cume_dist")), kind="analytic"),
    function("NTILE", ("INT64 -> INT64", Aggregate("ntile")), kind="analytic"),
    function("LEAD", ("T, [INT64], [T] -> T", Aggregate("lead")), kind="analytic"),
    function("LAG", ("T, [INT64], [T] -> T", Aggregate("lag")), kind="analytic"),
    _value("FIRST_VALUE"),
    _value("LAST_VALUE"),
    function("NTH_VALUE", ("T, INT64 -> T", Aggregate("nth_value")), kind="analytic"),
    function("PERCENTILE_CONT", ("FLOAT64, FLOAT64 -> FLOAT64", Aggregate("quantile_cont")),
             kind="analytic"),
    function("PERCENTILE_DISC", ("T, FLOAT64 -> T", Aggregate("quantile_disc")), kind="analytic"),
)  # fmt: skip
