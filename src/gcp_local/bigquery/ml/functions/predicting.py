"""What a model says of rows: ML.PREDICT, ML.EXPLAIN_PREDICT.

Sources, below https://cloud.google.com/bigquery/docs/reference/standard-sql/:
bigqueryml-syntax-predict, bigqueryml-syntax-explain-predict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml import metrics
from gcp_local.bigquery.schema import Field, Schema

if TYPE_CHECKING:
    from gcp_local.bigquery.ml.functions.request import Request
    from gcp_local.bigquery.sql.session import Outcome

_TOP_FEATURES = 5


def predict(request: Request) -> Outcome:
    """ML.PREDICT: the prediction, the classes' probabilities, and all columns of the input."""
    model, data = request.model, request.given()
    threshold = _threshold(request.settings({"threshold": float}), request)
    own: Schema = (model.predicted,)
    if model.label.classes:
        pair = (Field("label", model.label.type), Field("prob", "FLOAT"))
        own += (Field(f"{model.predicted.name}_probs", "RECORD", "REPEATED", pair),)
    request.check(data.schema)
    columns: dict[str, Any] = {}
    if not request.dry:
        features, _ = request.features(data)
        scores = model.scores(features)
        if model.label.classes:
            decided = metrics.decide(scores, threshold)
            columns[own[0].name] = [model.label.classes[at] for at in decided]
            columns[own[1].name] = [_shares(model.label.classes, row) for row in scores.tolist()]
        else:
            columns[own[0].name] = scores[:, 0].tolist()
    return _passed_through(request, own, columns)


def explain_predict(request: Request) -> Outcome:
    """ML.EXPLAIN_PREDICT: the prediction, and what the features added to it."""
    model, data = request.model, request.given()
    known = {"threshold": float, "top_k_features": int, "approx_feature_contrib": bool}
    settings = request.settings(known)
    if settings.get("approx_feature_contrib"):
        raise BigQueryError.lacking("approximate contributions of features", location="query")
    threshold = _threshold(settings, request)
    top = settings.get("top_k_features", _TOP_FEATURES)
    if top < 1:
        raise request.refusal("top_k_features must be positive")
    pair = (Field("feature", "STRING"), Field("attribution", "FLOAT"))
    own: Schema = (model.predicted,)
    if model.label.classes:
        own += (Field("probability", "FLOAT"),)
    own += (
        Field("top_feature_attributions", "RECORD", "REPEATED", pair),
        Field("baseline_prediction_value", "FLOAT"),
        Field("prediction_value", "FLOAT"),
        Field("approximation_error", "FLOAT"),
    )
    request.check(data.schema)
    columns: dict[str, Any] = {}
    if not request.dry:
        features, _ = request.features(data)
        margins = model.margins(features)
        added, rest = model.contributions(features)
        rows = np.arange(len(features))
        if model.label.classes:
            scores = model.scores(features)
            decided = metrics.decide(scores, threshold)
            columns[own[0].name] = [model.label.classes[at] for at in decided]
            columns["probability"] = scores[rows, decided].tolist()
            chosen = np.zeros_like(decided) if margins.shape[1] == 1 else decided
            # Of two classes, the raw value is that of the second: that of the first is opposite.
            sign = np.where((margins.shape[1] == 1) & (decided == 0), -1.0, 1.0)
        else:
            columns[own[0].name] = margins[:, 0].tolist()
            chosen, sign = np.zeros(len(rows), dtype=int), np.ones(len(rows))
        parts = model.by_column(added[rows, chosen]) * sign[:, None]
        columns["top_feature_attributions"] = [_top(model.columns, row, top) for row in parts]
        columns["baseline_prediction_value"] = (rest[rows, chosen] * sign).tolist()
        columns["prediction_value"] = (margins[rows, chosen] * sign).tolist()
        columns["approximation_error"] = [0.0] * len(rows)
    return _passed_through(request, own, columns)


def _shares(classes: tuple[Any, ...], row: list[float]) -> list[dict[str, Any]]:
    """Give the probability of each class, the last class first, as BigQuery does."""
    pairs = list(zip(classes, row, strict=True))[::-1]
    return [{"label": label, "prob": share} for label, share in pairs]


def _top(names: list[str], row: Any, count: int) -> list[dict[str, Any]]:
    first = np.argsort(-np.abs(row), kind="stable")[:count]
    return [{"feature": names[at], "attribution": float(row[at])} for at in first]


def _threshold(settings: dict[str, Any], request: Request) -> float:
    found = settings.get("threshold")
    if found is None:
        return metrics.THRESHOLD
    if len(request.model.label.classes) != 2:
        raise request.refusal("threshold is for binary classification models")
    if not 0 <= found <= 1:
        raise request.refusal("threshold must be between 0 and 1")
    return float(found)


def _passed_through(request: Request, own: Schema, columns: dict[str, Any]) -> Outcome:
    """Put the input's columns behind those of the model."""
    import pyarrow as pa

    from gcp_local.bigquery.sql.session import Outcome

    data = request.given()
    taken = {field.name.lower() for field in own}
    for field in data.schema:
        if field.name.lower() in taken:
            raise BigQueryError(
                "invalidQuery",
                "Duplicate column names in the result are not supported. Found duplicate(s):"
                f" {field.name}",
                location="query",
            )
    schema = (*own, *data.schema)
    if request.dry or data.rows is None:
        return Outcome("SELECT", schema, None, data.bytes, data.referenced)
    arrays = [pa.array(columns[field.name], type=field.arrow) for field in own]
    rows = pa.table([*arrays, *data.rows.columns], names=[field.name for field in schema])
    return Outcome("SELECT", schema, rows, data.bytes, data.referenced)
