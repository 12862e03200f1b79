from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from churn import evaluation, features, model, schema, split, training, validation
from churn.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def score_of_logistic_regression(parts: split.Split) -> float:
    """What a model without interactions makes of the same customers."""
    columns = [
        *(name for name in features.names() if name in {c.name for c in schema.NUMBERS}),
        "Gender",
    ]

    def inputs(table: pd.DataFrame) -> pd.DataFrame:
        return table[columns].assign(Gender=table["Gender"] == "F").astype(float)

    regression = make_pipeline(StandardScaler(), LogisticRegression())
    regression.fit(inputs(parts.train), parts.train["label"])
    chances = regression.predict_proba(inputs(parts.test))[:, 1]
    return float(metrics.roc_auc_score(parts.test["label"], chances))


def test_on_the_sample_trees_beat_logistic_regression_as_on_the_public_file(
    parts: split.Split, evaluated: evaluation.Evaluation
) -> None:
    assert 0.985 <= evaluated.scores.roc_auc <= 0.996
    assert 0.91 <= score_of_logistic_regression(parts) <= 0.94


def test_on_the_public_file_roc_auc_is_at_least_0_985(public_file: Path) -> None:
    table = features.prepare(validation.clean(validation.read(public_file)))
    parts = split.split(table, split.SplitPlan())
    fitted = training.train(parts.train, parts.validation, training.TrainingPlan()).model
    scores = evaluation.evaluate(parts.test, fitted.predict(parts.test)).scores
    assert scores.roc_auc >= 0.985
    assert scores.f1 >= 0.85
    assert 0.90 <= score_of_logistic_regression(parts) <= 0.95


def test_training_twice_gives_the_same_bytes(
    parts: split.Split, trained: training.Training
) -> None:
    again = training.train(parts.train, parts.validation, training.TrainingPlan())
    assert again.model.booster.save_raw() == trained.model.booster.save_raw()


def test_another_seed_gives_another_model(parts: split.Split, trained: training.Training) -> None:
    other = training.train(parts.train, parts.validation, training.TrainingPlan(seed=2))
    assert other.model.booster.save_raw() != trained.model.booster.save_raw()


def test_training_stops_when_validation_stops_gaining(trained: training.Training) -> None:
    losses = trained.validation_log_loss
    assert trained.trees < training.TrainingPlan().rounds
    assert trained.trees == int(np.argmin(losses)) + 1
    assert trained.model.booster.num_boosted_rounds() == trained.trees
    assert trained.summary()["validation_log_loss"] == min(losses)


def test_a_model_comes_back_from_its_folder(
    tmp_path: Path, parts: split.Split, trained: training.Training
) -> None:
    replace(trained.model, threshold=0.3).save(tmp_path / "model")
    loaded = model.load(tmp_path / "model")
    assert loaded.class_names == ("Existing Customer", "Attrited Customer")
    assert loaded.threshold == 0.3
    np.testing.assert_array_equal(loaded.predict(parts.test), trained.model.predict(parts.test))
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "class_names.json",
        "decision.json",
        "features.json",
        "model.ubj",
    ]


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no model\.ubj"):
        model.load(tmp_path)


def test_a_model_of_other_features_is_refused(tmp_path: Path, trained: training.Training) -> None:
    trained.model.save(tmp_path)
    (tmp_path / model.FEATURES_FILE).write_text(json.dumps([*features.names()[1:], "Shoe_Size"]))
    with pytest.raises(DataError, match="other features: Customer_Age, Shoe_Size"):
        model.load(tmp_path)


def test_importance_ranks_the_features_that_make_the_difference(
    evaluated: evaluation.Evaluation,
) -> None:
    ranked = list(evaluated.importance)
    assert sorted(ranked) == sorted(features.names())
    assert ranked[0] == "Total_Trans_Ct"
    assert list(evaluated.importance.values()) == sorted(evaluated.importance.values())[::-1]


def test_fewer_rounds_give_a_worse_model(parts: split.Split, trained: training.Training) -> None:
    plan = training.TrainingPlan(rounds=3)
    short = training.train(parts.train, parts.validation, plan)
    assert short.trees == 3
    assert min(short.validation_log_loss) > min(trained.validation_log_loss)
