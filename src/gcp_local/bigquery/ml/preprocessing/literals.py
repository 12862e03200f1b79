"""Values written as GoogleSQL."""

from __future__ import annotations

_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def text(value: str) -> str:
    """Write a STRING."""
    return f"'{value.translate(_ESCAPES)}'"


def number(value: float) -> str:
    """Write a FLOAT64 that is finite."""
    return f"CAST({value!r} AS FLOAT64)" if value >= 0 else f"(-CAST({-value!r} AS FLOAT64))"


def plain(value: float) -> str:
    """Write a number as the names of buckets have it: 2 and 2.5."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)
