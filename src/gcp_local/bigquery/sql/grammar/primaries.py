"""What operators join: literals, names, and forms that begin with a keyword.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.forms import FormReader
from gcp_local.bigquery.sql.grammar.nodes import Call, cast, identifier, placed
from gcp_local.bigquery.sql.types import Type

_TYPED_LITERALS = {
    "DATE", "DATETIME", "TIME", "TIMESTAMP", "NUMERIC", "DECIMAL", "BIGNUMERIC", "BIGDECIMAL",
    "JSON",
}  # fmt: skip


_BARE_CALLS = {"CURRENT_DATE", "CURRENT_DATETIME", "CURRENT_TIME", "CURRENT_TIMESTAMP"}


_KEYWORD_CALLS = {"IF", "LEFT", "RIGHT", "GROUPING", "RANGE"}


class PrimaryReader(FormReader):
    """Reads expressions without operators."""

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
