"""Pieces of Markdown: a text that is nothing but text, code, a table."""

from collections.abc import Iterable, Sequence

_MARKUP = frozenset("\\`*_[]<>#|~@!&")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown already, made by `text` and `code`."""
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def text(said: str) -> str:
    """Keep a text from being anything else than text: no markup, no link, no mention, no cell.

    What a component said stands in a summary before somebody who approves a promotion.
    """
    plain = " ".join(said.split()).replace("://", ":\u200b//")
    marked = "".join(f"&#{ord(mark)};" if mark in _MARKUP else mark for mark in plain)
    # GitHub may look for mentions and issues after it has read the entities.
    return marked.replace("&#64;", "&#64;\u200b").replace("&#35;", "&#35;\u200b")


def code(said: str) -> str:
    """Return a text as code."""
    return f"<code>{text(said)}</code>"
