"""A trained model, kept as JSON, and what it says of rows.

Regressions need numpy alone; boosted trees XGBoost, which reads its own format (UBJSON).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gcp_local.bigquery.ml.encoding import Encoder, encode
from gcp_local.bigquery.schema import Field, Schema, read_schema

if TYPE_CHECKING:
    import pyarrow as pa
    import xgboost
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Label:
    """What is predicted.

    Attributes:
        name: the column.
        type: the REST API's name of its type.
        classes: the labels, ascending, as Python has them; none for a regression. Of two, the
            second is the positive one.

    """

    name: str
    type: str
    classes: tuple[Any, ...] = ()

    def places(self, values: Sequence[Any]) -> NDArray[np.int64]:
        """Give each label's place among the classes; -1 is a label that is none of them."""
        known = {value: at for at, value in enumerate(self.classes)}
        return np.array([known.get(value, -1) for value in values], dtype=np.int64)


@dataclass(frozen=True)
class TrainedModel:
    """A model.

    Attributes:
        model_type: as SQL has it, `LOGISTIC_REG`.
        label: what it predicts.
        features: the columns that it takes, after TRANSFORM.
        encoders: how these become numbers.
        weights: of regressions: for standardised features, one row for each class but, where there
            are two classes or none, one in all.
        intercepts: as many.
        booster: of boosted trees: XGBoost's bytes.
        statistics: what ML.FEATURE_INFO tells, and `importance` what ML.FEATURE_IMPORTANCE does.
        explanation: what ML.GLOBAL_EXPLAIN does: of each class (or of `""`), each feature's.
        metrics: what ML.EVALUATE tells without data, and `iterations` what ML.TRAINING_INFO does.
        rows: how many rows trained, and how many evaluated.
        transform: the TRANSFORM clause with what was learned put in (see `preprocessing`): a select
            list in GoogleSQL; empty if there was none. `target` is its part that gives the label.
        inputs: the columns that the transformation, or else the model, is given.

    """

    model_type: str
    label: Label
    features: Schema
    encoders: tuple[Encoder, ...]
    weights: tuple[tuple[float, ...], ...] = ()
    intercepts: tuple[float, ...] = ()
    booster: bytes = field(default=b"", repr=False)
    statistics: tuple[Mapping[str, Any], ...] = ()
    importance: tuple[Mapping[str, Any], ...] = ()
    explanation: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    iterations: tuple[Mapping[str, Any], ...] = ()
    rows: tuple[int, int] = (0, 0)
    transform: str = ""
    target: str = ""
    inputs: Schema = ()

    # As JSON

    def dump(self) -> bytes:
        """Write it for `load`."""
        said = {
            **{name: getattr(self, name) for name in _PLAIN},
            "label": [self.label.name, self.label.type, self.label.classes],
            "features": [each.as_json() for each in self.features],
            "inputs": [each.as_json() for each in self.inputs],
            "encoders": [each.as_json() for each in self.encoders],
            "booster": base64.b64encode(self.booster).decode(),
        }
        return json.dumps(said).encode()

    @classmethod
    def load(cls, content: bytes) -> TrainedModel:
        """Read what `dump` wrote."""
        said = json.loads(content)
        name, kind, classes = said["label"]
        return cls(
            model_type=said["model_type"],
            label=Label(name, kind, tuple(classes)),
            features=read_schema(said["features"]),
            inputs=read_schema(said["inputs"]),
            encoders=tuple(Encoder.from_json(each) for each in said["encoders"]),
            weights=tuple(tuple(row) for row in said["weights"]),
            intercepts=tuple(said["intercepts"]),
            booster=base64.b64decode(said["booster"]),
            statistics=tuple(said["statistics"]),
            importance=tuple(said["importance"]),
            explanation=said["explanation"],
            metrics=said["metrics"],
            iterations=tuple(said["iterations"]),
            rows=tuple(said["rows"]),
            transform=said["transform"],
            target=said["target"],
        )

    # What it says

    @property
    def grows_trees(self) -> bool:
        """Whether it consists of trees."""
        return bool(self.booster)

    @property
    def predicted(self) -> Field:
        """The column of its prediction."""
        kind = self.label.type if self.label.classes else "FLOAT"
        return Field(f"predicted_{self.label.name}", kind)

    def encoded(self, rows: pa.Table) -> Floats:
        """Make the features of rows; ColumnError if a value does not fit."""
        return encode(self.encoders, rows, standardized=not self.grows_trees)

    def margins(self, features: Floats) -> Floats:
        """Give the raw values of rows: one column, or of more than two classes one each."""
        if not len(features):
            return np.zeros((0, self._outputs))  # XGBoost takes no table without rows
        if self.grows_trees:
            import xgboost

            raw = self._xgboost.predict(xgboost.DMatrix(features, nthread=1), output_margin=True)
            return np.asarray(raw, dtype=float).reshape(len(features), -1)
        return np.asarray(features @ np.array(self.weights).T + np.array(self.intercepts))

    def scores(self, features: Floats) -> Floats:
        """Give each class's probability, or in one column the predicted value."""
        return (
            probabilities(self.margins(features))
            if self.label.classes
            else (self.margins(features))
        )

    def contributions(self, features: Floats) -> tuple[Floats, Floats]:
        """Tell what each feature adds to the raw value.

        Returns:
            for each row, raw value and feature what it adds; for each row and raw value the rest,
            which is the same for all rows.

        """
        if not len(features):
            return np.zeros((0, self._outputs, features.shape[1])), np.zeros((0, self._outputs))
        if self.grows_trees:
            import xgboost

            data = xgboost.DMatrix(features, nthread=1)
            found = np.asarray(self._xgboost.predict(data, pred_contribs=True), dtype=float)
            found = found.reshape(len(features), -1, features.shape[1] + 1)
            return found[:, :, :-1], found[:, :, -1]
        # In the data's own units, so that the rest is the intercept that ML.WEIGHTS tells.
        weights = np.array(self.weights)
        means, deviations = self.scales()
        added = (features * deviations + means)[:, None, :] * (weights / deviations)[None, :, :]
        rest = np.array(self.intercepts) - (weights * means / deviations).sum(axis=1)
        return added, np.tile(rest, (len(features), 1))

    def scales(self) -> tuple[Floats, Floats]:
        """Give each feature's mean and deviation; 0 and 1 where it is not standardised."""
        means, deviations = [], []
        for encoder in self.encoders:
            means += [encoder.mean if encoder.kind == "numeric" else 0.0] * encoder.width
            deviations += [encoder.deviation] * encoder.width
        return np.array(means), np.array(deviations)

    def by_column(self, values: Floats) -> Floats:
        """Add up, along the last axis, the features that come from one column."""
        columns = self.columns
        total = np.zeros((*values.shape[:-1], len(columns)))
        at = 0
        for encoder in self.encoders:
            part = values[..., at : at + encoder.width].sum(axis=-1)
            total[..., columns.index(_column_of(encoder))] += part
            at += encoder.width
        return total

    @property
    def columns(self) -> list[str]:
        """The names of what `by_column` gives."""
        return list(self.origins)

    @property
    def origins(self) -> dict[str, str]:
        """Of which column, after TRANSFORM, each of `columns` is; a struct's fields are several."""
        return {_column_of(encoder): encoder.column for encoder in self.encoders}

    @property
    def _outputs(self) -> int:
        """How many raw values a row has."""
        return len(self.label.classes) if len(self.label.classes) > 2 else 1

    @cached_property
    def _xgboost(self) -> xgboost.Booster:
        import xgboost

        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(self.booster))
        return booster


_PLAIN = (
    "model_type", "weights", "intercepts", "statistics", "importance", "explanation", "metrics",
    "iterations", "rows", "transform", "target",
)  # fmt: skip


def _column_of(encoder: Encoder) -> str:
    return f"{encoder.column}_{encoder.field}" if encoder.field else encoder.column


def probabilities(margins: Floats) -> Floats:
    """Turn raw values into a probability for each class."""
    if margins.shape[1] == 1:
        positive = 1 / (1 + np.exp(-np.clip(margins[:, 0], -700, 700)))
        return np.column_stack([1 - positive, positive])
    powers = np.exp(margins - margins.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares
