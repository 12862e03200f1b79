"""SELECT lists."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.scopes import Scope, field_of
from gcp_local.bigquery.sql.queries.typed import Typed

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.query import QueryCompiler


@dataclass(frozen=True)
class Item:
    """One of a SELECT list.

    Attributes:
        name: what it is called; empty if nothing says it.
        value: what it is.
        key: what DuckDB calls it.

    """

    name: str
    value: Typed
    key: str


def select_items(nodes: list[exp.Expr], scope: Scope, owner: QueryCompiler) -> list[Item]:
    """Understand a SELECT list.

    Raises:
        BigQueryError: it is refused.

    """
    found: list[tuple[str, Typed]] = []
    for node in nodes:
        if isinstance(node, exp.Star):
            found += _star(node, _everything(node, scope), scope, owner)
        elif isinstance(node, exp.Dot) and isinstance(node.expression, exp.Star):
            found += _star(node.expression, _fields(node, scope, owner), scope, owner)
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            # Made by other readers: `t.*`.
            inner = exp.Column(this=node.args["table"].copy())
            dot = exp.Dot(this=inner, expression=node.this.copy())
            found += _star(node.this, _fields(dot, scope, owner), scope, owner)
        elif isinstance(node, exp.Alias):
            found.append((node.alias, owner.expression(node.this, scope)))
        else:
            value = owner.expression(node, scope)
            found.append((value.name, value))
    items = []
    for name, value in found:
        if value.type.unknown:
            value = replace(value, sql=f"CAST({value.sql} AS {value.type.duckdb})")  # noqa: PLW2901
        items.append(Item(name, value, owner.context.fresh("c")))
    return items


def _everything(node: exp.Expr, scope: Scope) -> list[tuple[str, Typed]]:
    if not scope.sources:
        raise refusal("SELECT * must have a FROM clause", node)
    found = [(column.name, scope.use(column, node)) for column in scope.columns()]
    if not found:
        raise refusal("SELECT * expands to zero columns", node)
    return found


def _fields(node: exp.Dot, scope: Scope, owner: QueryCompiler) -> list[tuple[str, Typed]]:
    base = node.this
    if isinstance(base, exp.Column) and len(base.parts) == 1:
        qualified = scope.qualified(base.name)
        if qualified is not None:
            holder, source = qualified
            if source.value is not None and source.value.type.kind != "STRUCT":
                raise refusal(f"Dot-star is not supported for type {source.value.type}", node)
            columns = [each for each in source.columns if not each.hidden]
            return [(each.name, holder.use(each, node)) for each in columns]
    value = owner.expression(base, scope)
    if value.type.kind != "STRUCT":
        raise value.refuse(f"Dot-star is not supported for type {value.type}")
    return [
        (name, replace(field_of(value, name, node), name=name)) for name, _ in value.type.fields
    ]


def _star(
    star: exp.Star, columns: list[tuple[str, Typed]], scope: Scope, owner: QueryCompiler
) -> list[tuple[str, Typed]]:
    known = {name.lower() for name, _ in columns}
    without: set[str] = set()
    for each in star.args.get("except_") or []:
        if each.name.lower() not in known:
            raise refusal(f"Column {each.name} in SELECT * EXCEPT list does not exist", each)
        if each.name.lower() in without:
            raise refusal(f"Duplicate column name in SELECT * EXCEPT list: {each.name}", each)
        without.add(each.name.lower())
    instead: dict[str, Typed] = {}
    for each in star.args.get("replace") or []:
        if each.alias.lower() not in known:
            raise refusal(f"Column {each.alias} in SELECT * REPLACE list does not exist", each)
        instead[each.alias.lower()] = owner.expression(each.this, scope)
    kept = [
        (name, instead.get(name.lower(), value))
        for name, value in columns
        if name.lower() not in without
    ]
    if not kept:
        raise refusal("SELECT * EXCEPT leaves no column", star)
    return kept
