"""Bash-style operations on a substitution's value, as in `${_TAG:0:7}`.

Those that Cloud Build documents: case (`^ ^^ , ,,`), substrings, prefixes and suffixes to remove
(`# ## % %%`), replacement (`/ // /# /%`), defaults (`:- := =`) and `${#_KEY}`, the length.
Source: https://cloud.google.com/build/docs/configuring-builds/use-bash-and-bindings-in-substitutions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import translate
from itertools import islice

_SLICE = re.compile(r":\s*(-?\d+)(?::\s*(\d+))?")
_STARTS = (":-", ":=", "=", ":", "^", ",", "##", "#", "%%", "%", "/")
_TOKEN = re.compile(r"\*+|\[!?\]?[^\]]*\]|.", re.DOTALL)
# What `fnmatch.translate` makes of a token, without what it puts around.
_TRANSLATED = re.compile(r"\(\?s:(.*)\)\\[Zz]", re.DOTALL)
_CASES: dict[str, Callable[[str], str]] = {
    "^": lambda value: value[:1].upper() + value[1:],
    "^^": str.upper,
    ",": lambda value: value[:1].lower() + value[1:],
    ",,": str.lower,
}


class UnknownOperationError(ValueError):
    """Not an operation of Cloud Build's; the message shows it."""


def begins_operation(text: str) -> bool:
    """Tell whether what follows a key in braces begins an operation."""
    return text.startswith(_STARTS)


def operated(value: str, operation: str) -> str:
    """Apply what stands behind the key: `:0:7`, `^^`, `/old/new`, `:-default`.

    Raises:
        UnknownOperationError: it is none that Cloud Build has.

    """
    if operation in _CASES:
        return _CASES[operation](value)
    if operation.startswith((":-", ":=")):
        return value or operation[2:]
    if operation.startswith("="):
        return value or operation[1:]
    if part := _SLICE.fullmatch(operation):
        return _slice(value, int(part[1]), part[2])
    return _shortened(value, operation)


def _shortened(value: str, operation: str) -> str:
    """Apply an operation with a pattern."""
    longest = operation[:2] in ("##", "%%")
    pattern = operation[2 if longest else 1 :]
    match operation[:1]:
        case "#":
            return _without_prefix(value, pattern, longest=longest)
        case "%":
            return _without_suffix(value, pattern, longest=longest)
        case "/":
            return _replaced(value, operation[1:])
    raise UnknownOperationError(f"{operation!r} is no string operation of Cloud Build's")


def _slice(value: str, start: int, length: str | None) -> str:
    begin = max(0, len(value) + start) if start < 0 else start
    return value[begin:] if length is None else value[begin : begin + int(length)]


def _without_prefix(value: str, pattern: str, *, longest: bool) -> str:
    fits = re.compile(translate(pattern))
    ends = range(len(value) + 1)
    for end in reversed(ends) if longest else ends:
        if fits.fullmatch(value[:end]):
            return value[end:]
    return value


def _without_suffix(value: str, pattern: str, *, longest: bool) -> str:
    fits = re.compile(translate(pattern))
    starts = range(len(value) + 1)
    for start in starts if longest else reversed(starts):
        if fits.fullmatch(value[start:]):
            return value[:start]
    return value


def _replaced(value: str, said: str) -> str:
    """Replace a pattern: `/old/new` everywhere, `#old/new` in front, `%old/new` behind."""
    kind = said[:1] if said[:1] in ("/", "#", "%") else ""
    pattern, _, new = said.removeprefix(kind).partition("/")
    if not pattern:
        return value
    if kind == "#":
        rest = _without_prefix(value, pattern, longest=True)
        return new + rest if rest != value else value
    if kind == "%":
        rest = _without_suffix(value, pattern, longest=True)
        return rest + new if rest != value else value
    out, done = [], 0
    for start, end in islice(_spans(value, pattern), None if kind else 1):
        out += [value[done:start], new]
        done = end
    return "".join(out) + value[done:]


def _spans(value: str, pattern: str) -> Iterator[tuple[int, int]]:
    """Find what a pattern fits, from left to right, each time as much as it can.

    One piece after another, from star to star: to try each start with each end would take minutes
    for the longest value.
    """
    first, *others = _between_stars(pattern)
    # What is behind the last star comes as late as it can, all else as soon.
    stars = [*[".*?"] * (len(others) - 1), ".*"]
    begin = re.compile(first, re.DOTALL)
    rest = [re.compile(star + piece, re.DOTALL) for star, piece in zip(stars, others, strict=False)]
    at = 0
    while found := begin.search(value, at):
        at = found.end()
        for each in rest:
            fits = each.match(value, at)
            if fits is None:
                return  # nor does it behind any later start
            at = fits.end()
        if at == found.start():
            return  # a star, and nothing is left for it
        yield found.start(), at


def _between_stars(pattern: str) -> list[str]:
    """Write what is before, between and behind a pattern's stars as regular expressions."""
    pieces = [""]
    for token in _TOKEN.findall(pattern):
        if token.startswith("*"):
            pieces.append("")
        else:
            match = _TRANSLATED.fullmatch(translate(token))
            assert match is not None
            pieces[-1] += match[1]
    return pieces
