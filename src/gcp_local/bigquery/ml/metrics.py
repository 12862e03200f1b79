"""How good predictions are, by numpy alone.

The names are those of ML.EVALUATE; of more than two classes precision, recall, F1 and the area
under the curve are the plain mean over the classes (`AggregateClassificationMetrics` of
https://cloud.google.com/bigquery/docs/reference/rest/v2/models).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

THRESHOLD = 0.5
_LEAST = 1e-15


@dataclass(frozen=True)
class Counts:
    """How often a class was rightly and wrongly predicted and not predicted."""

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Of the predicted, the share that is right; no number if none was predicted."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Of those that are so, the share that was predicted."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        wrong = self.false_positives + self.false_negatives
        return _share(2 * self.true_positives, 2 * self.true_positives + wrong)

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        right = self.true_positives + self.true_negatives
        return _share(right, right + self.false_positives + self.false_negatives)

    @property
    def false_positive_rate(self) -> float:
        """Of those that are not so, the share that was predicted."""
        return _share(self.false_positives, self.false_positives + self.true_negatives)


def decide(scores: Floats, threshold: float = THRESHOLD) -> Places:
    """Give the place of the predicted class of each row.

    Args:
        scores: the probability of each class.
        threshold: of two classes, from which probability on the second is predicted.

    """
    if scores.shape[1] == 2:
        return np.asarray(scores[:, 1] >= threshold, dtype=np.int64)
    return np.asarray(np.argmax(scores, axis=1), dtype=np.int64)


def counts_at(truth: Places, positive: Floats, threshold: float) -> Counts:
    """Count for two classes, of which that at place 1 is predicted from a threshold on."""
    return _counts(truth == 1, positive >= threshold)


def classification(truth: Places, scores: Floats, threshold: float = THRESHOLD) -> dict[str, float]:
    """Measure predictions of classes."""
    decided = decide(scores, threshold)
    own = scores[np.arange(len(truth)), truth]
    loss = float(-np.log(np.clip(own, _LEAST, 1)).mean()) if len(truth) else math.nan
    if scores.shape[1] == 2:
        counts = counts_at(truth, scores[:, 1], threshold)
        measured = (counts.precision, counts.recall, counts.accuracy, counts.f1)
        area = area_under_curve(truth == 1, scores[:, 1])
    else:
        each = [_counts(truth == at, decided == at) for at in range(scores.shape[1])]
        accuracy = _share(int((decided == truth).sum()), len(truth))
        measured = (
            _mean([counts.precision for counts in each]),
            _mean([counts.recall for counts in each]),
            accuracy,
            _mean([counts.f1 for counts in each]),
        )
        areas = [area_under_curve(truth == at, scores[:, at]) for at in range(scores.shape[1])]
        known = [area for area in areas if not math.isnan(area)]
        area = sum(known) / len(known) if known else math.nan
    names = ("precision", "recall", "accuracy", "f1_score", "log_loss", "roc_auc")
    return dict(zip(names, (*measured, loss, area), strict=True))


def regression(truth: Floats, predicted: Floats) -> dict[str, float]:
    """Measure predictions of numbers."""
    wrong = truth - predicted
    logs = np.log1p(np.maximum(truth, 0)) - np.log1p(np.maximum(predicted, 0))
    spread = float(((truth - truth.mean()) ** 2).sum())
    return {
        "mean_absolute_error": float(np.abs(wrong).mean()),
        "mean_squared_error": float((wrong**2).mean()),
        "mean_squared_log_error": float((logs**2).mean()),
        "median_absolute_error": float(np.median(np.abs(wrong))),
        "r2_score": 1 - float((wrong**2).sum()) / spread if spread else math.nan,
        "explained_variance": 1 - float(wrong.var() / truth.var()) if spread else math.nan,
    }


def area_under_curve(positive: NDArray[np.bool_], scores: Floats) -> float:
    """Give the area under the ROC curve; no number if there is but one class."""
    ones = int(positive.sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        return math.nan
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks = (last - (count - 1) / 2)[place]
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def percentiles(scores: Floats, steps: int = 100) -> list[float]:
    """Give thresholds at even shares of the scores, the highest first, each once."""
    if not len(scores):
        return []
    values = np.quantile(scores, np.linspace(1, 0, steps + 1), method="inverted_cdf")
    return list(dict.fromkeys(float(value) for value in values))


def confusion(truth: Places, decided: Places, classes: int) -> NDArray[np.int64]:
    """Count rows by the class that they are of and the class that was predicted."""
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (truth, decided), 1)
    return table


def _counts(true: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Counts:
    return Counts(
        int((true & predicted).sum()),
        int((~true & predicted).sum()),
        int((~true & ~predicted).sum()),
        int((true & ~predicted).sum()),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(0.0 if math.isnan(value) else value for value in values) / len(values)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
