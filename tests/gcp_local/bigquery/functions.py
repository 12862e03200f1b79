"""Reads functions.txt: examples of GoogleSQL's functions, chapter by chapter."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any

_WORDS = {
    "UTC": UTC, "date": date, "datetime": datetime, "time": time, "Decimal": Decimal, "inf": inf,
}  # fmt: skip


def read_examples() -> dict[str, list[tuple[str, Any]]]:
    """Give each chapter's expressions, and what they are to give."""
    chapters: dict[str, list[tuple[str, Any]]] = {}
    cases: list[tuple[str, Any]] = []
    for line in (Path(__file__).parent / "functions.txt").read_text().splitlines():
        if line.startswith("[") and "-->" not in line:
            cases = chapters.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            expression, _, value = line.partition("  -->  ")
            cases.append((expression, eval(value, _WORDS)))
    return chapters


CHAPTERS = read_examples()
