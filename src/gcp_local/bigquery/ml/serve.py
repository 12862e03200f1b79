"""Serves a registered model of BigQuery ML, as a serving container by the AIP_* contract.

Instances are objects by the names of the columns; predictions are as the models that Google
exports give them (https://cloud.google.com/bigquery/docs/exporting-models#prediction_output_format).
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import urllib.error
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from gcp_local.bigquery.ml.asking import Asker
from gcp_local.bigquery.ml.encoding import ColumnError
from gcp_local.bigquery.ml.libraries import without
from gcp_local.bigquery.ml.metrics import decide
from gcp_local.bigquery.ml.model import TrainedModel
from gcp_local.bigquery.ml.values import text_of
from gcp_local.bigquery.schema import Field, Schema, arrow_schema
from gcp_local.vertex.serving.prebuilt import (
    InstancesError,
    Predict,
    UnservableError,
    get,
    listen,
)

MODEL = "model.json"
_MOMENTS: Mapping[str, Callable[[str], Any]] = {
    "DATE": dt.date.fromisoformat,
    "DATETIME": dt.datetime.fromisoformat,
    "TIMESTAMP": dt.datetime.fromisoformat,
    "TIME": dt.time.fromisoformat,
}
_NUMBERS = {"INTEGER": int, "FLOAT": float, "NUMERIC": float}


def fetch(variables: Mapping[str, str]) -> TrainedModel:
    """Read the model that the variables name.

    Raises:
        UnservableError: it is not there, or is something else.

    """
    uri, host = variables["AIP_STORAGE_URI"], variables["STORAGE_EMULATOR_HOST"]
    bucket, _, folder = uri.removeprefix("gs://").partition("/")
    name = quote(f"{folder}/{MODEL}", safe="")
    try:
        return TrainedModel.load(get(f"{host}/storage/v1/b/{bucket}/o/{name}?alt=media"))
    except (urllib.error.HTTPError, ValueError, KeyError) as error:
        raise UnservableError(f"{uri}/{MODEL} cannot be read: {error}") from error


def predictor(model: TrainedModel, asker: Asker) -> Predict:
    """Make the function that predicts on a request's instances.

    Args:
        model: the model.
        asker: asks BigQuery to transform instances, if the model has a TRANSFORM clause.

    """

    def predict(instances: list[Any]) -> list[Any]:
        if model.transform:
            _check(model.inputs, instances)
            rows = asker.transformed(model, instances)
        else:
            rows = _rows(model.features, instances)
        try:
            scores = model.scores(model.encoded(rows))
        except ColumnError as error:
            raise InstancesError(str(error)) from error
        name = model.predicted.name
        if not model.label.classes:
            return [{name: [float(value)]} for value in scores[:, 0]]
        labels = [text_of(each) for each in model.label.classes]
        return [
            {
                name: [labels[at]],
                f"{model.label.name}_values": labels,
                f"{model.label.name}_probs": shares,
            }
            for at, shares in zip(decide(scores), scores.tolist(), strict=True)
        ]

    return predict


def _rows(features: Schema, instances: list[Any]) -> pa.Table:
    """Put instances into columns of the features' types.

    Raises:
        InstancesError: one is no object, lacks a feature, or has a value of another type.

    """
    _check(features, instances)
    columns = [
        [_value(field, instance[field.name]) for instance in instances] for field in features
    ]
    try:
        return pa.table(
            [
                pa.array(column, type=field.arrow) if field.type != "NUMERIC" else pa.array(column)
                for column, field in zip(columns, features, strict=True)
            ],
            names=arrow_schema(features).names,
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InstancesError(f"a value has another type than its feature: {error}") from error


def _check(features: Schema, instances: list[Any]) -> None:
    for instance in instances:
        if not isinstance(instance, dict):
            raise InstancesError("each instance must be an object by the features' names")
        missing = [field.name for field in features if field.name not in instance]
        if missing:
            raise InstancesError(f"an instance lacks the features {', '.join(missing)}")


def _value(field: Field, value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1 and not field.repeated:
        value = value[0]
    if value is None or field.repeated:
        return value
    if field.type in _MOMENTS and isinstance(value, str):
        try:
            return _MOMENTS[field.type](value)
        except ValueError as error:
            raise InstancesError(f"the feature {field.name!r}: {error}") from error
    if field.type not in _NUMBERS:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InstancesError(f"the feature {field.name!r} must be a number")
    try:
        return _NUMBERS[field.type](value)
    except ValueError as error:
        raise InstancesError(f"the feature {field.name!r} must be a number: {error}") from error


if __name__ == "__main__":
    try:
        where = Asker(os.environ["STORAGE_EMULATOR_HOST"], os.environ["GOOGLE_CLOUD_PROJECT"])
        with without("pandas", "sklearn"):
            listen(os.environ, predictor(fetch(os.environ), where))
    except UnservableError as error:
        sys.exit(f"The model cannot be served: {error}.")
