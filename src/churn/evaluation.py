"""How good predictions are: overall, along the curve, bin by bin, and slice by slice.

Takes labels and probabilities, no model, so that any framework's predictions can be judged.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from sklearn import metrics

from churn.features import LABEL
from churn.schema import CLASS_NAMES, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SLICED_BY: Final = ("Gender", "Age_Band", "Income_Category", "Card_Category")
AGE_BANDS: Final = {"under_40": 0, "40_to_49": 40, "50_to_59": 50, "60_and_over": 60}
"""Age bands by their first age. Customers of no known age are a band of their own, `Unknown`."""

SMALLEST_SLICE: Final = 30
"""Slices with fewer customers than this, or of one class only, tell nothing and are left out."""

CURVE_POINTS: Final = 100
CALIBRATION_BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Scores:
    """Numbers about a set of predictions. Precision, recall, F1 and accuracy depend on a threshold.

    `pr_auc` is the average precision; `brier` the mean squared error of the probabilities.
    """

    rows: int
    attrited_share: float
    roc_auc: float
    pr_auc: float
    log_loss: float
    brier: float
    accuracy: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class RocCurve:
    """At most `CURVE_POINTS` points, thresholds falling from 1 to 0."""

    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]
    threshold: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Customers with similar predictions: how many, what was predicted, what came true."""

    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class Slice:
    """The scores of the customers with one value of one column."""

    column: str
    value: str
    scores: Scores

    @property
    def key(self) -> str:
        """`Column.value` in letters, digits and underscores, as in `Income_Category.120K`."""
        return f"{self.column}.{_slug(self.value)}"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything known about a model's predictions on customers that it has not seen.

    `confusion` has the true class in rows and the predicted one in columns, both in the order of
    `class_names`. `calibration_error` is the mean gap of prediction and outcome over the bins,
    weighted by rows.
    """

    class_names: tuple[str, ...]
    threshold: float
    scores: Scores
    confusion: tuple[tuple[int, int], tuple[int, int]]
    roc_curve: RocCurve
    calibration: tuple[CalibrationBin, ...]
    calibration_error: float
    slices: tuple[Slice, ...]
    importance: dict[str, float]

    def overall(self) -> dict[str, float]:
        """Return the scores by name, for a metrics artifact."""
        return {
            **asdict(self.scores),
            "calibration_error": self.calibration_error,
            "threshold": self.threshold,
        }

    def by_slice(self) -> dict[str, float]:
        """Return the slices' scores under keys like `roc_auc.Gender.F`, for a metrics artifact."""
        return {
            f"{name}.{part.key}": value
            for part in self.slices
            for name, value in asdict(part.scores).items()
        }

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2, allow_nan=False) + "\n")


def evaluate(
    table: pd.DataFrame,
    probabilities: NDArray[np.float64],
    *,
    threshold: float = 0.5,
    importance: dict[str, float] | None = None,
) -> Evaluation:
    """Judge `probabilities` of leaving, shape (rows,), for the prepared customers in `table`.

    Raises ValueError if the customers are all of one class: most scores would be undefined.
    """
    labels = table[LABEL].to_numpy()
    if len(np.unique(labels)) < len(CLASS_NAMES):
        raise ValueError("the customers to evaluate on are all of one class")
    bins = calibrate(labels, probabilities)
    return Evaluation(
        class_names=CLASS_NAMES,
        threshold=threshold,
        scores=score(labels, probabilities, threshold),
        confusion=_confusion(labels, probabilities, threshold),
        roc_curve=curve(labels, probabilities),
        calibration=bins,
        calibration_error=_weighted_gap(bins),
        slices=tuple(_slices(table, labels, probabilities, threshold)),
        importance=importance or {},
    )


def score(labels: NDArray[np.int8], probabilities: NDArray[np.float64], threshold: float) -> Scores:
    """Score predictions for labels of both classes, 0 and 1, shape (rows,) each."""
    predicted = probabilities >= threshold
    return Scores(
        rows=len(labels),
        attrited_share=float(labels.mean()),
        roc_auc=float(metrics.roc_auc_score(labels, probabilities)),
        pr_auc=float(metrics.average_precision_score(labels, probabilities)),
        log_loss=float(metrics.log_loss(labels, probabilities)),
        brier=float(metrics.brier_score_loss(labels, probabilities)),
        accuracy=float(metrics.accuracy_score(labels, predicted)),
        precision=float(metrics.precision_score(labels, predicted, zero_division=0)),
        recall=float(metrics.recall_score(labels, predicted, zero_division=0)),
        f1=float(metrics.f1_score(labels, predicted, zero_division=0)),
    )


def curve(labels: NDArray[np.int8], probabilities: NDArray[np.float64]) -> RocCurve:
    """Return the ROC curve, thinned evenly; the first threshold, by definition infinite, as 1."""
    false_positive, true_positive, threshold = metrics.roc_curve(labels, probabilities)
    kept = np.unique(np.linspace(0, len(threshold) - 1, CURVE_POINTS).round().astype(int))
    return RocCurve(
        _floats(false_positive[kept]),
        _floats(true_positive[kept]),
        _floats(np.minimum(threshold[kept], 1.0)),
    )


def calibrate(
    labels: NDArray[np.int8], probabilities: NDArray[np.float64]
) -> tuple[CalibrationBin, ...]:
    """Compare predictions with outcomes in bins of equal width; empty bins are left out."""
    positions = np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return tuple(
        CalibrationBin(
            rows=int((positions == index).sum()),
            predicted=float(probabilities[positions == index].mean()),
            observed=float(labels[positions == index].mean()),
        )
        for index in np.unique(positions)
    )


def _weighted_gap(bins: Sequence[CalibrationBin]) -> float:
    rows = sum(part.rows for part in bins)
    return sum(part.rows * abs(part.predicted - part.observed) for part in bins) / rows


def _confusion(
    labels: NDArray[np.int8], probabilities: NDArray[np.float64], threshold: float
) -> tuple[tuple[int, int], tuple[int, int]]:
    (kept, alarmed), (missed, caught) = metrics.confusion_matrix(
        labels, probabilities >= threshold, labels=[0, 1]
    ).tolist()
    return (kept, alarmed), (missed, caught)


def _slices(
    table: pd.DataFrame,
    labels: NDArray[np.int8],
    probabilities: NDArray[np.float64],
    threshold: float,
) -> list[Slice]:
    columns = table.assign(Age_Band=_age_bands(table["Customer_Age"]))
    found = []
    for column in SLICED_BY:
        for value in sorted(columns[column].unique()):
            rows = (columns[column] == value).to_numpy()
            if rows.sum() >= SMALLEST_SLICE and len(np.unique(labels[rows])) > 1:
                scores = score(labels[rows], probabilities[rows], threshold)
                found.append(Slice(column, str(value), scores))
    return found


def _age_bands(ages: pd.Series) -> pd.Series:
    edges = [*AGE_BANDS.values(), np.inf]
    bands = pd.cut(ages, edges, right=False, labels=list(AGE_BANDS))
    return bands.cat.add_categories(UNKNOWN).fillna(UNKNOWN).astype(str)


def _slug(text: str) -> str:
    words = "".join(character if character.isalnum() else " " for character in text).split()
    return "_".join(words)


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
