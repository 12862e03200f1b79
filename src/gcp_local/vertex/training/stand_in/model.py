"""A trained model: JSON on disk, and predictions from it with nothing but NumPy.

JSON and not a pickle, because loading a pickle runs whatever is in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gcp_local.vertex.training.stand_in.columns import Encoder, canonical, encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FORMAT = "gcp-local automl-tabular stand-in 1"
_TREE = ("feature", "threshold", "missing_left", "left", "right", "value")


class InstanceError(ValueError):
    """An instance that cannot be predicted; the message says which and why."""


@dataclass(frozen=True)
class Tree:
    """A regression tree as arrays, one entry a node. A node without a left child is a leaf."""

    feature: NDArray[np.int64]
    threshold: Floats
    missing_left: NDArray[np.bool_]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: Floats

    def predict(self, features: Floats) -> Floats:
        """Give the value of the leaf that each row falls into."""
        rows = np.arange(len(features))
        node = np.zeros(len(features), dtype=np.int64)
        while True:
            inner = self.left[node] > 0
            if not inner.any():
                return self.value[node]
            asked = features[rows, self.feature[node]]
            goes_left = np.where(
                np.isnan(asked), self.missing_left[node], asked <= self.threshold[node]
            )
            node = np.where(inner, np.where(goes_left, self.left[node], self.right[node]), node)


@dataclass(frozen=True)
class TabularModel:
    """Boosted trees over encoded columns.

    Attributes:
        classes: all values of the target; empty for regression.
        trained: which of them occurred in training; the others' scores are 0.
        baseline: where the sums begin, one for each tree of a round.
        rounds: the trees; two classes take one a round, more take one each.
        interval: what to add to a value for the bounds of its 95 % interval.

    """

    target: str
    classes: tuple[str, ...]
    trained: tuple[int, ...]
    encoders: tuple[Encoder, ...]
    baseline: tuple[float, ...]
    rounds: tuple[tuple[Tree, ...], ...]
    interval: tuple[float, float] = (0.0, 0.0)

    def raw(self, features: Floats) -> Floats:
        """Sum up the trees: an array of rows by trees of a round."""
        total = np.tile(np.array(self.baseline), (len(features), 1))
        for trees in self.rounds:
            total += np.column_stack([tree.predict(features) for tree in trees])
        return total

    def outcome(self, raw: Floats) -> Floats:
        """Turn sums into scores of all classes, or into values."""
        if not self.classes:
            return raw[:, 0]
        if raw.shape[1] == 1:
            second = 1 / (1 + np.exp(-np.clip(raw[:, 0], -500, 500)))
            found = np.column_stack([1 - second, second])
        else:
            powers = np.exp(raw - raw.max(axis=1, keepdims=True))
            found = powers / powers.sum(axis=1, keepdims=True)
        scores = np.zeros((len(raw), len(self.classes)))
        scores[:, list(self.trained)] = found
        return scores

    def scores(self, table: Mapping[str, Sequence[str]]) -> Floats:
        """Predict the rows of a table."""
        return self.outcome(self.raw(encode(self.encoders, table)))

    def predict(self, instances: Sequence[Any]) -> list[dict[str, Any]]:
        """Predict as AutoML answers.

        Classification gives `classes` and `scores`, regression `value`, `lower_bound` and
        `upper_bound` (`tabular_classification_1.0.0.yaml`, `tabular_regression_1.0.0.yaml`).

        Raises:
            InstanceError: an instance is no object, lacks a column, or has a value that its column
                cannot have.

        """
        if not instances:
            return []
        found = self.scores(self._table(instances))
        if self.classes:
            return [{"classes": list(self.classes), "scores": row.tolist()} for row in found]
        low, high = self.interval
        return [
            {"value": value, "lower_bound": value + low, "upper_bound": value + high}
            for value in found.tolist()
        ]

    def _table(self, instances: Sequence[Any]) -> dict[str, list[str]]:
        table: dict[str, list[str]] = {encoder.column: [] for encoder in self.encoders}
        for number, instance in enumerate(instances):
            if not isinstance(instance, dict):
                raise InstanceError(f"Instance {number} must be an object of columns and values.")
            for column, values in table.items():
                if column not in instance:
                    raise InstanceError(f"Instance {number} has no column {column!r}.")
                values.append(_text(instance[column], f"{column!r} of instance {number}"))
        for encoder in self.encoders:
            for row in encoder.invalid(table[encoder.column])[:1]:
                value = table[encoder.column][row]
                raise InstanceError(
                    f"{encoder.column!r} of instance {row} is {value!r}, which is not"
                    f" {encoder.kind}."
                )
        return table

    def save(self, path: Path) -> None:
        """Write the model; the same model gives the same bytes."""
        rounds = [
            [{name: getattr(tree, name).tolist() for name in _TREE} for tree in trees]
            for trees in self.rounds
        ]
        body = {
            "format": FORMAT,
            "target": self.target,
            "classes": self.classes,
            "trained": self.trained,
            "encoders": [encoder.as_json() for encoder in self.encoders],
            "baseline": self.baseline,
            "interval": self.interval,
            "rounds": rounds,
        }
        path.write_text(json.dumps(body, separators=(",", ":")))

    @classmethod
    def load(cls, body: bytes) -> TabularModel:
        """Read what `save` wrote; ValueError if it is something else."""
        said = json.loads(body)
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise ValueError(f"not a model of the format {FORMAT!r}")
        return cls(
            target=said["target"],
            classes=tuple(said["classes"]),
            trained=tuple(said["trained"]),
            encoders=tuple(Encoder.from_json(each) for each in said["encoders"]),
            baseline=tuple(said["baseline"]),
            rounds=tuple(tuple(_tree(each) for each in trees) for trees in said["rounds"]),
            interval=(said["interval"][0], said["interval"][1]),
        )


def _tree(body: Mapping[str, Any]) -> Tree:
    return Tree(
        feature=np.array(body["feature"], dtype=np.int64),
        threshold=np.array(body["threshold"], dtype=np.float64),
        missing_left=np.array(body["missing_left"], dtype=np.bool_),
        left=np.array(body["left"], dtype=np.int64),
        right=np.array(body["right"], dtype=np.int64),
        value=np.array(body["value"], dtype=np.float64),
    )


def _text(value: Any, what: str) -> str:
    """Write a value as the CSV file would have had it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return canonical(repr(value))
    raise InstanceError(f"{what} must be a string, a number, a boolean or null.")
