from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "pipelines" / "churn_xgboost"

COMPILE = """
import json, sys
from kfp import compiler
from pipelines.churn_xgboost.pipeline import churn_xgboost
print(json.dumps(churn_xgboost.pipeline_spec and __import__("google.protobuf.json_format",
    fromlist=["x"]).MessageToDict(churn_xgboost.pipeline_spec), sort_keys=True))
"""

MEASURE = """
from churn import evaluation, features, sample, split, training, validation
table = features.prepare(validation.clean(sample.generate(10_000, 7).astype(str)))
parts = split.split(table, split.SplitPlan())
model = training.train(parts.train, parts.validation, training.TrainingPlan()).model
print(evaluation.evaluate(parts.test, model.predict(parts.test)).scores.roc_auc)
"""


def python(code: str, *path: Path, hash_seed: str = "0") -> str:
    environment = {
        "PYTHONPATH": ":".join(map(str, path)),
        "PYTHONHASHSEED": hash_seed,
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def compiled() -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(python(COMPILE, ROOT, ROOT / "src"))
    return spec


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / "pipeline.yaml").read_text())
    return loaded


def tasks(component: dict[str, Any], spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every task of a graph by name, those inside conditions included."""
    found: dict[str, dict[str, Any]] = {}
    for name, task in component["dag"]["tasks"].items():
        found[name] = task
        inner = spec["components"][task["componentRef"]["name"]]
        if "dag" in inner:
            found |= tasks(inner, spec)
    return found


def test_it_compiles_to_the_same_with_any_hash_seed(compiled: dict[str, Any]) -> None:
    again = json.loads(python(COMPILE, ROOT, ROOT / "src", hash_seed="42"))
    assert again == compiled
    assert compiled["pipelineInfo"]["name"] == "churn-xgboost"


def test_every_task_has_a_name_that_people_can_read(compiled: dict[str, Any]) -> None:
    names = {
        key: task["taskInfo"]["name"] for key, task in tasks(compiled["root"], compiled).items()
    }
    assert names == {
        "importer": "Import the customers",
        "validate-data": "Validate the data",
        "condition-1": "The data can be used",
        "prepare-features": "Prepare the features",
        "split-data": "Split by customer",
        "train-model": "Train XGBoost",
        "evaluate-model": "Evaluate on held-out customers",
        "condition-2": "The model is sane",
        "register-model": "Register the model",
    }


def test_every_component_runs_in_the_runtime_image_and_installs_nothing(
    compiled: dict[str, Any],
) -> None:
    containers = [
        executor["container"]
        for executor in compiled["deploymentSpec"]["executors"].values()
        if "container" in executor
    ]
    assert len(containers) == 6
    assert {container["image"] for container in containers} == {"runtime"}
    assert "pip install" not in json.dumps(containers)


def test_nothing_of_an_environment_is_compiled_in(compiled: dict[str, Any]) -> None:
    parameters = compiled["root"]["inputDefinitions"]["parameters"]
    without_default = {name for name, given in parameters.items() if not given.get("isOptional")}
    assert without_default == {"run_key", "project", "location", "data_uri", "serving_image"}
    assert "gs://" not in json.dumps(
        {name: given.get("defaultValue") for name, given in parameters.items()}
    )


def test_the_first_tasks_take_the_run_key(compiled: dict[str, Any]) -> None:
    every = tasks(compiled["root"], compiled)
    for name in ("validate-data", "prepare-features"):
        assert "run_key" in every[name]["inputs"]["parameters"]


def test_settings_name_parameters_that_the_pipeline_has(
    compiled: dict[str, Any], settings: dict[str, Any]
) -> None:
    parameters = compiled["root"]["inputDefinitions"]["parameters"]
    required = {name for name, given in parameters.items() if not given.get("isOptional")}
    assert set(settings["parameters"]) <= set(parameters)
    assert required - {"run_key"} <= set(settings["parameters"])
    assert settings["sample_data"]["parameter"] in parameters


def test_gates_name_tasks_of_the_pipeline(
    compiled: dict[str, Any], settings: dict[str, Any]
) -> None:
    every = tasks(compiled["root"], compiled)
    metrics = [gate["metric"] for gate in settings["gates"] if "metric" in gate]
    assert {metric.split(".")[0] for metric in metrics} <= set(every)


def test_the_bad_change_applies_and_falls_through_the_gate(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    patch = FOLDER / settings["bad_change"]
    for source in (ROOT / "src" / "churn").glob("*.py"):
        target = tmp_path / "src" / "churn" / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    subprocess.run(["git", "apply", str(patch)], cwd=tmp_path, check=True)
    gates = [
        gate["min"]
        for gate in settings["gates"]
        if gate.get("metric") == "evaluate-model.roc_auc" and "min" in gate
    ]
    good = float(python(MEASURE, ROOT / "src"))
    bad = float(python(MEASURE, tmp_path / "src"))
    assert bad + 0.05 < gates[0] < good - 0.01
