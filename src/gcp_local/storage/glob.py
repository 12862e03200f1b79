"""`matchGlob`: names by pattern (https://cloud.google.com/storage/docs/json_api/v1/objects/list).

`*` stands for any characters but a slash, `**` for any at all, `?` for one but a slash, `[a-z]` for
one of those, `{one,two}` for either. A name is held against the pattern in time of their product,
so no pattern can keep the server busy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 1024
_MAX_CHOICES = 64


@dataclass(frozen=True)
class _Step:
    """What one character may be; with `many`, any number of them. `chars` None: any."""

    chars: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()
    many: bool = False

    def takes(self, char: str) -> bool:
        wanted = self.chars is None or char in self.chars
        return wanted and char not in self.excluded


class Glob:
    """A pattern that has been read.

    Raises:
        InvalidArgument: a bracket or brace without its end, or a pattern that is too long.

    """

    def __init__(self, pattern: str) -> None:
        if len(pattern) > _LONGEST:
            raise InvalidArgument(
                f"Invalid value for matchGlob: longer than {_LONGEST} characters."
            )
        self._choices = [_steps(choice) for choice in _expanded(pattern)]

    def matches(self, name: str) -> bool:
        """Tell whether the whole of a name fits."""
        return any(_fits(steps, name) for steps in self._choices)


def _fits(steps: Sequence[_Step], name: str) -> bool:
    at = _past_many(steps, {0})
    for char in name:
        after = set()
        for position in at:
            if position < len(steps) and steps[position].takes(char):
                after.add(position if steps[position].many else position + 1)
        at = _past_many(steps, after)
        if not at:
            return False
    return len(steps) in at


def _past_many(steps: Sequence[_Step], at: set[int]) -> set[int]:
    """Add the positions that are reached by taking none of what may come any number of times."""
    for position in sorted(at):
        following = position
        while following < len(steps) and steps[following].many:
            following += 1
            if following in at:
                break  # it goes on from there by itself
            at.add(following)
    return at


def _expanded(pattern: str) -> list[str]:
    """Write out `{one,two}`; braces do not nest."""
    written = [""]
    while pattern:
        plain, opened, rest = pattern.partition("{")
        inner, closed, pattern = rest.partition("}")
        if opened and (not closed or "{" in inner):
            raise InvalidArgument("Invalid value for matchGlob: a brace without its end.")
        choices = inner.split(",") if opened else [""]
        written = [before + plain + choice for before in written for choice in choices]
        if len(written) > _MAX_CHOICES:
            raise InvalidArgument("Invalid value for matchGlob: too many choices in braces.")
    return written


def _steps(pattern: str) -> list[_Step]:
    slash = frozenset("/")
    steps: list[_Step] = []
    while pattern:
        if pattern.startswith("**"):
            steps.append(_Step(many=True))
            pattern = pattern[2:]
        elif pattern[0] == "*":
            steps.append(_Step(excluded=slash, many=True))
            pattern = pattern[1:]
        elif pattern[0] == "?":
            steps.append(_Step(excluded=slash))
            pattern = pattern[1:]
        elif pattern[0] == "[":
            inner, closed, pattern = pattern[1:].partition("]")
            if not closed or not inner:
                raise InvalidArgument("Invalid value for matchGlob: a bracket without its end.")
            steps.append(_set(inner))
        else:
            steps.append(_Step(frozenset(pattern[0])))
            pattern = pattern[1:]
    return steps


def _set(inner: str) -> _Step:
    negated = inner[0] in "!^"
    inner = inner[1:] if negated else inner
    chars: set[str] = set()
    while inner:
        if len(inner) > 2 and inner[1] == "-":
            chars.update(map(chr, range(ord(inner[0]), ord(inner[2]) + 1)))
            inner = inner[3:]
        else:
            chars.add(inner[0])
            inner = inner[1:]
    return _Step(None, frozenset(chars)) if negated else _Step(frozenset(chars))
