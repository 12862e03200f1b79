"""What a process that the server starts is told of its user: nothing, whatever kind it is of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.gcp_local.emulators import Emulator, start
from tests.gcp_local.vertex.models.serving_programs import ECHO
from tests.gcp_local.vertex.training.tables import as_csv, customers

OF_THE_USER = {
    "AWS_SECRET_ACCESS_KEY": "secret",  # pragma: allowlist secret
    "CLOUDSDK_CONFIG": "/home/user/.config/gcloud",
    "GOOGLE_APPLICATION_CREDENTIALS": "/home/user/key.json",
    "HTTPS_PROXY": "http://user:password@proxy.example",  # pragma: allowlist secret
    "LD_LIBRARY_PATH": "/home/user/lib",
    "MY_TOKEN": "secret",
    "SSH_AUTH_SOCK": "/home/user/agent",
    "VIRTUAL_ENV_PROMPT": "mine",
}
# Ends at once in an environment that holds any of that, or the user's home.
GUARD = f"""
import os, sys
told = {{*{sorted(OF_THE_USER)!r}}} & {{*os.environ}}
if told or os.path.expanduser("~") == {str(Path.home())!r}:
    sys.exit("told of its user: " + ", ".join(sorted(told)))
"""
PLACE = "/v1/projects/my-project/locations/europe-west1"
MACHINE = {"machineType": "n1-standard-4"}
BUCKET = "environments"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A server that was started by somebody with credentials."""
    emulator = start(tmp_path_factory.mktemp("state"), **OF_THE_USER)
    ask(emulator, "POST", "/storage/v1/b?project=my-project", {"name": BUCKET})
    yield emulator
    emulator.end()


def ask(emulator: Emulator, verb: str, path: str, body: object = None) -> dict[str, Any]:
    answer = emulator.call(verb, path, json=body)
    assert answer.ok, answer.text
    told: dict[str, Any] = answer.json()
    return told


def put(emulator: Emulator, name: str, content: str) -> str:
    path = f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}"
    assert emulator.call("POST", path, data=content.encode()).ok
    return f"gs://{BUCKET}/{name}"


def succeed(emulator: Emulator, kind: str, body: Mapping[str, Any]) -> None:
    """Make a job or a pipeline, and wait until it has succeeded."""
    name = ask(emulator, "POST", f"{PLACE}/{kind}", {"displayName": "x", **body})["name"]
    for _ in range(600):
        found = ask(emulator, "GET", f"/v1/{name}")
        if found["state"].endswith(("_SUCCEEDED", "_FAILED", "_CANCELLED")):
            break
        time.sleep(0.05)
    assert found["state"].endswith("_SUCCEEDED"), found.get("error", found)


def operation(emulator: Emulator, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for what takes a while, and wait until it is done."""
    found = ask(emulator, "POST", f"{PLACE}/{path}", body)
    while not found.get("done"):
        time.sleep(0.02)
        found = ask(emulator, "GET", f"/v1/{found['name']}")
    assert "error" not in found, found
    response: dict[str, Any] = found["response"]
    return response


def pool(program: str = GUARD) -> dict[str, Any]:
    container = {"imageUri": "python:3.11", "command": ["python3", "-c", program]}
    return {"containerSpec": container, "machineSpec": MACHINE, "replicaCount": "1"}


def server() -> dict[str, Any]:
    command = ["python3", "-c", f"{GUARD}\n{ECHO}", "x"]
    return {"imageUri": "python:3.11", "command": command}


def pipeline_task(emulator: Emulator) -> None:
    component = {"container": {"image": "python:3.11", "command": ["python3", "-c", GUARD]}}
    task = {"componentRef": {"name": "comp-c"}, "taskInfo": {"name": "c"}}
    spec = {
        "pipelineInfo": {"name": "guarded"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "root": {"dag": {"tasks": {"c": task}}},
        "components": {"comp-c": {"executorLabel": "exec-c"}},
        "deploymentSpec": {"executors": {"exec-c": component}},
    }
    config = {"gcsOutputDirectory": f"gs://{BUCKET}/runs"}
    succeed(emulator, "pipelineJobs", {"pipelineSpec": spec, "runtimeConfig": config})


def custom_job(emulator: Emulator) -> None:
    succeed(emulator, "customJobs", {"jobSpec": {"workerPoolSpecs": [pool()]}})


def trial(emulator: Emulator) -> None:
    report = (
        'open(os.environ["CLOUD_ML_HP_METRIC_FILE"], "w").write(\'{"auc": 1, "timestamp": 1}\')'
    )
    parameter = {"parameterId": "depth", "integerValueSpec": {"minValue": "1", "maxValue": "2"}}
    study = {"metrics": [{"metricId": "auc", "goal": "MAXIMIZE"}], "parameters": [parameter]}
    body = {
        "studySpec": study,
        "maxTrialCount": 1,
        "parallelTrialCount": 1,
        "trialJobSpec": {"workerPoolSpecs": [pool(f"{GUARD}\n{report}")]},
    }
    succeed(emulator, "hyperparameterTuningJobs", body)


def custom_training(emulator: Emulator) -> None:
    definition = "gs://google-cloud-aiplatform/schema/trainingjob/definition/custom_task_1.0.0.yaml"
    inputs = {"workerPoolSpecs": [pool()]}
    body = {"trainingTaskDefinition": definition, "trainingTaskInputs": inputs}
    succeed(emulator, "trainingPipelines", body)


def deployed_model(emulator: Emulator) -> None:
    model = {"displayName": "x", "containerSpec": server()}
    uploaded = operation(emulator, "models:upload", {"model": model})["model"]
    endpoint = operation(emulator, "endpoints", {"displayName": "x"})["name"].rpartition("/")[2]
    resources = {"machineSpec": MACHINE, "minReplicaCount": 1}
    deployed = {"model": uploaded, "dedicatedResources": resources}
    operation(emulator, f"endpoints/{endpoint}:deployModel", {"deployedModel": deployed})


def batch_prediction(emulator: Emulator) -> None:
    source = {"uris": [put(emulator, "in.jsonl", '{"n": 1}\n')]}
    to = {"outputUriPrefix": f"gs://{BUCKET}/out/"}
    body = {
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": source},
        "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": to},
        "dedicatedResources": {"machineSpec": MACHINE},
        "unmanagedContainerModel": {"containerSpec": server()},
    }
    succeed(emulator, "batchPredictionJobs", body)


@pytest.mark.parametrize(
    "run",
    [pipeline_task, custom_job, trial, custom_training, deployed_model, batch_prediction],
    ids=lambda run: str(run.__name__),
)
def test_a_process_is_told_nothing_of_its_user(
    emulator: Emulator, run: Callable[[Emulator], None]
) -> None:
    run(emulator)


def test_the_stand_in_for_automl_is_told_nothing_either(emulator: Emulator) -> None:
    schema = "gs://google-cloud-aiplatform/schema"
    files = {"gcsSource": {"uri": [put(emulator, "customers.csv", as_csv(customers()))]}}
    dataset = {
        "displayName": "x",
        "metadataSchemaUri": f"{schema}/dataset/metadata/tabular_1.0.0.yaml",
        "metadata": {"inputConfig": files},
    }
    made = operation(emulator, "datasets", dataset)["name"].rpartition("/")[2]
    inputs = {
        "targetColumn": "churned",
        "predictionType": "classification",
        "trainBudgetMilliNodeHours": 1000,
        "transformations": [{"auto": {"columnName": "age"}}],
    }
    training = {
        "displayName": "x",
        "trainingTaskDefinition": f"{schema}/trainingjob/definition/automl_tabular_1.0.0.yaml",
        "trainingTaskInputs": inputs,
        "inputDataConfig": {"datasetId": made},
        "modelToUpload": {"displayName": "x"},
    }
    ask(emulator, "POST", f"{PLACE}/trainingPipelines", training)
    told = ""
    for _ in range(1000):
        told = told or environment_of("stand_in.train", str(emulator.state))
        if told:
            break
        time.sleep(0.01)
    assert "PATH=" in told
    assert not [name for name in OF_THE_USER if f"{name}=" in told]


def environment_of(*words: str) -> str:
    """Read the variables of the process that has these words in its command."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text()
            if all(word in command for word in words):
                return (process / "environ").read_text()
        except OSError:
            continue
    return ""
