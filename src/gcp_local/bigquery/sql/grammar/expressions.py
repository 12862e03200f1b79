"""Expressions.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/operators,
https://cloud.google.com/bigquery/docs/reference/standard-sql/functions-and-operators.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.cursor import Cursor
from gcp_local.bigquery.sql.grammar.lexer import Token
from gcp_local.bigquery.sql.grammar.nodes import Call, NamedArgument, Over, placed
from gcp_local.bigquery.sql.grammar.typenames import read_type
from gcp_local.bigquery.sql.types import Type

# How firmly operators bind, the loosest first.
OR, AND, NOT, COMPARISON, BIT_OR, BIT_XOR, BIT_AND, SHIFT, SUM, PRODUCT = range(10)
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
_TYPED_LITERALS = {
    "DATE", "DATETIME", "TIME", "TIMESTAMP", "NUMERIC", "DECIMAL", "BIGNUMERIC", "BIGDECIMAL",
    "JSON",
}  # fmt: skip
_BARE_CALLS = {"CURRENT_DATE", "CURRENT_DATETIME", "CURRENT_TIME", "CURRENT_TIMESTAMP"}
_KEYWORD_CALLS = {"IF", "LEFT", "RIGHT", "GROUPING", "RANGE"}


class ExpressionReader(Cursor):
    """Reads expressions."""

    def query(self) -> exp.Expr:
        """Read a query, which may stand in an expression."""
        raise NotImplementedError

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

    def at_query(self) -> bool:
        """Tell whether a query follows, be it in parentheses."""
        step = 0
        while self.ahead(step).upper == "(":
            step += 1
        return self.ahead(step).upper in ("SELECT", "WITH")

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

    def _primary(self) -> exp.Expr:
        token = self.now
        read = {
            "string": self._string, "bytes": self._bytes, "integer": self._number,
            "float": self._number, "symbol": self._symbol, "word": self._word,
            "quoted": self._name,
        }.get(token.kind)  # fmt: skip
        if read is None:
            raise self.unexpected()
        return placed(read(), token.place)

    def _string(self) -> exp.Expr:
        return exp.Literal.string(str(self.advance().value))

    def _bytes(self) -> exp.Expr:
        value = self.advance().value
        assert isinstance(value, bytes)
        return exp.ByteString(this=value.decode("latin-1"), is_bytes=True)

    def _number(self) -> exp.Expr:
        token = self.advance()
        if token.text[:2].lower() == "0x":
            return exp.Literal.number(int(token.text, 16))
        node = exp.Literal.number(token.text)
        node.meta["float"] = token.kind == "float"
        return node

    def _symbol(self) -> exp.Expr:
        token = self.advance()
        if token.text == "(":
            return self._parenthesised()
        if token.text == "[":
            return exp.Array(expressions=self._list(self.expression, "]"))
        if token.text == "@":
            return exp.Parameter(this=exp.Var(this=self.advance().text))
        if token.text == "@@":
            parts = [self.advance().text]
            while self.take("."):
                parts.append(self.advance().text)
            return exp.SessionParameter(this=exp.Var(this=".".join(parts)))
        if token.text == "?":
            self.positional += 1
            node = exp.Placeholder()
            node.meta["position"] = self.positional
            return node
        self.index -= 1
        raise self.unexpected()

    def _parenthesised(self) -> exp.Expr:
        if self.at_query():
            # `((SELECT 1) + 1)` begins like a query too.
            index, positional = self.index, self.positional
            try:
                query = self.query()
                if self.at(")"):
                    self.advance()
                    return exp.Subquery(this=query)
            except BigQueryError:
                if self.tokens[index].upper != "(":
                    raise
            if self.tokens[index].upper != "(":
                self.expect(")")
            self.index, self.positional = index, positional
        inner = self.expression()
        if self.take(","):
            return exp.Tuple(expressions=[inner, *self._list(self.expression, ")")])
        self.expect(")")
        return exp.Paren(this=inner)

    def _word(self) -> exp.Expr:
        token = self.now
        word = token.upper
        special: dict[str, Callable[[], exp.Expr]] = {
            "NULL": self._null, "TRUE": self._boolean, "FALSE": self._boolean, "CASE": self._case,
            "CAST": self._cast, "EXTRACT": self._extract, "EXISTS": self._exists,
            "ARRAY": self._array, "STRUCT": self._struct, "INTERVAL": self._interval,
        }  # fmt: skip
        if word in special:
            return special[word]()
        after = self.ahead()
        if word in _TYPED_LITERALS and after.kind == "string":
            self.advance()
            kind = Type({"DECIMAL": "NUMERIC", "BIGDECIMAL": "BIGNUMERIC"}.get(word, word))
            node = cast(placed(self._string(), after.place), kind)
            node.meta["literal"] = True
            return node
        if word == "SAFE_CAST" and after.text == "(":
            return self._cast()
        if word == "RANGE" and after.text == "<":
            raise BigQueryError.lacking("the type RANGE", location="query")
        if word == "WITH" and after.text == "(":
            raise BigQueryError.lacking("WITH expressions", location="query")
        if word in _BARE_CALLS and after.text != "(":
            self.advance()
            return Call(this=token.text)
        if token.reserved and not (word in _KEYWORD_CALLS and after.text == "("):
            raise self.unexpected()
        return self._name()

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

    def aliased(self) -> exp.Expr:
        """Read an expression that may have an alias: `a + 1 AS b`."""
        value = self.expression()
        if self.take("AS"):
            return exp.Alias(this=value, alias=identifier(self.name()))
        return value

    def _interval(self) -> exp.Expr:
        self.advance()
        value = self.expression(BIT_OR)
        part = self._part()
        if self.take("TO"):
            part = exp.IntervalSpan(this=part, expression=self._part())
        return exp.Interval(this=value, unit=part)

    def _name(self) -> exp.Expr:
        first = self.advance()
        parts = [first]
        # A dotted path is a call if a parenthesis follows it.
        step = 0
        while self.ahead(step).upper == "." and self.ahead(step + 1).kind in ("word", "quoted"):
            step += 2
        if self.ahead(step).upper == "(":
            for _ in range(step // 2):
                self.advance()
                parts.append(self.advance())
            return self._call(parts)
        return exp.Column(this=identifier(first))

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

    def _list(self, read: Callable[[], exp.Expr], close: str) -> list[exp.Expr]:
        items: list[exp.Expr] = []
        if not self.at(close):
            items.append(read())
            while self.take(","):
                items.append(read())
        if not self.at(close):
            raise self.unexpected(f'"{close}" or ","' if items else f'"{close}"')
        self.advance()
        return items


def identifier(token: Token) -> exp.Identifier:
    """Make a node of a name."""
    return placed(exp.Identifier(this=str(token.value), quoted=token.kind == "quoted"), token.place)


def cast(value: exp.Expr, kind: Type, *, safe: bool = False) -> exp.Expr:
    """Make a node that makes a value another type's."""
    wanted = exp.DataType.build(str(kind), dialect="bigquery", udt=True)
    wanted.meta["type"] = kind
    return (exp.TryCast if safe else exp.Cast)(this=value, to=wanted)
