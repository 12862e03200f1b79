"""Holding an answer against what was promised.

In an expected body a map names fields that must be there; others may be there, too. A list must
have as many items, in this order. A string may stand for a kind of value:

    <any>  <string>  <number>  <boolean>  <list>  <map>   of that type
    <integer>   a string of digits, as int64 travels in JSON
    <time>      an RFC 3339 time
    <~REGEX>    a string that the regular expression matches whole
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.conformance.corpus import Expected

_KINDS: dict[str, type] = {
    "<any>": object,
    "<string>": str,
    "<number>": float,
    "<boolean>": bool,
    "<list>": list,
    "<map>": dict,
}
_PATTERNS = {
    "<integer>": r"-?[0-9]{1,20}",
    "<time>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)",
}


@dataclass(frozen=True)
class Answered:
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        """The JSON, or None where there is none."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None


@dataclass(frozen=True)
class Difference:
    """One thing that is not as promised."""

    where: str
    promised: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.where}: promised {self.promised!r}, found {self.found!r}"


def differences(expected: Expected, answered: Answered) -> list[Difference]:
    """List what is not as promised."""
    return list(_differences(expected, answered))


def value_at(body: Any, path: str) -> Any:
    """Give the field at a path like `error.details.0.field`; None if it is not there."""
    for part in path.split("."):
        if isinstance(body, list) and part.isdecimal() and int(part) < len(body):
            body = body[int(part)]
        elif isinstance(body, dict):
            body = body.get(part)
        else:
            return None
    return body


def _differences(expected: Expected, answered: Answered) -> Iterator[Difference]:
    body = answered.body
    if answered.status != expected.status:
        yield Difference("status", expected.status, answered.status)
    if expected.error is not None:
        said = value_at(body, "error") or {}
        found = {
            "status": said.get("status"),
            "reason": value_at(said, "errors.0.reason"),
            "message": said.get("message"),
        }
        for name in ("status", "reason"):
            promised = getattr(expected.error, name)
            if promised not in (None, found[name]):
                yield Difference(f"error.{name}", promised, found[name])
        pattern = expected.error.message
        if pattern is not None and not re.search(pattern, found["message"] or "", re.IGNORECASE):
            yield Difference("error.message", pattern, found["message"])
    if expected.body is not None:
        yield from _in_body(expected.body, body, "body")
    for path in expected.absent:
        if value_at(body, path) is not None:
            yield Difference(f"body.{path}", "nothing", value_at(body, path))
    for name, pattern in expected.headers.items():
        header = answered.headers.get(name)
        if header is None or not re.fullmatch(pattern, header):
            yield Difference(f"header {name}", pattern, header)
    if expected.content is not None and answered.content != expected.content.encode():
        yield Difference("content", expected.content, answered.content[:200].decode("latin-1"))


def _in_body(promised: Any, found: Any, where: str) -> Iterator[Difference]:
    if isinstance(promised, dict) and isinstance(found, dict):
        for name, item in promised.items():
            yield from _in_body(item, found.get(name), f"{where}.{name}")
    elif isinstance(promised, list) and isinstance(found, list) and len(promised) == len(found):
        for index, item in enumerate(promised):
            yield from _in_body(item, found[index], f"{where}.{index}")
    elif not _is(promised, found):
        yield Difference(where, promised, found)


def _is(promised: Any, found: Any) -> bool:
    if isinstance(promised, str) and promised in _KINDS:
        if promised == "<number>":
            return _is_number(found)
        return isinstance(found, _KINDS[promised]) and found is not None
    if isinstance(promised, str) and (promised in _PATTERNS or promised.startswith("<~")):
        pattern = _PATTERNS.get(promised, promised[2:-1])
        return isinstance(found, str) and re.fullmatch(pattern, found) is not None
    numbers = _is_number(promised) and _is_number(found)  # JSON knows no difference of 5 and 5.0
    return (numbers or type(promised) is type(found)) and bool(promised == found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
