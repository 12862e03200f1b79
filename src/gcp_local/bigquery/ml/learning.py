"""Fitting: regressions by scikit-learn, boosted trees by XGBoost.

Differs from BigQuery's gradient descent in how it gets there, not in what it looks for: the least
loss with the regularisation that was asked for. The same rows in the same order give the same
model.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gcp_local.bigquery.ml.model import probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gcp_local.bigquery.ml.options import Options

    Floats = NDArray[np.float64]

# One-hot features and an intercept have no one solution without any; so small, it changes nothing.
_LEAST_RIDGE = 1e-6
_LASSO_ROUNDS = 2000


@dataclass(frozen=True)
class Rows:
    """Features, what they should give, and how much each row counts."""

    features: Floats
    target: Floats
    weights: Floats


@dataclass(frozen=True)
class Iteration:
    """One iteration: the losses after it, its learning rate if it has one, its milliseconds."""

    loss: float
    eval_loss: float | None
    learn_rate: float | None
    milliseconds: int


@dataclass(frozen=True)
class Fitted:
    """What came of it: either weights or XGBoost's bytes."""

    iterations: tuple[Iteration, ...]
    weights: Floats | None = None
    intercepts: Floats | None = None
    booster: bytes = b""
    importance: Mapping[str, Mapping[int, float]] | None = None


def fit(options: Options, training: Rows, evaluation: Rows, classes: int) -> Fitted:
    """Fit a model of any kind.

    Args:
        options: of CREATE MODEL.
        training: the rows that train.
        evaluation: those that evaluate, maybe none.
        classes: how many; 0 for a regression.

    """
    if options.model_type.startswith("BOOSTED_TREE"):
        return _trees(options, training, evaluation, classes)
    if classes:
        return _logistic(options, training, evaluation, classes)
    return _linear(options, training, evaluation)


# Regressions


def _logistic(options: Options, training: Rows, evaluation: Rows, classes: int) -> Fitted:
    """Minimise the sum of log losses, plus half L2_REG times the squared weights, plus L1_REG's."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    ridge, lasso = options["L2_REG"], options["L1_REG"]
    total = ridge + lasso
    settings: dict[str, Any] = {"fit_intercept": options["FIT_INTERCEPT"], "random_state": 0}
    if lasso:
        learner = LogisticRegression(
            solver="saga",
            C=1 / total,
            l1_ratio=lasso / total,
            max_iter=_LASSO_ROUNDS,
            tol=1e-5,
            **settings,
        )
        steps = 1
    else:
        learner = LogisticRegression(
            solver="newton-cholesky",
            C=1 / max(ridge, _LEAST_RIDGE),
            max_iter=1,
            warm_start=True,
            **settings,
        )
        steps = options["MAX_ITERATIONS"]

    def step() -> tuple[float, float | None]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # one iteration at a time
            learner.fit(training.features, training.target, sample_weight=training.weights)
        return tuple(  # type: ignore[return-value]
            _log_loss(rows, learner.decision_function(rows.features), classes)
            if len(rows.target)
            else None
            for rows in (training, evaluation)
        )

    iterations = _iterate(step, steps, options)
    return Fitted(iterations, np.atleast_2d(learner.coef_), np.atleast_1d(learner.intercept_))


def _linear(options: Options, training: Rows, evaluation: Rows) -> Fitted:
    """Minimise the squared errors, plus L2_REG times the squared weights, plus L1_REG's."""
    from sklearn.linear_model import ElasticNet, LinearRegression, Ridge

    ridge, lasso = options["L2_REG"], options["L1_REG"]
    settings: dict[str, Any] = {"fit_intercept": options["FIT_INTERCEPT"]}
    if lasso:
        # ElasticNet halves the errors and takes their mean.
        each = len(training.target)
        penalty = lasso / 2 / each + ridge / each
        learner: Any = ElasticNet(
            alpha=penalty, l1_ratio=lasso / 2 / each / penalty, max_iter=_LASSO_ROUNDS, **settings
        )
    else:
        learner = Ridge(alpha=ridge, **settings) if ridge else LinearRegression(**settings)

    def step() -> tuple[float, float | None]:
        learner.fit(training.features, training.target)
        losses = [
            float(((rows.target - learner.predict(rows.features)) ** 2).mean())
            if len(rows.target)
            else None
            for rows in (training, evaluation)
        ]
        assert losses[0] is not None
        return losses[0], losses[1]

    iterations = _iterate(step, 1, options)
    return Fitted(iterations, np.atleast_2d(learner.coef_), np.atleast_1d(learner.intercept_))


def _iterate(
    step: Callable[[], tuple[float, float | None]], steps: int, options: Options
) -> tuple[Iteration, ...]:
    done: list[Iteration] = []
    for _ in range(steps):
        begun = time.monotonic()
        loss, eval_loss = step()
        spent = int((time.monotonic() - begun) * 1000)
        done.append(Iteration(loss, eval_loss, None, spent))
        if len(done) > 1 and _stalls(done[-2].loss, loss, options):
            break
    return tuple(done)


def _stalls(before: float, now: float, options: Options) -> bool:
    """Tell whether EARLY_STOP ends the training."""
    if now >= before * (1 - 1e-12):
        return True  # it has converged: more of the same changes nothing
    return bool(options["EARLY_STOP"] and (before - now) / before < options["MIN_REL_PROGRESS"])


def _log_loss(rows: Rows, margins: Floats, classes: int) -> float:
    scores = probabilities(margins.reshape(len(rows.target), -1))
    assert scores.shape[1] == classes
    own = scores[np.arange(len(rows.target)), rows.target.astype(int)]
    losses = -np.log(np.clip(own, 1e-15, 1))
    return float(np.average(losses, weights=rows.weights))


# Trees


def _trees(options: Options, training: Rows, evaluation: Rows, classes: int) -> Fitted:
    import xgboost

    data = xgboost.DMatrix(training.features, training.target, weight=training.weights, nthread=1)
    watched = [(data, "training")]
    if len(evaluation.target):
        held = xgboost.DMatrix(
            evaluation.features, evaluation.target, weight=evaluation.weights, nthread=1
        )
        watched.append((held, "evaluation"))
    metric = "rmse" if not classes else "logloss" if classes == 2 else "mlogloss"
    booster = xgboost.Booster(_parameters(options, classes, metric), [data])
    done: list[Iteration] = []
    for at in range(options["MAX_ITERATIONS"]):
        begun = time.monotonic()
        booster.update(data, at)
        losses = _losses(booster.eval_set(watched, at), squared=not classes)
        spent = int((time.monotonic() - begun) * 1000)
        eval_loss = losses.get("evaluation")
        done.append(Iteration(losses["training"], eval_loss, options["LEARN_RATE"], spent))
        if len(done) > 1 and options["EARLY_STOP"]:
            before, now = (each.loss if eval_loss is None else each.eval_loss for each in done[-2:])
            assert before is not None
            assert now is not None
            if not before or (before - now) / before < options["MIN_REL_PROGRESS"]:
                break
    importance = {
        kind: {int(name[1:]): float(np.mean(value)) for name, value in found.items()}
        for kind in ("weight", "gain", "cover")
        for found in [booster.get_score(importance_type=kind)]
    }
    return Fitted(tuple(done), booster=bytes(booster.save_raw("ubj")), importance=importance)


def _parameters(options: Options, classes: int, metric: str) -> dict[str, Any]:
    said = {
        "objective": "reg:squarederror"
        if not classes
        else "binary:logistic"
        if classes == 2
        else "multi:softprob",
        "eval_metric": metric,
        "nthread": 1,
        "seed": 0,
        "booster": options["BOOSTER_TYPE"].lower(),
        "tree_method": options["TREE_METHOD"].lower(),
        "eta": options["LEARN_RATE"],
        "alpha": options["L1_REG"],
        "lambda": options["L2_REG"],
        "gamma": options["MIN_SPLIT_LOSS"],
        "max_depth": options["MAX_TREE_DEPTH"],
        "min_child_weight": options["MIN_TREE_CHILD_WEIGHT"],
        "num_parallel_tree": options["NUM_PARALLEL_TREE"],
        "subsample": options["SUBSAMPLE"],
        "colsample_bytree": options["COLSAMPLE_BYTREE"],
        "colsample_bylevel": options["COLSAMPLE_BYLEVEL"],
        "colsample_bynode": options["COLSAMPLE_BYNODE"],
    }
    if classes > 2:
        said["num_class"] = classes
    if said["booster"] == "dart":
        said |= {
            "normalize_type": options["DART_NORMALIZE_TYPE"].lower(),
            "rate_drop": options["DROPOUT"],
        }
    return said


def _losses(line: str, *, squared: bool) -> dict[str, float]:
    """Read XGBoost's own report, `[0]	training-logloss:0.55	evaluation-logloss:0.56`."""
    found = {}
    for part in line.split()[1:]:
        name, _, value = part.rpartition(":")
        loss = float(value)
        found[name.partition("-")[0]] = loss**2 if squared else loss
    assert not any(map(math.isnan, found.values()))
    return found
