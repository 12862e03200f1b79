"""Registering, with Google's own client against the embedded cloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1 as vertex
from google.cloud.storage import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pipelines.conftest import Trial

ROOT = Path(__file__).parents[2]
PARENT = "projects/bank-nonprod/locations/europe-west1"
IMAGE = f"europe-west1-docker.pkg.dev/bank-nonprod/images/runtime@sha256:{'0' * 64}"

REGISTER = """
import sys
from kfp import dsl
from pipelines.components.register_model import register_model
uri, path, image = sys.argv[1:]
register_model.python_func(
    model=dsl.Model(name="model", uri=uri),
    project="bank-nonprod",
    location="europe-west1",
    model_id="churn-xgboost",
    display_name="Churn (XGBoost)",
    serving_image=image,
    labels={"commit": "abc123"},
    registered=dsl.Artifact(name="registered", uri=path),
)
"""


@dataclass(frozen=True)
class Cloud:
    endpoint: str
    folder: Path

    def register(self, uri: str) -> dict[str, str]:
        """Run the component in an environment like a task's."""
        host = self.endpoint.removeprefix("http://")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{self.endpoint}/",
            "GCE_METADATA_HOST": host,
            "GCE_METADATA_IP": host,
        }
        output = self.folder / "registered.json"
        subprocess.run(
            [sys.executable, "-c", REGISTER, uri, str(output), IMAGE], env=environment, check=True
        )
        found: dict[str, str] = json.loads(output.read_text())
        return found

    def versions(self, model_id: str = "churn-xgboost") -> dict[str, Any]:
        client = vertex.ModelServiceClient(
            transport="rest",
            client_options={"api_endpoint": self.endpoint},
            credentials=AnonymousCredentials(),
        )
        name = f"{PARENT}/models/{model_id}"
        return {model.version_id: model for model in client.list_model_versions(name=name)}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("cloud")
    state = folder / "state"
    command = [sys.executable, "-m", "gcp_local", "serve", "--state", str(state)]
    server = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            if (state / "server.json").exists():
                break
            time.sleep(0.05)
        endpoint = json.loads((state / "server.json").read_text())["endpoint"]
        yield Cloud(endpoint, folder)
    finally:
        server.terminate()
        server.wait(timeout=20)


def test_each_model_becomes_a_version_and_the_newest_is_the_candidate(cloud: Cloud) -> None:
    first = cloud.register("gs://bank-nonprod-ml/runs/1/model")
    second = cloud.register("gs://bank-nonprod-ml/runs/2/model")
    assert first == {
        "resourceName": f"{PARENT}/models/churn-xgboost@1",
        "versionId": "1",
    }
    assert second["versionId"] == "2"
    versions = cloud.versions()
    assert list(versions["1"].version_aliases) == ["default"]
    assert list(versions["2"].version_aliases) == ["candidate"]
    registered = versions["2"]
    assert registered.artifact_uri == "gs://bank-nonprod-ml/runs/2/model"
    assert registered.labels["commit"] == "abc123"
    assert registered.container_spec.image_uri == IMAGE
    assert list(registered.container_spec.command) == ["python", "-m", "churn.serving"]

    again = cloud.register("gs://bank-nonprod-ml/runs/2/model")
    assert again == second, "a repeated attempt makes no second version"
    assert set(cloud.versions()) == {"1", "2"}


def test_the_server_finds_a_model_where_it_was_registered(cloud: Cloud, trial: Trial) -> None:
    client = Client(
        project="bank-nonprod",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": cloud.endpoint},
    )
    bucket = client.create_bucket("bank-nonprod-models", location="europe-west1")
    for path in Path(trial.evaluated_model.path).iterdir():
        bucket.blob(f"runs/1/model/{path.name}").upload_from_filename(path)
    found = cloud.folder / "found"
    code = (
        "import sys, pathlib, churn.serving as s; s.fetch(sys.argv[1], pathlib.Path(sys.argv[2]))"
    )
    subprocess.run(
        [sys.executable, "-c", code, "gs://bank-nonprod-models/runs/1/model/", str(found)],
        env={**os.environ, "STORAGE_EMULATOR_HOST": cloud.endpoint},
        check=True,
    )
    expected = {path.name: path.read_bytes() for path in Path(trial.evaluated_model.path).iterdir()}
    assert {path.name: path.read_bytes() for path in found.iterdir()} == expected
