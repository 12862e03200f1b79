"""The filters of subscriptions: conditions on a message's attributes.

    attributes:KEY                      it has the attribute
    attributes.KEY = "VALUE"            or !=
    hasPrefix(attributes.KEY, "VALUE")
    NOT, AND, OR, parentheses; AND and OR mix only with parentheses

Source: https://cloud.google.com/pubsub/docs/subscription-message-filter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import NoReturn

from gcp_local.errors import InvalidArgument

Holds = Callable[[Mapping[str, str]], bool]

MAX_BYTES = 256
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z_][A-Za-z0-9_-]*)|(?P<sign>!=|[()=:.,-]))"""
)
_DEEPEST = 20


def compile_filter(text: str) -> Holds:
    """Turn a filter into a predicate on attributes; an empty one lets everything through.

    Raises:
        InvalidArgument: not a filter, or longer than 256 bytes.

    """
    if not text.strip():
        return lambda _: True
    if len(text.encode()) > MAX_BYTES:
        _refuse(text, f"it is longer than {MAX_BYTES} bytes")
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        self._depth = 0
        position = 0
        while text[position:].strip():
            matched = _TOKEN.match(text, position)
            if matched is None:
                _refuse(text, f"unexpected {text[position:].strip()[:20]!r}")
            self._tokens.append(matched[0].strip())
            position = matched.end()
        self._tokens.reverse()  # so that the next one is at the end

    def parse(self) -> Holds:
        holds = self._expression()
        if self._tokens:
            _refuse(self._text, f"unexpected {self._tokens[-1]!r}")
        return holds

    def _expression(self) -> Holds:
        self._depth += 1
        if self._depth > _DEEPEST:
            _refuse(self._text, "it is nested too deeply")
        terms = [self._term()]
        word = self._peek()
        if word in ("AND", "OR"):
            while self._peek() == word:
                self._tokens.pop()
                terms.append(self._term())
            if self._peek() in ("AND", "OR"):
                _refuse(self._text, "AND and OR mix only with parentheses")
        self._depth -= 1
        if len(terms) == 1:
            return terms[0]
        together = all if word == "AND" else any
        return lambda attributes: together(term(attributes) for term in terms)

    def _term(self) -> Holds:
        if self._peek() in ("NOT", "-"):
            self._tokens.pop()
            inner = self._term()
            return lambda attributes: not inner(attributes)
        if self._peek() == "(":
            self._tokens.pop()
            inner = self._expression()
            self._take(")")
            return inner
        if self._peek() == "hasPrefix":
            return self._prefix()
        self._take("attributes")
        if self._peek() == ":":
            self._tokens.pop()
            key = self._key()
            return lambda attributes: key in attributes
        self._take(".")
        key, sign = self._key(), self._next()
        if sign not in ("=", "!="):
            _refuse(self._text, f"expected = or != in the place of {sign!r}")
        value = self._string()
        if sign == "=":
            return lambda attributes: attributes.get(key) == value
        return lambda attributes: attributes.get(key) != value

    def _prefix(self) -> Holds:
        for expected in ("hasPrefix", "(", "attributes", "."):
            self._take(expected)
        key = self._key()
        self._take(",")
        prefix = self._string()
        self._take(")")
        return lambda attributes: attributes.get(key, "").startswith(prefix) and key in attributes

    def _key(self) -> str:
        if self._peek().startswith('"'):
            return self._string()
        key = self._next()
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", key):
            _refuse(self._text, f"expected an attribute's key in the place of {key!r}")
        return key

    def _string(self) -> str:
        token = self._next()
        if not token.startswith('"'):
            _refuse(self._text, f"expected a string in double quotes in the place of {token!r}")
        try:
            return str(json.loads(token))
        except ValueError:
            _refuse(self._text, f"the string {token} cannot be read")

    def _peek(self) -> str:
        return self._tokens[-1] if self._tokens else ""

    def _next(self) -> str:
        return self._tokens.pop() if self._tokens else "the end"

    def _take(self, expected: str) -> None:
        found = self._next()
        if found != expected:
            _refuse(self._text, f"expected {expected!r} in the place of {found!r}")


def _refuse(text: str, why: str) -> NoReturn:
    raise InvalidArgument.of_field("filter", f"Invalid filter {text!r:.300}: {why}.")
