"""Trains a model: `python -m gcp_local.bigquery.ml.train FOLDER`.

The folder has the order and the rows. It leaves there either the model and its predictions of the
rows that evaluate (where there are none, of those that trained), or, where the data or the order
are at fault, a refusal; any other end is a fault of its own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gcp_local.bigquery.ml import metrics
from gcp_local.bigquery.ml.encoding import ColumnError, encode, learn, statistics
from gcp_local.bigquery.ml.learning import Fitted, Rows, fit
from gcp_local.bigquery.ml.libraries import without
from gcp_local.bigquery.ml.model import Label, TrainedModel
from gcp_local.bigquery.ml.order import (
    DATA_FILE,
    HOLDOUT_FILE,
    INPUTS_FILE,
    MODEL_FILE,
    ORDER_FILE,
    REFUSAL_FILE,
    Order,
)
from gcp_local.bigquery.ml.splitting import SplitError, assign
from gcp_local.bigquery.ml.values import text_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_CLASSES = 50
_TOP_FEATURES = 10


class RefusedError(ValueError):
    """BigQuery would not train on this, either; the message says why."""


def train(order: Order, data: pa.Table, inputs: pa.Table) -> tuple[TrainedModel, pa.Table]:
    """Train a model, and predict the rows that evaluate.

    Args:
        order: what is asked for.
        data: the features, the label, and what splits or weighs the rows.
        inputs: the same rows before TRANSFORM.

    Raises:
        RefusedError, ColumnError, SplitError: the data or the order are at fault.

    """
    if not data.num_rows:
        raise RefusedError("Input data doesn't contain any rows.")
    label, target = _target(order, data.column(order.options.label).to_pylist())
    training, held = assign(order.split, data)
    if not len(training):
        raise RefusedError("The training data has no rows after the data split.")
    if label.classes:
        _check_classes(label, target, training, held)
    encoders = learn(order.features, data.take(training), order.options["CATEGORY_ENCODING_METHOD"])
    model = TrainedModel(
        model_type=order.options.model_type,
        label=label,
        features=order.features,
        encoders=encoders,
        statistics=tuple(statistics(order.inputs, inputs)),
        transform=order.transform,
        target=order.target,
        inputs=order.inputs,
        rows=(len(training), len(held)),
    )
    standardized = not order.options.model_type.startswith("BOOSTED_TREE")
    features = encode(encoders, data, standardized=standardized)
    weights = _weights(order, data, label, target, training)
    parts = [Rows(features[at], target[at], weights[at]) for at in (training, held)]
    fitted = fit(order.options, parts[0], parts[1], len(label.classes))
    model = replace(
        model,
        weights=() if fitted.weights is None else _tuples(fitted.weights),
        intercepts=() if fitted.intercepts is None else tuple(map(float, fitted.intercepts)),
        booster=fitted.booster,
        importance=_importance(model, fitted),
        iterations=tuple(asdict(each) for each in fitted.iterations),
    )
    judged = held if len(held) else training
    scores = model.scores(features[judged])
    if label.classes:
        measured = metrics.classification(target[judged].astype(np.int64), scores)
    else:
        measured = metrics.regression(target[judged], scores[:, 0])
    if order.options["ENABLE_GLOBAL_EXPLAIN"]:
        model = replace(model, explanation=_explanation(model, features[judged]))
    predictions = {"label": target[judged]} | {
        f"score{at}": scores[:, at] for at in range(scores.shape[1])
    }
    known = {name: value for name, value in measured.items() if not math.isnan(value)}
    return replace(model, metrics=known), pa.table(predictions)


def _target(order: Order, values: Sequence[Any]) -> tuple[Label, NDArray[np.float64]]:
    """Read the label: what it can be, and of each row the place of its class or its number."""
    name = order.options.label
    if any(value is None for value in values):
        raise RefusedError(f"The label column '{name}' contains NULL values.")
    if not order.options.classifies:
        target = np.array([float(value) for value in values])
        if not np.isfinite(target).all():
            raise RefusedError(f"The label column '{name}' contains infinity or NaN.")
        return Label(name, order.label_type), target
    classes = tuple(sorted(set(values)))
    if len(classes) < 2:
        raise RefusedError(
            "Classification model requires at least 2 unique labels and the label column had only"
            " 1 unique label."
        )
    if len(classes) > _MOST_CLASSES:
        raise RefusedError(
            f"Classification model requires at most {_MOST_CLASSES} unique labels and the label"
            f" column had {len(classes)} unique labels."
        )
    label = Label(name, order.label_type, classes)
    return label, label.places(values).astype(float)


def _check_classes(
    label: Label,
    target: NDArray[np.float64],
    training: NDArray[np.int64],
    held: NDArray[np.int64],
) -> None:
    known = set(target[training])
    for at in sorted(set(target[held]) - known):
        raise RefusedError(
            f"The label {text_of(label.classes[int(at)])!r} is in the evaluation data only; there"
            " is nothing to learn it from."
        )
    if len(known) < 2:
        raise RefusedError("The training data has only 1 unique label after the data split.")


def _weights(
    order: Order,
    data: pa.Table,
    label: Label,
    target: NDArray[np.float64],
    training: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Give each row's weight: that of its class, times its own."""
    weights = np.ones(data.num_rows)
    given = order.options["CLASS_WEIGHTS"]
    if order.options["AUTO_CLASS_WEIGHTS"]:
        counted = np.bincount(target[training].astype(int), minlength=len(label.classes))
        weights = (len(training) / (counted * len(label.classes)))[target.astype(int)]
    elif given:
        names = [text_of(each) or "" for each in label.classes]
        if set(names) != set(given):
            raise RefusedError(
                "CLASS_WEIGHTS must have a weight for each label, and for nothing else: "
                f"{', '.join(names)}."
            )
        weights = np.array([given[name] for name in names])[target.astype(int)]
    column = order.options["INSTANCE_WEIGHT_COL"]
    if column:
        own = np.array([math.nan if each is None else float(each) for each in
                        data.column(column).to_pylist()])  # fmt: skip
        if not (np.isfinite(own) & (own >= 0)).all():
            raise RefusedError(f"The weights of the column '{column}' must be numbers from 0 on.")
        weights = weights * own
    return weights


def _tuples(values: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(each) for each in row) for row in values)


def _importance(model: TrainedModel, fitted: Fitted) -> tuple[dict[str, Any], ...]:
    """Tell of each column how the trees use it; several features add up, or give the mean."""
    if fitted.importance is None:
        return ()
    width = sum(encoder.width for encoder in model.encoders)
    found: dict[str, NDArray[np.float64]] = {}
    for kind, scores in fitted.importance.items():
        each = np.zeros(width)
        each[list(scores)] = list(scores.values())
        found[kind] = each
    times = model.by_column(found["weight"])
    gain, cover = (
        model.by_column(found[kind] * found["weight"]) / np.maximum(times, 1)
        for kind in ("gain", "cover")
    )
    return tuple(
        {"feature": name, "weight": float(times[at]), "gain": float(gain[at]),
         "cover": float(cover[at])}
        for at, name in enumerate(model.columns)
    )  # fmt: skip


def _explanation(model: TrainedModel, features: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """Tell what each column adds to the raw value, by amount, on average: over all, by class."""
    added, _ = model.contributions(features)
    sizes = np.abs(model.by_column(added)).mean(axis=0)
    found = {"": dict(zip(model.columns, map(float, sizes.mean(axis=0)), strict=True))}
    for at, label in enumerate(model.label.classes):
        own = sizes[min(at, len(sizes) - 1)]
        first = np.argsort(-own, kind="stable")[:_TOP_FEATURES]
        found[text_of(label) or ""] = {model.columns[each]: float(own[each]) for each in first}
    return found


def read_rows(path: Path) -> pa.Table:
    """Read rows as the server wrote them."""
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
        return reader.read_all()


def main(arguments: Sequence[str]) -> int:
    """Train as the order in the folder says, and leave the outcome there."""
    (name,) = arguments
    folder = Path(name)
    data = read_rows(folder / DATA_FILE)
    given = folder / INPUTS_FILE
    inputs = read_rows(given) if given.exists() else data
    order = Order.load(folder / ORDER_FILE)
    needless = ["sklearn"] if order.options.model_type.startswith("BOOSTED_TREE") else []
    try:
        with without("pandas", *needless):
            model, holdout = train(order, data, inputs)
    except (RefusedError, ColumnError, SplitError) as error:
        (folder / REFUSAL_FILE).write_text(str(error))
        return 0
    pq.write_table(holdout, folder / HOLDOUT_FILE)
    (folder / MODEL_FILE).write_bytes(model.dump())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
