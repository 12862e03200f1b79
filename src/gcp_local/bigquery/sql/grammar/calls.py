"""Calls of functions.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/function-calls.
"""

from __future__ import annotations

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.lexer import Token
from gcp_local.bigquery.sql.grammar.nodes import Call, NamedArgument, identifier, placed
from gcp_local.bigquery.sql.grammar.windows import WindowReader


class CallReader(WindowReader):
    """Reads calls of functions."""

    def _call(self, parts: list[Token]) -> exp.Expr:
        node = Call(this=".".join(str(part.value) for part in parts))
        node.meta["path"] = [str(part.value) for part in parts]
        self.expect("(")
        if self.take("*"):
            node.set("expressions", [exp.Star()])
        elif not self.at(")"):
            node.set("distinct", self.take("DISTINCT") or None)
            arguments = [self._argument()]
            while self.take(","):
                arguments.append(self._argument())
            node.set("expressions", arguments)
            self._modifiers(node)
        self.expect(")")
        if self.take("OVER"):
            node.set("over", self._over())
        return node

    def _modifiers(self, node: exp.Expr) -> None:
        if self.now.upper in ("IGNORE", "RESPECT"):
            word = self.advance().upper
            self.expect("NULLS")
            node.set("nulls", word)
        if self.take("HAVING"):
            word = self.advance().upper
            if word not in ("MAX", "MIN"):
                self.index -= 1
                raise self.unexpected()
            node.set("having", exp.Tuple(expressions=[exp.Var(this=word), self.expression()]))
        if self.at("ORDER"):
            node.set("order", self.order())
        if self.take("LIMIT"):
            node.set("limit", exp.Limit(expression=self.expression()))

    def _argument(self) -> exp.Expr:
        if self.at_name() and self.ahead().upper == "=>":
            name = self.name()
            self.advance()
            value = self.expression()
            return placed(NamedArgument(this=identifier(name), expression=value), name.place)
        if self.at_query() and self.now.upper != "(":
            raise self.unexpected()
        value = self.aliased()
        if self.at("->"):
            raise BigQueryError.lacking("lambda expressions", location="query")
        return value

    def aliased(self) -> exp.Expr:
        """Read an expression that may have an alias: `a + 1 AS b`."""
        value = self.expression()
        if self.take("AS"):
            return exp.Alias(this=value, alias=identifier(self.name()))
        return value
