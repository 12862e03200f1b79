"""Reads tokens one by one, and words the syntax errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.lexer import Token

if TYPE_CHECKING:
    from sqlglot import exp


class Cursor:
    """A place among tokens.

    Args:
        tokens: of a text, the last is its end.
        index: where to begin.

    """

    def __init__(self, tokens: list[Token], index: int = 0) -> None:
        self.tokens = tokens
        self.index = index
        self.positional = 0

    @property
    def now(self) -> Token:
        """The token here."""
        return self.tokens[self.index]

    def ahead(self, count: int = 1) -> Token:
        """Give the token so many further on."""
        return self.tokens[min(self.index + count, len(self.tokens) - 1)]

    def advance(self) -> Token:
        """Take the token here."""
        token = self.now
        if token.kind != "end":
            self.index += 1
        return token

    def at(self, *words: str) -> bool:
        """Tell whether these words (capitals) or symbols follow."""
        return all(self.ahead(step).upper == word for step, word in enumerate(words))

    def take(self, *words: str) -> bool:
        """Take these words if they follow."""
        if not self.at(*words):
            return False
        self.index += len(words)
        return True

    def expect(self, *words: str) -> Token:
        """Take these words, and give the first.

        Raises:
            BigQueryError: something else follows.

        """
        first = self.now
        for word in words:
            if not self.take(word):
                named = f'"{word}"' if not word[0].isalpha() else f"keyword {word}"
                raise self.unexpected(named)
        return first

    def unexpected(self, wanted: str = "") -> BigQueryError:
        """Refuse the token here."""
        token = self.now
        if wanted:
            message = f"Syntax error: Expected {wanted} but got {token.described}"
        else:
            message = f"Syntax error: Unexpected {token.described}"
        return BigQueryError.query(message, token.place.line, token.place.column)

    def name(self) -> Token:
        """Take an identifier.

        Raises:
            BigQueryError: something else follows.

        """
        token = self.now
        if token.kind == "quoted" or (token.kind == "word" and not token.reserved):
            return self.advance()
        raise self.unexpected()

    def at_name(self) -> bool:
        """Tell whether an identifier follows."""
        token = self.now
        return token.kind == "quoted" or (token.kind == "word" and not token.reserved)

    def at_query(self) -> bool:
        """Tell whether a query follows, be it in parentheses."""
        step = 0
        while self.ahead(step).upper == "(":
            step += 1
        return self.ahead(step).upper in ("SELECT", "WITH")

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
