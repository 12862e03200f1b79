"""List filters: the subset of https://google.aip.dev/160 that the services document.

Comparisons `=`, `!=`, `<`, `<=`, `>`, `>=` and the has-operator `:`, joined by AND, OR, NOT (or
`-`) and parentheses; OR binds closer than AND, as AIP-160 has it. A field may be written in camel
case. Anything else is refused, never ignored.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import Message

Predicate = Callable[[Message], bool]
Reader = Callable[[Message], str]
# What a collection can be filtered by: the filter's name to the proto's path, or to what reads it
# where the proto has no such field. With `NAME:*` beside NAME, the filter may ask whether a message
# is there at all.
Fields = Mapping[str, str | Reader]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<operator><=|>=|!=|=|<|>|:)
    |(?P<paren>[()])
    |(?P<dot>\.(?=["']))
    |(?P<word>[^\s()=<>!:"']+?(?=\.["']|[\s()=<>!:"']|$)))""",
    re.VERBOSE,
)
# What each operator holds of the two sides.
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# RFC 3339; the protos' own examples have dates alone, too (ListFeatureGroupsRequest.filter).
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2}))?"
)
_TIMESTAMP = "google.protobuf.Timestamp"
_ENUM, _MESSAGE, _STRING, _BOOL = 14, 11, 9, 8


@dataclass(frozen=True)
class Token:
    """A piece of a filter: a `string`, `operator`, `paren`, `dot` or `word`, or its `end`."""

    kind: str
    text: str


def compile_filter(text: str, kind: type[Message], fields: Fields) -> Predicate:
    """Turn a filter into a predicate on messages of that kind.

    Raises:
        InvalidArgument: not a filter of the subset, or on a field that cannot be filtered by.

    """
    if not text.strip():
        return lambda _: True
    parser = FilterParser(text, kind, fields)
    return parser.parse()


def value_at(message: Message, path: str) -> Any:
    """Read a dotted path; a timestamp as a datetime (None if unset), an enum by its name."""
    *parents, last = path.split(".")
    for name in parents:
        message = getattr(message, name)
    field = message.DESCRIPTOR.fields_by_name[last]
    value = getattr(message, last)
    if field.type == _ENUM:
        return field.enum_type.values_by_number[value].name
    if field.type == _MESSAGE and field.message_type.full_name == _TIMESTAMP:
        return value.ToDatetime(tzinfo=UTC) if message.HasField(last) else None
    return value


def matches(text: str, pattern: str) -> bool:
    """Tell whether the text is the pattern's, in which `*` stands for anything."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if len(text) < len(first) + len(last):
        return False
    if not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def message_has(message: Message, path: str) -> bool:
    """Tell whether the field at a dotted path is set."""
    *parents, last = path.split(".")
    for name in parents:
        message = getattr(message, name)
    return bool(message.HasField(last))


class FilterParser:
    """Reads a filter. A service whose filters can say more reads that in a class of its own.

    Attributes:
        deepest: how many parentheses may stand in one another.

    """

    deepest = 50  # each is a few calls of Python's when read or applied

    def __init__(self, text: str, kind: type[Message], fields: Fields) -> None:
        self._text, self._kind, self._fields = text, kind, fields
        self._tokens = self._split(text)
        self._at = self._depth = 0

    def parse(self) -> Predicate:
        """Give what the filter says; InvalidArgument if it cannot be read."""
        predicate = self._all()
        if self._at < len(self._tokens):
            self._fail(f"unexpected {self._tokens[self._at].text!r}")
        return predicate

    def _split(self, text: str) -> list[Token]:
        tokens, position = [], 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                self._fail(f"cannot read {text[position:]!r}")
            else:
                tokens.append(Token(match.lastgroup, match[match.lastgroup]))
                position = match.end()
        return tokens

    def _fail(self, why: str) -> None:
        message = f"Invalid list filter {self._text!r}: {why}."
        raise InvalidArgument.of_field("filter", message)

    def _peek(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else Token("end", "")

    def _next(self) -> Token:
        token = self._peek()
        if token.kind == "end":
            self._fail("it ends too early")
        self._at += 1
        return token

    def _accept(self, word: str) -> bool:
        token = self._peek()
        if token.kind in ("word", "paren") and token.text == word:
            self._at += 1
            return True
        return False

    def _all(self) -> Predicate:
        parts = [self._any()]
        while self._accept("AND"):
            parts.append(self._any())
        return lambda message: all(part(message) for part in parts)

    def _any(self) -> Predicate:
        parts = [self._not()]
        while self._accept("OR"):
            parts.append(self._not())
        return lambda message: any(part(message) for part in parts)

    def _not(self) -> Predicate:
        token = self._peek()
        minus = token.kind == "word" and token.text.startswith("-")
        if minus:
            self._tokens[self._at] = Token("word", token.text[1:])
        if minus or self._accept("NOT"):
            inner = self._term()
            return lambda message: not inner(message)
        return self._term()

    def _term(self) -> Predicate:
        if self._accept("("):
            self._depth += 1
            if self._depth > self.deepest:
                self._fail(f"parentheses are nested more than {self.deepest} deep")
            inner = self._all()
            if not self._accept(")"):
                self._fail("a parenthesis is not closed")
            self._depth -= 1
            return inner
        return self._comparison()

    @staticmethod
    def unquoted(token: Token) -> str:
        """Give a token's text, without the quotes of a string."""
        return _unquote(token.text) if token.kind == "string" else token.text

    def _comparison(self) -> Predicate:
        subject = self._next()
        if subject.kind != "word":
            self._fail(f"a field was expected instead of {subject.text!r}")
        name, key = self._field(subject.text)
        if self._peek().kind == "dot":
            self._next()
            key = _unquote(self._next().text)
        sign = self._next()
        if sign.kind != "operator":
            self._fail(f"an operator was expected after {name!r}")
        token = self._next()
        if token.kind not in ("word", "string"):
            self._fail(f"a value was expected after {name!r}")
        bare, value = token.kind == "word", self.unquoted(token)
        path = self._fields[name]
        if callable(path):
            if key is not None:
                self._fail(f"{name!r} has no parts")
            return self._compare_text(name, path, sign.text, value, bare)
        return self._compare(path, key, sign.text, value, bare)

    def _field(self, text: str) -> tuple[str, str | None]:
        """Split what stands before an operator into a filterable field and a map's key."""
        written = {_camel(name): name for name in self._fields}
        written |= {name: name for name in self._fields}
        if text in written:
            return written[text], None
        for form, name in written.items():
            if text.startswith(f"{form}."):
                return name, text[len(form) + 1 :]
        known = ", ".join(sorted(self._fields)) or "nothing"
        self._fail(f"one can filter by {known}, not by {text!r}")
        raise AssertionError

    def _compare(self, path: str, key: str | None, sign: str, value: str, bare: bool) -> Predicate:
        field = _descriptor_at(self._kind, path)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return self._compare_entry(path, key, sign, value)
        if key is not None:
            self._fail(f"{path!r} has no parts")
        if field.type == _ENUM:
            if value not in field.enum_type.values_by_name or sign not in ("=", "!="):
                self._fail(f"{path!r} is compared by = or != with the name of a state")
            return lambda message: COMPARISONS[sign](value_at(message, path), value)
        if field.type == _MESSAGE:
            return self._compare_message(field, path, sign, value)
        if field.type == _BOOL:
            if value not in ("true", "false") or sign not in ("=", "!="):
                self._fail(f"{path!r} is compared by = or != with true or false")
            return lambda message: COMPARISONS[sign](value_at(message, path), value == "true")
        return self._compare_text(path, lambda at: str(value_at(at, path)), sign, value, bare)

    def _compare_text(
        self, name: str, read: Reader, sign: str, value: str, bare: bool
    ) -> Predicate:
        if sign == ":":
            return lambda message: matches(read(message), value)
        if sign not in ("=", "!=") or (bare and "*" in value):
            self._fail(f"{name!r} is compared by =, != or, with wildcards, by :")
        return lambda message: COMPARISONS[sign](read(message), value)

    def _compare_entry(self, path: str, key: str | None, sign: str, value: str) -> Predicate:
        if sign == ":" and (key is None or value == "*"):
            wanted = value if key is None else key
            return lambda message: wanted in value_at(message, path)
        if key is None or sign not in ("=", "!=", ":"):
            self._fail(f"{path!r} is compared as {path}.KEY=VALUE, {path}:KEY or {path}.KEY:*")
        if sign == "!=":
            return lambda message: value_at(message, path).get(key) != value
        return lambda message: value_at(message, path).get(key) == value

    def _compare_message(self, field: Any, path: str, sign: str, value: str) -> Predicate:
        if sign == ":" and value == "*" and f"{path}:*" in self._fields:
            return lambda message: message_has(message, path)
        if field.message_type.full_name != _TIMESTAMP:
            self._fail(f"of {path!r} one can ask only whether it is there: {path}:*")
        return self._compare_time(path, sign, value)

    def _compare_time(self, path: str, sign: str, value: str) -> Predicate:
        if sign == ":":
            self._fail(f"{path!r} is compared by =, !=, <, <=, > or >=")
        try:
            moment = _moment(value)
        except ValueError:
            self._fail(f"{value!r} is not an RFC 3339 time")
            raise

        def holds(message: Message) -> bool:
            found = value_at(message, path)
            return found is not None and COMPARISONS[sign](found, moment)

        return holds


def _moment(text: str) -> datetime:
    """Read a time, or a date, which begins in UTC; ValueError if it is neither."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    moment = datetime.fromisoformat(text.upper())
    return moment if found[1] else moment.replace(tzinfo=UTC)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _descriptor_at(kind: type[Message], path: str) -> Any:
    descriptor = kind.DESCRIPTOR
    *parents, last = path.split(".")
    for name in parents:
        descriptor = descriptor.fields_by_name[name].message_type
    return descriptor.fields_by_name[last]


def _unquote(text: str) -> str:
    if text[:1] in ("'", '"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text
