"""Vertex AI's EndpointService and PredictionService, through Google's typed clients."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.api import httpbody_pb2  # type: ignore[import-untyped]
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.protobuf.field_mask_pb2 import FieldMask

from tests.gcp_local.emulators import Emulator, start
from tests.gcp_local.vertex.models.deploying import RESOURCES, Vertex
from tests.gcp_local.vertex.models.serving_programs import BROKEN, COMPLAINT, DEAF, GATED

CPU = "aiplatform.googleapis.com/prediction/online/cpu/utilization"


@pytest.fixture
def vertex(emulator: Emulator, project: str) -> Vertex:
    return Vertex(emulator, f"projects/{project}/locations/europe-west1")


@pytest.fixture(scope="module")
def blue(emulator: Emulator) -> tuple[Vertex, str]:
    """An endpoint with one model, for tests that leave it as it is."""
    vertex = Vertex(emulator, "projects/blue-endpoint/locations/europe-west1")
    endpoint = vertex.endpoint()
    vertex.deploy(endpoint, vertex.echo("blue"), {"0": 100})
    return vertex, endpoint


def served_by(emulator: Emulator) -> list[int]:
    """The processes of this server's containers that serve."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if b"AIP_HTTP_PORT=" in environment and emulator.endpoint.encode() in environment:
                found.append(int(folder.name))
    return found


def test_an_endpoint_lives_and_dies(vertex: Vertex) -> None:
    name = vertex.endpoint("churn-1", labels={"team": "ml"}, description="for tests")
    assert name.endswith("/locations/europe-west1/endpoints/churn-1")
    assert name.split("/")[1].isdecimal()
    client = vertex.endpoints
    found = client.get_endpoint(name=f"{vertex.parent}/endpoints/churn-1")
    assert (found.name, found.description, dict(found.labels)) == (
        name,
        "for tests",
        {"team": "ml"},
    )
    assert found.create_time
    assert found.etag
    with pytest.raises(exceptions.Conflict):
        vertex.endpoint("churn-1")
    client.delete_endpoint(name=name)
    with pytest.raises(exceptions.NotFound):
        client.get_endpoint(name=name)


def test_endpoints_are_listed_filtered_and_ordered(vertex: Vertex) -> None:
    for number, endpoint_id in enumerate(("first", "second", "7")):
        vertex.endpoint(endpoint_id, labels={"n": str(number)})
    client = vertex.endpoints

    def ids(**request: Any) -> list[str]:
        listed = client.list_endpoints(request={"parent": vertex.parent, **request})
        return [endpoint.name.rpartition("/")[2] for endpoint in listed]

    assert ids() == ["7", "second", "first"]
    assert ids(order_by="create_time", page_size=1) == ["first", "second", "7"]
    assert ids(filter="endpoint=7") == ["7"]
    assert ids(filter='displayName="churn" AND labels.n="1"') == ["second"]
    [shown] = client.list_endpoints(
        request={
            "parent": vertex.parent,
            "filter": 'endpoint="first"',
            "read_mask": FieldMask(paths=["labels"]),
        }
    )
    assert (shown.display_name, dict(shown.labels)) == ("", {"n": "0"})
    with pytest.raises(exceptions.BadRequest):
        ids(filter="description=x")
    elsewhere = vertex.parent.replace("europe-west1", "us-central1")
    assert list(client.list_endpoints(parent=elsewhere)) == []


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"display_name": ""}, exceptions.BadRequest),
        ({"labels": {"Team": "x"}}, exceptions.BadRequest),
        ({"traffic_split": {"1": 100}}, exceptions.BadRequest),
        ({"network": "projects/1/global/networks/default"}, exceptions.MethodNotImplemented),
        ({"dedicated_endpoint_enabled": True}, exceptions.MethodNotImplemented),
        ({"encryption_spec": {"kms_key_name": "key"}}, exceptions.BadRequest),
        (
            {"client_connection_config": {"inference_timeout": timedelta(hours=2)}},
            exceptions.BadRequest,
        ),
        (
            {"predict_request_response_logging_config": {"enabled": True, "sampling_rate": 0.1}},
            exceptions.MethodNotImplemented,
        ),
    ],
    ids=str,
)
def test_an_endpoint_that_cannot_be_is_refused(
    vertex: Vertex, said: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        vertex.endpoints.create_endpoint(
            parent=vertex.parent, endpoint={"display_name": "churn", **said}
        )


@pytest.mark.parametrize("endpoint_id", ["Capital", "-a", "a-", "012", "1234567890", "a" * 64])
def test_bad_endpoint_ids_are_refused(vertex: Vertex, endpoint_id: str) -> None:
    with pytest.raises(exceptions.BadRequest):
        vertex.endpoint(endpoint_id)


def test_update_changes_what_the_mask_names(vertex: Vertex) -> None:
    name, client = vertex.endpoint(labels={"a": "1"}), vertex.endpoints
    said = aiplatform_v1.Endpoint(name=name, display_name="renamed", description="ignored")
    changed = client.update_endpoint(
        endpoint=said, update_mask=FieldMask(paths=["display_name", "labels"])
    )
    assert (changed.display_name, changed.description, dict(changed.labels)) == ("renamed", "", {})
    said.etag = "stale"
    with pytest.raises(exceptions.Conflict):
        client.update_endpoint(endpoint=said, update_mask=FieldMask(paths=["description"]))
    with pytest.raises(exceptions.BadRequest):
        client.update_endpoint(endpoint=said, update_mask=FieldMask(paths=["network"]))
    config = {"inference_timeout": timedelta(seconds=90)}
    operation: Any = client.update_endpoint_long_running(
        request={"endpoint": {"name": name, "client_connection_config": config}}
    )
    found = operation.result(timeout=5).client_connection_config.inference_timeout
    assert found == timedelta(seconds=90)


def test_a_deployed_model_predicts_and_is_undeployed(vertex: Vertex) -> None:
    endpoint, model = vertex.endpoint(), vertex.echo("blue")
    deployed_id = vertex.deploy(endpoint, model, {"0": 100})
    found = vertex.endpoints.get_endpoint(name=endpoint)
    [deployed] = found.deployed_models
    assert (deployed.id, deployed.model, deployed.model_version_id) == (deployed_id, model, "1")
    assert deployed.display_name == "churn"
    assert deployed.dedicated_resources.max_replica_count == 1
    assert dict(found.traffic_split) == {deployed_id: 100}
    [reference] = vertex.models.get_model(name=model).deployed_models
    assert (reference.endpoint, reference.deployed_model_id) == (endpoint, deployed_id)

    answer = vertex.predictions.predict(
        endpoint=endpoint, instances=[{"age": 44, "rate": 0.5}, None], parameters={"top": 3}
    )
    assert [list(each) for each in answer.predictions] == [
        ["blue", {"age": 44, "rate": 0.5}],
        ["blue", None],
    ]
    assert (answer.deployed_model_id, answer.model) == (deployed_id, model)
    assert (answer.model_version_id, answer.model_display_name) == ("1", "churn")
    [told] = vertex.predictions.predict(endpoint=endpoint, instances=["environment"]).predictions
    assert told["AIP_ENDPOINT_ID"] == endpoint.rpartition("/")[2]
    assert told["AIP_DEPLOYED_MODEL_ID"] == deployed_id
    assert told["AIP_MACHINE_TYPE"] == "n1-standard-2"

    with pytest.raises(exceptions.BadRequest, match="deployed"):
        vertex.models.delete_model(name=model)
    with pytest.raises(exceptions.BadRequest, match="Undeploy"):
        vertex.endpoints.delete_endpoint(name=endpoint)
    vertex.undeploy(endpoint, deployed_id)
    found = vertex.endpoints.get_endpoint(name=endpoint)
    assert (list(found.deployed_models), dict(found.traffic_split)) == ([], {})
    with pytest.raises(exceptions.BadRequest, match="doesn't have traffic_split"):
        vertex.predictions.predict(endpoint=endpoint, instances=[1])
    vertex.models.delete_model(name=model)
    vertex.endpoints.delete_endpoint(name=endpoint)


def test_whole_numbers_reach_a_model_as_such(vertex: Vertex) -> None:
    endpoint = vertex.endpoint()
    vertex.deploy(endpoint, vertex.echo("blue"), {"0": 100})
    raw = vertex.emulator.call("POST", f"/v1/{endpoint}:rawPredict", json={"instances": [[5, 5.5]]})
    typed = vertex.emulator.call("POST", f"/v1/{endpoint}:predict", json={"instances": [[5, 5.5]]})
    assert raw.json()["predictions"] == [["blue", [5, 5.5]]]
    assert typed.json()["predictions"] == [["blue", [5, 5.5]]]


def test_raw_predict_passes_any_body_and_its_headers(vertex: Vertex) -> None:
    endpoint = vertex.endpoint()
    deployed_id = vertex.deploy(endpoint, vertex.echo("blue"), {"0": 100})
    path = f"/v1/{endpoint}:rawPredict"
    headers = {"content-type": "text/csv", "x-mark": "here", "authorization": "Bearer secret"}
    raw = vertex.emulator.call("POST", path, data=b"\x00\xff,1", headers=headers)
    assert raw.content == b"text/csv here 1,\xff\x00"
    assert raw.headers["content-type"] == "application/octet-stream"
    assert raw.headers["x-served-by"] == "blue"
    assert raw.headers["x-vertex-ai-endpoint-id"] == endpoint.rpartition("/")[2]
    assert raw.headers["x-vertex-ai-deployed-model-id"] == deployed_id
    body = json.dumps({"instances": [1]}).encode()
    typed = vertex.predictions.raw_predict(
        endpoint=endpoint,
        http_body=httpbody_pb2.HttpBody(content_type="application/json", data=body),
    )
    assert json.loads(typed.data)["predictions"] == [["blue", 1]]
    assert typed.content_type == "application/json"
    large = vertex.emulator.call("POST", path, data=b"x" * 1_500_001)
    assert (large.status_code, large.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    odd = vertex.emulator.call("POST", f"{path}?colour=red", data=body)
    assert odd.status_code == 400


def test_a_models_refusal_is_passed_on_and_its_death_survived(vertex: Vertex) -> None:
    endpoint = vertex.endpoint()
    vertex.deploy(endpoint, vertex.echo("blue"), {"0": 100})
    client = vertex.predictions
    with pytest.raises(exceptions.NotFound, match="as you wish"):
        client.predict(endpoint=endpoint, instances=[{"status": 404}])
    with pytest.raises(exceptions.BadRequest, match="as you wish"):
        client.predict(endpoint=endpoint, instances=[{"status": 422}])
    with pytest.raises(exceptions.InternalServerError, match="as you wish"):
        client.predict(endpoint=endpoint, instances=[{"status": 500}])
    with pytest.raises(exceptions.BadRequest, match="predictions is missing"):
        client.predict(endpoint=endpoint, instances=["speechless"])
    with pytest.raises(exceptions.ServiceUnavailable, match="exit code 3"):
        client.predict(endpoint=endpoint, instances=["die"], retry=None)
    again = client.predict(endpoint=endpoint, instances=[1])
    assert list(again.predictions[0]) == ["blue", 1]


def test_a_prediction_takes_no_longer_than_the_endpoint_allows(vertex: Vertex) -> None:
    config = {"inference_timeout": timedelta(seconds=0.5)}
    endpoint = vertex.endpoint(client_connection_config=config)
    vertex.deploy(endpoint, vertex.echo("blue"), {"0": 100})
    with pytest.raises(exceptions.ServiceUnavailable, match=r"did not answer within 0\.5 s"):
        vertex.predictions.predict(endpoint=endpoint, instances=[{"sleep": 3}], retry=None)
    assert vertex.predictions.predict(endpoint=endpoint, instances=[1]).predictions


def test_a_model_that_is_undeployed_answers_what_it_was_asked(vertex: Vertex) -> None:
    endpoint = vertex.endpoint()
    deployed_id = vertex.deploy(endpoint, vertex.echo("blue"), {"0": 100})
    path, body = f"/v1/{endpoint}:predict", json.dumps({"instances": [{"sleep": 1}]})
    with ThreadPoolExecutor(1) as asker:
        asked = asker.submit(vertex.emulator.call, "POST", path, data=body)
        time.sleep(0.5)
        vertex.undeploy(endpoint, deployed_id)
        assert asked.result().json()["predictions"] == [["blue", {"sleep": 1}]]


def test_models_that_hang_do_not_keep_the_rest_waiting(vertex: Vertex) -> None:
    endpoint = vertex.endpoint(client_connection_config={"inference_timeout": timedelta(seconds=3)})
    vertex.deploy(endpoint, vertex.echo("blue"), {"0": 100})
    path, body = f"/v1/{endpoint}:predict", json.dumps({"instances": [{"sleep": 3}]})
    with ThreadPoolExecutor(50) as crowd:
        hanging = [crowd.submit(vertex.emulator.call, "POST", path, data=body) for _ in range(50)]
        time.sleep(0.5)
        asked = time.monotonic()
        vertex.endpoints.get_endpoint(name=endpoint)
        assert time.monotonic() - asked < 1.5
    assert len(hanging) == 50


@pytest.mark.parametrize(
    "answer",
    [
        '{"predictions": [1e999]}',
        '{"predictions": [1], "metadata": NaN}',
        '{"predictions": ["\\ud800"]}',
        '{"predictions": [' + "[" * 150 + "]" * 150 + "]}",
        '{"predictions": [' + "[" * 50_000 + "]" * 50_000 + "]}",
        '{"predictions": {"0": 1}}',
    ],
    ids=["infinite", "nan", "half a letter", "deep", "very deep", "no list"],
)
def test_an_answer_that_no_client_could_read_is_the_models_fault(
    answer: str, blue: tuple[Vertex, str]
) -> None:
    vertex, endpoint = blue
    with pytest.raises(exceptions.BadRequest, match="Invalid response from prediction server"):
        vertex.predictions.predict(endpoint=endpoint, instances=[{"say": answer}])


def test_an_answer_larger_than_google_hands_on_is_refused(blue: tuple[Vertex, str]) -> None:
    vertex, endpoint = blue
    answer = json.dumps({"predictions": ["x" * 1_400_000]})
    [found] = vertex.predictions.predict(endpoint=endpoint, instances=[{"say": answer}]).predictions
    assert len(found) == 1_400_000
    body = json.dumps({"instances": [{"flood": 1_500_001}]})
    for method in ("predict", "rawPredict"):
        refused = vertex.emulator.call("POST", f"/v1/{endpoint}:{method}", data=body)
        assert refused.status_code == 400
        assert "larger than 1500000 bytes" in refused.json()["error"]["message"]


def test_the_traffic_split_is_honoured(vertex: Vertex) -> None:
    endpoint = vertex.endpoint()
    blue = vertex.deploy(endpoint, vertex.echo("blue"), {"0": 100})
    green = vertex.deploy(endpoint, vertex.echo("green"), {"0": 30, blue: 70}, id="77")
    assert green == "77"
    idle = vertex.deploy(endpoint, vertex.echo("idle"))
    client = vertex.predictions
    seen = Counter(
        client.predict(endpoint=endpoint, instances=[1]).deployed_model_id for _ in range(150)
    )
    # Of 150 fair draws, fewer than 18 or more than 75 at 30 % come once in 100,000 runs.
    assert seen[idle] == 0
    assert 18 <= seen[green] <= 75
    assert seen[blue] == 150 - seen[green]
    said = aiplatform_v1.Endpoint(name=endpoint, traffic_split={idle: 100})
    vertex.endpoints.update_endpoint(endpoint=said, update_mask=FieldMask(paths=["traffic_split"]))
    assert client.predict(endpoint=endpoint, instances=[1]).deployed_model_id == idle
    with pytest.raises(exceptions.BadRequest, match="still has traffic"):
        vertex.undeploy(endpoint, idle)
    vertex.undeploy(endpoint, idle, {green: 100})
    vertex.undeploy(endpoint, blue)
    found = vertex.endpoints.get_endpoint(name=endpoint)
    assert dict(found.traffic_split) == {green: 100}


@pytest.mark.parametrize("split", [{"0": 90}, {"0": 50, "9": 50}, {"0": 150, "1": -50}], ids=str)
def test_a_traffic_split_that_does_not_add_up_is_refused(
    vertex: Vertex, split: dict[str, int]
) -> None:
    with pytest.raises(exceptions.BadRequest):
        vertex.deploy(vertex.endpoint(), vertex.model("python"), split)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"dedicated_resources": None}, exceptions.BadRequest),
        ({"dedicated_resources": {"min_replica_count": 0}}, exceptions.BadRequest),
        (
            {"dedicated_resources": {"min_replica_count": 2, "max_replica_count": 1}},
            exceptions.BadRequest,
        ),
        (
            {"dedicated_resources": {**RESOURCES, "machine_spec": {"machine_type": "big"}}},
            exceptions.BadRequest,
        ),
        (
            {
                "dedicated_resources": {
                    **RESOURCES,
                    "machine_spec": {"accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1},
                }
            },
            exceptions.MethodNotImplemented,
        ),
        *(
            (
                {"dedicated_resources": {**RESOURCES, "autoscaling_metric_specs": specs}},
                exceptions.BadRequest,
            )
            for specs in (
                [{"metric_name": "load", "target": 50}],
                [{"metric_name": CPU, "target": 101}],
                [{"metric_name": CPU}, {"metric_name": CPU}],
            )
        ),
        ({"id": "0"}, exceptions.BadRequest),
        ({"id": "blue"}, exceptions.BadRequest),
        ({"service_account": "me"}, exceptions.BadRequest),
    ],
    ids=str,
)
def test_a_deployment_that_cannot_be_is_refused_at_once(
    vertex: Vertex, said: dict[str, Any], error: type[Exception]
) -> None:
    endpoint, model = vertex.endpoint(), vertex.model("python")
    deployed = {"model": model, "dedicated_resources": RESOURCES, **said}
    with pytest.raises(error):
        vertex.endpoints.deploy_model(
            endpoint=endpoint, deployed_model=deployed, traffic_split={"0": 100}
        )
    elsewhere = endpoint.replace("europe-west1", "us-central1")
    with pytest.raises(exceptions.NotFound):
        vertex.deploy(elsewhere, model, {"0": 100})
    with pytest.raises(exceptions.NotFound):
        vertex.deploy(endpoint, f"{model}@7", {"0": 100})


def test_a_model_that_cannot_start_leaves_the_endpoint_as_it_was(vertex: Vertex) -> None:
    endpoint, model = vertex.endpoint(), vertex.model("python", "-c", BROKEN)
    with pytest.raises(exceptions.GoogleAPICallError, match=COMPLAINT):
        vertex.deploy(endpoint, model, {"0": 100})
    found = vertex.endpoints.get_endpoint(name=endpoint)
    assert (list(found.deployed_models), dict(found.traffic_split)) == ([], {})
    vertex.models.delete_model(name=model)


def test_a_deployed_model_can_be_resized(vertex: Vertex) -> None:
    endpoint = vertex.endpoint()
    scaled = {**RESOURCES, "autoscaling_metric_specs": [{"metric_name": CPU}]}
    model = vertex.echo("blue")
    deployed_id = vertex.deploy(endpoint, model, {"0": 100}, dedicated_resources=scaled)
    said = {"id": deployed_id, "dedicated_resources": {"max_replica_count": 3}}
    operation: Any = vertex.endpoints.mutate_deployed_model(
        endpoint=endpoint,
        deployed_model=said,
        update_mask=FieldMask(paths=["dedicated_resources.max_replica_count"]),
    )
    changed = operation.result(timeout=5).deployed_model.dedicated_resources
    assert (changed.min_replica_count, changed.max_replica_count) == (1, 3)
    [metric] = changed.autoscaling_metric_specs
    assert (metric.metric_name, metric.target) == (CPU, 60)
    with pytest.raises(exceptions.BadRequest):
        vertex.endpoints.mutate_deployed_model(
            endpoint=endpoint, deployed_model=said, update_mask=FieldMask(paths=["model"])
        )
    with pytest.raises(exceptions.NotFound):
        vertex.endpoints.mutate_deployed_model(
            endpoint=endpoint,
            deployed_model={**said, "id": "9"},
            update_mask=FieldMask(paths=["dedicated_resources.max_replica_count"]),
        )


def started(vertex: Vertex, endpoint: str, model: str, **more: Any) -> Any:
    """Begin a deployment and give its operation."""
    deployed = {"model": model, "dedicated_resources": RESOURCES, **more}
    return vertex.endpoints.deploy_model(
        endpoint=endpoint, deployed_model=deployed, traffic_split={"0": 100}
    )


def failure_of(operation: Any) -> str:
    with pytest.raises(exceptions.GoogleAPICallError) as failure:
        operation.result(timeout=20)
    return str(failure.value)


def test_a_deployment_can_be_cancelled(vertex: Vertex) -> None:
    endpoint = vertex.endpoint()
    operation = started(vertex, endpoint, vertex.model("python", "-c", DEAF))
    vertex.endpoints.cancel_operation({"name": operation.operation.name})
    assert "undeployed" in failure_of(operation) or "cancelled" in failure_of(operation)
    vertex.endpoints.delete_endpoint(name=endpoint).result(timeout=5)


def test_what_changes_during_a_deployment_is_noticed_at_its_end(
    vertex: Vertex, tmp_path: Path
) -> None:
    gate = [{"name": "MY_GATE", "value": str(tmp_path / "gate")}]
    model = vertex.model("python", "-c", GATED, "gated", env=gate)
    doomed, kept, forgotten = (vertex.endpoint() for _ in range(3))
    lost = started(vertex, doomed, model)
    one = started(vertex, kept, model, id="5")
    with pytest.raises(exceptions.Conflict, match="being deployed already"):
        started(vertex, kept, model, id="5")
    orphan = vertex.model("python", "-c", GATED, "orphan", env=gate)
    without_model = started(vertex, forgotten, orphan)
    vertex.endpoints.delete_endpoint(name=doomed).result(timeout=5)
    vertex.models.delete_model(name=orphan).result(timeout=5)
    (tmp_path / "gate").touch()
    assert "does not exist" in failure_of(lost)
    assert "does not exist" in failure_of(without_model)
    assert one.result(timeout=20).deployed_model.id == "5"
    with pytest.raises(exceptions.Conflict, match="already"):
        started(vertex, kept, model, id="5")
    answer = vertex.predictions.predict(endpoint=kept, instances=[1])
    assert list(answer.predictions[0]) == ["gated", 1]
    [reference] = vertex.models.get_model(name=model).deployed_models
    assert reference.endpoint == kept


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds processes by /proc")
def test_what_is_deployed_is_served_again_after_a_kill(tmp_path: Path, project: str) -> None:
    emulator = start(tmp_path / "state")
    try:
        vertex = Vertex(emulator, f"projects/{project}/locations/europe-west1")
        endpoint = vertex.endpoint()
        deployed_id = vertex.deploy(endpoint, vertex.echo("blue"), {"0": 100})
        underway = started(vertex, endpoint, vertex.model("python", "-c", DEAF))
        for _ in range(250):
            if len(served_by(emulator)) == 2:
                break
            time.sleep(0.02)
        running = served_by(emulator)
        assert len(running) == 2
    finally:
        emulator.kill()
    for _ in range(250):
        if not any(Path(f"/proc/{served}").exists() for served in running):
            break
        time.sleep(0.02)
    assert not any(Path(f"/proc/{served}").exists() for served in running), "orphaned"
    emulator = start(tmp_path / "state")
    try:
        again = Vertex(emulator, vertex.parent)
        assert served_by(emulator) == [], "nobody has asked yet"
        operation = emulator.call("GET", f"/v1/{underway.operation.name}").json()
        assert "stopped" in operation["error"]["message"]
        [kept] = again.endpoints.get_endpoint(name=endpoint).deployed_models
        assert kept.id == deployed_id
        answer = again.predictions.predict(endpoint=endpoint, instances=[1])
        assert answer.deployed_model_id == deployed_id
        [served] = served_by(emulator)
    finally:
        assert emulator.end() == 0
    assert not Path(f"/proc/{served}").exists()
