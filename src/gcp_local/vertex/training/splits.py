"""Which rows train, validate and test: the splits of `InputDataConfig` for tables.

The same rows are always split in the same way. What Vertex AI leaves open ("the remainder is
assigned as decided by Vertex AI") is decided here so: it goes in equal parts to the sets that got
no fraction, or to training if each got one.
Source: https://cloud.google.com/vertex-ai/docs/tabular-data/data-splits.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TRAINING, VALIDATION, TEST = "training", "validation", "test"
SETS = (TRAINING, VALIDATION, TEST)
_DEFAULT = (0.8, 0.1, 0.1)
_SEED = 20_210_518
_LARGEST_KEYS, _SMALLEST_GROUP = 500, 3
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?[Zz]")
# What AutoML's documentation has in a manual split's column, and what the API's has.
_PREDEFINED = {
    "training": TRAINING, "TRAIN": TRAINING, "validation": VALIDATION, "VALIDATE": VALIDATION,
    "test": TEST, "TEST": TEST,
}  # fmt: skip


class SplitError(ValueError):
    """A split that no data could have, or that this data cannot have."""


@dataclass(frozen=True)
class Split:
    """A way to split rows.

    Attributes:
        kind: `fraction`, `predefined`, `timestamp` or `stratified`.
        fractions: of training, validation and test, which sum to 1.
        key: the column that decides, where one does.

    """

    kind: str = "fraction"
    fractions: tuple[float, float, float] = _DEFAULT
    key: str = ""


def whole_fractions(asked: Sequence[float]) -> tuple[float, float, float]:
    """Complete the three fractions of a request, in which 0 is as good as not given.

    Raises:
        SplitError: one is negative, or they sum to more than 1.

    """
    training, validation, test = asked
    if not any(asked):
        return _DEFAULT
    if any(not 0 <= each <= 1 for each in asked):
        raise SplitError("a fraction must be between 0 and 1")
    rest = 1 - sum(asked)
    if rest < -1e-9:
        raise SplitError("the fractions must sum to at most 1")
    if rest < 1e-9:
        return training, validation, test
    unset = [each for each in asked if not each]
    if not unset:
        return training + rest, validation, test
    share = rest / len(unset)
    return training or share, validation or share, test or share


def assign(split: Split, count: int, key: Sequence[str] | None) -> dict[str, list[int]]:
    """Assign rows to sets.

    Args:
        split: how.
        count: how many rows there are.
        key: the values in the deciding column, if there is one.

    Returns:
        The rows' numbers by set, in their order. Rows whose key says nothing are in none.

    """
    match split.kind:
        case "predefined":
            sayings = enumerate(_PREDEFINED.get(value) for value in key or ())
            found = {row: said for row, said in sayings if said}
        case "timestamp":
            times = [(moment, row) for row, moment in enumerate(map(_moment, key or ())) if moment]
            # The earliest rows train and the latest test, as the guide has it.
            found = _cut([row for _, row in sorted(times)], split.fractions)
        case "stratified":
            found = _stratified(list(key or ()), split.fractions)
        case _:
            found = _cut(_shuffled(range(count)), split.fractions)
    sets: dict[str, list[int]] = {name: [] for name in SETS}
    for row in sorted(found):
        sets[found[row]].append(row)
    return sets


def _shuffled(rows: Sequence[int]) -> list[int]:
    order = list(rows)
    random.Random(_SEED).shuffle(order)  # noqa: S311  (nobody's secret)
    return order


def _cut(rows: Sequence[int], fractions: Sequence[float]) -> dict[int, str]:
    first = round(len(rows) * fractions[0])
    second = first + round(len(rows) * fractions[1])
    if not fractions[2]:
        second = len(rows)
    return {
        row: TRAINING if place < first else VALIDATION if place < second else TEST
        for place, row in enumerate(rows)
    }


def _stratified(key: list[str], fractions: Sequence[float]) -> dict[int, str]:
    """Cut each value's rows alike; rare values, and all past the 500 most frequent, at random."""
    frequent = {
        value
        for value, times in Counter(key).most_common(_LARGEST_KEYS)
        if times >= _SMALLEST_GROUP
    }
    groups: dict[str | None, list[int]] = defaultdict(list)
    for row in _shuffled(range(len(key))):
        groups[key[row] if key[row] in frequent else None].append(row)
    found: dict[int, str] = {}
    for rows in groups.values():
        found |= _cut(rows, fractions)
    return found


def _moment(text: str) -> datetime | None:
    """Read an RFC 3339 time in UTC; None for anything else."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except ValueError:
        return None
