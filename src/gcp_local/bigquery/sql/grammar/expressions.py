"""Expressions.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/operators,
https://cloud.google.com/bigquery/docs/reference/standard-sql/functions-and-operators.
"""

from __future__ import annotations

from sqlglot import exp

from gcp_local.bigquery.sql.grammar.nodes import identifier, placed
from gcp_local.bigquery.sql.grammar.precedence import (
    AND,
    BIT_AND,
    BIT_OR,
    BIT_XOR,
    COMPARISON,
    NOT,
    OR,
    PRODUCT,
    SHIFT,
    SUM,
)
from gcp_local.bigquery.sql.grammar.primaries import PrimaryReader

_BINARY: dict[str, tuple[int, type[exp.Expr]]] = {
    "OR": (OR, exp.Or), "AND": (AND, exp.And), "|": (BIT_OR, exp.BitwiseOr),
    "^": (BIT_XOR, exp.BitwiseXor), "&": (BIT_AND, exp.BitwiseAnd),
    "<<": (SHIFT, exp.BitwiseLeftShift), ">>": (SHIFT, exp.BitwiseRightShift),
    "+": (SUM, exp.Add), "-": (SUM, exp.Sub), "*": (PRODUCT, exp.Mul), "/": (PRODUCT, exp.Div),
    "||": (PRODUCT, exp.DPipe),
}  # fmt: skip
_COMPARED: dict[str, type[exp.Expr]] = {
    "=": exp.EQ, "!=": exp.NEQ, "<>": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT,
    ">=": exp.GTE,
}  # fmt: skip


class ExpressionReader(PrimaryReader):
    """Reads expressions."""

    def expression(self, level: int = OR) -> exp.Expr:
        """Read an expression of operators that bind at least so firmly.

        Raises:
            BigQueryError: none is here.

        """
        if self.at("NOT") and level <= NOT:
            token = self.advance()
            left: exp.Expr = placed(exp.Not(this=self.expression(NOT)), token.place)
        else:
            left = self._unary()
        compared = False
        while True:
            operator = self.now.upper
            if operator in _BINARY:
                binds, kind = _BINARY[operator]
                if binds < level:
                    return left
                self.advance()
                left = kind(this=left, expression=self.expression(binds + 1))
                continue
            if level > COMPARISON or (isinstance(left, exp.Not) and not compared):
                return left
            if compared and operator in _COMPARED:
                raise self.unexpected()
            after = self._comparison(left)
            if after is None:
                return left
            left, compared = after, True

    def _comparison(self, left: exp.Expr) -> exp.Expr | None:
        operator = self.now.upper
        if operator in _COMPARED:
            self.advance()
            return _COMPARED[operator](this=left, expression=self.expression(BIT_OR))
        if operator == "IS":
            return self._is(left)
        negated = operator == "NOT" and self.ahead().upper in ("LIKE", "IN", "BETWEEN")
        if negated:
            self.advance()
        found: exp.Expr | None = None
        if self.take("LIKE"):
            found = self._like(left)
        elif self.take("BETWEEN"):
            low = self.expression(BIT_OR)
            self.expect("AND")
            found = exp.Between(this=left, low=low, high=self.expression(BIT_OR))
        elif self.take("IN"):
            found = self._in(left)
        return exp.Not(this=found) if negated and found is not None else found

    def _like(self, left: exp.Expr) -> exp.Expr:
        for word, kind in (("ANY", exp.Any), ("SOME", exp.Any), ("ALL", exp.All)):
            if self.take(word):
                self.expect("(")
                patterns = self._list(self.expression, ")")
                return exp.Like(this=left, expression=kind(this=exp.Tuple(expressions=patterns)))
        return exp.Like(this=left, expression=self.expression(BIT_OR))

    def _is(self, left: exp.Expr) -> exp.Expr:
        self.advance()
        negated = self.take("NOT")
        found: exp.Expr
        if self.take("DISTINCT"):
            self.expect("FROM")
            right = self.expression(BIT_OR)
            kind: type[exp.Expr] = exp.NullSafeEQ if negated else exp.NullSafeNEQ
            return kind(this=left, expression=right)
        if self.take("NULL"):
            found = exp.Is(this=left, expression=exp.Null())
        elif self.now.upper in ("TRUE", "FALSE"):
            found = exp.Is(this=left, expression=exp.Boolean(this=self.advance().upper == "TRUE"))
        elif self.now.upper == "UNKNOWN":
            self.advance()
            found = exp.Is(this=left, expression=exp.Null())
        else:
            raise self.unexpected()
        return exp.Not(this=found) if negated else found

    def _in(self, left: exp.Expr) -> exp.Expr:
        if self.take("UNNEST"):
            self.expect("(")
            array = self.expression()
            self.expect(")")
            return exp.In(this=left, unnest=exp.Unnest(expressions=[array]))
        self.expect("(")
        if self.at_query():
            query = self.query()
            self.expect(")")
            return exp.In(this=left, query=exp.Subquery(this=query))
        return exp.In(this=left, expressions=self._list(self.expression, ")"))

    def _unary(self) -> exp.Expr:
        token = self.now
        kinds: dict[str, type[exp.Expr]] = {"-": exp.Neg, "~": exp.BitwiseNot}
        if token.upper in kinds:
            self.advance()
            return placed(kinds[token.upper](this=self._unary()), token.place)
        if token.upper == "+":
            self.advance()
            return self._unary()
        return self._postfix(self._primary())

    def _postfix(self, node: exp.Expr) -> exp.Expr:
        while True:
            if self.at(".") and self.ahead().upper != "*":
                self.advance()
                token = self.advance()
                if token.kind not in ("word", "quoted"):
                    self.index -= 1
                    raise self.unexpected()
                node = exp.Dot(this=node, expression=identifier(token))
            elif self.at("["):
                token = self.advance()
                inner = self.expression()
                self.expect("]")
                node = placed(exp.Bracket(this=node, expressions=[inner]), token.place)
            else:
                return node
