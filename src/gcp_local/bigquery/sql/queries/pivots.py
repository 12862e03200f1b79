"""PIVOT and UNPIVOT.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#pivot_operator.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from gcp_local.bigquery.sql.grammar.nodes import Call, refusal
from gcp_local.bigquery.sql.queries.literals import sql_of, text_sql
from gcp_local.bigquery.sql.queries.scopes import Column, Scope, Source
from gcp_local.bigquery.sql.queries.typed import converted
from gcp_local.bigquery.sql.types import INT64, STRING, supertype

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.query import QueryCompiler


def pivoted(node: exp.Expr, sql: str, source: Source, owner: QueryCompiler) -> tuple[str, Source]:
    """Write PIVOT.

    Args:
        node: the operator.
        sql: what it is applied to, in DuckDB's SQL.
        source: its columns.
        owner: compiles the expressions in it.

    Raises:
        BigQueryError: it is refused.

    """
    scope = Scope(sources=[source])
    over = node.args["fields"][0]
    values = over.expressions
    aggregates = node.expressions
    read = owner.expression(over.this, scope)
    named = {each.column.sql for each in read.walk() if each.column is not None}
    for each in aggregates:
        call = each.this if isinstance(each, exp.Alias) else each
        if not isinstance(call, Call):
            raise refusal("PIVOT expression must be an aggregate function call", each)
        found = owner.expression(call, scope)
        if not found.aggregate:
            raise refusal("PIVOT expression must be an aggregate function call", each)
        named |= {part.column.sql for part in found.walk() if part.column is not None}
    made: list[tuple[str, Column]] = []
    for value in values:
        constant = value.this if isinstance(value, exp.Alias) else value
        label = value.alias if isinstance(value, exp.Alias) else _label(constant)
        for each in aggregates:
            call = each.this if isinstance(each, exp.Alias) else each
            found = owner.expression(_only_where(call, over.this, constant), scope)
            prefix = each.alias if isinstance(each, exp.Alias) else ""
            if not prefix and len(aggregates) > 1:
                raise refusal("PIVOT aggregates must have aliases if there are several", each)
            name = f"{prefix}_{label}" if prefix else label
            key = owner.context.fresh("c")
            made.append((f"{found.sql} AS {key}", Column(name, found.type, key)))
    grouped = [each for each in source.columns if each.sql not in named and not each.hidden]
    keys = [(owner.context.fresh("c"), each) for each in grouped]
    for each in grouped:
        scope.use(each, None)
    owner.used |= scope.used
    alias = owner.context.fresh("r")
    items = [*(f"{each.sql} AS {key}" for key, each in keys), *(item for item, _ in made)]
    by = f" GROUP BY {', '.join(each.sql for each in grouped)}" if grouped else ""
    inner = f"SELECT {', '.join(items)} FROM {sql}{by}"  # noqa: S608
    seen = [Column(each.name, each.type, f"{alias}.{key}") for key, each in keys]
    seen += [Column(each.name, each.type, f"{alias}.{each.sql}") for _, each in made]
    return f"({inner}) AS {alias}", Source(node.alias or source.name, tuple(seen))


def _only_where(call: Call, column: exp.Expr, value: exp.Expr) -> exp.Expr:
    """Let an aggregate see only the rows in which the column has a value."""
    test = exp.NullSafeEQ(this=column.copy(), expression=value.copy())
    copied = call.copy()
    first = copied.expressions[0] if copied.expressions else None
    if first is None or isinstance(first, exp.Star):
        return Call(this="COUNTIF", expressions=[test])
    kept = Call(this="IF", expressions=[test, first.copy(), exp.Null()])
    copied.set("expressions", [kept, *copied.expressions[1:]])
    return copied


def _label(node: exp.Expr) -> str:
    text = node.name if isinstance(node, exp.Literal) else node.sql(dialect="bigquery")
    if isinstance(node, exp.Neg):
        text = f"minus_{node.this.name}"
    label = re.sub(r"\W", "_", text)
    return f"_{label}" if label[:1].isdigit() else label


def unpivoted(node: exp.Expr, sql: str, source: Source, owner: QueryCompiler) -> tuple[str, Source]:
    """Write UNPIVOT; arguments and errors as `pivoted`."""
    scope = Scope(sources=[source])
    value_name = node.expressions[0].name
    over = node.args["fields"][0]
    rows = []
    for each in over.expressions:
        name, label = each.expressions if isinstance(each, exp.Tuple) else (each, None)
        column = scope.find(name.name, name)
        if column is None or column.column is None:
            raise refusal(f"Unrecognized name: {name.name}{scope.suggestion(name.name)}", name)
        whole = label is not None and not label.is_string
        shown = sql_of(int(label.name), INT64) if whole and label is not None else text_sql(
            label.name if label is not None else column.name
        )  # fmt: skip
        rows.append((column, shown, INT64 if whole else STRING))
    kind = supertype([(column.type, False) for column, _, _ in rows])
    if kind is None:
        raise refusal("The datatype of the UNPIVOT columns must be the same", node)
    taken = {column.sql for column, _, _ in rows}
    kept = [each for each in source.columns if each.sql not in taken and not each.hidden]
    for each in kept:
        scope.use(each, None)
    owner.used |= scope.used
    keys = [owner.context.fresh("c") for _ in range(len(kept) + 2)]
    selects = []
    for column, shown, _ in rows:
        value = converted(column, kind).sql
        items = [*(each.sql for each in kept), value, shown]
        listed = ", ".join(f"{item} AS {key}" for item, key in zip(items, keys, strict=True))
        test = "" if node.args.get("include_nulls") else f" WHERE {value} IS NOT NULL"
        selects.append(f"SELECT {listed} FROM {sql}{test}")  # noqa: S608
    alias = owner.context.fresh("r")
    names = [
        *((each.name, each.type) for each in kept),
        (value_name, kind),
        (over.this.name, rows[0][2]),
    ]
    seen = tuple(
        Column(name, of, f"{alias}.{key}") for (name, of), key in zip(names, keys, strict=True)
    )
    inner = " UNION ALL ".join(selects)
    return f"({inner}) AS {alias}", Source(node.alias or source.name, seen)
