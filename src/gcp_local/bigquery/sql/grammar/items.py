"""Items of a SELECT list, which PIVOT has too."""

from __future__ import annotations

from sqlglot import exp

from gcp_local.bigquery.sql.grammar.expressions import ExpressionReader
from gcp_local.bigquery.sql.grammar.nodes import identifier, placed


class ItemReader(ExpressionReader):
    """Reads items of a SELECT list."""

    def _select_item(self) -> exp.Expr:
        token = self.now
        if self.take("*"):
            return placed(self._star(), token.place)
        value = self.expression()
        if self.at(".", "*"):
            self.advance()
            self.advance()
            return placed(exp.Dot(this=value, expression=self._star()), token.place)
        if self.take("AS"):
            return placed(exp.Alias(this=value, alias=identifier(self.name())), token.place)
        if self.at_name():
            return placed(exp.Alias(this=value, alias=identifier(self.name())), token.place)
        return value

    def _star(self) -> exp.Star:
        star = exp.Star()
        if self.take("EXCEPT"):
            self.expect("(")
            names = [identifier(self.name())]
            while self.take(","):
                names.append(identifier(self.name()))
            self.expect(")")
            star.set("except_", names)
        if self.take("REPLACE"):
            self.expect("(")
            items = [self._replaced()]
            while self.take(","):
                items.append(self._replaced())
            self.expect(")")
            star.set("replace", items)
        return star

    def _replaced(self) -> exp.Expr:
        value = self.expression()
        self.take("AS")
        return exp.Alias(this=value, alias=identifier(self.name()))
