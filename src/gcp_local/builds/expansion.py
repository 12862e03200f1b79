"""Bash-style operations on a substitution's value, as in `${_TAG:0:7}`.

Those that Cloud Build documents: case (`^ ^^ , ,,`), substrings, prefixes and suffixes to remove
(`# ## % %%`), replacement (`/ // /# /%`), defaults (`:- := =`) and `${#_KEY}`, the length.
Source: https://cloud.google.com/build/docs/configuring-builds/use-bash-and-bindings-in-substitutions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate

_SLICE = re.compile(r":\s*(-?\d+)(?::\s*(\d+))?")
_STARTS = (":-", ":=", "=", ":", "^", ",", "##", "#", "%%", "%", "/")
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
    fits, out, at = re.compile(translate(pattern)), [], 0
    while at < len(value):
        end = next((e for e in range(len(value), at, -1) if fits.fullmatch(value[at:e])), None)
        if end is None:
            out.append(value[at])
            at += 1
            continue
        out.append(new)
        at = end
        if not kind:
            break
    return "".join(out) + value[at:]
