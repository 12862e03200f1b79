"""Calls of aggregate and analytic functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.functions.windows import order_sql, window_sql
from gcp_local.bigquery.sql.queries.typed import Typed, fits
from gcp_local.bigquery.sql.types import INT64, Type

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.functions.reading import Reading
    from gcp_local.bigquery.sql.queries.functions.signatures import Aggregate, Function

_NULLS_HANDLED = {
    "ARRAY_AGG", "FIRST_VALUE", "LAST_VALUE", "NTH_VALUE", "LEAD", "LAG", "PERCENTILE_CONT",
    "PERCENTILE_DISC", "APPROX_QUANTILES", "ANY_VALUE",
}  # fmt: skip
_ORDERED = ("ARRAY_AGG", "STRING_AGG", "ARRAY_CONCAT_AGG")


def aggregate(
    found: Function, act: Aggregate, values: list[Typed], result: Type, node: exp.Expr,
    reading: Reading,
) -> Typed:  # fmt: skip
    """Write a call.

    Args:
        found: the function.
        act: what does it.
        values: the arguments, of the types that it takes.
        result: its result's type.
        node: the call.
        reading: reads what stands in its clauses.

    Raises:
        BigQueryError: the function has no such clause.

    """
    over = node.args.get("over")
    _check(found, values, node)
    sqls = [each.sql for each in values]
    inner = act.arguments.format(*sqls) if act.arguments else ", ".join(sqls)
    name, parts = act.name, list(values)
    if node.args.get("having") is not None:
        name, key = _extreme(found, node, reading)
        inner, parts = f"{inner}, {key.sql}", [*parts, key]
    distinct = "DISTINCT " if node.args.get("distinct") else ""
    order, keys = _order(node.args.get("order"), reading, found, node)
    nulls = node.args.get("nulls")
    filtered = ""
    if nulls and found.kind == "analytic":
        inner += f" {nulls} NULLS"
    elif nulls == "IGNORE" and values:
        filtered = f" FILTER (WHERE {sqls[0]} IS NOT NULL)"
    window = ""
    if over is not None:
        text, more = window_sql(over, reading, found)
        window, keys = f" OVER ({text})", [*keys, *more]
    sql = act.wrap.format(f"{name}({distinct}{inner}{order}){filtered}{window}")
    limit = node.args.get("limit")
    if limit is not None:
        count = _count(found, limit, reading, node)
        sql = f"list_slice({sql}, 1, {count})"
        if found.name == "STRING_AGG":
            kept = f" FILTER (WHERE {sqls[0]} IS NOT NULL)"
            texts = f"list_slice(list({distinct}{sqls[0]}{order}){kept}, 1, {count})"
            sql = (
                f"array_to_string({texts}, {sqls[1] if len(sqls) > 1 else chr(39) + ',' + chr(39)})"
            )
    return Typed(
        sql, result, parts=(*parts, *keys), aggregate=over is None, analytic=over is not None
    )


def _check(found: Function, values: list[Typed], node: exp.Expr) -> None:
    over = node.args.get("over")
    for part in (part for each in values for part in each.walk()):
        if part.aggregate and not over:
            raise refusal("Aggregations of aggregations are not allowed", node)
        if part.analytic:
            what = "Analytic function cannot be an argument of another analytic function"
            raise refusal(what if over else f"{what} or aggregation", node)
    if node.args.get("distinct"):
        if found.kind == "analytic":
            raise refusal(f"Analytic function {found.name} does not support DISTINCT", node)
        if not values:
            raise refusal("COUNT(*) cannot have DISTINCT", node)
    if node.args.get("nulls") and found.name not in _NULLS_HANDLED:
        message = f"IGNORE NULLS and RESPECT NULLS are not allowed for function {found.name}"
        raise refusal(message, node)


def _extreme(found: Function, node: exp.Expr, reading: Reading) -> tuple[str, Typed]:
    """Read HAVING MAX or MIN: the row that an aggregate looks at."""
    if node.args.get("over") is not None or found.name != "ANY_VALUE":
        raise BigQueryError.lacking("HAVING in calls other than ANY_VALUE", location="query")
    which, key = node.args["having"].expressions
    return "arg_max" if which.name == "MAX" else "arg_min", reading.read(key)


def _count(found: Function, limit: exp.Expr, reading: Reading, node: exp.Expr) -> str:
    if found.name not in _ORDERED:
        raise refusal(f"LIMIT in arguments is not supported by {found.name}", node)
    count = reading.read(limit.expression)
    if not fits(count, INT64) or not count.constant:
        raise count.refuse("LIMIT expects an integer literal or parameter")
    return count.sql


def _order(
    order: exp.Expr | None, reading: Reading, found: Function, node: exp.Expr
) -> tuple[str, list[Typed]]:
    if order is None:
        return "", []
    if found.name not in _ORDERED:
        raise refusal(f"ORDER BY in arguments is not supported by function {found.name}", node)
    if node.args.get("over") is not None:
        raise refusal("ORDER BY in an analytic function's arguments is not supported", node)
    keys = [reading.read(each.this) for each in order.expressions]
    return f" {order_sql(order, keys)}", keys
