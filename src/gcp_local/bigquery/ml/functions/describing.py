"""What is known of a model: its weights, its features, its training.

Sources, below https://cloud.google.com/bigquery/docs/reference/standard-sql/:
bigqueryml-syntax-feature, bigqueryml-syntax-train, bigqueryml-syntax-weights,
bigqueryml-syntax-importance, bigqueryml-syntax-global-explain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml.encoding import MULTI_HOT, NUMERIC, ONE_HOT
from gcp_local.bigquery.ml.values import text_of
from gcp_local.bigquery.schema import Field, Schema

if TYPE_CHECKING:
    from gcp_local.bigquery.ml.functions.request import Request
    from gcp_local.bigquery.ml.model import TrainedModel
    from gcp_local.bigquery.sql.session import Outcome

INTERCEPT = "__INTERCEPT__"
_FEATURE_INFO: Schema = (
    Field("input", "STRING"),
    *(Field(name, "FLOAT") for name in ("min", "max", "mean", "median", "stddev")),
    *(Field(name, "INTEGER") for name in ("category_count", "null_count", "dimension")),
)
_TRAINING_INFO: Schema = (
    Field("training_run", "INTEGER"),
    Field("iteration", "INTEGER"),
    Field("loss", "FLOAT"),
    Field("eval_loss", "FLOAT"),
    Field("learning_rate", "FLOAT"),
    Field("duration_ms", "INTEGER"),
)
_CATEGORIES = (Field("category", "STRING"), Field("weight", "FLOAT"))
_WEIGHTS: Schema = (
    Field("processed_input", "STRING"),
    Field("weight", "FLOAT"),
    Field("category_weights", "RECORD", "REPEATED", _CATEGORIES),
)
_IMPORTANCE: Schema = (
    Field("feature", "STRING"),
    *(Field(f"importance_{kind}", "FLOAT") for kind in ("weight", "gain", "cover")),
)
_EXPLANATION: Schema = (Field("feature", "STRING"), Field("attribution", "FLOAT"))


def feature_info(request: Request) -> Outcome:
    """ML.FEATURE_INFO: a row a column of the training data."""
    _alone(request)
    return _answer(request, _FEATURE_INFO, request.model.statistics)


def training_info(request: Request) -> Outcome:
    """ML.TRAINING_INFO: a row an iteration, the last first."""
    _alone(request)
    rows = [
        {
            "training_run": 0,
            "iteration": at,
            "loss": each["loss"],
            "eval_loss": each["eval_loss"],
            "learning_rate": each["learn_rate"],
            "duration_ms": each["milliseconds"],
        }
        for at, each in enumerate(request.model.iterations)
    ]
    return _answer(request, _TRAINING_INFO, rows[::-1])


def weights(request: Request) -> Outcome:
    """ML.WEIGHTS: a row a column of the model, and one for the intercept; of each class."""
    _without_data(request)
    model = request.model
    standardize = request.settings({"standardize": bool}).get("standardize", False)
    if model.grows_trees:
        raise _unsupported(request)
    several = len(model.weights) > 1
    schema = (*_WEIGHTS, Field("class_label", "STRING")) if several else _WEIGHTS
    rows: list[dict[str, Any]] = []
    for at, (slopes, intercept) in enumerate(zip(model.weights, model.intercepts, strict=True)):
        found = _weights_of(model, np.array(slopes), intercept, standardize=standardize)
        label = text_of(model.label.classes[at]) if several else None
        rows += [{**row, "class_label": label} for row in found]
    return _answer(request, schema, rows)


def feature_importance(request: Request) -> Outcome:
    """ML.FEATURE_IMPORTANCE: a row a column of the training data, of trees."""
    _alone(request)
    model = request.model
    if not model.grows_trees:
        raise _unsupported(request)
    rows = _before_transform(model) if model.transform else model.importance
    listed = [
        {"feature": each["feature"]}
        | {f"importance_{kind}": each[kind] for kind in ("weight", "gain", "cover")}
        for each in rows
    ]
    return _answer(request, _IMPORTANCE, listed)


def global_explain(request: Request) -> Outcome:
    """ML.GLOBAL_EXPLAIN: a row a column, by what it adds to predictions; maybe of each class."""
    _without_data(request)
    model = request.model
    by_class = request.settings({"class_level_explain": bool}).get("class_level_explain", False)
    if not model.explanation:
        raise request.refusal("The model was trained without ENABLE_GLOBAL_EXPLAIN")
    if by_class and not model.label.classes:
        raise request.refusal("class_level_explain is for classification models")
    rows = [
        {"class_name": label, "feature": name, "attribution": value}
        for label, each in model.explanation.items()
        if bool(label) == by_class
        for name, value in sorted(each.items(), key=lambda item: -item[1])
    ]
    schema = (Field("class_name", "STRING"), *_EXPLANATION) if by_class else _EXPLANATION
    return _answer(request, schema, rows)


def _before_transform(model: TrainedModel) -> list[dict[str, Any]]:
    """Give each column that TRANSFORM reads the importance of all features that are made of it."""
    readers = _readers(model)
    features = dict(zip(model.columns, model.importance, strict=True))
    rows = []
    for field in model.inputs:
        parts = [
            features[name] for name in model.columns if name in readers.get(field.name.lower(), ())
        ]
        times = sum(part["weight"] for part in parts)
        row = {"feature": field.name, "weight": times}
        for kind in ("gain", "cover"):
            row[kind] = sum(part[kind] * part["weight"] for part in parts) / max(times, 1)
        rows.append(row)
    return rows


def _readers(model: TrainedModel) -> dict[str, set[str]]:
    """Find, of each column that TRANSFORM reads, the names of the features that are made of it."""
    from sqlglot import exp

    from gcp_local.bigquery.sql.parsing import parse_query

    found: dict[str, set[str]] = {}
    for item in parse_query(f"SELECT {model.transform}").expressions:
        made = item.alias_or_name.lower()
        names = {name for name, column in model.origins.items() if column.lower() == made}
        for column in item.find_all(exp.Column):
            found.setdefault(column.name.lower(), set()).update(names)
    return found


def _weights_of(
    model: TrainedModel, slopes: Any, intercept: float, *, standardize: bool
) -> Iterable[dict[str, Any]]:
    means, deviations = model.scales()
    if not standardize:
        intercept -= float((slopes * means / deviations).sum())
        slopes = slopes / deviations
    at = 0
    for encoder in model.encoders:
        own = [float(each) for each in slopes[at : at + encoder.width]]
        at += encoder.width
        row: dict[str, Any] = {"processed_input": encoder.name}
        if encoder.kind == NUMERIC:
            yield {**row, "weight": own[0], "category_weights": []}
        else:
            named = encoder.levels if encoder.kind in (ONE_HOT, MULTI_HOT) else range(len(own))
            pairs = [
                {"category": str(name), "weight": weight}
                for name, weight in zip(named, own, strict=True)
            ]
            yield {**row, "category_weights": pairs}
    yield {"processed_input": INTERCEPT, "weight": float(intercept), "category_weights": []}


def _answer(request: Request, schema: Schema, rows: Iterable[Mapping[str, Any]]) -> Outcome:
    listed = list(rows)
    return request.answer(
        schema, {field.name: [row.get(field.name) for row in listed] for field in schema}
    )


def _alone(request: Request) -> None:
    _without_data(request)
    if request.arguments:
        raise request.refusal("Too many arguments")


def _without_data(request: Request) -> None:
    if request.data is not None:
        raise request.refusal("It takes no input data")


def _unsupported(request: Request) -> BigQueryError:
    return BigQueryError(
        "invalidQuery",
        f"ML.{request.name} is not supported for models of the type {request.model.model_type}.",
        location="query",
    )
