"""Which rows train and which evaluate.

A row's place is decided by what is in it, never by where it stands, so the same rows in another
order give the same sets, in the same order. Source: DATA_SPLIT_METHOD in
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-glm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gcp_local.bigquery.ml.order import Split

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

_FEWEST, _MANY, _MOST_EVALUATED = 500, 50_000, 10_000


class SplitError(ValueError):
    """The column to split by is not what the method needs; the message says why."""


def assign(split: Split, rows: pa.Table) -> tuple[Places, Places]:
    """Give the places of the rows that train and of those that evaluate, each in canonical order.

    Raises:
        SplitError: see there.

    """
    marks = fingerprints(rows)
    order = np.argsort(marks, kind="stable")
    chosen = _chosen(split, rows, marks)
    return order[~chosen[order]], order[chosen[order]]


def fingerprints(rows: pa.Table) -> NDArray[np.uint64]:
    """Give a number for each row that depends on its values and the columns' names alone."""
    names = sorted(rows.column_names)
    columns = [rows.column(name).to_pylist() for name in names]
    head = hashlib.blake2b(repr(names).encode(), digest_size=16).digest()
    return np.array(
        [_fingerprint(head, row) for row in zip(*columns, strict=True)], dtype=np.uint64
    )


def _fingerprint(head: bytes, row: Sequence[object]) -> int:
    digest = hashlib.blake2b(repr(row).encode(), digest_size=8, key=head).digest()
    return int.from_bytes(digest, "big")


def _chosen(split: Split, rows: pa.Table, marks: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell of each row whether it evaluates."""
    count = rows.num_rows
    match split.method:
        case "NO_SPLIT":
            return np.zeros(count, dtype=bool)
        case "CUSTOM":
            return _custom(rows, split.column)
        case "SEQ":
            return _sequential(rows, split.column, split.fraction)
        case "AUTO_SPLIT" if count < _FEWEST:
            return np.zeros(count, dtype=bool)
        case "AUTO_SPLIT" if count > _MANY:
            chosen = np.zeros(count, dtype=bool)
            chosen[np.argsort(marks, kind="stable")[:_MOST_EVALUATED]] = True
            return chosen
        case _:
            return marks < np.uint64(split.fraction * 2**64)


def _custom(rows: pa.Table, column: str) -> NDArray[np.bool_]:
    import pyarrow as pa
    import pyarrow.compute as pc

    values = rows.column(column)
    if not pa.types.is_boolean(values.type):
        raise SplitError(f"The data split column '{column}' must be of type BOOL.")
    return np.asarray(pc.fill_null(values, True).to_numpy(zero_copy_only=False), dtype=bool)


def _sequential(rows: pa.Table, column: str, fraction: float) -> NDArray[np.bool_]:
    values = rows.column(column).to_pylist()
    present = sorted(value for value in values if value is not None)
    if not present:
        return np.zeros(len(values), dtype=bool)
    threshold = present[min(int(len(values) * (1 - fraction)), len(present) - 1)]
    return np.array([value is None or value >= threshold for value in values])
