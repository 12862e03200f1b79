"""How good a model is on the rows that tested it, in the schemas of Vertex AI's evaluations.

Sources: `classification_metrics_1.0.0.yaml` and `regression_metrics_1.0.0.yaml`, as
https://cloud.google.com/vertex-ai/docs/tabular-data/classification-regression/evaluate-model
describes them. What is undefined, or infinite, is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import metrics as sk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_THRESHOLDS = [*(step / 20 for step in range(20)), 0.96, 0.97, 0.98, 0.99]
_ALL_PREDICTIONS = 2**31 - 1
_MOST_IN_MATRIX = 100
_ATTRIBUTED_ROWS = 500


def classification(truth: NDArray[np.int64], scores: Floats, classes: Sequence[str]) -> Any:
    """Compute the metrics of a classifier, micro-averaged over the classes.

    Args:
        truth: each row's class, by its place in `classes`.
        scores: each row's score of each class.
        classes: their names.

    """
    top = _one_hot(scores.argmax(axis=1), scores.shape)
    found = _curves(_one_hot(truth, scores.shape), scores, top)
    found["logLoss"] = log_loss(truth, scores)
    if len(classes) <= _MOST_IN_MATRIX:
        matrix = sk.confusion_matrix(truth, scores.argmax(axis=1), labels=range(len(classes)))
        found["confusionMatrix"] = {
            "annotationSpecs": [
                {"id": str(number), "displayName": name} for number, name in enumerate(classes)
            ],
            "rows": matrix.tolist(),
        }
    return found


def by_class(truth: NDArray[np.int64], scores: Floats, classes: Sequence[str]) -> dict[str, Any]:
    """Compute the metrics of each class against all others, as far as the rows have both."""
    actual = _one_hot(truth, scores.shape)
    top = _one_hot(scores.argmax(axis=1), scores.shape)
    found: dict[str, Any] = {}
    for number, name in enumerate(classes):
        its = slice(number, number + 1)
        if 0 < actual[:, number].sum() < len(truth):
            found[name] = _curves(actual[:, its], scores[:, its], top[:, its])
            both = np.column_stack([1 - scores[:, number], scores[:, number]])
            found[name]["logLoss"] = log_loss(actual[:, number].astype(np.int64), both)
    return found


def regression(truth: Floats, values: Floats) -> dict[str, float]:
    """Compute the metrics of a regression."""
    error = values - truth
    found = {
        "rootMeanSquaredError": rmse(truth, values),
        "meanAbsoluteError": _float(np.abs(error).mean()),
    }
    if (truth != 0).all():
        found["meanAbsolutePercentageError"] = _float(np.abs(error / truth).mean() * 100)
    if np.ptp(truth) > 0 and np.ptp(values) > 0:
        found["rSquared"] = _float(np.corrcoef(truth, values)[0, 1] ** 2)
    if (truth >= 0).all() and (values >= 0).all():
        found["rootMeanSquaredLogError"] = rmsle(truth, values)
    # Huge numbers may have an error that is no number any more.
    return {name: value for name, value in found.items() if np.isfinite(value)}


def attributions(
    score: Callable[[Mapping[str, Sequence[str]]], Floats],
    table: Mapping[str, Sequence[str]],
    columns: Sequence[str],
) -> dict[str, float]:
    """Measure how much each column matters.

    It is the mean absolute change of a row's (highest) score when the column's values are shuffled
    among the rows: cheaper than the Shapley values of AutoML, and as comparable among columns.
    """
    rows = {column: list(table[column][:_ATTRIBUTED_ROWS]) for column in columns}
    before = score(rows)
    best = before.argmax(axis=1) if before.ndim > 1 else None
    found = {}
    for number, column in enumerate(columns):
        order = np.random.default_rng(number).permutation(len(before))
        after = score({**rows, column: [rows[column][row] for row in order]})
        change = after - before
        if best is not None:
            change = change[np.arange(len(before)), best]
        found[column] = _float(np.nan_to_num(np.abs(change).mean(), posinf=0.0))
    return found


def log_loss(truth: NDArray[np.int64], scores: Floats) -> float:
    """Compute the mean negative logarithm of the right class's score."""
    right = scores[np.arange(len(truth)), truth]
    return _float(-np.log(np.clip(right, 1e-15, 1)).mean())


def rmse(truth: Floats, values: Floats) -> float:
    """Compute the root of the mean squared error."""
    return _float(np.sqrt(((values - truth) ** 2).mean()))


def rmsle(truth: Floats, values: Floats) -> float:
    """Compute the RMSE of the logarithms; negative values count as 0."""
    return rmse(np.log1p(np.maximum(truth, 0)), np.log1p(np.maximum(values, 0)))


def _one_hot(classes: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    found = np.zeros(shape, dtype=bool)
    found[np.arange(len(classes)), classes] = True
    return found


def _curves(actual: NDArray[np.bool_], scores: Floats, top: NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "auPrc": _float(sk.average_precision_score(actual.ravel(), scores.ravel())),
        "auRoc": _float(sk.roc_auc_score(actual.ravel(), scores.ravel())),
        "confidenceMetrics": [_at(threshold, actual, scores, top) for threshold in _THRESHOLDS],
    }


def _at(
    threshold: float, actual: NDArray[np.bool_], scores: Floats, top: NDArray[np.bool_]
) -> dict[str, Any]:
    """Compute what holds if scores below the threshold do not count."""
    said = scores >= threshold
    counts = _counts(actual, said)
    return {
        "confidenceThreshold": threshold,
        "maxPredictions": _ALL_PREDICTIONS,
        **_rates(counts, ""),
        **_rates(_counts(actual, said & top), "At1"),
        # Counts are 64-bit integers, which JSON has as strings.
        "truePositiveCount": str(counts[0]),
        "falsePositiveCount": str(counts[1]),
        "falseNegativeCount": str(counts[2]),
        "trueNegativeCount": str(counts[3]),
    }


def _counts(actual: NDArray[np.bool_], said: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    return (
        int((actual & said).sum()),
        int((~actual & said).sum()),
        int((actual & ~said).sum()),
        int((~actual & ~said).sum()),
    )


def _rates(counts: tuple[int, int, int, int], suffix: str) -> dict[str, float]:
    true_positive, false_positive, false_negative, true_negative = counts
    said, negative = true_positive + false_positive, false_positive + true_negative
    precision = true_positive / said if said else 1.0
    recall = true_positive / (true_positive + false_negative)
    both = precision + recall
    return {
        f"recall{suffix}": recall,
        f"precision{suffix}": precision,
        f"falsePositiveRate{suffix}": false_positive / negative if negative else 0.0,
        f"f1Score{suffix}": 2 * precision * recall / both if both else 0.0,
    }


def _float(value: Any) -> float:
    return float(value)
