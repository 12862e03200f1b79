"""Conditional and other functions that fit nowhere else.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/conditional_expressions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.sql.queries.functions.signatures import Build, function
from gcp_local.bigquery.sql.queries.typed import Typed
from gcp_local.bigquery.sql.runtime.numbers import QueryError
from gcp_local.bigquery.sql.types import Type

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.functions.reading import Reading

_USER = "nobody@gcp-local.invalid"


def fail(message: str) -> int:
    """End the query."""
    raise QueryError(message)


def _error(values: list[Typed], reading: Reading, node: exp.Expr) -> Typed:
    del node
    sql = reading.context.call(fail, [(values[0].sql, "VARCHAR")], "BIGINT")
    return Typed(f"CAST({sql} AS VARCHAR)", Type("INT64", unknown=True), parts=tuple(values))


def _typeof(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    del reading, node
    return f"'{values[0].type}'"


def _nullif() -> Build:
    def build(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
        del reading, node
        return f"nullif({values[0].sql}, {values[1].sql})"

    return build


FUNCTIONS = (
    function("IF", ("BOOL, T, T -> T", "(CASE WHEN {0} THEN {1} ELSE {2} END)")),
    function("IFNULL", ("T, T -> T", "coalesce({0}, {1})")),
    function("COALESCE", ("T, T... -> T", "coalesce({all})")),
    function("NULLIF", ("T, T -> T", _nullif())),
    function("NULLIFERROR", ("T -> T", "TRY({0})")),
    function("IFERROR", ("T, T -> T", "coalesce(TRY({0}), {1})")),
    function("ISERROR", ("ANY -> BOOL", "(TRY({0}) IS NULL)")),
    function("ERROR", ("STRING -> INT64", _error)),
    function("SESSION_USER", ("-> STRING", f"'{_USER}'")),
    function("TYPEOF", ("ANY -> STRING", _typeof)),
)
