"""The optimization objectives: after how many rounds of boosting a model is best by one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import metrics as sk

from gcp_local.vertex.training.stand_in import metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gcp_local.vertex.training.inputs import TabularInputs
    from gcp_local.vertex.training.stand_in.model import TabularModel

    Floats = NDArray[np.float64]

_STEP = 5  # rounds: to look at each one takes longer than to train them


def best_round(
    model: TabularModel,
    features: Floats,
    truth: NDArray[Any],
    inputs: TabularInputs,
    fewest: int,
) -> int:
    """Tell how many rounds do best on the validation set; of equals, those with the least loss.

    Args:
        model: with all its rounds.
        features: of the validation set.
        truth: its target.
        inputs: with the objective, or none for the default.
        fewest: how many rounds there must be at least.

    """
    total = np.tile(np.array(model.baseline), (len(features), 1))
    best, best_value = len(model.rounds), (-np.inf, -np.inf)
    for count, trees in enumerate(model.rounds, start=1):
        total = total + np.column_stack([tree.predict(features) for tree in trees])
        if count < fewest or count % _STEP:
            continue
        outcome = model.outcome(total)
        loss = metrics.log_loss(truth, outcome) if model.classes else metrics.rmse(truth, outcome)
        value = (round(_value(model, outcome, truth, inputs), 9), -loss)
        if value > best_value:
            best, best_value = count, value
    return best


def _value(
    model: TabularModel, outcome: Floats, truth: NDArray[Any], inputs: TabularInputs
) -> float:
    """Compute the objective, the higher the better."""
    if not model.classes:
        return -_loss(outcome, truth, inputs.objective)
    two = len(model.classes) == 2 and len(np.unique(truth)) == 2
    if not two or inputs.objective == "minimize-log-loss":
        return -metrics.log_loss(truth, outcome)
    second = outcome[:, 1]
    match inputs.objective:
        case "maximize-au-prc":
            value = sk.average_precision_score(truth, second)
        case "maximize-precision-at-recall" | "maximize-recall-at-precision":
            precision, recall, _ = sk.precision_recall_curve(truth, second)
            at_recall = inputs.objective == "maximize-precision-at-recall"
            given, wanted = (recall, precision) if at_recall else (precision, recall)
            value = wanted[given >= inputs.objective_value].max(initial=0.0)
        case _:
            value = sk.roc_auc_score(truth, second)
    return float(value)


def _loss(values: Floats, truth: Floats, objective: str) -> float:
    match objective:
        case "minimize-mae":
            return float(np.abs(values - truth).mean())
        case "minimize-rmsle":
            return metrics.rmsle(truth, values)
        case _:
            return metrics.rmse(truth, values)
