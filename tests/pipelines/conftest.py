from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from kfp import dsl

from churn import sample
from pipelines.churn_xgboost.train import train_model
from pipelines.components.evaluate_model import evaluate_model
from pipelines.components.prepare_features import prepare_features
from pipelines.components.split_data import split_data

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Artifacts:
    """Makes KFP artifacts whose files lie in one folder."""

    folder: Path

    def make(self, kind: type[Any], name: str) -> Any:
        path = self.folder / name
        artifact = kind(name=name, uri=str(path))
        artifact.path = str(path)
        return artifact


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path)


@dataclass(frozen=True)
class Trial:
    """What the components made of a sample, called one after the other without an orchestrator."""

    raw: Any
    features: Any
    parts: dict[str, Any]
    model: Any
    training_metrics: Any
    metrics: Any
    slice_metrics: Any
    classification: Any
    report: Any
    evaluated_model: Any
    threshold: float
    roc_auc: float


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    made = Artifacts(tmp_path_factory.mktemp("trial"))
    raw = made.make(dsl.Dataset, "customers.csv")
    sample.generate(4000, seed=11).to_csv(raw.path, index=False)
    features = made.make(dsl.Dataset, "features.parquet")
    prepare_features.python_func(data=raw, run_key="trial", features=features)
    parts = {name: made.make(dsl.Dataset, name) for name in ("train", "validation", "test")}
    split_data.python_func(
        features=features,
        validation_share=0.15,
        test_share=0.2,
        salt="churn-9",
        tolerance=0.03,
        **parts,
    )
    model = made.make(dsl.Model, "model")
    training_metrics = made.make(dsl.Metrics, "training")
    train_model.python_func(
        train=parts["train"],
        validation=parts["validation"],
        rounds=200,
        patience=20,
        learning_rate=0.1,
        max_depth=4,
        min_child_weight=2.0,
        row_share=0.9,
        column_share=0.8,
        seed=1,
        threads=1,
        model=model,
        metrics=training_metrics,
    )
    outputs = {
        "metrics": made.make(dsl.Metrics, "metrics"),
        "slice_metrics": made.make(dsl.Metrics, "slices"),
        "classification": made.make(dsl.ClassificationMetrics, "classification"),
        "report": made.make(dsl.HTML, "report.html"),
        "evaluated_model": made.make(dsl.Model, "evaluated"),
    }
    threshold = 0.3  # not the default, so that a place that forgets it is found
    roc_auc = evaluate_model.python_func(
        model=model, test=parts["test"], threshold=threshold, **outputs
    )
    judged = {**outputs, "threshold": threshold, "roc_auc": roc_auc}
    return Trial(raw, features, parts, model, training_metrics, **judged)
