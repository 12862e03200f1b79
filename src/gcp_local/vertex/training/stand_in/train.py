"""Trains a stand-in for AutoML's tabular model: `python -m … SPECIFICATION.json FOLDER`.

It leaves in the folder either `model.json` and `report.json`, or, where the data or the request is
at fault, `refusal.txt` with the reason; any other end is a fault of its own.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from gcp_local.vertex.training.inputs import CLASSIFICATION, TabularInputs, Transformation
from gcp_local.vertex.training.splits import SETS, TEST, TRAINING, VALIDATION, assign
from gcp_local.vertex.training.stand_in import metrics, objectives
from gcp_local.vertex.training.stand_in.columns import canonical, encode, learn, number
from gcp_local.vertex.training.stand_in.model import TabularModel, Tree
from gcp_local.vertex.training.stand_in.names import (
    MODEL_FILE,
    REFUSAL_FILE,
    REPORT_FILE,
    Specification,
)
from gcp_local.vertex.training.table import Table, TableError, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FEWEST_ROWS = 1000
_CLASSES = (2, 500)
_LARGEST_WEIGHT = 10_000
_ROUNDS, _FEWEST_ROUNDS, _TREES = 100, 10, 1000
_BOUNDS = (2.5, 97.5)


class RefusedError(ValueError):
    """The data, or the request for them, cannot be trained on; the message says why."""


@dataclass(frozen=True)
class Rows:
    """The rows of one set: the table's columns, the target as numbers, the weights."""

    columns: dict[str, list[str]]
    target: NDArray[Any]
    weight: NDArray[np.float64]


def train(specification: Specification) -> tuple[TabularModel, dict[str, Any]]:
    """Train a model and report on it.

    Raises:
        RefusedError, TableError: AutoML would not train on this, either.

    """
    inputs, split = specification.inputs, specification.split
    table = read_table([(name, Path(file)) for name, file in specification.files])
    if table.rows < _FEWEST_ROWS:
        raise RefusedError(
            f"The data have {table.rows} rows; AutoML needs at least {_FEWEST_ROWS}."
        )
    classes, target = _target(table, inputs)
    weight = _weights(table, inputs.weight)
    # What decides the split or the weight is no feature, even where it is among the columns.
    aside = {inputs.weight, split.key if split.kind == "predefined" else ""}
    chosen = [each for each in inputs.transformations if each.column not in aside]
    for each in chosen:
        table.column(each.column)
    # In the table's order, whatever the request's: the SDK's is another each time.
    chosen.sort(key=lambda each: list(table.columns).index(each.column))
    if not chosen:
        raise RefusedError("There is no feature: every column is the target, weight or split.")
    key = table.column(split.key) if split.key else None
    sets = assign(split, table.rows, key)
    sets = {**sets, **_valid(table, chosen, {name: sets[name] for name in (TRAINING, VALIDATION)})}
    sets[TRAINING] = [row for row in sets[TRAINING] if weight[row] > 0]
    for name in (TRAINING, TEST):
        if not sets[name]:
            raise RefusedError(f"The {name} set is empty: nothing in the data is split to it.")
    names = [each.column for each in chosen]
    parts = {name: _rows(table, names, target, weight, sets[name]) for name in SETS}
    model = _fit(chosen, parts, classes, inputs)
    scores = model.scores(parts[TEST].columns)
    truth = parts[TEST].target
    report = {
        "metrics": metrics.classification(truth, scores, classes)
        if classes
        else metrics.regression(truth, scores),
        "slices": metrics.by_class(truth, scores, classes) if classes else {},
        "attributions": metrics.attributions(model.scores, parts[TEST].columns, names),
        "rows": {name: len(rows) for name, rows in sets.items()},
        "rounds": len(model.rounds),
        "transformations": {encoder.column: encoder.kind for encoder in model.encoders},
        "producer": f"scikit-learn {sklearn.__version__} HistGradientBoosting",
    }
    return model, report


def _target(table: Table, inputs: TabularInputs) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Read the target: all classes and each row's place among them, or each row's number."""
    values = table.column(inputs.target)
    empty = next((row for row, value in enumerate(values) if not value.strip()), None)
    if empty is not None:
        raise RefusedError(f"The target column {inputs.target!r} is empty in row {empty + 1}.")
    if inputs.prediction_type == CLASSIFICATION:
        named = [canonical(value) for value in values]
        classes = tuple(sorted(set(named)))
        fewest, most = _CLASSES
        if not fewest <= len(classes) <= most:
            raise RefusedError(
                f"The target column {inputs.target!r} has {len(classes)} distinct values;"
                f" classification takes {fewest} to {most}."
            )
        if len(classes) > fewest and inputs.objective not in ("", "minimize-log-loss"):
            raise RefusedError(
                f"The optimization objective {inputs.objective!r} is for two classes;"
                f" {inputs.target!r} has {len(classes)}."
            )
        place = {name: number for number, name in enumerate(classes)}
        return classes, np.array([place[name] for name in named], dtype=np.int64)
    numbers = [number(value) for value in values]
    if None in numbers:
        row = numbers.index(None)
        raise RefusedError(
            f"The target column {inputs.target!r} has {values[row]!r} in row {row + 1};"
            " regression takes numbers."
        )
    return (), np.array(numbers, dtype=np.float64)


def _weights(table: Table, column: str) -> NDArray[np.float64]:
    if not column:
        return np.ones(table.rows)
    weights = [number(value) for value in table.column(column)]
    for row, weight in enumerate(weights):
        if weight is None or not 0 <= weight <= _LARGEST_WEIGHT:
            raise RefusedError(
                f"The weight column {column!r} must have numbers from 0 to {_LARGEST_WEIGHT}; row"
                f" {row + 1} has {table.columns[column][row]!r}."
            )
    return np.array(weights, dtype=np.float64)


def _valid(
    table: Table, chosen: Sequence[Transformation], sets: dict[str, list[int]]
) -> dict[str, list[int]]:
    """Take out the rows with values that a transformation does not allow."""
    invalid: set[int] = set()
    for each in chosen:
        if each.kind in ("numeric", "timestamp") and not each.invalid_allowed:
            strict = learn(each.column, each.kind, (), time_format=each.time_format, required=True)
            invalid.update(strict.invalid(table.column(each.column)))
    return {name: [row for row in rows if row not in invalid] for name, rows in sets.items()}


def _rows(
    table: Table,
    names: Sequence[str],
    target: NDArray[Any],
    weight: NDArray[np.float64],
    rows: list[int],
) -> Rows:
    columns = {name: [table.columns[name][row] for row in rows] for name in names}
    return Rows(columns, target[rows], weight[rows])


def _fit(
    chosen: Sequence[Transformation],
    parts: dict[str, Rows],
    classes: tuple[str, ...],
    inputs: TabularInputs,
) -> TabularModel:
    training, validation = parts[TRAINING], parts[VALIDATION]
    encoders = tuple(
        learn(
            each.column,
            each.kind,
            training.columns[each.column],
            time_format=each.time_format,
            required=each.kind in ("numeric", "timestamp") and not each.invalid_allowed,
        )
        for each in chosen
    )
    features = encode(encoders, training.columns)
    trained = tuple(int(each) for each in np.unique(training.target)) if classes else ()
    if classes and len(trained) < _CLASSES[0]:
        raise RefusedError("Only one class is in the training set.")
    per_round = len(trained) if len(trained) > _CLASSES[0] else 1
    settings: dict[str, Any] = {
        "max_iter": max(_FEWEST_ROUNDS, min(_ROUNDS, _TREES // per_round)),
        "early_stopping": False,
        "random_state": 0,
    }
    if classes:
        learner: Any = HistGradientBoostingClassifier(**settings)
    else:
        loss = "absolute_error" if inputs.objective == "minimize-mae" else "squared_error"
        learner = HistGradientBoostingRegressor(loss=loss, **settings)
    learner.fit(features, training.target, sample_weight=training.weight)
    model = TabularModel(
        target=inputs.target,
        classes=classes,
        trained=trained,
        encoders=encoders,
        baseline=tuple(float(each) for each in learner._baseline_prediction.ravel()),
        rounds=tuple(tuple(map(_tree, trees)) for trees in learner._predictors),
    )
    # The trees are read from where scikit-learn promises nothing: so they are held to its answers.
    own = learner.decision_function(features) if classes else learner.predict(features)
    if not np.allclose(model.raw(features), np.reshape(own, (len(features), -1)), atol=1e-6):
        raise AssertionError("the trees as written do not predict what scikit-learn predicts")
    if not len(validation.target):
        return model
    encoded = encode(encoders, validation.columns)
    if inputs.early_stopping:
        best = objectives.best_round(model, encoded, validation.target, inputs, _FEWEST_ROUNDS)
        model = replace(model, rounds=model.rounds[:best])
    if classes:
        return model
    residuals = validation.target - model.raw(encoded)[:, 0]
    low, high = (float(each) for each in np.percentile(residuals, _BOUNDS))
    return replace(model, interval=(min(low, 0.0), max(high, 0.0)))


def _tree(predictor: Any) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
        threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        left=np.where(leaf, 0, nodes["left"]).astype(np.int64),
        right=np.where(leaf, 0, nodes["right"]).astype(np.int64),
        value=nodes["value"].astype(np.float64),
    )


def main(arguments: Sequence[str]) -> int:
    """Train as the file says and leave the outcome in the folder."""
    specification, folder = (Path(argument) for argument in arguments)
    try:
        model, report = train(Specification.load(specification))
    except (RefusedError, TableError) as error:
        (folder / REFUSAL_FILE).write_text(str(error))
        return 0
    model.save(folder / MODEL_FILE)
    (folder / REPORT_FILE).write_text(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
