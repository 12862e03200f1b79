"""Reads statements word by word; queries and expressions in them are left as they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.lexer import RESERVED, Place, Token, read_tokens

T = TypeVar("T")
_OPENING = {"(": ")", "[": "]"}


@dataclass(frozen=True)
class Fragment:
    """A part of a text, which keeps its place there.

    Attributes:
        whole: the text that it is part of.
        end: the index after its last character.

    """

    whole: str
    start: Place
    end: int

    @property
    def text(self) -> str:
        """The part itself."""
        return self.whole[self.start.index : self.end]

    @property
    def padded(self) -> str:
        """The part with what is before it left blank, so that errors name its place."""
        return "\n" * (self.start.line - 1) + " " * (self.start.column - 1) + self.text

    def after(self, words: str) -> str:
        """Give the part, at its place, behind words: in the same line if there is room for them."""
        line, column = self.start.line, self.start.column
        if column > len(words) + 1:
            pad = " " * (column - 2 - len(words))
            return "\n" * (line - 1) + pad + f"{words} {self.text}"
        return "\n" * max(line - 2, 0) + words + "\n" + " " * (column - 1) + self.text

    @property
    def last(self) -> tuple[int, int]:
        """Line and column after its last character."""
        rest = self.text.rsplit("\n", 1)
        if len(rest) == 1:
            return self.start.line, self.start.column + len(self.text)
        return self.start.line + self.text.count("\n"), len(rest[1]) + 1

    @cached_property
    def tokens(self) -> list[Token]:
        """Its words, without an end; their places are those in the part, not in the whole."""
        return read_tokens(self.text)[:-1]

    def error(self, message: str) -> BigQueryError:
        """Refuse it, naming its place."""
        return BigQueryError.query(message, self.start.line, self.start.column)


class Cursor:
    """A place in a text's words.

    Its methods that take something move on, and raise a BigQueryError, `Syntax error: …`, where it
    is not there.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = read_tokens(text)
        self._at = 0

    @property
    def token(self) -> Token:
        """The next word."""
        return self._tokens[self._at]

    def peek(self, ahead: int = 1) -> Token:
        """Look past the next word."""
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    @property
    def first(self) -> Token:
        """The text's first word."""
        return self._tokens[0]

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.token.kind == "end"

    def next(self) -> Token:
        """Take the next word, whatever it is."""
        token = self.token
        if token.kind != "end":
            self._at += 1
        return token

    def unexpected(self, expected: str = "") -> BigQueryError:
        """Build the error that says that the next word is not what should be there."""
        token = self.token
        if expected:
            message = f"Syntax error: Expected {expected} but got {token.described}"
        else:
            message = f"Syntax error: Unexpected {token.described}"
        return BigQueryError.query(message, token.place.line, token.place.column)

    # Keywords and symbols

    def at(self, *words: str) -> bool:
        """Tell whether these keywords or symbols are next, one after the other."""
        return all(self.peek(ahead).upper == word for ahead, word in enumerate(words))

    def at_any(self, *words: str) -> bool:
        """Tell whether one of these keywords or symbols is next."""
        return self.token.upper in words

    def skip(self, *words: str) -> bool:
        """Take these keywords or symbols if they are next, and tell whether they were."""
        if not self.at(*words):
            return False
        self._at += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Take these keywords or symbols."""
        for word in words:
            if not self.skip(word):
                quoted = word if word[0].isalpha() else f'"{word}"'
                raise self.unexpected(f"keyword {word}" if word in RESERVED else quoted)

    def expect_end(self) -> None:
        """See that nothing is left."""
        self.skip(";")
        if not self.ended:
            raise self.unexpected("end of input")

    def expect_closing_angle(self) -> None:
        """Take one `>`, even of two that stand together."""
        token = self.token
        if token.text == ">>":
            index = token.place.index
            second = Place(token.place.line, token.place.column + 1, index + 1)
            self._tokens[self._at : self._at + 1] = [
                Token("symbol", ">", ">", token.place, index + 1),
                Token("symbol", ">", ">", second, token.end),
            ]
        self.expect(">")

    # Names and values

    def name(self) -> str:
        """Take an identifier."""
        token = self.token
        if token.kind == "quoted" or (token.kind == "word" and not token.reserved):
            return str(self.next().value)
        raise self.unexpected()

    def path(self) -> tuple[str, ...]:
        """Take a name of one to several parts: `a.b`, `` `a.b` ``, `my-project.a.b`."""
        quoted = self.token.kind == "quoted"
        parts = self.name().split(".") if quoted else [self._dashed()]
        while self.skip("."):
            if self.token.kind == "quoted":
                parts += str(self.next().value).split(".")
            elif self.token.kind == "word":
                parts.append(self.next().text)  # after a dot, a keyword is a name
            else:
                raise self.unexpected()
        return tuple(parts)

    def _dashed(self) -> str:
        start = self.token.place.index
        self.name()
        end = self._tokens[self._at - 1].end
        while self.at("-") and self.token.place.index == end and self.peek().place.index == end + 1:
            self.next()
            end = self.next().end
            if self.token.kind in ("word", "integer") and self.token.place.index == end:
                end = self.next().end
        return self.text[start:end]

    def string(self) -> str:
        """Take a string literal."""
        if self.token.kind != "string":
            raise self.unexpected("string literal")
        return str(self.next().value)

    def integer(self) -> int:
        """Take an integer literal."""
        if self.token.kind != "integer":
            raise self.unexpected("integer literal")
        return int(self.next().text, 0)

    def listed(self, one: Callable[[], T]) -> list[T]:
        """Take what `one` takes, once or several times with commas between."""
        found = [one()]
        while self.skip(","):
            found.append(one())
        return found

    def parenthesised(self, one: Callable[[], T]) -> list[T]:
        """Take a list in parentheses, which may be empty."""
        self.expect("(")
        if self.skip(")"):
            return []
        found = self.listed(one)
        self.expect(")")
        return found

    # Queries and expressions

    def fragment(self, *stops: str) -> Fragment:
        """Take everything up to a comma, a semicolon, a closing bracket or one of these keywords.

        What is inside brackets, or between CASE and END, stops nothing.
        """
        return self._taken(frozenset({",", *stops}))

    def query(self, *stops: str) -> Fragment:
        """Take a query: everything up to a semicolon, a closing bracket or one of these."""
        return self._taken(frozenset(stops))

    def _taken(self, stops: frozenset[str]) -> Fragment:
        first = self._at
        open_brackets: list[str] = []
        while not self.ended:
            word = self.token.upper
            if not open_brackets and (word in (")", "]", ";") or word in stops):
                break
            if word in _OPENING:
                open_brackets.append(_OPENING[word])
            elif word == "CASE" and self._tokens[self._at - 1].text != ".":
                open_brackets.append("END")
            elif open_brackets and word == open_brackets[-1]:
                open_brackets.pop()
            elif word in (")", "]"):
                raise self.unexpected()
            self.next()
        if open_brackets:
            raise self.unexpected(f'"{open_brackets[-1]}"')
        if self._at == first:
            raise self.unexpected()
        return self.since(self._tokens[first])

    def since(self, first: Token) -> Fragment:
        """Give everything from a word up to here."""
        return Fragment(self.text, first.place, self._tokens[self._at - 1].end)
