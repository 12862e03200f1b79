"""Tables in CSV files, as Vertex AI reads them: RFC 4180, commas, UTF-8.

The first line of the first file (by name) is the header; another file has exactly the same header,
or none. Source: https://cloud.google.com/vertex-ai/docs/tabular-data/classification-regression/prepare-data.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NAME = re.compile(r"[^\W_]\w*")
_MAX_COLUMNS = 1000
_MAX_FIELD = 10_000_000


class TableError(ValueError):
    """Files that are no table; the message says where and why."""


@dataclass(frozen=True)
class Table:
    """Named columns of text, all of one length. An empty text is a missing value."""

    columns: dict[str, list[str]]

    @property
    def rows(self) -> int:
        """Count the rows."""
        return len(next(iter(self.columns.values()), []))

    def column(self, name: str) -> list[str]:
        """Give one column; TableError if there is none of that name."""
        if name not in self.columns:
            known = ", ".join(list(self.columns)[:20])
            raise TableError(f"There is no column {name!r} in the data; there are {known}.")
        return self.columns[name]


def read_table(files: Sequence[tuple[str, Path]]) -> Table:
    """Read the table that these files make up.

    Args:
        files: each file's name, for errors, and its path; in the order of their names.

    Raises:
        TableError: not CSV, a header that AutoML does not take, or rows of another length.

    """
    csv.field_size_limit(_MAX_FIELD)
    header: list[str] | None = None
    values: list[list[str]] = []
    for name, path in files:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                for number, row in enumerate(csv.reader(file, strict=True), start=1):
                    if not row:
                        continue
                    if header is None:
                        header = _checked(row, name)
                        values = [[] for _ in header]
                    elif number == 1 and row == header:
                        continue
                    elif len(row) != len(header):
                        raise TableError(
                            f"Row {number} of {name} has {len(row)} values; the header has"
                            f" {len(header)} columns."
                        )
                    else:
                        for column, value in zip(values, row, strict=True):
                            column.append(value)
        except (csv.Error, UnicodeDecodeError) as error:
            raise TableError(f"{name} cannot be read as CSV in UTF-8: {error}") from None
    if header is None:
        raise TableError("The data are empty: there is not even a header.")
    return Table(dict(zip(header, values, strict=True)))


def _checked(header: list[str], name: str) -> list[str]:
    if not 2 <= len(header) <= _MAX_COLUMNS:
        raise TableError(f"{name} has {len(header)} columns; it must have 2 to {_MAX_COLUMNS}.")
    for column in header:
        if not _NAME.fullmatch(column):
            raise TableError(
                f"Invalid column name {column!r} in {name}: letters, digits and _, the first not _."
            )
        if header.count(column) > 1:
            raise TableError(f"The column {column!r} is twice in the header of {name}.")
    return header
