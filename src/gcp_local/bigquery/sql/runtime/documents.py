"""JSON: read, written, taken apart.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from gcp_local.bigquery.sql.runtime import numbers
from gcp_local.bigquery.sql.runtime.numbers import QueryError

_MISSING = object()


def loads(text: str) -> Any:
    """Read JSON.

    Raises:
        ValueError: it is none.

    """
    return json.loads(text)


def dumps(value: Any) -> str:
    """Write JSON without needless space."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def parsed(text: str) -> str:
    """Read a text as JSON, as PARSE_JSON."""
    try:
        return dumps(loads(text))
    except ValueError as error:
        raise QueryError(f"syntax error while parsing value - invalid literal: {error}") from None


@lru_cache(256)
def path_of(path: str) -> tuple[str | int, ...]:
    """Read a JSONPath of members and positions."""
    if not path.startswith("$"):
        raise QueryError("JSONPath must start with '$'")
    steps: list[str | int] = []
    at = 1
    step = re.compile(
        r"\.(?P<name>[^.\[\"']+)|\.\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|\[(?P<index>\d+)\]"
        r"|\[\s*'(?P<single>(?:[^'\\]|\\.)*)'\s*\]|\[\s*\"(?P<double>(?:[^\"\\]|\\.)*)\"\s*\]"
    )
    while at < len(path):
        match = step.match(path, at)
        if not match:
            raise QueryError(f"Invalid token in JSONPath at: {path[at:]}")
        if match["index"] is not None:
            steps.append(int(match["index"]))
        else:
            named = (match[each] for each in ("name", "quoted", "single", "double"))
            name = next(each for each in named if each is not None)
            steps.append(re.sub(r"\\(.)", r"\1", name))
        at = match.end()
    return tuple(steps)


def _found(text: str, path: str) -> Any:
    try:
        value = loads(text)
    except ValueError:
        return _MISSING
    for step in path_of(path):
        if isinstance(step, int) and isinstance(value, list):
            if step >= len(value):
                return _MISSING
            value = value[step]
        elif isinstance(value, dict) and str(step) in value:
            value = value[str(step)]
        else:
            return _MISSING
    return value


def query(text: str, path: str = "$") -> str | None:
    """Give the JSON at a path, as JSON_QUERY of a STRING."""
    value = _found(text, path)
    return None if value is _MISSING or value is None else dumps(value)


def query_json(text: str, path: str = "$") -> str | None:
    """Give the JSON at a path, as JSON_QUERY of JSON, which keeps `null`."""
    value = _found(text, path)
    return None if value is _MISSING else dumps(value)


def _scalar_text(value: Any) -> str | None:
    if value is _MISSING or value is None or isinstance(value, (dict, list)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else dumps(value)


def value(text: str, path: str = "$") -> str | None:
    """Give the scalar at a path, as JSON_VALUE."""
    return _scalar_text(_found(text, path))


def query_array(text: str, path: str = "$") -> list[str] | None:
    """Give the elements at a path, as JSON_QUERY_ARRAY."""
    found = _found(text, path)
    return [dumps(each) for each in found] if isinstance(found, list) else None


def value_array(text: str, path: str = "$") -> list[str | None] | None:
    """Give the scalars at a path, as JSON_VALUE_ARRAY."""
    found = _found(text, path)
    if not isinstance(found, list) or any(isinstance(each, (dict, list)) for each in found):
        return None
    return [_scalar_text(each) for each in found]


def member(text: str, name: str) -> str | None:
    """Give a member of an object."""
    found = loads(text)
    return dumps(found[name]) if isinstance(found, dict) and name in found else None


def element(text: str, index: int) -> str | None:
    """Give an element of an array."""
    found = loads(text)
    inside = isinstance(found, list) and 0 <= index < len(found)
    return dumps(found[index]) if inside else None


def kind(text: str) -> str:
    """Name the type, as JSON_TYPE."""
    found = loads(text)
    if found is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(found), "object")


def keys(text: str) -> list[str]:
    """Give the keys, nested ones by their paths, as JSON_KEYS."""
    found: set[str] = set()

    def visit(value: Any, prefix: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                escaped = name if re.fullmatch(r"[A-Za-z_]\w*", name) else f'"{name}"'
                path = f"{prefix}.{escaped}" if prefix else escaped
                found.add(path)
                visit(inner, path)

    visit(loads(text), "")
    return sorted(found)


def _strict(text: str, name: str, test: Any) -> Any:
    found = loads(text)
    if not test(found):
        raise QueryError(f"The provided JSON input is not {name}")
    return found


def as_string(text: str) -> str:
    """Give the text of a JSON string."""
    return str(_strict(text, "a string", lambda each: isinstance(each, str)))


def as_bool(text: str) -> bool:
    """Give a JSON boolean."""
    return bool(_strict(text, "a boolean", lambda each: isinstance(each, bool)))


def as_int64(text: str) -> int:
    """Give a JSON number that is whole."""

    def whole(each: Any) -> bool:
        return not isinstance(each, bool) and (
            isinstance(each, int) or (isinstance(each, float) and each.is_integer())
        )

    return numbers.int64(int(_strict(text, "an integer", whole)))


def as_float64(text: str) -> float:
    """Give a JSON number."""

    def number(each: Any) -> bool:
        return isinstance(each, (int, float)) and not isinstance(each, bool)

    return float(_strict(text, "a number", number))


def lax_string(text: str) -> str | None:
    """Give any scalar as text."""
    return _scalar_text(loads(text))


def lax_int64(text: str) -> int | None:
    """Give what can be taken for a whole number."""
    found = loads(text)
    try:
        if isinstance(found, (bool, int)):
            return numbers.int64(int(found))
        return numbers.whole(float(found)) if isinstance(found, (float, str)) else None
    except (ValueError, RuntimeError):
        return None


def lax_float64(text: str) -> float | None:
    """Give what can be taken for a number."""
    found = loads(text)
    try:
        scalar = isinstance(found, (int, float, str)) and not isinstance(found, bool)
        return float(found) if scalar else None
    except ValueError:
        return None


def lax_bool(text: str) -> bool | None:
    """Give what can be taken for a boolean."""
    found = loads(text)
    if isinstance(found, str):
        return {"true": True, "false": False}.get(found.lower())
    return bool(found) if isinstance(found, (bool, int, float)) else None


def remove(text: str, path: str) -> str:
    """Take away what is at a path, as JSON_REMOVE."""
    found = loads(text)
    steps = path_of(path)
    if not steps:
        raise QueryError("The JSONPath cannot be '$'")
    at = found
    for step in steps[:-1]:
        try:
            at = at[step]
        except (KeyError, IndexError, TypeError):
            return dumps(found)
    last = steps[-1]
    if isinstance(at, dict):
        at.pop(str(last), None)
    elif isinstance(at, list) and isinstance(last, int) and last < len(at):
        del at[last]
    return dumps(found)


def strip_nulls(text: str) -> str:
    """Take away nulls, as JSON_STRIP_NULLS."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            inner = {name: strip(each) for name, each in value.items()}
            return {name: each for name, each in inner.items() if each is not None}
        if isinstance(value, list):
            return [each for each in map(strip, value) if each is not None]
        return value

    return dumps(strip(loads(text)))
