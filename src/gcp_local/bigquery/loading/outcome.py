"""What reading a load's files gives: rows, and what was wrong with some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.schema import Schema

_MOST_TOLD = 50
PREFIX = "Error while reading data, error message: "


@dataclass(frozen=True)
class BadRow:
    """A row that could not be read.

    Attributes:
        message: what is wrong, and where in the file.
        location: the file.

    """

    message: str
    location: str

    def as_json(self) -> dict[str, str]:
        """Give the `ErrorProto`."""
        message = f"{PREFIX}{self.message} File: {self.location}"
        return {"reason": "invalid", "message": message, "location": self.location}


@dataclass(frozen=True)
class Read:
    """What was read.

    Attributes:
        rows: in the Arrow types of the schema.
        bad: the rows that were left out.

    """

    rows: pa.Table
    schema: Schema
    bad: Sequence[BadRow] = field(default=())


class LoadError(BigQueryError):
    """A load that gives up.

    Attributes:
        others: what went wrong row by row: `ErrorProto`s.

    """

    def __init__(self, message: str, location: str, others: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__("invalid", PREFIX + message, location=location)
        self.others = others


def check_bad(noun: str, bad: Sequence[BadRow], most: int, good: int) -> None:
    """Give up if there are more bad rows than the job bears.

    Args:
        noun: CSV or JSON.
        bad: the rows.
        most: how many may be bad.
        good: how many were read.

    Raises:
        LoadError: there are too many.

    """
    if len(bad) <= most:
        return
    rows = good + len(bad)
    message = (
        f"{noun} processing encountered too many errors, giving up. Rows: {rows}; errors:"
        f" {len(bad)}; max bad: {most}; error percent: 0"
    )
    raise LoadError(message, bad[0].location, [each.as_json() for each in bad[:_MOST_TOLD]])


def warnings(bad: Sequence[BadRow]) -> list[dict[str, str]]:
    """Give the first of the bad rows as a job's errors."""
    return [each.as_json() for each in bad[:_MOST_TOLD]]
