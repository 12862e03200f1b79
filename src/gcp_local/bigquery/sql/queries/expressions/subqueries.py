"""Queries in expressions: IN, EXISTS, and those that are a value."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries import operators
from gcp_local.bigquery.sql.queries.expressions.reader import Reader, unwrapped
from gcp_local.bigquery.sql.queries.typed import Typed, converted, made
from gcp_local.bigquery.sql.types import BOOL, Type, supertype


class Subqueries(Reader):
    """Reads queries that stand in an expression."""

    def _in(self, node: exp.In) -> Typed:
        value = self.read(node.this)
        if unnest := node.args.get("unnest"):
            array = self.read(unnest.expressions[0])
            if array.type.kind != "ARRAY":
                message = f"Second argument of IN UNNEST must be an array but was {array.type}"
                raise array.refuse(message)
            element = Typed("e", array.type.of, literal=array.literal)
            a, _ = operators.together("IN", value, element, node)
            wanted = converted(array, Type("ARRAY", a.type)) if a.type != element.type else array
            # As IN is: unknown if the value is, or if it is not found among values with a NULL.
            sql = f"({a.sql} IN (SELECT unnest({wanted.sql})))"
            return made(sql, BOOL, a, wanted, node=node)
        if query := node.args.get("query"):
            return self._in_query(value, query, node)
        items = [self.read(each) for each in node.expressions]
        if not items:
            raise refusal('Syntax error: Unexpected ")"', node)
        kind = supertype([(each.type, each.literal) for each in (value, *items)])
        if kind is None:
            given = [value, *items]
            raise operators.no_signature("operator IN", node, given, "ANY IN (ANY, ...)")
        a, *rest = (converted(each, kind) for each in (value, *items))
        inner = ", ".join(each.sql for each in rest)
        return made(f"({a.sql} IN ({inner}))", BOOL, a, *rest, node=node)

    def _in_query(self, value: Typed, query: exp.Expr, node: exp.Expr) -> Typed:
        found = self.owner.subquery(unwrapped(query), self.scope)
        if len(found.columns) != 1:
            raise refusal("Subquery of type IN must have only one output column", query)
        column = found.columns[0]
        element = Typed(column.sql, column.type)
        a, b = operators.together("IN", value, element, node)
        alias = self.context.fresh("s")
        inner = f"SELECT {b.sql} FROM ({found.sql}) AS {alias}"  # noqa: S608
        return made(f"({a.sql} IN ({inner}))", BOOL, a, *found.outer, node=node)

    def _exists(self, node: exp.Exists) -> Typed:
        found = self.owner.subquery(unwrapped(node.this), self.scope)
        return made(f"(EXISTS ({found.sql}))", BOOL, *found.outer, node=node)

    def _subquery(self, node: exp.Subquery) -> Typed:
        return self._scalar(unwrapped(node), node)

    def _query(self, node: exp.Expr) -> Typed:
        return self._scalar(node, node)

    def _scalar(self, query: exp.Expr, node: exp.Expr) -> Typed:
        found = self.owner.subquery(query, self.scope)
        if len(found.columns) != 1:
            message = (
                "Scalar subquery cannot have more than one column unless using SELECT AS STRUCT to"
                " build STRUCT values"
            )
            raise refusal(message, node)
        return made(f"({found.sql})", found.columns[0].type, *found.outer, node=node)

    def _array_of_query(self, query: Any, node: exp.Expr) -> Typed:
        found = self.owner.subquery(query, self.scope)
        if len(found.columns) != 1:
            message = "ARRAY subquery cannot have more than one column unless using SELECT AS"
            raise refusal(f"{message} STRUCT to build STRUCT values", node)
        kind = Type("ARRAY", found.columns[0].type)
        if kind.of.kind == "ARRAY":
            message = "Cannot use array subquery with column of type"
            raise refusal(f"{message} {kind.of} because nested arrays are not supported", node)
        sql = f"coalesce(ARRAY({found.sql}), CAST([] AS {kind.duckdb}))"
        return made(sql, kind, *found.outer, node=node)
