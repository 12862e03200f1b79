"""Columns made into numbers, and the rules for that kept as JSON.

What BigQuery ML does by itself with the columns of a query, by their types:

INT64, FLOAT64, NUMERIC        a number; NULL is the mean. Regressions standardise it
STRING, BOOL, BYTES, DATE,     a category. Regressions: one feature a category (dummy encoding drops
DATETIME, TIME                 the most frequent), and one for NULL; trees: the category's place
                               among all in alphabetical order, from 1; NULL and unknown are 0
TIMESTAMP                      seconds since the epoch, a number; regressions: day of month, of
                               week, month, hour, minute, week, year as categories besides
ARRAY of categories            one feature a category that occurs in some array
ARRAY of numbers               as many features
ARRAY<STRUCT<INT64, number>>   a sparse vector
STRUCT                         its fields, each by its type

Source: https://cloud.google.com/bigquery/docs/auto-preprocessing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gcp_local.bigquery.ml.values import text_of
from gcp_local.bigquery.schema import Field, Schema

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NUMERIC, ONE_HOT, PLACE = "numeric", "one-hot", "place"
MULTI_HOT, DENSE, SPARSE = "multi-hot", "dense", "sparse"
NULL = "_null_filler"
"""The category of NULL, as ML.WEIGHTS calls it."""
_NUMBERS = ("INTEGER", "FLOAT", "NUMERIC")
_CATEGORIES = ("STRING", "BOOLEAN", "BYTES", "DATE", "DATETIME", "TIME")
_PARTS = ("DOM", "DOW", "MOY", "HOD", "MIN", "WOY", "YEAR")
_MOST_FEATURES = 10_000


class ColumnError(ValueError):
    """A column, or a value in one, that no model takes; the message says why."""


@dataclass(frozen=True)
class Encoder:
    """How one column, or one part of it, becomes features.

    Attributes:
        name: as ML.WEIGHTS names it.
        column: the column that it reads; `field` of it, if that is a struct.
        part: of a timestamp, `DOM` for one; empty is the timestamp itself in seconds.
        kind: one of the six above.
        levels: the categories that have a feature each.
        dropped: the category that has none, by dummy encoding.
        mean: what stands for NULL; `deviation` what a number is divided by.
        size: how many features a vector has.

    """

    name: str
    column: str
    kind: str
    field: str = ""
    part: str = ""
    levels: tuple[str, ...] = ()
    dropped: str | None = None
    mean: float = 0.0
    deviation: float = 1.0
    size: int = 1

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Encoder:
        """Undo `as_json`."""
        return cls(**{**said, "levels": tuple(said["levels"])})

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` reads."""
        return asdict(self)

    @property
    def width(self) -> int:
        """How many features it gives."""
        if self.kind in (ONE_HOT, MULTI_HOT):
            return len(self.levels)
        return self.size if self.kind in (DENSE, SPARSE) else 1

    def features(self, rows: pa.Table, *, standardized: bool) -> Floats:
        """Give the features of rows, one row each.

        Raises:
            ColumnError: a vector that is longer than those it was trained with.

        """
        values = _values(rows, self.column, self.field, self.part)
        match self.kind:
            case "numeric":
                numbers = _numbers(values)
                numbers = np.where(np.isnan(numbers), self.mean, numbers)
                if standardized:
                    numbers = (numbers - self.mean) / self.deviation
                return numbers[:, None]
            case "one-hot":
                return _hot([[_level(text)] for text in _texts(values)], self.levels)
            case "place":
                place = {level: at for at, level in enumerate(self.levels, start=1)}
                places = [place.get(text or "", 0) for text in _texts(values)]
                return np.array(places, dtype=float).reshape(-1, 1)
            case "multi-hot":
                return _hot(_elements(values), self.levels)
            case _:
                return self._vectors(values.to_pylist())

    def _vectors(self, values: Sequence[Any]) -> Floats:
        features = np.zeros((len(values), self.size))
        for row, vector in enumerate(values):
            for at, value in (
                _entries(vector or ()) if self.kind == SPARSE else enumerate(vector or ())
            ):
                if at < self.size:
                    features[row, at] = value if value is not None else 0.0
                elif self.kind == DENSE:
                    raise ColumnError(
                        f"The arrays of '{self.column}' must have {self.size} elements"
                    )
        return features


def learn(columns: Schema, rows: pa.Table, method: str) -> tuple[Encoder, ...]:
    """Work out how columns become features, from the rows that train.

    Args:
        columns: the features.
        rows: all their values.
        method: CATEGORY_ENCODING_METHOD; LABEL_ENCODING is for trees.

    Raises:
        ColumnError: a type that has no encoding, an infinite number, too many categories.

    """
    found = tuple(
        _learned(encoder, rows, method)
        for column in columns
        for encoder in _raw(column, whole=method != "LABEL_ENCODING")
    )
    total = sum(encoder.width for encoder in found)
    if total > _MOST_FEATURES:
        raise ColumnError(
            f"The columns give {total} features after encoding; the embedded cloud trains with"
            f" {_MOST_FEATURES} at most"
        )
    return found


def encode(encoders: Iterable[Encoder], rows: pa.Table, *, standardized: bool) -> Floats:
    """Give the features of rows, those of one encoder after another's."""
    parts = [encoder.features(rows, standardized=standardized) for encoder in encoders]
    return np.hstack(parts) if parts else np.zeros((rows.num_rows, 0))


def _raw(column: Field, *, whole: bool, inside: str = "") -> Iterator[Encoder]:
    """Name the parts of a column, which nothing is known of yet."""
    name = f"{inside}_{column.name}" if inside else column.name
    place = (inside, column.name) if inside else (column.name, "")
    if column.repeated:
        yield Encoder(name, place[0], _kind_of_array(column), place[1])
    elif column.type in _NUMBERS:
        yield Encoder(name, place[0], NUMERIC, place[1])
    elif column.type in _CATEGORIES:
        yield Encoder(name, place[0], ONE_HOT, place[1])
    elif column.type == "TIMESTAMP":
        yield Encoder(name, place[0], NUMERIC, place[1])
        for part in _PARTS if whole else ():
            yield Encoder(f"_TS_{part}_{name}", place[0], ONE_HOT, place[1], part)
    elif column.type == "RECORD" and not inside:
        for each in column.fields:
            yield from _raw(each, whole=whole, inside=column.name)
    else:
        raise ColumnError(f"Unsupported type {column.sql} of the feature column '{name}'")


def _kind_of_array(column: Field) -> str:
    if column.type in _CATEGORIES:
        return MULTI_HOT
    if column.type in _NUMBERS:
        return DENSE
    kinds = [each.type for each in column.fields]
    if len(kinds) == 2 and kinds[0] == "INTEGER" and kinds[1] in _NUMBERS:
        return SPARSE
    raise ColumnError(f"Unsupported type {column.sql} of the feature column '{column.name}'")


def _learned(encoder: Encoder, rows: pa.Table, method: str) -> Encoder:
    values = _values(rows, encoder.column, encoder.field, encoder.part)
    known = asdict(encoder)
    match encoder.kind:
        case "numeric":
            numbers = _numbers(values)
            present = numbers[~np.isnan(numbers)]
            if np.isinf(present).any():
                raise ColumnError(f"The feature column '{encoder.name}' has infinite values")
            mean = float(present.mean()) if len(present) else 0.0
            spread = float(np.std(np.where(np.isnan(numbers), mean, numbers))) if len(values) else 0
            return Encoder(**{**known, "mean": mean, "deviation": spread or 1.0})
        case "one-hot":
            counted = Counter(_texts(values))
            counted.pop(None, None)
            levels = sorted(str(text) for text in counted)
            if method == "LABEL_ENCODING":
                return Encoder(**{**known, "kind": PLACE, "levels": tuple(levels)})
            dropped = None
            if method == "DUMMY_ENCODING" and levels:
                dropped = max(levels, key=lambda level: (counted[level], level))
                levels.remove(dropped)
            return Encoder(**{**known, "levels": (NULL, *levels), "dropped": dropped})
        case "multi-hot":
            found = {each for row in _elements(values) for each in row}
            return Encoder(**{**known, "levels": tuple(sorted(found))})
        case "dense":
            sizes = {len(each) for each in values.to_pylist() if each}
            if len(sizes) > 1:
                raise ColumnError(f"The arrays of '{encoder.name}' must have the same length")
            return Encoder(**{**known, "size": max(sizes, default=0)})
        case _:
            places = [at for each in values.to_pylist() for at, _ in _entries(each or ())]
            return Encoder(**{**known, "size": max(places, default=-1) + 1})


def _values(rows: pa.Table, column: str, field: str, part: str) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    values = rows.column(column)
    if field:
        parts = [pc.struct_field(chunk, field) for chunk in values.chunks]
        kind = values.type.field(field).type
        values = pa.chunked_array(parts, type=kind)
    if not part:
        return values
    match part:
        case "DOW":
            # Sunday is 1, as EXTRACT has it.
            return pc.day_of_week(values, count_from_zero=False, week_start=7)
        case "WOY":
            return pc.iso_week(values)
        case _:
            functions = {"DOM": pc.day, "MOY": pc.month, "HOD": pc.hour, "MIN": pc.minute}
            return functions.get(part, pc.year)(values)


def _numbers(values: pa.ChunkedArray) -> Floats:
    import pyarrow as pa

    if pa.types.is_timestamp(values.type):
        numbers = values.cast(pa.int64()).cast(pa.float64(), safe=False)
        return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=float) / 1e6
    numbers = values.cast(pa.float64(), safe=False)
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=float)


def _texts(values: pa.ChunkedArray) -> list[str | None]:
    return [text_of(value) for value in values.to_pylist()]


def _level(text: str | None) -> str:
    return NULL if text is None else text


def _elements(values: pa.ChunkedArray) -> list[list[str]]:
    return [[_level(text_of(each)) for each in row or ()] for row in values.to_pylist()]


def _hot(found: Iterable[Iterable[str]], levels: Sequence[str]) -> Floats:
    place = {level: at for at, level in enumerate(levels)}
    rows = list(found)
    features = np.zeros((len(rows), len(levels)))
    for row, texts in enumerate(rows):
        for text in texts:
            at = place.get(text)
            if at is not None:
                features[row, at] = 1.0
    return features


def _entries(vector: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, float]]:
    for entry in vector:
        at, value = entry.values()
        if at is not None and at >= 0 and value is not None and not math.isnan(value):
            yield int(at), float(value)


def statistics(columns: Schema, rows: pa.Table) -> list[dict[str, Any]]:
    """Describe columns as ML.FEATURE_INFO does.

    Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-feature
    """
    return [
        _described(encoder, rows) for column in columns for encoder in _raw(column, whole=False)
    ]


def _described(encoder: Encoder, rows: pa.Table) -> dict[str, Any]:
    values = _values(rows, encoder.column, encoder.field, encoder.part)
    said: dict[str, Any] = {"input": encoder.name, "null_count": values.null_count}
    if encoder.kind == NUMERIC:
        numbers = _numbers(values)
        # Sorted, so that the sums do not depend on the rows' order.
        present = np.sort(numbers[np.isfinite(numbers)])
        if len(present):
            spread = present.std(ddof=1) if len(present) > 1 else 0.0
            measured = (present.min(), present.max(), present.mean(), np.median(present), spread)
            names = ("min", "max", "mean", "median", "stddev")
            said |= {name: float(each) for name, each in zip(names, measured, strict=True)}
    elif encoder.kind == ONE_HOT:
        said["category_count"] = len(set(_texts(values)) - {None})
    elif encoder.kind == MULTI_HOT:
        said["category_count"] = len({each for row in _elements(values) for each in row})
    else:
        said["dimension"] = _learned(encoder, rows, "").size
    return said
