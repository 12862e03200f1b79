"""Faults on demand: whatever is ordered goes wrong, and Google's clients meet it."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests
import yaml
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1
from google.cloud.storage import Client
from google.cloud.storage.retry import DEFAULT_RETRY

from gcp_local.storage.uploads import QUANTUM
from tests.gcp_local.emulators import Emulator, start
from tests.gcp_local.pipelines import compiled

CREATE = "google.cloud.aiplatform.v1.PipelineService.CreatePipelineJob"
LIST = "google.cloud.aiplatform.v1.PipelineService.ListPipelineJobs"
ADMIN = "/gcp-local/faults"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A server that these tests break."""
    emulator = start(tmp_path_factory.mktemp("broken"))
    yield emulator
    emulator.end()


@pytest.fixture(autouse=True)
def mended(broken: Emulator) -> Iterator[None]:
    broken.call("DELETE", ADMIN)
    yield
    broken.call("DELETE", ADMIN)


def order(emulator: Emulator, *rules: dict[str, Any]) -> None:
    answer = emulator.call("PUT", ADMIN, json={"faults": rules})
    assert answer.status_code == 200, answer.text


def told(emulator: Emulator) -> dict[str, Any]:
    return dict(emulator.call("GET", ADMIN).json())


class Jobs:
    """Creates jobs in a project, without the client's own retries."""

    def __init__(self, emulator: Emulator, project: str) -> None:
        self.parent = f"projects/{project}/locations/europe-west1"
        self.client: Any = aiplatform_v1.PipelineServiceClient(**emulator.gapic)

    def create(self, identity: str, retry: Any = None) -> Any:
        job = {
            "pipeline_spec": yaml.safe_load(compiled("doubling")),
            "runtime_config": {"gcs_output_directory": "gs://nowhere/runs"},
        }
        return self.client.create_pipeline_job(
            parent=self.parent, pipeline_job=job, pipeline_job_id=identity, retry=retry
        )

    def names(self) -> list[str]:
        found = self.client.list_pipeline_jobs(parent=self.parent)
        return sorted(job.name.rpartition("/")[2] for job in found)


@pytest.fixture
def jobs(broken: Emulator, project: str) -> Jobs:
    return Jobs(broken, project)


def test_an_error_before_the_effect_leaves_nothing_and_one_after_it_leaves_it_done(
    broken: Emulator, jobs: Jobs
) -> None:
    order(broken, {"method": CREATE, "error": 503, "nth": 1})
    with pytest.raises(exceptions.ServiceUnavailable, match="A fault that was ordered"):
        jobs.create("before")
    assert jobs.names() == []
    jobs.create("before")
    order(broken, {"method": CREATE, "error": 503, "when": "after", "times": 1})
    with pytest.raises(exceptions.ServiceUnavailable):
        jobs.create("after")
    assert jobs.names() == ["after", "before"]
    with pytest.raises(exceptions.Conflict):
        jobs.create("after")


def test_a_retrying_client_comes_through(broken: Emulator, jobs: Jobs) -> None:
    order(broken, {"method": CREATE, "error": 429, "times": 2})
    retry = Retry(predicate=lambda _: True, initial=0.01, maximum=0.02, timeout=10)
    jobs.create("third-time", retry=retry)
    (rule,) = told(broken)["faults"]
    assert (rule["seen"], rule["fired"]) == (3, 2)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, exceptions.Forbidden),
        (429, exceptions.TooManyRequests),
        (500, exceptions.InternalServerError),
        (503, exceptions.ServiceUnavailable),
    ],
)
def test_each_error_has_the_form_of_the_service_that_was_called(
    broken: Emulator, jobs: Jobs, status: int, error: type[Exception]
) -> None:
    order(broken, {"path": "/*", "error": status, "retry_after": 7})
    with pytest.raises(error):
        jobs.create("job")
    answer = broken.call("GET", "/storage/v1/b/some-bucket")
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "7")
    assert answer.json()["error"]["errors"][0]["domain"] == "global"
    answer = broken.call("GET", f"/v1/{jobs.parent}/pipelineJobs")
    assert answer.json()["error"]["code"] == status
    assert "status" in answer.json()["error"]
    answer = broken.call("POST", "/some-bucket/a?uploads")
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "7")
    assert ET.fromstring(answer.text).findtext("Message") == "A fault that was ordered."


def test_a_service_that_is_not_enabled_is_told_from_a_permission_that_lacks(
    broken: Emulator, jobs: Jobs
) -> None:
    service = "aiplatform.googleapis.com"
    order(broken, {"path": "/*", "error": 403, "disabled": service})
    with pytest.raises(exceptions.Forbidden, match="disabled") as refused:
        jobs.create("job")
    assert refused.value.reason == "SERVICE_DISABLED"
    assert refused.value.metadata["service"] == service
    answer = broken.call("GET", "/storage/v1/b/some-bucket").json()
    assert answer["error"]["errors"][0]["reason"] == "accessNotConfigured"


@pytest.mark.parametrize("how", [{"error": 503}, {"error": 500}, {"reset": True}], ids=str)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_resumable_upload_comes_through_whatever_piece_is_struck(
    broken: Emulator, project: str, how: dict[str, Any], when: str
) -> None:
    client = Client(
        project=project,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": broken.endpoint},
    )
    bucket = client.create_bucket(f"{project}-bucket")
    content = random.Random(0).randbytes(3 * QUANTUM + 5)
    quick = DEFAULT_RETRY.with_delay(initial=0.01)
    for piece in range(1, 5):
        order(broken, {"path": "/upload/*", "verb": "PUT", "when": when, "nth": piece, **how})
        blob = bucket.blob(f"piece-{piece}", chunk_size=QUANTUM)
        blob.upload_from_file(io.BytesIO(content), if_generation_match=0, retry=quick)
        assert told(broken)["faults"][0]["fired"] == 1
        assert blob.download_as_bytes() == content


def test_a_path_and_a_verb_strike_nothing_else(broken: Emulator, project: str) -> None:
    order(broken, {"path": "/storage/v1/b/*/o/*", "verb": "DELETE", "error": 503})
    client = Client(
        project=project,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": broken.endpoint},
    )
    blob = client.create_bucket(f"{project}-bucket").blob("a/b")
    blob.upload_from_string("kept")
    with pytest.raises(exceptions.ServiceUnavailable):
        blob.delete(retry=None)
    assert blob.download_as_text() == "kept"
    assert [call["fault"] for call in told(broken)["calls"]] == [None, None, 0, None]


def test_a_reset_closes_the_connection_before_or_after_the_effect(
    broken: Emulator, jobs: Jobs
) -> None:
    order(broken, {"method": CREATE, "reset": True, "nth": 1})
    with pytest.raises(requests.ConnectionError):
        jobs.create("unheard")
    assert jobs.names() == []
    order(broken, {"method": CREATE, "reset": True, "when": "after", "nth": 1})
    with pytest.raises(requests.ConnectionError):
        jobs.create("unanswered")
    assert jobs.names() == ["unanswered"]
    jobs.create("heard")


def test_a_delay_holds_up_no_other_call(broken: Emulator, jobs: Jobs) -> None:
    order(broken, {"method": CREATE, "latency": 0.8})
    started = time.monotonic()
    slow = threading.Thread(target=jobs.create, args=("slow",))
    slow.start()
    while not told(broken)["calls"]:
        time.sleep(0.01)
    for _ in range(10):
        assert jobs.names() == []
    assert time.monotonic() - started < 0.8
    slow.join()
    assert time.monotonic() - started >= 0.8
    assert jobs.names() == ["slow"]


def test_a_rate_strikes_the_same_calls_with_the_same_seed(broken: Emulator) -> None:
    def struck(**rule: Any) -> list[int]:
        order(broken, {"path": "/storage/*", "error": 500, **rule})
        answers = (broken.call("GET", "/storage/v1/b/missing") for _ in range(40))
        return [number for number, answer in enumerate(answers) if answer.status_code == 500]

    first = struck(rate=0.25, seed=3)
    assert 3 <= len(first) <= 20
    assert struck(rate=0.25, seed=3) == first
    assert struck(rate=0.25, seed=4) != first
    assert struck(rate=1) == list(range(40))


def test_the_log_has_every_call_in_order(broken: Emulator, jobs: Jobs) -> None:
    jobs.create("logged")
    jobs.names()
    broken.call("GET", "/storage/v1/b/missing")
    calls = told(broken)["calls"]
    assert [call["number"] for call in calls] == [1, 2, 3]
    assert [call["method"] for call in calls] == [CREATE, LIST, None]
    assert [call["status"] for call in calls] == [200, 200, 404]
    assert calls[0]["path"] == f"/v1/{jobs.parent}/pipelineJobs"
    broken.call("DELETE", ADMIN)
    assert told(broken) == {"faults": [], "calls": [], "forgotten_calls": 0}


def test_a_stop_ends_the_server_before_or_after_the_effect(broken: Emulator, project: str) -> None:
    for when, kept in (("before", []), ("after", ["killed"])):
        jobs = Jobs(broken, project)
        order(broken, {"method": CREATE, "stop": True, "when": when, "nth": 1})
        with pytest.raises(requests.ConnectionError):
            jobs.create("killed")
        assert broken.wait() == -9
        broken.restart()
        assert told(broken)["faults"] == []
        assert jobs.names() == kept


def test_one_more_can_be_ordered_and_the_first_that_strikes_counts(broken: Emulator) -> None:
    order(broken, {"path": "/storage/*", "error": 503, "times": 1})
    broken.call("POST", ADMIN, json={"path": "/storage/*", "error": 429})
    answers = [broken.call("GET", "/storage/v1/b/missing").status_code for _ in range(3)]
    assert answers == [503, 429, 429]
    assert [rule["fired"] for rule in told(broken)["faults"]] == [1, 2]


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({}, "method"),
        ({"method": CREATE, "path": "/*", "error": 500}, "method"),
        ({"method": "google.cloud.aiplatform.v1.PipelineService.Nope", "error": 500}, "method"),
        ({"method": "", "error": 500}, "method"),
        ({"path": "storage", "error": 500}, "path"),
        ({"path": "/*"}, "error"),
        ({"path": "/*", "error": 418}, "error"),
        ({"path": "/*", "error": "500"}, "error"),
        ({"path": "/*", "error": 500, "reset": True}, "reset"),
        ({"path": "/*", "reset": 1}, "reset"),
        ({"path": "/*", "latency": -1}, "latency"),
        ({"path": "/*", "latency": 0}, "latency"),
        ({"path": "/*", "reset": True, "retry_after": 3}, "retry_after"),
        ({"path": "/*", "error": 500, "retry_after": 1.5}, "retry_after"),
        ({"path": "/*", "error": 500, "disabled": "cloudkms.googleapis.com"}, "disabled"),
        ({"path": "/*", "error": 500, "rate": 0}, "rate"),
        ({"path": "/*", "error": 500, "rate": 1.1}, "rate"),
        ({"path": "/*", "error": 500, "rate": 0.5, "nth": 2}, "nth"),
        ({"path": "/*", "error": 500, "nth": 0}, "nth"),
        ({"path": "/*", "error": 500, "times": True}, "times"),
        ({"path": "/*", "error": 500, "seed": 1}, "seed"),
        ({"path": "/*", "error": 500, "when": "during"}, "when"),
        ({"path": "/*", "verb": "LOOK", "error": 500}, "verb"),
        ({"method": CREATE, "verb": "GET", "error": 500}, "verb"),
        ({"path": "/*", "error": 500, "unknown": 1}, "unknown"),
    ],
)
def test_a_rule_that_says_nothing_clear_is_refused(
    broken: Emulator, rule: dict[str, Any], field: str
) -> None:
    order(broken, {"path": "/nowhere", "error": 500})
    answer = broken.call("PUT", ADMIN, json={"faults": [rule]})
    assert answer.status_code == 400, answer.text
    (detail,) = answer.json()["error"]["details"]
    assert detail["fieldViolations"][0]["field"] == f"faults[0].{field}"
    assert len(told(broken)["faults"]) == 1


@pytest.mark.parametrize("body", ["[]", "{}", '{"faults": 1}', '{"faults": [1]}', "{", '"x"'])
def test_what_is_no_list_of_rules_is_refused(broken: Emulator, body: str) -> None:
    assert broken.call("PUT", ADMIN, data=body).status_code == 400


def test_faults_can_be_given_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"faults": [{"path": "/storage/*", "error": 503}]}))
    emulator = start(tmp_path / "state", "--faults", str(file))
    assert emulator.call("GET", "/storage/v1/b/missing").status_code == 503
    emulator.end()
    file.write_text('{"faults": [{"path": "/*", "error": 1}]}')
    command = [sys.executable, "-m", "gcp_local", "serve", "--state", str(tmp_path / "state")]
    done = subprocess.run(
        [*command, "--faults", str(file)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert f"{file}: Invalid faults[0].error" in done.stderr
    assert "Traceback" not in done.stderr
