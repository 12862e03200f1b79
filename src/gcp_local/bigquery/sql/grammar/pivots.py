"""PIVOT and UNPIVOT.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#pivot_operator.
"""

from __future__ import annotations

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.items import ItemReader
from gcp_local.bigquery.sql.grammar.nodes import identifier, placed


class PivotReader(ItemReader):
    """Reads PIVOT and UNPIVOT."""

    def _alias(self, node: exp.Expr) -> None:
        raise NotImplementedError

    def _pivot(self) -> exp.Expr:
        token = self.advance()
        unpivot = token.upper == "UNPIVOT"
        include = False
        if unpivot and self.now.upper in ("INCLUDE", "EXCLUDE"):
            include = self.advance().upper == "INCLUDE"
            self.expect("NULLS")
        self.expect("(")
        node = placed(exp.Pivot(unpivot=unpivot, include_nulls=include), token.place)
        if unpivot:
            self._unpivoted(node)
        else:
            items = [self._select_item()]
            while self.take(","):
                items.append(self._select_item())
            self.expect("FOR")
            column = self._postfix(self._primary())
            self.expect("IN", "(")
            values = [self._select_item()]
            while self.take(","):
                values.append(self._select_item())
            self.expect(")")
            node.set("expressions", items)
            node.set("fields", [exp.In(this=column, expressions=values)])
        self.expect(")")
        self._alias(node)
        return node

    def _unpivoted(self, node: exp.Expr) -> None:
        if self.at("("):
            raise BigQueryError.lacking("UNPIVOT of several columns at once", location="query")
        value = identifier(self.name())
        self.expect("FOR")
        name = identifier(self.name())
        self.expect("IN", "(")
        columns: list[exp.Expr] = []
        while True:
            column: exp.Expr = identifier(self.name())
            if self.take("AS"):
                label = self.advance()
                if label.kind not in ("string", "integer"):
                    self.index -= 1
                    raise self.unexpected()
                literal = (
                    exp.Literal.string(str(label.value))
                    if label.kind == "string"
                    else exp.Literal.number(label.text)
                )
                column = exp.Tuple(expressions=[column, literal])
            columns.append(column)
            if not self.take(","):
                break
        self.expect(")")
        node.set("expressions", [value])
        node.set("fields", [exp.In(this=name, expressions=columns)])
