"""Each component's function, called with real artifacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from kfp import dsl

from churn import features, sample
from churn.model import MODEL_FILE, load
from pipelines.components.validate_data import validate_data

if TYPE_CHECKING:
    from tests.pipelines.conftest import Artifacts, Trial


def validated(artifacts: Artifacts, raw: Any) -> tuple[bool, str, dict[str, Any]]:
    report = artifacts.make(dsl.Markdown, "report.md")
    metrics = artifacts.make(dsl.Metrics, "metrics")
    valid = validate_data.python_func(data=raw, run_key="k", report=report, metrics=metrics)
    return valid, Path(report.path).read_text(), metrics.metadata


def test_good_data_is_said_to_be_good(artifacts: Artifacts, trial: Trial) -> None:
    valid, report, metrics = validated(artifacts, trial.raw)
    assert valid is True
    assert "4,000 customers" in report
    assert (metrics["rows"], metrics["errors"], metrics["warnings"]) == (4000, 0, 0)


@pytest.mark.parametrize("damage", ["no rows", "a category", "no CSV"])
def test_bad_data_is_said_to_be_bad_and_why(artifacts: Artifacts, damage: str) -> None:
    raw = artifacts.make(dsl.Dataset, "customers.csv")
    customers = sample.generate(50, 1)
    if damage == "no rows":
        customers.head(0).to_csv(raw.path, index=False)
    elif damage == "a category":
        customers.assign(Gender="X").to_csv(raw.path, index=False)
    else:
        Path(raw.path).write_bytes(b"\xff\xfe\x00")
    valid, report, metrics = validated(artifacts, raw)
    assert valid is False
    assert "## Errors" in report
    assert metrics["errors"] == 1


def test_features_are_parquet_with_their_size_in_the_metadata(trial: Trial) -> None:
    table = pd.read_parquet(trial.features.path)
    assert list(table.columns) == ["CLIENTNUM", "label", *features.names()]
    assert trial.features.metadata == {"rows": 4000, "columns": 22, "run_key": "trial"}


def test_parts_hold_every_customer_once(trial: Trial) -> None:
    rows = {name: part.metadata["rows"] for name, part in trial.parts.items()}
    assert sum(rows.values()) == 4000
    assert len(pd.read_parquet(trial.parts["test"].path)) == rows["test"]


def test_training_leaves_a_model_and_its_losses(trial: Trial) -> None:
    assert trial.model.metadata == {"framework": "XGBoost"}
    load(Path(trial.model.path))
    metrics = trial.training_metrics.metadata
    assert 0 < metrics["train_log_loss"] < metrics["validation_log_loss"] < 0.2
    assert metrics["trees"] > 10


def test_evaluation_fills_the_metrics_that_the_gates_name(trial: Trial) -> None:
    assert trial.metrics.metadata["roc_auc"] == trial.roc_auc > 0.96
    assert {"roc_auc.Gender.F", "roc_auc.Gender.M"} <= set(trial.slice_metrics.metadata)
    numbers = {**trial.metrics.metadata, **trial.slice_metrics.metadata}
    assert all(isinstance(value, int | float) for value in numbers.values())


def test_evaluation_fills_the_consoles_curve_and_matrix(trial: Trial) -> None:
    metadata = trial.classification.metadata
    assert len(metadata["confidenceMetrics"]) <= 100
    assert set(metadata["confidenceMetrics"][0]) == {
        "confidenceThreshold",
        "falsePositiveRate",
        "recall",
    }
    names = [spec["displayName"] for spec in metadata["confusionMatrix"]["annotationSpecs"]]
    assert names == ["Existing Customer", "Attrited Customer"]
    json.dumps(metadata, allow_nan=False)


def test_what_gets_registered_is_the_model_with_its_evaluation(trial: Trial) -> None:
    folder = Path(trial.evaluated_model.path)
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["scores"]["roc_auc"] == trial.roc_auc
    assert evaluation["threshold"] == load(folder).threshold == trial.threshold
    trees = (folder / MODEL_FILE).read_bytes()
    assert trees == (Path(trial.model.path) / MODEL_FILE).read_bytes()
    assert trial.evaluated_model.metadata == {"framework": "XGBoost"}


def test_the_report_is_a_page(trial: Trial) -> None:
    assert Path(trial.report.path).read_text().startswith("<!doctype html>")
