"""A regression as a SavedModel: what encodes the columns, and what predicts from them.

Every weight, mean and category is a constant, so there are no variables and no other files. Each
column is an input by its name, of one value for each row: a number, which is NaN for NULL, or the
category as text, which is `_null_filler` for NULL. The outputs are those that Google documents for
exported models: https://cloud.google.com/bigquery/docs/exporting-models#prediction_output_format.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gcp_local.bigquery.ml import metrics
from gcp_local.bigquery.ml.encoding import NUMERIC
from gcp_local.bigquery.ml.savedmodel import messages
from gcp_local.bigquery.ml.savedmodel.messages import DataType
from gcp_local.bigquery.ml.savedmodel.tensors import Graph, Tensor
from gcp_local.bigquery.ml.values import text_of

if TYPE_CHECKING:
    from gcp_local.bigquery.ml.encoding import Encoder
    from gcp_local.bigquery.ml.model import TrainedModel

_DOUBLE, _STRING, _INT32, _INT64, _BOOL = (
    DataType.DT_DOUBLE,
    DataType.DT_STRING,
    DataType.DT_INT32,
    DataType.DT_INT64,
    DataType.DT_BOOL,
)


def saved_model(model: TrainedModel) -> bytes:
    """Write a regression as `saved_model.pb`.

    Args:
        model: one without TRANSFORM, whose features are single numbers and categories.

    """
    graph = Graph()
    inputs: dict[str, Tensor] = {}
    features = []
    for at, encoder in enumerate(model.encoders):
        kind = _DOUBLE if encoder.kind == NUMERIC else _STRING
        given = inputs[encoder.column] = graph.placeholder(f"input_{at}", kind)
        encoded = _number if encoder.kind == NUMERIC else _category
        features.append(encoded(graph, f"feature_{at}", given, encoder))
    margins = _margins(graph, _joined(graph, "features", features), model)
    outputs = _classes(graph, margins, model) if model.label.classes else _value(margins, model)
    signature = messages.SignatureDef(method_name="tensorflow/serving/predict")
    for tensors, said in ((inputs, signature.inputs), (outputs, signature.outputs)):
        for name, tensor in tensors.items():
            said[name].CopyFrom(tensor.info())
    meta = messages.MetaGraphDef(meta_info_def={"tags": ["serve"]}, graph_def=graph.proto)
    meta.signature_def["serving_default"].CopyFrom(signature)
    written = messages.SavedModel(saved_model_schema_version=1, meta_graphs=[meta])
    content: bytes = written.SerializeToString(deterministic=True)
    return content


def _number(graph: Graph, name: str, given: Tensor, encoder: Encoder) -> Tensor:
    """Standardise; what is missing is the mean, which is 0 then."""
    rows = (-1,)
    mean = graph.constant(f"{name}/mean", encoder.mean)
    deviation = graph.constant(f"{name}/deviation", encoder.deviation)
    from_mean = graph.add(f"{name}/from_mean", "Sub", [given, mean], _DOUBLE, rows, T=_DOUBLE)
    standardised = graph.add(
        f"{name}/standardised", "RealDiv", [from_mean, deviation], _DOUBLE, rows, T=_DOUBLE
    )
    zeros = graph.add(f"{name}/zeros", "ZerosLike", [standardised], _DOUBLE, rows, T=_DOUBLE)
    missing = graph.add(f"{name}/missing", "IsNan", [given], _BOOL, rows, T=_DOUBLE)
    filled = graph.add(
        f"{name}/filled", "Select", [missing, zeros, standardised], _DOUBLE, rows, T=_DOUBLE
    )
    return _column(graph, name, filled)


def _category(graph: Graph, name: str, given: Tensor, encoder: Encoder) -> Tensor:
    """Give a feature for each category; an unknown one has none."""
    shape = (-1, encoder.width)
    levels = graph.constant(f"{name}/levels", np.array([encoder.levels], dtype=object))
    column = _column(graph, f"{name}/given", given)
    found = graph.add(f"{name}/found", "Equal", [column, levels], _BOOL, shape, T=_STRING)
    return graph.add(name, "Cast", [found], _DOUBLE, shape, SrcT=_BOOL, DstT=_DOUBLE)


def _margins(graph: Graph, features: Tensor, model: TrainedModel) -> Tensor:
    shape = (-1, len(model.intercepts))
    weights = graph.constant("weights", np.array(model.weights, dtype=float).T)
    intercepts = graph.constant("intercepts", np.array(model.intercepts, dtype=float))
    weighed = graph.add("weighed", "MatMul", [features, weights], _DOUBLE, shape, T=_DOUBLE)
    return graph.add("margins", "AddV2", [weighed, intercepts], _DOUBLE, shape, T=_DOUBLE)


def _value(margins: Tensor, model: TrainedModel) -> dict[str, Tensor]:
    return {model.predicted.name: margins}


def _classes(graph: Graph, margins: Tensor, model: TrainedModel) -> dict[str, Tensor]:
    """Give the predicted label, and of each class its label and probability."""
    classes = len(model.label.classes)
    shape = (-1, classes)
    if classes > 2:
        shares = graph.add("probabilities", "Softmax", [margins], _DOUBLE, shape, T=_DOUBLE)
        axis = graph.constant("class_axis", np.int32(1))
        first = graph.add("first_best", "ArgMax", [shares, axis], _INT64, (-1,), T=_DOUBLE)
        place = _column(graph, "place", first)
    else:
        second = graph.add("second", "Sigmoid", [margins], _DOUBLE, (-1, 1), T=_DOUBLE)
        one = graph.constant("one", 1.0)
        first = graph.add("first", "Sub", [one, second], _DOUBLE, (-1, 1), T=_DOUBLE)
        shares = _joined(graph, "probabilities", [first, second])
        threshold = graph.constant("threshold", metrics.THRESHOLD)
        is_second = graph.add(
            "is_second", "GreaterEqual", [second, threshold], _BOOL, (-1, 1), T=_DOUBLE
        )
        place = graph.add("place", "Cast", [is_second], _INT64, (-1, 1), SrcT=_BOOL, DstT=_INT64)
    labels = np.array([text_of(each) for each in model.label.classes], dtype=object)
    predicted = graph.add(
        "predicted",
        "GatherV2",
        [graph.constant("labels", labels), place, graph.constant("label_axis", np.int32(0))],
        _STRING,
        (-1, 1),
        Tparams=_STRING,
        Tindices=_INT64,
        Taxis=_INT32,
    )
    # `place` is one for each row, and so its shape is how often to repeat the one row of labels.
    times = graph.add("times", "Shape", [place], _INT32, (2,), T=_INT64)
    row = graph.constant("row_of_labels", labels[None, :])
    values = graph.add("values", "Tile", [row, times], _STRING, shape, T=_STRING)
    return {
        model.predicted.name: predicted,
        f"{model.label.name}_values": values,
        f"{model.label.name}_probs": shares,
    }


def _column(graph: Graph, name: str, rows: Tensor) -> Tensor:
    axis = graph.constant(f"{name}/axis", np.int32(1))
    return graph.add(name, "ExpandDims", [rows, axis], rows.kind, (-1, 1), T=rows.kind)


def _joined(graph: Graph, name: str, parts: Sequence[Tensor]) -> Tensor:
    """Put features side by side; a single one is left alone, as ConcatV2 takes two at least."""
    if len(parts) == 1:
        return parts[0]
    shape = (-1, sum(part.shape[1] for part in parts))
    axis = graph.constant(f"{name}/axis", np.int32(1))
    return graph.add(name, "ConcatV2", [*parts, axis], _DOUBLE, shape, N=len(parts), T=_DOUBLE)
