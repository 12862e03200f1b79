from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from churn import evaluation, features, schema, split, training, validation
from churn import report as report_page

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def chances(parts: split.Split, trained: training.Training) -> NDArray[np.float64]:
    return trained.model.predict(parts.test)


def test_scores_agree_with_scikit_learn(
    parts: split.Split, chances: NDArray[np.float64], evaluated: evaluation.Evaluation
) -> None:
    labels = parts.test["label"]
    scores = evaluated.scores
    assert scores.roc_auc == pytest.approx(metrics.roc_auc_score(labels, chances))
    assert scores.pr_auc == pytest.approx(metrics.average_precision_score(labels, chances))
    assert scores.log_loss == pytest.approx(metrics.log_loss(labels, chances))
    assert scores.brier == pytest.approx(np.mean((labels - chances) ** 2))
    report = metrics.classification_report(labels, chances >= 0.5, output_dict=True)
    assert scores.precision == pytest.approx(report["1"]["precision"])
    assert scores.recall == pytest.approx(report["1"]["recall"])
    assert scores.f1 == pytest.approx(report["1"]["f1-score"])


def test_the_confusion_matrix_has_true_classes_in_rows(
    parts: split.Split, chances: NDArray[np.float64]
) -> None:
    judged = evaluation.evaluate(parts.test, chances, threshold=0.2)
    labels, alarms = parts.test["label"] == 1, chances >= 0.2
    assert judged.confusion[1] == (int((labels & ~alarms).sum()), int((labels & alarms).sum()))
    assert sum(map(sum, judged.confusion)) == len(parts.test)


def test_the_roc_curve_is_thin_finite_and_of_the_right_area(
    evaluated: evaluation.Evaluation,
) -> None:
    curve = evaluated.roc_curve
    assert len(curve.threshold) <= evaluation.CURVE_POINTS
    assert np.isfinite(curve.threshold).all()
    assert list(curve.threshold) == sorted(curve.threshold, reverse=True)
    area = metrics.auc(curve.false_positive_rate, curve.true_positive_rate)
    assert area == pytest.approx(evaluated.scores.roc_auc, abs=0.005)


def test_calibration_counts_every_customer_once(evaluated: evaluation.Evaluation) -> None:
    assert sum(part.rows for part in evaluated.calibration) == evaluated.scores.rows
    for part in evaluated.calibration:
        assert 0 <= part.predicted <= 1
        assert 0 <= part.observed <= 1
    assert 0 <= evaluated.calibration_error < 0.05


def test_slices_are_named_so_that_a_gate_can_name_them(evaluated: evaluation.Evaluation) -> None:
    by_slice = evaluated.by_slice()
    assert {"roc_auc.Gender.F", "roc_auc.Gender.M", "recall.Age_Band.under_40"} <= set(by_slice)
    assert "rows.Income_Category.60K_80K" in by_slice
    genders = [by_slice["rows.Gender.F"], by_slice["rows.Gender.M"]]
    assert sum(genders) == evaluated.scores.rows


def test_a_slice_has_the_scores_of_its_customers(
    parts: split.Split, chances: NDArray[np.float64], evaluated: evaluation.Evaluation
) -> None:
    women = (parts.test["Gender"] == "F").to_numpy()
    alone = metrics.roc_auc_score(parts.test["label"][women], chances[women])
    assert evaluated.by_slice()["roc_auc.Gender.F"] == pytest.approx(alone)


def test_a_tiny_or_one_sided_slice_is_left_out(table: pd.DataFrame) -> None:
    some = table.head(200).assign(Gender="F")
    some.loc[:9, "Gender"] = "M"
    judged = evaluation.evaluate(some, np.linspace(0.01, 0.99, 200))
    assert not [key for key in judged.by_slice() if "Gender.M" in key]


def test_customers_of_no_known_age_are_a_slice_of_their_own(table: pd.DataFrame) -> None:
    some = table.head(400).assign(Customer_Age=[39.0, 40.0, 60.0, np.nan] * 100)
    by_slice = evaluation.evaluate(some, np.linspace(0.01, 0.99, 400)).by_slice()
    bands = {key for key in by_slice if key.startswith("rows.Age_Band")}
    assert bands == {
        f"rows.Age_Band.{band}" for band in ("under_40", "40_to_49", "60_and_over", "Unknown")
    }
    assert {by_slice[band] for band in bands} == {100}


def test_a_file_with_gaps_in_every_number_goes_all_the_way_to_an_evaluation(
    generated: pd.DataFrame,
) -> None:
    raw = generated.head(4000).astype(str)
    for offset, column in enumerate(schema.NUMBERS):
        raw.loc[offset::25, column.name] = None
    report = validation.validate(raw)
    assert report.valid
    assert len(report.warnings) == len(schema.NUMBERS)
    parts = split.split(features.prepare(validation.clean(raw)), split.SplitPlan())
    plan = training.TrainingPlan(rounds=40)
    model = training.train(parts.train, parts.validation, plan).model
    judged = evaluation.evaluate(
        parts.test, model.predict(parts.test), importance=model.importance(parts.test)
    )
    assert judged.scores.roc_auc > 0.95
    assert "<svg" in report_page.render(judged)


def test_customers_of_one_class_cannot_be_judged(table: pd.DataFrame) -> None:
    stayed = table[table["label"] == 0].head(50)
    with pytest.raises(ValueError, match="all of one class"):
        evaluation.evaluate(stayed, np.full(50, 0.1))


def test_what_is_written_is_json_with_everything(
    tmp_path: Path, evaluated: evaluation.Evaluation
) -> None:
    evaluated.write(tmp_path / "evaluation.json")
    written = json.loads((tmp_path / "evaluation.json").read_text())
    assert written["scores"] == asdict(evaluated.scores)
    assert written["importance"] == evaluated.importance


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=60))
@settings(max_examples=40, deadline=None)
def test_any_predictions_give_finite_numbers(pairs: list[tuple[bool, float]]) -> None:
    labels = np.array([label for label, _ in pairs], dtype=np.int8)
    labels[:2] = 0, 1
    chances = np.array([chance for _, chance in pairs])
    scores = evaluation.score(labels, chances, 0.5)
    assert np.isfinite(list(asdict(scores).values())).all()
    assert np.isfinite(evaluation.curve(labels, chances).threshold).all()
    bins = evaluation.calibrate(labels, chances)
    assert sum(part.rows for part in bins) == len(labels)
