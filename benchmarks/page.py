"""The page that all benchmarks write to, each its own section: docs/benchmarks.md."""

# ruff: noqa: INP001

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def write_section(name: str, text: str) -> Path:
    """Write a benchmark's section in place of what it wrote the last time, and return the page."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    page = _PAGE.read_text(encoding="utf-8")
    before, found, rest = page.partition(begin)
    _, _, after = rest.partition(end) if found else ("", "", "")
    separator = "" if found else "\n"
    _PAGE.write_text(f"{before}{separator}{begin}{text.strip()}\n{end}{after}", encoding="utf-8")
    return _PAGE


def where_and_when() -> str:
    """Return what was measured with, and when, in a sentence."""
    return (
        f"Last measured on {datetime.now(UTC):%Y-%m-%d}: {platform.system()} on "
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"kfp {version('kfp')}."
    )


def three(shown: Callable[[float], str], times: Sequence[float]) -> str:
    """Return the least, the **median** and the greatest of some times."""
    low, middle, high = min(times), statistics.median(times), max(times)
    return f"{shown(low)} / **{shown(middle)}** / {shown(high)}"
