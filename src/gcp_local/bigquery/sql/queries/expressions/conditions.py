"""Conditions: comparisons and what joins them."""

from __future__ import annotations

from sqlglot import exp

from gcp_local.bigquery.sql.queries import operators
from gcp_local.bigquery.sql.queries.expressions.reader import Reader
from gcp_local.bigquery.sql.queries.typed import Typed, converted, fits, made
from gcp_local.bigquery.sql.types import BOOL, STRING, supertype

COMPARED: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip


class Conditions(Reader):
    """Reads conditions."""

    def _compared(self, node: exp.Expr) -> Typed:
        one, other = self.read(node.this), self.read(node.expression)
        return operators.comparison(COMPARED[type(node)], one, other, node)

    def _and(self, node: exp.And) -> Typed:
        return self._logical("AND", node)

    def _or(self, node: exp.Or) -> Typed:
        return self._logical("OR", node)

    def _logical(self, word: str, node: exp.Expr) -> Typed:
        # A long chain leans to the left: it is read without going that deep.
        chain: list[exp.Expr] = []
        while isinstance(node, exp.And if word == "AND" else exp.Or):
            chain.append(node)
            node = node.this
        terms = [node, *(each.expression for each in reversed(chain))]
        return operators.logical(word, [self.read(each) for each in terms], chain[0])

    def _not(self, node: exp.Not) -> Typed:
        return operators.logical("NOT", [self.read(node.this)], node)

    def _is(self, node: exp.Is) -> Typed:
        value = self.read(node.this)
        other = node.expression
        if isinstance(other, exp.Null):
            return made(f"({value.sql} IS NULL)", BOOL, value, node=node)
        if not isinstance(other, exp.Boolean) or not fits(value, BOOL):
            word = "TRUE" if other.this else "FALSE"
            raise operators.no_signature(f"operator IS {word}", node, [value], f"BOOL IS {word}")
        word = "true" if other.this else "false"
        return made(f"({value.sql} IS NOT DISTINCT FROM {word})", BOOL, value, node=node)

    def _nullsafeeq(self, node: exp.NullSafeEQ) -> Typed:
        return self._distinct("IS NOT DISTINCT FROM", node)

    def _nullsafeneq(self, node: exp.NullSafeNEQ) -> Typed:
        return self._distinct("IS DISTINCT FROM", node)

    def _distinct(self, words: str, node: exp.Expr) -> Typed:
        one, other = self.read(node.this), self.read(node.expression)
        a, b = operators.together("IS DISTINCT FROM", one, other, node)
        return made(f"({a.sql} {words} {b.sql})", BOOL, a, b, node=node)

    def _between(self, node: exp.Between) -> Typed:
        value, low, high = (self.read(node.args[each]) for each in ("this", "low", "high"))
        given = [value, low, high]
        kind = supertype([(each.type, each.literal) for each in given])
        if kind is None or kind.kind in ("JSON", "ARRAY", "STRUCT"):
            raise operators.no_signature("operator BETWEEN", node, given, "ANY BETWEEN ANY AND ANY")
        a, b, c = (converted(each, kind) for each in given)
        sql = f"({a.sql} BETWEEN {b.sql} AND {c.sql})"
        if kind.kind == "FLOAT64":
            sql = f"({sql} AND {operators.compared_sql('<=', a, c)})"
        return made(sql, BOOL, a, b, c, node=node)

    def _like(self, node: exp.Like) -> Typed:
        value = self.read(node.this)
        pattern = node.expression
        if isinstance(pattern, (exp.Any, exp.All)) and isinstance(pattern.this, exp.Tuple):
            word = " OR " if isinstance(pattern, exp.Any) else " AND "
            each = [self._liked(value, self.read(one), node) for one in pattern.this.expressions]
            return made(f"({word.join(one.sql for one in each)})", BOOL, *each, node=node)
        return self._liked(value, self.read(pattern), node)

    @staticmethod
    def _liked(value: Typed, pattern: Typed, node: exp.Expr) -> Typed:
        if not (fits(value, STRING) and fits(pattern, STRING)):
            forms = "STRING LIKE STRING; BYTES LIKE BYTES"
            raise operators.no_signature("operator LIKE", node, [value, pattern], forms)
        sql = f"({value.sql} LIKE {pattern.sql} ESCAPE '\\')"
        return made(sql, BOOL, value, pattern, node=node)
