"""What is ordered: ORDER BY, OVER and its windows.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/window-function-calls.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.cursor import Cursor
from gcp_local.bigquery.sql.grammar.nodes import Over, identifier


class WindowReader(Cursor):
    """Reads ORDER BY and windows, of expressions that a subclass reads."""

    def expression(self, level: int = 0) -> exp.Expr:
        """Read an expression of operators that bind at least so firmly."""
        raise NotImplementedError

    def query(self) -> exp.Expr:
        """Read a query, which may stand in an expression."""
        raise NotImplementedError

    def _over(self) -> exp.Expr:
        if self.at_name():
            return Over(this=identifier(self.name()))
        self.expect("(")
        over = self.window()
        self.expect(")")
        return over

    def window(self) -> exp.Expr:
        """Read what stands in the parentheses of a window."""
        node = Over()
        if self.at_name():
            node.set("this", identifier(self.name()))
        if self.take("PARTITION"):
            self.expect("BY")
            items = [self.expression()]
            while self.take(","):
                items.append(self.expression())
            node.set("partition_by", items)
        if self.at("ORDER"):
            node.set("order", self.order())
        if self.now.upper in ("ROWS", "RANGE"):
            node.set("spec", self._frame())
        return node

    def _frame(self) -> exp.Expr:
        kind = self.advance().upper
        if self.take("BETWEEN"):
            start, start_side = self._bound()
            self.expect("AND")
            end, end_side = self._bound()
        else:
            start, start_side = self._bound()
            end, end_side = "CURRENT ROW", None
        spec: dict[str, Any] = {
            "kind": kind, "start": start, "start_side": start_side, "end": end,
            "end_side": end_side,
        }  # fmt: skip
        return exp.WindowSpec(**spec)

    def _bound(self) -> tuple[exp.Expr | str, str | None]:
        if self.take("CURRENT"):
            self.expect("ROW")
            return "CURRENT ROW", None
        value = "UNBOUNDED" if self.take("UNBOUNDED") else self.expression()
        if self.now.upper not in ("PRECEDING", "FOLLOWING"):
            raise self.unexpected("keyword PRECEDING or keyword FOLLOWING")
        return value, self.advance().upper

    def order(self) -> exp.Order:
        """Read ORDER BY."""
        self.expect("ORDER", "BY")
        items = [self._ordered()]
        while self.take(","):
            items.append(self._ordered())
        return exp.Order(expressions=items)

    def _ordered(self) -> exp.Expr:
        value = self.expression()
        if self.take("COLLATE"):
            raise BigQueryError.lacking("COLLATE", location="query")
        desc = self.take("DESC")
        if not desc:
            self.take("ASC")
        first = not desc  # NULLs are the least values
        if self.take("NULLS"):
            if self.now.upper not in ("FIRST", "LAST"):
                raise self.unexpected()
            first = self.advance().upper == "FIRST"
        return exp.Ordered(this=value, desc=desc, nulls_first=first)
