"""Models and endpoints through the high-level SDK, as its documents use it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud import aiplatform
from google.cloud.storage import Bucket
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.vertex.models.serving_programs import ECHO

SCHEMA = "gs://google-cloud-aiplatform/schema/modelevaluation/classification_metrics_1.0.0.yaml"


@pytest.fixture
def initialized(emulator: Emulator, project: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.endpoint)
    aiplatform.init(
        project=project,
        location="europe-west1",
        api_endpoint=emulator.endpoint,
        api_transport="rest",
        credentials=emulator.credentials,
    )
    yield project
    aiplatform.init()


def upload(colour: str = "blue", **more: Any) -> aiplatform.Model:
    model: aiplatform.Model = aiplatform.Model.upload(
        display_name="churn",
        serving_container_image_uri="python:3.11",
        serving_container_command=["python", "-c", ECHO],
        serving_container_args=[colour],
        serving_container_health_route="/health",
        serving_container_predict_route="/predict",
        serving_container_ports=[8080],
        serving_container_environment_variables={"MY_COLOUR": colour},
        **more,
    )
    return model


class ToLoopback(HTTPAdapter):
    """Sends to the embedded cloud what would go to Google."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.endpoint = endpoint

    def send(self, request: PreparedRequest, *args: Any, **named: Any) -> Response:
        assert request.url is not None
        request.url = self.endpoint + "/" + request.url.split("/", 3)[3]
        return super().send(request, *args, **named)


def test_a_model_is_deployed_asked_and_undeployed(initialized: str, emulator: Emulator) -> None:
    model = upload(labels={"team": "ml"})
    assert model.version_id == "1"
    endpoint = model.deploy(machine_type="n1-standard-2")
    answer = endpoint.predict(instances=[{"age": 44}], parameters={"top": 1})
    assert answer.predictions == [["blue", {"age": 44.0}]]
    assert (answer.model_version_id, answer.model_resource_name) == ("1", model.resource_name)
    assert answer.metadata == {"top": 1.0}
    [deployed] = endpoint.list_models()
    assert endpoint.traffic_split == {deployed.id: 100}

    second = upload("green")
    endpoint.deploy(second, machine_type="n1-standard-2", traffic_percentage=0)
    [green] = [each.id for each in endpoint.list_models() if each.id != deployed.id]
    assert endpoint.traffic_split == {deployed.id: 100, green: 0}
    endpoint.update(traffic_split={deployed.id: 0, green: 100}, labels={"colour": "green"})
    assert endpoint.predict(instances=[1]).predictions == [["green", 1.0]]
    [found] = aiplatform.Endpoint.list(filter="labels.colour=green")
    assert found.resource_name == endpoint.resource_name

    session = Session()
    session.mount("https://europe-west1-aiplatform.googleapis.com", ToLoopback(emulator.endpoint))
    vars(endpoint)["authorized_session"] = session
    raw = endpoint.raw_predict(b'{"instances": [7]}', {"content-type": "application/json"})
    assert raw.json()["predictions"] == [["green", 7]]
    assert raw.headers["x-vertex-ai-deployed-model-id"] == green
    assert endpoint.predict(instances=[7], use_raw_predict=True).predictions == [["green", 7]]

    endpoint.undeploy(deployed.id)
    assert endpoint.traffic_split == {green: 100}
    endpoint.undeploy_all()
    assert endpoint.list_models() == []
    endpoint.delete()
    model.delete()
    assert [each.resource_name for each in aiplatform.Model.list()] == [second.resource_name]


def test_two_models_share_an_endpoint_by_percentage(initialized: str) -> None:
    endpoint = aiplatform.Endpoint.create(display_name="shared", endpoint_id="shared")
    endpoint.deploy(upload("blue"), machine_type="n1-standard-2")
    endpoint.deploy(upload("green"), machine_type="n1-standard-2", traffic_percentage=40)
    assert sorted(endpoint.traffic_split.values()) == [40, 60]
    endpoint.delete(force=True)
    assert aiplatform.Endpoint.list() == []


def test_the_registry_knows_versions_and_aliases(initialized: str) -> None:
    model = upload(version_aliases=["champion"], model_id="churn")
    upload("green", parent_model="churn", is_default_version=False, version_aliases=["candidate"])
    registry = aiplatform.models.ModelRegistry("churn")
    versions = {each.version_id: each for each in registry.list_versions()}
    assert set(versions["1"].version_aliases or ()) == {"champion", "default"}
    assert versions["2"].version_aliases == ["candidate"]
    registry.add_version_aliases(["champion"], version="2")
    assert registry.get_version_info("champion").version_id == "2"
    registry.remove_version_aliases(["candidate"], version="2")
    green = registry.get_model(version="champion")
    assert green.container_spec is not None
    assert green.container_spec.args == ["green"]
    endpoint = green.deploy(machine_type="n1-standard-2")
    assert endpoint.predict(instances=[1]).predictions == [["green", 1.0]]
    assert model.versioning_registry.get_version_info("default").version_id == "1"
    registry.update_version("2", version_description="the second", labels={"team": "other"})
    described = {each.version_id: each.version_description for each in registry.list_versions()}
    assert described == {"1": "", "2": "the second"}
    assert registry.get_model(version="2").labels == {"team": "other"}


def test_evaluations_are_imported_listed_and_read(initialized: str, emulator: Emulator) -> None:
    model = upload()
    body = {
        "modelEvaluation": {
            "displayName": "on last month",
            "metricsSchemaUri": SCHEMA,
            "metrics": {"auRoc": 0.97, "confidenceMetrics": [{"recall": 1}]},
            "metadata": {"pipeline_job_id": "7"},
        }
    }
    path = f"/v1/{model.resource_name}/evaluations"
    kept = emulator.call("POST", f"{path}:import", json=body).json()
    [listed] = model.list_model_evaluations()
    assert listed.resource_name == kept["name"]
    found = model.get_model_evaluation(listed.name)
    assert found is not None
    metrics: Any = found.metrics
    assert metrics["auRoc"] == 0.97
    assert metrics["confidenceMetrics"][0]["recall"] == 1.0


def test_a_model_is_exported_with_its_artifacts(initialized: str, bucket: Bucket) -> None:
    bucket.blob("models/one/model.bst").upload_from_string(b"\x00\x01", "application/x-model")
    bucket.blob("models/one/more/names.json").upload_from_string(b"[]")
    bucket.blob("models/one-more/other").upload_from_string(b"other")
    model = upload(artifact_uri=f"gs://{bucket.name}/models/one")
    assert list(model.supported_export_formats) == ["custom-trained"]
    told = model.export_model("custom-trained", artifact_destination=f"gs://{bucket.name}/out")
    target = told["artifactOutputUri"]
    assert target.startswith(f"gs://{bucket.name}/out/model-export-churn-20")
    prefix = target.removeprefix(f"gs://{bucket.name}/")
    blobs = {blob.name.removeprefix(prefix): blob for blob in bucket.list_blobs(prefix="out/")}
    assert sorted(blobs) == ["/model.bst", "/more/names.json"]
    assert blobs["/model.bst"].download_as_bytes() == b"\x00\x01"
    assert blobs["/model.bst"].content_type == "application/x-model"


def test_a_model_is_copied_to_another_region(initialized: str) -> None:
    model = upload(labels={"team": "ml"})
    copied = model.copy(destination_location="us-central1", destination_model_id="copy")
    assert copied.resource_name.endswith("/locations/us-central1/models/copy")
    assert (copied.labels, copied.version_aliases) == ({"team": "ml"}, ["default"])
    about = copied.gca_resource
    assert about.original_model_info.model == f"{model.resource_name}@1"
    assert about.model_source_info.copy
    again = model.copy(destination_location="us-central1", destination_parent_model="copy")
    assert again.version_id == "2"


def test_numbers_and_bytes_survive_base64(initialized: str) -> None:
    endpoint = upload().deploy(machine_type="n1-standard-2")
    image = base64.b64encode(bytes(range(256))).decode()
    [[_, told]] = endpoint.predict(instances=[{"b64": image, "n": 3}]).predictions
    assert told == {"b64": image, "n": 3.0}
