"""CSV, record by record, with the difference between `,,` and `,"",`.

Python's own reader forgets what was quoted; BigQuery reads the one as null and the other as "".
Source: https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-csv.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcp_local.bigquery.loading.options import LoadOptions

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Record:
    """A record of a file.

    Attributes:
        cells: the values; None is null.
        line: the number of its first line, from 1.
        start: the index of its first character in the text.
        problem: why it cannot be read, if it cannot.

    """

    cells: list[str | None]
    line: int
    start: int
    problem: str = ""


def records(text: str, options: LoadOptions) -> Iterator[Record]:
    """Take a text apart; lines without anything are passed over."""
    line, start = 1, 0
    quote, delimiter, nulls = options.quote, options.delimiter, set(options.nulls)
    while start < len(text):
        found = _LINE_END.search(text, start)
        end, following = (found.start(), found.end()) if found else (len(text), len(text))
        taken = 1
        if not quote or text.find(quote, start, end) < 0:
            if end > start:
                parts = text[start:end].split(delimiter)
                cells = [None if part in nulls else part for part in parts]
                yield _checked(Record(cells, line, start), options)
        else:
            cells, end, problem = _quoted(text, start, options)
            taken += len(_LINE_END.findall(text, start, end))
            found = _LINE_END.match(text, end)
            following = found.end() if found else len(text)
            yield _checked(Record(cells, line, start, problem), options)
        line, start = line + taken, following


def _quoted(text: str, start: int, options: LoadOptions) -> tuple[list[str | None], int, str]:
    """Read a record with quotes in it; give its cells, where it ends, and what is wrong."""
    quote, delimiter = options.quote, options.delimiter
    cells: list[str | None] = []
    at = start
    while True:
        if text.startswith(quote, at):
            value, at = _until_quote(text, at + 1, quote)
            if at < 0 or (not options.quoted_newlines and _LINE_END.search(value)):
                return cells, _line_end(text, start), f"Missing close quote character ({quote})"
            cells.append(value)
            if not (text.startswith(delimiter, at) or _ends(text, at)):
                what = f"Data between close quote character ({quote}) and field separator"
                return cells, _line_end(text, at), what
        else:
            end = _line_end(text, at)
            mark = text.find(delimiter, at, end)
            end = mark if mark >= 0 else end
            part = text[at:end]
            cells.append(None if part in options.nulls else part)
            at = end
        if _ends(text, at):
            return cells, at, ""
        at += 1


def _until_quote(text: str, at: int, quote: str) -> tuple[str, int]:
    """Read up to the closing quote; give the value and what comes after it, -1 if nothing does."""
    parts = []
    while True:
        end = text.find(quote, at)
        if end < 0:
            return "", -1
        parts.append(text[at:end])
        if not text.startswith(quote, end + 1):
            return quote.join(parts), end + 1
        at = end + 2


def _ends(text: str, at: int) -> bool:
    return at >= len(text) or text[at] in "\r\n"


def _line_end(text: str, at: int) -> int:
    found = _LINE_END.search(text, at)
    return found.start() if found else len(text)


def _checked(record: Record, options: LoadOptions) -> Record:
    if options.control_characters or record.problem:
        return record
    if any(cell is not None and "\0" in cell for cell in record.cells):
        return Record(
            record.cells, record.line, record.start, "Bad character (ASCII 0) encountered"
        )
    return record
