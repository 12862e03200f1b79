"""The canonical text of a compiled pipeline: one YAML for one value, the same bytes for ever.

Sorted keys, every text in double quotes, no alias, no line folded, two spaces of indentation; lists
stand at their key's own column. It is what PyYAML's `safe_dump` writes when it is told so (a test
holds the two against each other), some twenty times as fast: a repository of hundreds of pipelines
is written anew whenever the compiler moves.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

# What YAML allows in double quotes as it is; the rest is escaped, all beyond the basic plane too.
_ESCAPED = re.compile(
    r"[^\x20\x21\x23-\x5b\x5d-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]"
)
_SHORT = {
    "\0": "\\0", "\x07": "\\a", "\x08": "\\b", "\x09": "\\t", "\x0a": "\\n", "\x0b": "\\v",
    "\x0c": "\\f", "\x0d": "\\r", "\x1b": "\\e", '"': '\\"', "\\": "\\\\", "\x85": "\\N",
    "\u2028": "\\L", "\u2029": "\\P",
}  # fmt: skip
_LINE_BREAK = re.compile("[\n\x85\u2028\u2029]")
# YAML 1.1 wants a key of 128 characters or more, its tag `!!str` among them, behind a `?`.
_LONGEST_KEY = 122


def canonical_yaml(spec: Mapping[str, Any]) -> bytes:
    """Return the one YAML text of a PipelineSpec, or of any mapping of plain values.

    Raises:
        TypeError: it holds something that JSON has not, or a key that is no text.

    """
    return f"{_block(spec, 0, in_line=True)}\n".encode()


def quoted(text: str) -> str:
    """Return a text as it stands in the canonical form."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    short = _SHORT.get(character)
    if short is not None:
        return short
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _block(value: Any, indent: int, *, in_line: bool) -> str:
    """Return a value's text for where a line has come to the column that `indent` says.

    Args:
        value: a plain value.
        indent: the column that the value's own lines begin at.
        in_line: whether its first line goes on where the text before it stopped.

    """
    if isinstance(value, str):
        return quoted(value)
    margin = "\n" + " " * indent
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        lines = [_field(key, value[key], indent) for key in sorted(value)]
    elif isinstance(value, list):
        if not value:
            return "[]"
        lines = [f"- {_block(child, indent + 2, in_line=True)}" for child in value]
    else:
        return _plain(value)
    text = margin.join(lines)
    return text if in_line else margin + text


def _field(key: str, value: Any, indent: int) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key that is no text: {key!r}")
    name = quoted(key)
    if not key or len(key) > _LONGEST_KEY or _LINE_BREAK.search(key):
        margin = "\n" + " " * indent
        return f"? {name}{margin}: {_block(value, indent + 2, in_line=True)}"
    if isinstance(value, Mapping) and value:
        return f"{name}:{_block(value, indent + 2, in_line=False)}"
    if isinstance(value, list) and value:
        return f"{name}:{_block(value, indent, in_line=False)}"
    return f"{name}: {_block(value, indent, in_line=True)}"


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return ".nan"
        if math.isinf(value):
            return ".inf" if value > 0 else "-.inf"
        text = repr(value).lower()
        # YAML 1.1 reads 1e17 as a text, and 1.0e+17 as a number.
        return text.replace("e", ".0e", 1) if "." not in text and "e" in text else text
    raise TypeError(f"no plain value: {value!r}")
