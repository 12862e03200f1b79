"""Values as text."""

from __future__ import annotations

import base64
from typing import Any


def text_of(value: Any) -> str | None:
    """Write a value as BigQuery casts it to STRING; bytes as base64."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case bytes():
            return base64.b64encode(value).decode()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case _:
            return str(value)
