"""Expressions that begin with a keyword: CASE, CAST, EXTRACT, ARRAY, STRUCT, INTERVAL.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/conditional_expressions.
"""

from __future__ import annotations

from sqlglot import exp

from gcp_local.bigquery.sql.grammar.calls import CallReader
from gcp_local.bigquery.sql.grammar.nodes import cast, placed
from gcp_local.bigquery.sql.grammar.precedence import BIT_OR
from gcp_local.bigquery.sql.grammar.typenames import read_type


class FormReader(CallReader):
    """Reads expressions that a keyword begins."""

    def _null(self) -> exp.Expr:
        self.advance()
        return exp.Null()

    def _boolean(self) -> exp.Expr:
        return exp.Boolean(this=self.advance().upper == "TRUE")

    def _case(self) -> exp.Expr:
        self.advance()
        subject = None if self.at("WHEN") else self.expression()
        ifs = []
        while self.take("WHEN"):
            condition = self.expression()
            self.expect("THEN")
            ifs.append(exp.If(this=condition, true=self.expression()))
        if not ifs:
            raise self.unexpected("keyword WHEN")
        default = self.expression() if self.take("ELSE") else None
        self.expect("END")
        return exp.Case(this=subject, ifs=ifs, default=default)

    def _cast(self) -> exp.Expr:
        safe = self.advance().upper == "SAFE_CAST"
        self.expect("(")
        value = self.expression()
        self.expect("AS")
        kind = read_type(self)
        form, zone = None, None
        if self.take("FORMAT"):
            form = self.expression()
            if self.take("AT"):
                self.expect("TIME", "ZONE")
                zone = self.expression()
        self.expect(")")
        node = cast(value, kind, safe=safe)
        if form is not None:
            node.set("format", exp.AtTimeZone(this=form, zone=zone) if zone else form)
        return node

    def _extract(self) -> exp.Expr:
        self.advance()
        self.expect("(")
        part = self._part()
        self.expect("FROM")
        value = self.expression()
        if self.take("AT"):
            self.expect("TIME", "ZONE")
            value = exp.AtTimeZone(this=value, zone=self.expression())
        self.expect(")")
        return exp.Extract(this=part, expression=value)

    def _part(self) -> exp.Expr:
        token = self.name()
        text = token.text
        if self.take("("):
            text += f"({self.name().text})"
            self.expect(")")
        return placed(exp.Var(this=text), token.place)

    def _exists(self) -> exp.Expr:
        self.advance()
        self.expect("(")
        query = self.query()
        self.expect(")")
        return exp.Exists(this=query)

    def _array(self) -> exp.Expr:
        self.advance()
        if self.take("("):
            query = self.query()
            self.expect(")")
            node = exp.Array(expressions=[query])
            node.meta["query"] = True
            return node
        kind = None
        if self.at("<"):
            self.index -= 1
            kind = read_type(self)
        self.expect("[")
        node = exp.Array(expressions=self._list(self.expression, "]"))
        node.meta["type"] = kind
        return node

    def _struct(self) -> exp.Expr:
        kind = None
        if self.ahead().upper in ("<", "<>"):
            kind = read_type(self)
        else:
            self.advance()
        self.expect("(")
        node = exp.Struct(expressions=self._list(self.aliased, ")"))
        node.meta["type"] = kind
        return node

    def _interval(self) -> exp.Expr:
        self.advance()
        value = self.expression(BIT_OR)
        part = self._part()
        if self.take("TO"):
            part = exp.IntervalSpan(this=part, expression=self._part())
        return exp.Interval(this=value, unit=part)
