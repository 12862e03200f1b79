"""How a model is described: the REST API's `Model`, and the statistics of the job that made it.

Source: https://cloud.google.com/bigquery/docs/reference/rest/v2/models.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.ml.values import text_of
from gcp_local.bigquery.schema import Field

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.ml.model import TrainedModel
    from gcp_local.bigquery.ml.options import Options
    from gcp_local.bigquery.references import TableRef

_MATRICES = 20


def model_json(
    ref: TableRef,
    options: Options,
    model: TrainedModel,
    holdout: pa.Table,
    location: str,
    begun: datetime,
) -> dict[str, Any]:
    """Give the `Model`, but for what the catalog knows (times, etag)."""
    run: dict[str, Any] = {
        "trainingOptions": options.as_json(),
        "trainingStartTime": str(clock.micros(begun) // 1000),
        "startTime": clock.rfc3339(begun),
        "results": iterations_json(model),
        "evaluationMetrics": evaluation_json(model, holdout),
    }
    if model.explanation:
        explained = [
            {"featureName": name, "attribution": value}
            for name, value in model.explanation[""].items()
        ]
        run["modelLevelGlobalExplanation"] = {"explanations": explained}
        if model.label.classes:
            run["classLevelGlobalExplanations"] = [
                {
                    "classLabel": label,
                    "explanations": [
                        {"featureName": name, "attribution": value} for name, value in each.items()
                    ],
                }
                for label, each in model.explanation.items()
                if label
            ]
    said: dict[str, Any] = {
        "modelReference": ref.as_json("model"),
        "modelType": options.rest_type,
        "location": location,
        "trainingRuns": [run],
        "featureColumns": standard_fields(model.inputs),
        "labelColumns": standard_fields([Field(model.label.name, model.label.type)]),
    }
    return said


def iterations_json(model: TrainedModel) -> list[dict[str, Any]]:
    """Give the `IterationResult`s, the last first, as BigQuery does."""
    found = []
    for at, each in enumerate(model.iterations):
        said = {
            "index": at,
            "durationMs": str(each["milliseconds"]),
            "trainingLoss": each["loss"],
            "evalLoss": each["eval_loss"],
            "learnRate": each["learn_rate"],
        }
        found.append({name: value for name, value in said.items() if value is not None})
    return found[::-1]


def evaluation_json(model: TrainedModel, holdout: pa.Table) -> dict[str, Any]:
    """Give the `EvaluationMetrics`."""
    from gcp_local.bigquery.ml import metrics

    measured = model.metrics
    if not model.label.classes:
        names = {
            "meanAbsoluteError": "mean_absolute_error",
            "meanSquaredError": "mean_squared_error",
            "meanSquaredLogError": "mean_squared_log_error",
            "medianAbsoluteError": "median_absolute_error",
            "rSquared": "r2_score",
        }
        return {"regressionMetrics": _known(names, measured)}
    names = {
        "precision": "precision",
        "recall": "recall",
        "accuracy": "accuracy",
        "f1Score": "f1_score",
        "logLoss": "log_loss",
        "rocAuc": "roc_auc",
    }
    together = _known(names, measured)
    labels = [text_of(each) or "" for each in model.label.classes]
    truth = holdout.column("label").to_numpy().astype(int)
    scores = scores_of(holdout)
    if len(labels) == 2:
        together["threshold"] = metrics.THRESHOLD
        positive = scores[:, 1]
        matrices = [
            _binary(threshold, metrics.counts_at(truth, positive, threshold))
            for threshold in metrics.percentiles(positive, _MATRICES)
        ]
        return {
            "binaryClassificationMetrics": {
                "aggregateClassificationMetrics": together,
                "binaryConfusionMatrixList": matrices,
                "positiveLabel": labels[1],
                "negativeLabel": labels[0],
            }
        }
    table = metrics.confusion(truth, metrics.decide(scores), len(labels))
    rows = [
        {
            "actualLabel": label,
            "entries": [
                {"predictedLabel": other, "itemCount": str(count)}
                for other, count in zip(labels, row, strict=True)
            ],
        }
        for label, row in zip(labels, table, strict=True)
    ]
    return {
        "multiClassClassificationMetrics": {
            "aggregateClassificationMetrics": together,
            "confusionMatrixList": [{"confidenceThreshold": 0.0, "rows": rows}],
        }
    }


def scores_of(holdout: pa.Table) -> Any:
    """Give the scores that were kept with a model as one array."""
    import numpy as np

    names = [name for name in holdout.column_names if name != "label"]
    return np.column_stack([holdout.column(name).to_numpy() for name in names])


def _binary(threshold: float, counts: Any) -> dict[str, Any]:
    shares = {
        "precision": counts.precision,
        "recall": counts.recall,
        "f1Score": counts.f1,
        "accuracy": counts.accuracy,
    }
    return {
        "positiveClassThreshold": threshold,
        "truePositives": str(counts.true_positives),
        "falsePositives": str(counts.false_positives),
        "trueNegatives": str(counts.true_negatives),
        "falseNegatives": str(counts.false_negatives),
        **{name: value for name, value in shares.items() if not math.isnan(value)},
    }


def _known(names: dict[str, str], measured: Any) -> dict[str, Any]:
    return {rest: measured[name] for rest, name in names.items() if name in measured}


def standard_fields(fields: Iterable[Field]) -> list[dict[str, Any]]:
    """Give `StandardSqlField`s."""
    return [{"name": field.name, "type": _standard_type(field)} for field in fields]


def _standard_type(field: Field) -> dict[str, Any]:
    if field.repeated:
        return {"typeKind": "ARRAY", "arrayElementType": _standard_type(field.element)}
    if field.type == "RECORD":
        inner: Sequence[dict[str, Any]] = standard_fields(field.fields)
        return {"typeKind": "STRUCT", "structType": {"fields": inner}}
    return {"typeKind": field.sql}
