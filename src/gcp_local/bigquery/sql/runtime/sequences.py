"""Arrays."""

from __future__ import annotations


def joined(texts: list[str | None], separator: str, missing: str | None = None) -> str:
    """Join texts; a NULL is left out, or written as is said."""
    kept = [missing if each is None else each for each in texts]
    return separator.join(each for each in kept if each is not None)
