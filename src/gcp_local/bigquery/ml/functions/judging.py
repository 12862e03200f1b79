"""How good a model is: ML.EVALUATE, ML.CONFUSION_MATRIX, ML.ROC_CURVE.

Sources, below https://cloud.google.com/bigquery/docs/reference/standard-sql/:
bigqueryml-syntax-evaluate, bigqueryml-syntax-confusion, bigqueryml-syntax-roc.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml import metrics
from gcp_local.bigquery.ml.reading import value_of
from gcp_local.bigquery.ml.resource import scores_of
from gcp_local.bigquery.ml.values import text_of
from gcp_local.bigquery.schema import Field, Schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gcp_local.bigquery.ml.functions.request import Request
    from gcp_local.bigquery.sql.session import Outcome

_THRESHOLD = {"threshold": float}
_CLASSIFICATION = ("precision", "recall", "accuracy", "f1_score", "log_loss", "roc_auc")
_REGRESSION = (
    "mean_absolute_error", "mean_squared_error", "mean_squared_log_error", "median_absolute_error",
    "r2_score", "explained_variance",
)  # fmt: skip
_CURVE = ("threshold", "recall", "false_positive_rate")
_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def evaluate(request: Request) -> Outcome:
    """ML.EVALUATE: one row of metrics; without data those of the training."""
    model = request.model
    threshold = _threshold(request)
    names = _CLASSIFICATION if model.label.classes else _REGRESSION
    schema = tuple(Field(name, "FLOAT") for name in names)
    measured: dict[str, float] = dict(model.metrics)
    if request.data is not None and not request.dry:
        truth, scores = _judged(request)
        if not len(truth):
            measured = {}
        elif model.label.classes:
            measured = metrics.classification(truth, scores, threshold)
        else:
            measured = metrics.regression(truth.astype(float), scores[:, 0])
    nothing = float("nan") if request.data is None else None
    return request.answer(schema, {name: [measured.get(name, nothing)] for name in names})


def confusion_matrix(request: Request) -> Outcome:
    """ML.CONFUSION_MATRIX: a row a label that is expected, a column a label that is predicted."""
    label = request.model.label
    _check_classes(request)
    threshold = _threshold(request)
    names = column_names(label.classes)
    schema: Schema = (
        Field("expected_label", label.type),
        *(Field(name, "INTEGER") for name in names),
    )
    table = np.zeros((len(names), len(names)), dtype=np.int64)
    if not request.dry:
        truth, scores = _judged(request)
        table = metrics.confusion(truth, metrics.decide(scores, threshold), len(names))
    columns: dict[str, Any] = {"expected_label": list(label.classes)}
    columns |= {name: table[:, at].tolist() for at, name in enumerate(names)}
    return request.answer(schema, columns)


def roc_curve(request: Request) -> Outcome:
    """ML.ROC_CURVE: a row a threshold."""
    _check_classes(request)
    if len(request.model.label.classes) != 2:
        raise request.refusal("It is for binary classification models")
    if len(request.arguments) > 1:
        raise request.refusal("Too many arguments")
    thresholds = None
    if request.arguments and not request.dry:
        thresholds = value_of(request.arguments[0], request.query)
        if not isinstance(thresholds, tuple) or not all(_is_number(each) for each in thresholds):
            raise request.refusal("The thresholds must be an ARRAY<FLOAT64>")
    schema = (
        *(Field(name, "FLOAT") for name in _CURVE),
        *(Field(name, "INTEGER") for name in _COUNTS),
    )
    rows: list[tuple[float, metrics.Counts]] = []
    if not request.dry:
        truth, scores = _judged(request)
        positive = scores[:, 1]
        chosen = metrics.percentiles(positive) if thresholds is None else thresholds
        rows = [(float(each), metrics.counts_at(truth, positive, float(each))) for each in chosen]
    columns: dict[str, Any] = {"threshold": [threshold for threshold, _ in rows]}
    for name in (*_CURVE[1:], *_COUNTS):
        columns[name] = [getattr(counts, name) for _, counts in rows]
    return request.answer(schema, columns)


def column_names(classes: Sequence[Any]) -> list[str]:
    """Name a column for each class: by the label, altered where that is no column's name."""
    names: list[str] = []
    for each in classes:
        name = re.sub(r"[^A-Za-z0-9_]", "_", text_of(each) or "")
        if isinstance(each, bool):
            name = name.upper()
        if not name or name[0].isdigit():
            name = f"_{name}"
        while name.lower() in map(str.lower, names):
            name += "_1"
        names.append(name)
    return names


def _judged(request: Request) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the labels (their places, or numbers) and scores of the input, or of the holdout."""
    model = request.model
    if request.data is None:
        holdout = request.holdout()
        truth = holdout.column("label").to_numpy()
        return truth.astype(np.int64) if model.label.classes else truth, scores_of(holdout)
    features, labels = request.features(request.data, labels=True)
    scores = model.scores(features)
    if not model.label.classes:
        return np.array([float(each) for each in labels]), scores
    places = model.label.places(labels)
    unknown = [each for each, at in zip(labels, places, strict=True) if at < 0]
    if unknown:
        raise request.refusal(
            f"The label {text_of(unknown[0])!r} of the input is none that the model knows"
        )
    return places, scores


def _threshold(request: Request) -> float:
    found = request.settings(_THRESHOLD).get("threshold")
    if found is None:
        return metrics.THRESHOLD
    if len(request.model.label.classes) != 2:
        raise request.refusal("threshold is for binary classification models")
    if request.data is None:
        raise request.refusal("threshold can only be set together with input data")
    if not 0 <= found <= 1:
        raise request.refusal("threshold must be between 0 and 1")
    return float(found)


def _check_classes(request: Request) -> None:
    if not request.model.label.classes:
        raise BigQueryError(
            "invalidQuery",
            f"ML.{request.name} is not supported for models of the type"
            f" {request.model.model_type}.",
            location="query",
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
