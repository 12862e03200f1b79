"""GoogleSQL's words: identifiers, literals, symbols.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from gcp_local.bigquery.errors import BigQueryError

_WORDS = (
    "ALL AND ANY ARRAY AS ASC ASSERT_ROWS_MODIFIED AT BETWEEN BY CASE CAST COLLATE CONTAINS CREATE"
    " CROSS CUBE CURRENT DEFAULT DEFINE DESC DISTINCT ELSE END ENUM ESCAPE EXCEPT EXCLUDE EXISTS"
    " EXTRACT FALSE FETCH FOLLOWING FOR FROM FULL GROUP GROUPING GROUPS HASH HAVING IF IGNORE IN"
    " INNER INTERSECT INTERVAL INTO IS JOIN LATERAL LEFT LIKE LIMIT LOOKUP MERGE NATURAL NEW NO NOT"
    " NULL NULLS OF ON OR ORDER OUTER OVER PARTITION PRECEDING PROTO QUALIFY RANGE RECURSIVE"
    " RESPECT RIGHT ROLLUP ROWS SELECT SET SOME STRUCT TABLESAMPLE THEN TO TREAT TRUE UNBOUNDED"
    " UNION UNNEST USING WHEN WHERE WINDOW WITH WITHIN"
)
RESERVED = frozenset(_WORDS.split())

_SPACE = re.compile(r"(?:\s|--[^\n]*|#[^\n]*|/\*.*?\*/)+", re.DOTALL)
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?",
)
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_DOTTED_WORD = re.compile(r"\w+", re.ASCII)
_QUOTES = re.compile(r"([rR][bB]|[bB][rR]|[rR]|[bB])?(\"\"\"|'''|\"|')")
_SYMBOL = re.compile(r"@@|<<|>>|<=|>=|!=|<>|\|\||\|>|=>|->|[-+*/~^&|=<>()\[\]{},.;:@?]")
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|([0-7]{3})"
    r"|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.|\n|$))",
    re.DOTALL,
)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True)
class Place:
    """Where something begins: 1-based line and column, and the character's index."""

    line: int
    column: int
    index: int


@dataclass(frozen=True)
class Token:
    """A word of GoogleSQL.

    Attributes:
        kind: word, quoted (an identifier in backquotes), string, bytes, integer, float,
            symbol, end.
        text: as it was written.
        value: of a quoted identifier or literal, without quotes and escapes.
        place: where it begins.
        end: the index after its last character.

    """

    kind: str
    text: str
    value: str | bytes
    place: Place
    end: int

    @property
    def upper(self) -> str:
        """The word in capitals, if it is one without quotes; or the symbol."""
        return self.text.upper() if self.kind in ("word", "symbol") else ""

    @property
    def reserved(self) -> bool:
        """Whether it is a keyword that is no name without backquotes."""
        return self.kind == "word" and self.upper in RESERVED

    @property
    def described(self) -> str:
        """Say what it is, as syntax errors do."""
        if self.kind == "end":
            return "end of script" if self.text == "" else self.text
        if self.kind == "word":
            return f"keyword {self.upper}" if self.reserved else f'identifier "{self.text}"'
        names = {
            "quoted": f"identifier {self.text}", "string": f"string literal {self.text}",
            "bytes": f"bytes literal {self.text}", "integer": f'integer literal "{self.text}"',
            "float": f'floating point literal "{self.text}"', "symbol": f'"{self.text}"',
        }  # fmt: skip
        return names[self.kind]


def read_tokens(text: str) -> list[Token]:
    """Cut a text into words; the last is its end.

    Raises:
        BigQueryError: `invalidQuery`, with line and column.

    """
    starts = [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", text))]
    found: list[Token] = []
    index = 0
    while True:
        space = _SPACE.match(text, index)
        index = space.end() if space else index
        line = bisect_right(starts, index)
        place = Place(line, index - starts[line - 1] + 1, index)
        if index >= len(text):
            found.append(Token("end", "", "", place, index))
            return found
        token = _token(text, place, found)
        found.append(token)
        index = token.end


def _token(text: str, place: Place, found: list[Token]) -> Token:
    index = place.index
    if text.startswith("/*", index):
        raise _error("Unclosed comment", place)
    if quotes := _QUOTES.match(text, index):
        return _literal(text, place, (quotes[1] or "").lower(), quotes[2])
    if text[index] == "`":
        return _identifier(text, place)
    if word := (_DOTTED_WORD if _after(".", found) else _WORD).match(text, index):
        return Token("word", word[0], word[0], place, word.end())
    if number := _NUMBER.match(text, index):
        kind = "float" if re.search(r"^(?!0[xX]).*[.eE]", number[0]) else "integer"
        if _WORD.match(text, number.end()):
            word = _DOTTED_WORD.match(text, index)
            if word and _after("-", found) and found[-1].end == index:  # part of a project's name
                return Token("word", word[0], word[0], place, word.end())
            raise _error("Missing whitespace between literal and alias", place)
        return Token(kind, number[0], number[0], place, number.end())
    if symbol := _SYMBOL.match(text, index):
        return Token("symbol", symbol[0], symbol[0], place, symbol.end())
    raise _error(f'Illegal input character "{text[index]}"', place)


def _after(symbol: str, found: list[Token]) -> bool:
    return bool(found) and found[-1].kind == "symbol" and found[-1].text == symbol


def _identifier(text: str, place: Place) -> Token:
    end = place.index + 1
    while end < len(text) and text[end] not in "`\n":
        end += 2 if text[end] == "\\" else 1
    if end >= len(text) or text[end] == "\n":
        raise _error("Unclosed identifier literal", place)
    written = text[place.index : end + 1]
    value = _unescaped(written[1:-1], place, "identifier")
    if not value:
        raise _error("Invalid empty identifier", place)
    return Token("quoted", written, value, place, end + 1)


def _literal(text: str, place: Place, prefix: str, quote: str) -> Token:
    start = place.index + len(prefix) + len(quote)
    kind, raw = "bytes" if "b" in prefix else "string", "r" in prefix
    named = {"b": "bytes", "": "string", "r": "raw string"}.get(prefix, "raw bytes")
    tripled = "triple-quoted " if len(quote) == 3 else ""
    end = start
    while not text.startswith(quote, end):
        if end >= len(text) or (not tripled and text[end] in "\r\n"):
            raise _error(f"Unclosed {tripled}{named} literal", place)
        end += 2 if text[end] == "\\" else 1
    inner, end = text[start:end], end + len(quote)
    value: str | bytes
    if kind == "bytes":
        value = inner.encode() if raw else _unescaped_bytes(inner, place)
    else:
        value = inner if raw else _unescaped(inner, place, "string")
    return Token(kind, text[place.index : end], value, place, end)


def _unescaped(text: str, place: Place, what: str) -> str:
    def plain(match: re.Match[str]) -> str:
        if match[1]:
            return _PLAIN.get(match[1], match[1])
        if match[7] is not None:
            raise _error(f"Invalid {what} literal: Illegal escape sequence: \\{match[7]}", place)
        if match[4]:
            return chr(int(match[4], 8))
        return chr(int(match[2] or match[3] or match[5] or match[6], 16))

    try:
        return _ESCAPE.sub(plain, text)
    except (ValueError, OverflowError):
        raise _error(f"Invalid {what} literal: Illegal escape sequence", place) from None


def _unescaped_bytes(text: str, place: Place) -> bytes:
    parts: list[bytes] = []
    last = 0
    for match in _ESCAPE.finditer(text):
        parts.append(text[last : match.start()].encode())
        last = match.end()
        if match[1]:
            parts.append(_PLAIN.get(match[1], match[1]).encode())
        elif match[2] or match[3] or match[4]:
            code = int(match[4], 8) if match[4] else int(match[2] or match[3], 16)
            if code > 0xFF:
                message = f"Invalid bytes literal: Illegal escape sequence: {match[0]}"
                raise _error(message, place)
            parts.append(bytes([code]))
        else:
            raise _error(f"Invalid bytes literal: Illegal escape sequence: {match[0]}", place)
    parts.append(text[last:].encode())
    return b"".join(parts)


def _error(message: str, place: Place) -> BigQueryError:
    return BigQueryError.query(f"Syntax error: {message}", place.line, place.column)
