"""Columns of text made into numbers, and the rules for that kept as JSON.

After https://cloud.google.com/vertex-ai/docs/datasets/data-types-tabular, but simpler: a category
becomes one feature for each frequent value, a text one for each frequent word, a timestamp its
seconds, year, month, day and weekday. A missing value is no number; trees know what to do with it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

NUMERIC, CATEGORICAL, TIMESTAMP, TEXT = "numeric", "categorical", "timestamp", "text"
_RARE = 5  # times: fewer make a category unknown, as the documentation says
_MOST_LEVELS, _MOST_WORDS = 50, 50
_WORDS_OF_A_TEXT = 4
_WORD = re.compile(r"\w+")
_WHOLE = re.compile(r"([+-]?\d+)\.0+")
_UNIX = {
    "unix-seconds": 1, "unix-milliseconds": 10**3, "unix-microseconds": 10**6,
    "unix-nanoseconds": 10**9,
}  # fmt: skip


@dataclass(frozen=True)
class Encoder:
    """How one column becomes features.

    Attributes:
        kind: one of the four above.
        levels: the values, or words, that have a feature each.
        time_format: of a timestamp, as the API has it.
        required: whether a missing value is an invalid one.

    """

    column: str
    kind: str
    levels: tuple[str, ...] = ()
    time_format: str = ""
    required: bool = False

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Encoder:
        """Undo `as_json`."""
        return cls(**{**body, "levels": tuple(body["levels"])})

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` reads."""
        return asdict(self)

    def invalid(self, values: Sequence[str]) -> list[int]:
        """Find the rows whose values this column cannot have."""
        read = self._reader()
        if read is None:
            return []
        return [
            row
            for row, value in enumerate(values)
            if (self.required if not value.strip() else read(value) is None)
        ]

    def encode(self, values: Sequence[str]) -> NDArray[np.float64]:
        """Make an array of one row for each value."""
        if self.kind == TEXT:
            words = [set(_words(value)) for value in values]
            rows: Iterable[list[float]] = (
                [len(found), *(float(level in found) for level in self.levels)] for found in words
            )
            return _array(rows, 1 + len(self.levels))
        if self.kind == TIMESTAMP:
            moments = (_moment(value, self.time_format) for value in values)
            return _array((_calendar(moment) for moment in moments), 5)
        if self.kind == NUMERIC:
            return _array(([_or_nan(number(value))] for value in values), 1)
        place = {level: index for index, level in enumerate(self.levels)}
        encoded = np.zeros((len(values), len(self.levels)))
        for row, value in enumerate(values):
            index = place.get(canonical(value))
            if index is not None:
                encoded[row, index] = 1
        return encoded

    def _reader(self) -> Callable[[str], object] | None:
        if self.kind == NUMERIC:
            return number
        if self.kind == TIMESTAMP:
            return lambda value: _moment(value, self.time_format)
        return None


def learn(
    column: str, kind: str, values: Sequence[str], *, time_format: str = "", required: bool = False
) -> Encoder:
    """Learn from the rows that train how a column becomes features.

    Args:
        column: its name.
        kind: one of the four kinds, or `auto`.
        values: its values in the rows that train.
        time_format: of a timestamp, as the API has it.
        required: whether a missing value is an invalid one.

    """
    kind = _infer(values) if kind == "auto" else kind
    levels: tuple[str, ...] = ()
    if kind == CATEGORICAL:
        levels = _frequent(map(canonical, values), _MOST_LEVELS)
    elif kind == TEXT:
        levels = _frequent((word for value in values for word in set(_words(value))), _MOST_WORDS)
    return Encoder(column, kind, levels, time_format, required)


def encode(encoders: Sequence[Encoder], table: Mapping[str, Sequence[str]]) -> NDArray[np.float64]:
    """Make the features of a table, column after column."""
    return np.hstack([encoder.encode(table[encoder.column]) for encoder in encoders])


def number(text: str) -> float | None:
    """Read a finite number; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def canonical(text: str) -> str:
    """Write a category in the one way: JSON over the wire turns 3 into 3.0."""
    match = _WHOLE.fullmatch(text)
    return match[1] if match else text


def _infer(values: Sequence[str]) -> str:
    """Infer a column's kind from all its values that are not missing."""
    there = [value for value in values if value.strip()]
    if not there:
        return CATEGORICAL
    if all(number(value) is not None for value in there):
        return NUMERIC
    if all(_moment(value, "") is not None for value in there):
        return TIMESTAMP
    words = sum(len(_words(value)) for value in there) / len(there)
    is_text = words >= _WORDS_OF_A_TEXT and len(set(there)) > len(there) / 2
    return TEXT if is_text else CATEGORICAL


def _frequent(values: Iterable[str], most: int) -> tuple[str, ...]:
    counted = Counter(values)
    frequent = [value for value, times in counted.items() if times >= _RARE]
    return tuple(sorted(frequent, key=lambda value: (-counted[value], value))[:most])


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _moment(text: str, time_format: str) -> datetime | None:
    """Read a time in the given format; RFC 3339, or ISO 8601 without a zone, if there is none."""
    try:
        if time_format in _UNIX:
            value = number(text)
            if value is None:
                return None
            return datetime.fromtimestamp(value / _UNIX[time_format], UTC)
        if time_format:
            moment = datetime.strptime(text, time_format)  # noqa: DTZ007  (the format may say it)
        else:
            if not re.match(r"\d{4}-\d\d-\d\d", text):
                return None
            moment = datetime.fromisoformat(text.upper())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _calendar(moment: datetime | None) -> list[float]:
    if moment is None:
        return [math.nan] * 5
    return [moment.timestamp(), moment.year, moment.month, moment.day, moment.weekday()]


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _array(rows: Iterable[Sequence[float]], width: int) -> NDArray[np.float64]:
    return np.array(list(rows), dtype=np.float64).reshape(-1, width)
