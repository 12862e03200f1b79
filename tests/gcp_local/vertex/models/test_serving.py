"""Model servers: what a serving container is told, and that it really serves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import aiplatform_v1

from gcp_local.cloud import Cloud
from gcp_local.containers.processes import StoppedError
from gcp_local.errors import (
    Aborted,
    ApiError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unavailable,
    Unimplemented,
)
from gcp_local.vertex.endpoints.fleet import Fleet
from gcp_local.vertex.platform import Platform
from gcp_local.vertex.serving import prebuilt
from gcp_local.vertex.serving.answers import read_predictions, refusal
from gcp_local.vertex.serving.contract import Occasion, contract_of, expanded
from gcp_local.vertex.serving.http import Reply, end_to_end
from gcp_local.vertex.serving.server import ModelServer
from gcp_local.vertex.serving.stand_ins import stand_in_for
from tests.gcp_local.vertex.models.serving_programs import BROKEN, COMPLAINT, DEAF, ECHO

OCCASION = Occasion("123", "europe-west1", "7", "8", "n1-standard-2")


def model_of(*command: str, **spec: Any) -> Any:
    model = aiplatform_v1.Model(
        name="projects/123/locations/europe-west1/models/churn",
        version_id="2",
        artifact_uri="gs://bucket/model",
        container_spec={"image_uri": "python:3.11", "command": command, **spec},
    )
    return aiplatform_v1.Model.pb(model)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    cloud = Cloud(tmp_path, "http://127.0.0.1:9")
    cloud.projects.number("serving-tests")
    platform = Platform(
        database=cloud.database,
        resources=cloud.resources,
        operations=None,  # type: ignore[arg-type]  # serving begins none
        projects=cloud.projects,
        objects=cloud.objects,
        host=cloud.host,
        tables=cloud.bigquery.exchange,
        work=tmp_path / "work",
    )
    yield platform
    assert list((tmp_path / "work").glob("serving/*")) == [], "a server left its folder"
    cloud.close()


@pytest.fixture
def occasion(platform: Platform) -> Occasion:
    return Occasion(platform.projects.number("serving-tests"), "europe-west1", "7", "8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A) and $(B)", "one and two"),
        ("$(UNKNOWN) stays", "$(UNKNOWN) stays"),
        ("$$(A) is escaped", "$(A) is escaped"),
        ("$A is bash's", "$A is bash's"),
    ],
)
def test_references_to_variables_are_expanded_as_kubernetes_does(text: str, expected: str) -> None:
    assert expanded(text, {"A": "one", "B": "two"}) == expected


def test_a_container_is_told_what_vertex_ai_documents() -> None:
    contract = contract_of(model_of("serve"), OCCASION, 4321)
    assert contract.variables == {
        "AIP_MODE": "PREDICTION",
        "AIP_MODE_VERSION": "1.0.0",
        "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
        "AIP_PROJECT_NUMBER": "123",
        "AIP_MODEL_NAME": "churn",
        "AIP_VERSION_NAME": "2",
        "AIP_ENDPOINT_ID": "7",
        "AIP_DEPLOYED_MODEL_ID": "8",
        "AIP_MACHINE_TYPE": "n1-standard-2",
        "AIP_HTTP_PORT": "4321",
        "AIP_HEALTH_ROUTE": "/v1/endpoints/7/deployedModels/8",
        "AIP_PREDICT_ROUTE": "/v1/endpoints/7/deployedModels/8:predict",
        "AIP_STORAGE_URI": "gs://bucket/model",
    }


def test_a_model_says_routes_variables_arguments_and_patience() -> None:
    model = model_of(
        "serve",
        args=["--model=$(AIP_STORAGE_URI)", "$(SECOND)"],
        env=[{"name": "FIRST", "value": "1"}, {"name": "SECOND", "value": "$(FIRST)2"}],
        predict_route="/predict",
        health_route="/health",
        health_probe={"http_get": {"path": "/ready"}},
        deployment_timeout=timedelta(minutes=2),
    )
    contract = contract_of(model, OCCASION, 1)
    assert contract.command == ("serve",)
    assert contract.arguments == ("--model=gs://bucket/model", "12")
    assert (contract.variables["FIRST"], contract.variables["SECOND"]) == ("1", "12")
    assert contract.variables["AIP_PREDICT_ROUTE"] == contract.predict_route == "/predict"
    assert contract.health_routes == ("/health", "/ready")
    assert contract.startup_seconds == 120


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"grpc_ports": [{"container_port": 8500}]}, Unimplemented),
        ({"invoke_route_prefix": "/*"}, FailedPrecondition),
        ({"startup_probe": {"exec_": {"command": ["true"]}}}, Unimplemented),
        ({"image_uri": ""}, FailedPrecondition),
    ],
    ids=str,
)
def test_what_cannot_be_served_is_refused(spec: dict[str, Any], error: type[ApiError]) -> None:
    with pytest.raises(error):
        contract_of(model_of(**spec), OCCASION, 1)


def test_a_served_model_predicts(platform: Platform, occasion: Occasion) -> None:
    model = model_of("python", "-c", ECHO, args=["blue"], env=[{"name": "MY_ENV", "value": "5"}])
    with ModelServer.started(platform, model, occasion) as server:
        found = server.predict([1, {"a": None}], {"top": 3})
        assert found.predictions == [["blue", 1], ["blue", {"a": None}]]
        assert found.metadata == {"top": 3}
        [told] = server.predict(["environment"]).predictions
        assert (told["MY_ENV"], told["AIP_STORAGE_URI"]) == ("5", "gs://bucket/model")
        reply = server.ask(b"abc", {"content-type": "text/plain", "x-mark": "!"})
        assert reply.body == b"text/plain ! cba"
        assert reply.content_type == "application/octet-stream"
        with pytest.raises(NotFound, match="as you wish"):
            server.predict([{"status": 404}])
        with pytest.raises(FailedPrecondition, match="the response field predictions is missing"):
            server.predict(["speechless"])
        assert server.alive
        with pytest.raises(Unavailable, match=r"exited unexpectedly \(exit code 3\)"):
            server.predict(["die"])
        assert not server.alive


def test_an_answer_that_drips_has_no_longer_than_one_that_hangs(
    platform: Platform, occasion: Occasion
) -> None:
    model = model_of("python", "-c", ECHO, args=["blue"])
    with ModelServer.started(platform, model, occasion) as server:
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"did not answer within 0\.3 s"):
            server.predict([{"drip": 20}], timeout=0.3)
        assert time.monotonic() - began < 1


def test_a_model_undeployed_since_it_was_found_is_not_started(
    platform: Platform, occasion: Occasion
) -> None:
    fleet = Fleet(platform)
    endpoint = f"projects/{occasion.project}/locations/europe-west1/endpoints/7"
    model = model_of("python", "-c", ECHO, args=["blue"])
    with pytest.raises(Aborted, match="undeployed"):
        fleet.server((endpoint, "8"), model, "", still_deployed=lambda: False)
    assert not list((platform.work / "serving").glob("*"))
    assert fleet.server((endpoint, "8"), model, "").alive
    fleet.close()


def test_a_server_that_cannot_start_says_why(platform: Platform, occasion: Occasion) -> None:
    said = rf"exit code 1\).\s*Its log ends with:\s*{COMPLAINT}"
    with pytest.raises(FailedPrecondition, match=said):
        ModelServer.started(platform, model_of("python", "-c", BROKEN), occasion)
    with pytest.raises(FailedPrecondition, match="no program 'no-such-program'"):
        ModelServer.started(platform, model_of("no-such-program"), occasion)
    with pytest.raises(FailedPrecondition, match="entry point"):
        ModelServer.started(platform, model_of(), occasion)
    unknown = model_of("serve", image_uri="europe-docker.pkg.dev/p/r/unknown:latest")
    with pytest.raises(FailedPrecondition, match="cannot be run on this host"):
        ModelServer.started(platform, unknown, occasion)


def test_a_server_that_is_never_healthy_ends_in_time(
    platform: Platform, occasion: Occasion
) -> None:
    model = model_of("python", "-c", DEAF, deployment_timeout=timedelta(seconds=1))
    with pytest.raises(FailedPrecondition, match="never became healthy") as failure:
        ModelServer.started(platform, model, occasion)
    assert "listening to nobody" in str(failure.value)


def test_who_waits_for_a_server_can_be_stopped(platform: Platform, occasion: Occasion) -> None:
    stopped = threading.Event()
    threading.Timer(0.2, stopped.set).start()
    with pytest.raises(StoppedError):
        ModelServer.started(platform, model_of("python", "-c", DEAF), occasion, stopped=stopped)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, FailedPrecondition),
        (403, PermissionDenied),
        (422, FailedPrecondition),
        (503, Unavailable),
        (302, FailedPrecondition),
    ],
)
def test_a_containers_refusal_is_passed_on(status: int, error: type[ApiError]) -> None:
    found = refusal(Reply(status, {}, b'{"detail": "no"}'))
    assert type(found) is error
    assert '{"detail": "no"}' in found.message


def test_headers_of_one_connection_are_not_handed_on() -> None:
    given = {"Connection": "close, X-Hop", "X-Hop": "1", "X-Mark": "2", "Transfer-Encoding": "gzip"}
    assert end_to_end(given) == {"x-mark": "2"}


def test_an_answer_that_is_not_json_is_an_error() -> None:
    with pytest.raises(FailedPrecondition, match="not JSON"):
        read_predictions(Reply(200, {}, b"<html>"))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["model.pkl"], "pickle"),
        (["model.joblib", "other"], "pickle"),
        (["saved_model.pb"], "none of"),
        (["model.bst", "model.json"], "one is needed"),
    ],
    ids=str,
)
def test_pickles_and_strangers_are_never_opened(names: list[str], said: str) -> None:
    with pytest.raises(prebuilt.UnservableError, match=said):
        prebuilt.choose(names)
    assert prebuilt.choose(["model.bst", "model.pkl"]) == "model.bst"


@pytest.mark.parametrize(
    "image",
    [
        "us-docker.pkg.dev/vertex-ai/prediction/xgboost-cpu.2-1:latest",
        "europe-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-5:latest",
        "gcr.io/cloud-aiplatform/prediction/xgboost-cpu.1-1",
    ],
)
def test_googles_prebuilt_images_are_stood_in_for(
    image: str, platform: Platform, occasion: Occasion
) -> None:
    found = stand_in_for(image)
    assert found is not None
    assert found.module == prebuilt.__name__
    with pytest.raises(InvalidArgument, match="takes no command"):
        ModelServer.started(platform, model_of("python", image_uri=image), occasion)


def test_no_other_image_is_stood_in_for() -> None:
    assert stand_in_for("europe-docker.pkg.dev/mine/prediction/xgboost-cpu.2-1:latest") is None
