"""Preprocessing functions in a query: each call as an expression without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gcp_local.bigquery.ml.preprocessing.transform import inlined

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.expressions import Expr

_VALUE = "gcp_local_value"
# What the simple analytic ones are, over all rows of the query.
_WINDOWS: Mapping[str, str] = {
    "STANDARD_SCALER": "({v} - AVG({v}) OVER ()) / NULLIF(STDDEV({v}) OVER (), 0)",
    "MIN_MAX_SCALER": ("({v} - MIN({v}) OVER ()) / NULLIF(MAX({v}) OVER () - MIN({v}) OVER (), 0)"),
    "MAX_ABS_SCALER": "{v} / NULLIF(MAX(ABS({v})) OVER (), 0)",
}


def written_out(call: exp.Anonymous) -> Expr:
    """Give what a call of `ML.…` means without it.

    Raises:
        BigQueryError: no such function; a wrong use; an analytic one that only TRANSFORM has here.

    """
    from sqlglot import exp

    from gcp_local.bigquery.sql.dialect import GoogleSQL
    from gcp_local.bigquery.sql.grammar.nodes import Over
    from gcp_local.bigquery.sql.parsing import parse_expression

    values: list[Expr] = []

    def placed(node: Expr) -> str:
        values.append(node)
        return f"{_VALUE}_{len(values) - 1}"

    arguments = list(call.expressions)
    name = call.name.upper().removeprefix("ML.")
    window = call.args.get("over")
    if window == Over() and name in _WINDOWS and len(arguments) == 1:
        text = _WINDOWS[name].format(v=placed(arguments[0]))
    else:
        texts = [each.sql(dialect=GoogleSQL) for each in arguments[1:]]
        for first in arguments[:1]:
            if isinstance(first, exp.Struct):
                fields = [
                    f"{placed(each.this if isinstance(each, exp.Alias) else each)}"
                    f" AS `{each.alias_or_name}`"
                    for each in first.expressions
                ]
                texts.insert(0, f"STRUCT({', '.join(fields)})")
            else:
                texts.insert(0, placed(first))
        over = "" if window is None else " OVER ()" if window == Over() else " OVER (ORDER BY 1)"
        text = inlined(f"ML.{name}({', '.join(texts)}){over}")
    tree = parse_expression(f"({text})")
    for column in list(tree.find_all(exp.Column)):
        if column.name.startswith(_VALUE):
            column.replace(values[int(column.name.rpartition("_")[2])].copy())
    return tree
