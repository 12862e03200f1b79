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

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    state = tmp_path / "state"
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
        yield Cloud(endpoint, tmp_path)
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
