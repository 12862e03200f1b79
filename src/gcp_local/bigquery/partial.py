"""Partial answers: `fields=schema/fields(name,type),numRows`.

Source: https://cloud.google.com/bigquery/docs/api-performance#partial-response.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gcp_local.errors import InvalidArgument

if TYPE_CHECKING:
    from gcp_local.bigquery.surface import Surface

_TOKEN = re.compile(r"[(),/]|\*|[A-Za-z][\w-]*")
_LONGEST, _DEEPEST = 4096, 10


class _Reader:
    """Reads a selection; cuts what it wants out of an answer as it goes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.findall(text)[::-1]
        if "".join(reversed(self._tokens)) != text or len(text) > _LONGEST:
            raise self.wrong()

    def wrong(self, name: str = "") -> InvalidArgument:
        return InvalidArgument(f"Invalid field selection {name or self._text:.200}")

    def paths(self) -> list[tuple[str, ...]]:
        """Give the paths of what is wanted: ("schema", "fields", "name")."""
        found = self._list(0)
        if self._tokens:
            raise self.wrong()
        return found

    def _list(self, depth: int) -> list[tuple[str, ...]]:
        found = self._item(depth)
        while self._next(","):
            found += self._item(depth)
        return found

    def _item(self, depth: int) -> list[tuple[str, ...]]:
        name = self._tokens.pop() if self._tokens else "("
        if name in "(),/" or depth > _DEEPEST:
            raise self.wrong()
        if self._next("/"):
            return [(name, *rest) for rest in self._item(depth + 1)]
        if self._next("("):
            inner = self._list(depth + 1)
            if not self._next(")"):
                raise self.wrong()
            return [(name, *rest) for rest in inner]
        return [(name,)]

    def _next(self, token: str) -> bool:
        if self._tokens and self._tokens[-1] == token:
            self._tokens.pop()
            return True
        return False


def selected(answer: Any, fields: str, shape: str, surface: Surface) -> Any:
    """Cut out of an answer what is wanted of it.

    Args:
        answer: the whole.
        fields: the selection.
        shape: the name of the answer's shape, which knows what it can have.
        surface: the shapes.

    Raises:
        InvalidArgument: it is not well formed, or names a field that no such answer has.

    """
    reader = _Reader(fields)
    paths = reader.paths()
    for path in paths:
        if not surface.has(shape, path):
            raise reader.wrong("/".join(path))
    return _cut(answer, paths)


def _cut(value: Any, paths: list[tuple[str, ...]]) -> Any:
    if () in paths:
        return value
    if isinstance(value, list):
        return [_cut(item, paths) for item in value]
    if not isinstance(value, dict):
        return {}  # more was wanted of it than there is
    found = {}
    for name, item in value.items():
        rest = [path[1:] for path in paths if path[0] in (name, "*")]
        if rest:
            found[name] = _cut(item, rest)
    return {name: item for name, item in found.items() if item not in ({}, [])}
