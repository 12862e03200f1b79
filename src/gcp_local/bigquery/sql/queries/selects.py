"""SELECT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.expressions.constructions import struct
from gcp_local.bigquery.sql.queries.functions.windows import order_sql
from gcp_local.bigquery.sql.queries.grouping import Grouping
from gcp_local.bigquery.sql.queries.items import Item, select_items
from gcp_local.bigquery.sql.queries.scopes import Column, Cte, Scope
from gcp_local.bigquery.sql.queries.typed import Typed
from gcp_local.bigquery.sql.queries.understood import Query, ordinal
from gcp_local.bigquery.sql.types import Type

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.query import QueryCompiler


class Selects:
    """Compiles SELECTs.

    Args:
        owner: compiles the queries and expressions in it.

    """

    def __init__(self, owner: QueryCompiler) -> None:
        self.owner = owner

    def compile(self, node: exp.Select, parent: Scope | None, known: Mapping[str, Cte]) -> Query:
        """Understand a SELECT; errors as `QueryCompiler.query`."""
        scope = Scope(parent=parent, ctes=known)
        before = self.owner.filters.noted
        from_sql = ""
        clause = node.args.get("from_")
        if clause is None:
            _check_without_from(node)
        else:
            joins = [*(clause.this.args.get("joins") or []), *(node.args.get("joins") or [])]
            from_sql = f" FROM {self.owner.sources.compile(clause.this, joins, scope)}"
        for each in node.args.get("windows") or []:
            scope.windows[each.this.name.lower()] = each.expression
        where = self.owner.filters.where(node, scope, before)
        items = select_items(node.expressions, scope, self.owner)
        for item in items:
            if item.name:
                scope.aliases.setdefault(item.name.lower(), []).append(item.value)
        grouping = Grouping(self.owner, scope, items)
        group_sql = grouping.clause(node.args.get("group"))
        having, qualify = self._later(node, scope, items, grouping)
        distinct = bool(node.args.get("distinct"))
        keys, order_sqls = self._order_keys(node, scope, items, distinct=distinct)
        grouping.check(having, qualify, keys)
        if distinct:
            _check_distinct(items)
        listed = ", ".join(f"{item.value.sql} AS {item.key}" for item in items)
        pieces = [f"SELECT {'DISTINCT ' if distinct else ''}{listed}{from_sql}"]
        pieces += [_clause("WHERE", where), group_sql, _clause("HAVING", having)]
        pieces += [_clause("QUALIFY", qualify), order_sqls, self.owner.limits(node)]
        self.owner.used |= scope.used
        columns = tuple(Column(i.name, i.value.type, i.key, _origin(i.value)) for i in items)
        query = Query("".join(pieces), columns, outer=tuple(scope.outer))
        return self._shaped(node, query)

    def _later(
        self, node: exp.Select, scope: Scope, items: list[Item], grouping: Grouping
    ) -> tuple[Typed | None, Typed | None]:
        """Understand HAVING and QUALIFY."""
        having = qualify = None
        if clause := node.args.get("having"):
            having = self.owner.condition(clause.this, scope, "HAVING clause", aliases=True)
            if not grouping.grouped and not grouping.aggregates(having):
                what = "The HAVING clause requires GROUP BY or aggregation to be present"
                raise refusal(what, clause)
        if clause := node.args.get("qualify"):
            qualify = self.owner.condition(clause.this, scope, "QUALIFY clause", aliases=True)
            if not any(p.analytic for e in (qualify, *(i.value for i in items)) for p in e.walk()):
                message = (
                    "The QUALIFY clause requires analytic function to be present in the QUALIFY"
                    " clause or the SELECT list"
                )
                raise refusal(message, clause)
        return having, qualify

    def _order_keys(
        self, node: exp.Select, scope: Scope, items: list[Item], *, distinct: bool
    ) -> tuple[list[Typed], str]:
        order = node.args.get("order")
        if order is None:
            return [], ""
        keys: list[Typed] = []
        written: list[Typed] = []
        for each in order.expressions:
            at = ordinal(each.this, len(items), "ORDER BY")
            name = each.this.name.lower() if isinstance(each.this, exp.Column) and not (
                each.this.args.get("table")) else ""  # fmt: skip
            if at is None and name in scope.aliases and len(scope.aliases[name]) == 1:
                at = next(i for i, item in enumerate(items) if item.name.lower() == name)
            if at is not None:
                item = items[at]
                keys.append(item.value)
                written.append(Typed(item.key, item.value.type, node=each.this))
                continue
            key = self.owner.expression(each.this, scope, aliases=True)
            same = next((item for item in items if item.value.sql == key.sql), None)
            keys.append(key)
            if same is not None:
                written.append(Typed(same.key, key.type, node=each.this))
                continue
            if distinct and not key.literal:
                named = next((part for part in key.walk() if part.column is not None), key)
                what = " ".join(filter(None, ("column", named.name, "which is not visible after")))
                message = f"ORDER BY clause expression references {what} SELECT DISTINCT"
                raise named.refuse(message)
            written.append(key)
        return keys, f" {order_sql(order, written)}"

    def _shaped(self, node: exp.Select, query: Query) -> Query:
        """Make each row a struct, or a value, for SELECT AS."""
        shape = node.args.get("kind")
        if shape == "VALUE":
            if len(query.columns) != 1:
                raise refusal("SELECT AS VALUE query must have exactly one column", node)
            return replace(query, value_table=True)
        if shape != "STRUCT":
            return query
        kind = Type("STRUCT", fields=tuple((each.name, each.type) for each in query.columns))
        row = struct(kind, [Typed(each.sql, each.type) for each in query.columns], node)
        key = self.owner.context.fresh("c")
        sql = f"SELECT {row.sql} AS {key} FROM ({query.sql}) AS {self.owner.context.fresh('s')}"  # noqa: S608
        return replace(query, sql=sql, columns=(Column("", kind, key),), value_table=True)


def _check_without_from(node: exp.Select) -> None:
    for key, word in (("where", "WHERE"), ("group", "GROUP BY"), ("having", "HAVING")):
        if node.args.get(key) is not None:
            what = f"Query without FROM clause cannot have a {word} clause"
            raise refusal(what, node.args[key])


def _clause(word: str, condition: Typed | None) -> str:
    return f" {word} {condition.sql}" if condition is not None else ""


def _check_distinct(items: list[Item]) -> None:
    for item in items:
        if item.value.type.kind in ("ARRAY", "JSON"):
            message = f"Column {item.name} of type {item.value.type} cannot be used in"
            raise item.value.refuse(f"{message} SELECT DISTINCT")


def _origin(value: Typed) -> tuple[str, str] | None:
    return value.column.origin if value.column is not None else None
