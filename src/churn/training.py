"""Gradient-boosted trees that stop when the validation customers stop gaining."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xgboost

from churn.model import Model, design

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """The hyperparameters. The same plan, data and number of threads give the same model.

    `rounds` is the most trees there may be; training ends when the validation log loss has not
    fallen for `patience` rounds, and the model is cut back to its best round. One thread is the
    fastest on ten thousand customers: more of them mostly wait for each other, and where the
    machine is shared they take twenty times as long.
    """

    rounds: int = 600
    patience: int = 30
    learning_rate: float = 0.1
    max_depth: int = 5
    min_child_weight: float = 2.0
    row_share: float = 0.9
    column_share: float = 0.8
    seed: int = 1
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Training:
    """A trained model, its number of trees, and the log loss round by round."""

    model: Model
    trees: int
    train_log_loss: tuple[float, ...]
    validation_log_loss: tuple[float, ...]

    def summary(self) -> dict[str, float]:
        """Return the number of trees and the best round's log losses, for a metrics artifact."""
        return {
            "trees": self.trees,
            "train_log_loss": self.train_log_loss[self.trees - 1],
            "validation_log_loss": self.validation_log_loss[self.trees - 1],
        }


def train(train_part: pd.DataFrame, validation_part: pd.DataFrame, plan: TrainingPlan) -> Training:
    """Fit to the prepared `train_part`, stopping early on `validation_part`."""
    history: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        _parameters(plan),
        design(train_part),
        num_boost_round=plan.rounds,
        evals=[(design(train_part), "train"), (design(validation_part), "validation")],
        early_stopping_rounds=plan.patience,
        evals_result=history,
        verbose_eval=False,
    )
    trees = booster.best_iteration + 1
    return Training(
        model=Model(booster[:trees]),
        trees=trees,
        train_log_loss=tuple(history["train"]["logloss"]),
        validation_log_loss=tuple(history["validation"]["logloss"]),
    )


def _parameters(plan: TrainingPlan) -> dict[str, Any]:
    return {
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "tree_method": "hist",
        "learning_rate": plan.learning_rate,
        "max_depth": plan.max_depth,
        "min_child_weight": plan.min_child_weight,
        "subsample": plan.row_share,
        "colsample_bytree": plan.column_share,
        "seed": plan.seed,
        "nthread": plan.threads,
    }
