"""The preprocessing functions, each as GoogleSQL without them.

Sources: https://cloud.google.com/bigquery/docs/manual-preprocessing and the pages that it names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml.preprocessing.buckets import FORMATS, bucketized
from gcp_local.bigquery.ml.preprocessing.literals import number, text

_MOST_CATEGORIES, _RARE = 32_000, 5
_MOST_CROSSED = 10


@dataclass(frozen=True)
class Use:
    """One use of a function.

    Attributes:
        name: without `ML.`, in capitals.
        value: its first argument, GoogleSQL.
        settings: the values of the others.
        learned: of an analytic function: the values of the first argument in the training data.
        fields: of a function of a struct: the names of its fields, and each one's GoogleSQL.

    """

    name: str
    value: str
    settings: Sequence[Any] = ()
    learned: Sequence[Any] = ()
    fields: Sequence[tuple[str, str]] = ()

    def setting(self, at: int, kind: type, default: Any) -> Any:
        """Give a setting by its place; refuse one of the wrong type."""
        if at >= len(self.settings):
            return default
        value = self.settings[at]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not kind:
            raise self.refusal(f"argument {at + 2} has the wrong type")
        return value

    def choice(self, at: int, among: Sequence[str], default: str | None) -> str:
        """Give a setting that is one of some words."""
        value = self.setting(at, str, default)
        if value is None or value.lower() not in among:
            raise self.refusal(f"argument {at + 2} must be one of {', '.join(among)}")
        return str(value.lower())

    @property
    def present(self) -> list[Any]:
        """The learned values that are not NULL."""
        return [value for value in self.learned if value is not None]

    @property
    def numbers(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The learned values as numbers, ascending."""
        try:
            return np.sort(np.array([float(value) for value in self.present]))
        except (TypeError, ValueError):
            raise self.refusal("the first argument must be a number") from None

    def refusal(self, message: str) -> BigQueryError:
        """Refuse the use."""
        return BigQueryError("invalidQuery", f"ML.{self.name}: {message}", location="query")


@dataclass(frozen=True)
class Function:
    """One function: how many settings follow its first argument, and what it becomes."""

    most: int
    write: Callable[[Use], str]
    analytic: bool = False
    struct: bool = False


def _scaled(use: Use, middle: float, size: float) -> str:
    if not size or not np.isfinite(size):
        return f"(CAST(({use.value}) AS FLOAT64) - {number(middle)})"
    return f"((CAST(({use.value}) AS FLOAT64) - {number(middle)}) / {number(size)})"


def _standard(use: Use) -> str:
    values = use.numbers
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return _scaled(use, float(values.mean()) if len(values) else 0.0, spread)


def _min_max(use: Use) -> str:
    values = use.numbers
    low, high = (float(values[0]), float(values[-1])) if len(values) else (0.0, 0.0)
    return f"LEAST(GREATEST({_scaled(use, low, high - low)}, 0.0), 1.0)"


def _max_abs(use: Use) -> str:
    values = use.numbers
    return _scaled(use, 0.0, float(np.abs(values).max()) if len(values) else 0.0)


def _robust(use: Use) -> str:
    span = use.setting(0, tuple, (25, 75))
    if len(span) != 2 or not 0 < span[0] < span[1] < 100:
        raise use.refusal("the quantile range must be two numbers between 0 and 100")
    values = use.numbers
    if not len(values):
        return _scaled(use, 0.0, 0.0)
    low, middle, high = (float(np.percentile(values, share)) for share in (span[0], 50, span[1]))
    centred = use.setting(1, bool, default=True)
    sized = use.setting(2, bool, default=True)
    return _scaled(use, middle if centred else 0.0, high - low if sized else 1.0)


def _imputer(use: Use) -> str:
    strategy = use.choice(0, ("mean", "median", "most_frequent"), None)
    counted = Counter(use.present)
    if not counted:
        raise use.refusal("there is no value that is not NULL")
    if strategy == "most_frequent":
        most = max(counted.values())
        found = min((value for value, times in counted.items() if times == most), key=str)
        if isinstance(found, str):
            return f"IFNULL({use.value}, {text(found)})"
    else:
        values = use.numbers
        found = values.mean() if strategy == "mean" else np.median(values)
    return f"IFNULL(CAST(({use.value}) AS FLOAT64), {number(float(found))})"


def _vocabulary(use: Use, at: int) -> list[str]:
    """Give the categories, ascending; the rarer ones among them are left out."""
    top = use.setting(at, int, _MOST_CATEGORIES)
    rare = use.setting(at + 1, int, _RARE)
    counted = Counter(use.present)
    if not all(isinstance(value, str) for value in counted):
        raise use.refusal("the first argument must be a STRING")
    often = [value for value, times in counted.items() if times >= rare]
    often.sort(key=lambda value: (-counted[value], value))
    return sorted(often[:top])


def _label_encoder(use: Use) -> str:
    levels = _vocabulary(use, 0)
    cases = "".join(f" WHEN {text(level)} THEN {at}" for at, level in enumerate(levels, start=1))
    return f"(CASE ({use.value}){cases} ELSE 0 END)" if levels else "0"


def _one_hot_encoder(use: Use) -> str:
    drop = use.choice(0, ("none", "most_frequent"), "none")
    levels = _vocabulary(use, 1)
    cases = "".join(f" WHEN {text(level)} THEN {at}" for at, level in enumerate(levels, start=1))
    index = f"(CASE ({use.value}){cases} ELSE 0 END)" if levels else "0"
    value = "1.0"
    if drop == "most_frequent" and levels:
        counted = Counter(use.present)
        dropped = max(levels, key=lambda level: (counted[level], level))
        value = f"IF(IFNULL(({use.value}) = {text(dropped)}, FALSE), 0.0, 1.0)"
    return f"[STRUCT({index} AS index, {value} AS value)]"


def _quantile_bucketize(use: Use) -> str:
    count = use.setting(0, int, None)
    if count is None or count < 1:
        raise use.refusal("num_buckets must be a positive INT64")
    form = use.choice(1, FORMATS, FORMATS[0])
    values = use.numbers
    shares = [at / count for at in range(1, count)]
    points = (
        np.quantile(values, shares, method="inverted_cdf").tolist()
        if len(values) and shares
        else []
    )
    return bucketized(use.value, list(dict.fromkeys(points)), form)


def _bucketize(use: Use) -> str:
    points = use.setting(0, tuple, ())
    if not points or not all(type(each) in (int, float) for each in points):
        raise use.refusal("array_split_points must be an array of numbers")
    if list(points) != sorted(set(points)):
        raise use.refusal("array_split_points must be in ascending order")
    if use.setting(1, bool, default=False):
        points = points[1:-1]
    return bucketized(use.value, points, use.choice(2, FORMATS, FORMATS[0]))


def _hash_bucketize(use: Use) -> str:
    size = use.setting(0, int, None)
    if size is None or size < 0:
        raise use.refusal("hash_bucket_size must be an INT64 from 0 on")
    mark = f"FARM_FINGERPRINT({use.value})"
    return f"MOD(ABS(MOD({mark}, {size})), {size})" if size else mark


def _degree(use: Use, least: int) -> int:
    degree = use.setting(0, int, 2)
    if not least <= degree <= 4:
        raise use.refusal(f"degree must be from {least} to 4")
    names = [name.lower() for name, _ in use.fields]
    if len(names) > _MOST_CROSSED or len(set(names)) < len(names) or "" in names:
        raise use.refusal(f"it takes up to {_MOST_CROSSED} features with names of their own")
    return int(degree)


def _polynomial_expand(use: Use) -> str:
    degree = _degree(use, 1)
    found: dict[str, str] = {}
    for count in range(1, degree + 1):
        for parts in combinations_with_replacement(use.fields, count):
            name = "_".join(each for each, _ in parts)
            found[name] = " * ".join(f"CAST(({sql}) AS FLOAT64)" for _, sql in parts)
    return _struct(dict(sorted(found.items())))


def _feature_cross(use: Use) -> str:
    degree = _degree(use, 2)
    found = {}
    for count in range(2, degree + 1):
        for parts in combinations(use.fields, count):
            values = ", '_', ".join(sql for _, sql in parts)
            found["_".join(name for name, _ in parts)] = f"CONCAT({values})"
    return _struct(found)


def _struct(fields: Mapping[str, str]) -> str:
    return f"STRUCT({', '.join(f'{sql} AS `{name}`' for name, sql in fields.items())})"


FUNCTIONS: Mapping[str, Function] = {
    "BUCKETIZE": Function(3, _bucketize),
    "FEATURE_CROSS": Function(1, _feature_cross, struct=True),
    "HASH_BUCKETIZE": Function(1, _hash_bucketize),
    "IMPUTER": Function(1, _imputer, analytic=True),
    "LABEL_ENCODER": Function(2, _label_encoder, analytic=True),
    "MAX_ABS_SCALER": Function(0, _max_abs, analytic=True),
    "MIN_MAX_SCALER": Function(0, _min_max, analytic=True),
    "ONE_HOT_ENCODER": Function(3, _one_hot_encoder, analytic=True),
    "POLYNOMIAL_EXPAND": Function(1, _polynomial_expand, struct=True),
    "QUANTILE_BUCKETIZE": Function(2, _quantile_bucketize, analytic=True),
    "ROBUST_SCALER": Function(3, _robust, analytic=True),
    "STANDARD_SCALER": Function(0, _standard, analytic=True),
}
LACKING = frozenset({
    "BAG_OF_WORDS", "CONVERT_COLOR_SPACE", "CONVERT_IMAGE_TYPE", "DECODE_IMAGE", "DISTANCE",
    "LP_NORM", "MULTI_HOT_ENCODER", "NGRAMS", "NORMALIZER", "RESIZE_IMAGE", "TF_IDF",
})  # fmt: skip
