"""The server's life, its door, and what it does with bad requests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from google.api_core import exceptions
from google.cloud import aiplatform_v1

from tests.gcp_local.emulators import Emulator, start
from tests.gcp_local.vertex.test_pipelines import job_of, wait

JOBS = "/v1/projects/my-project/locations/europe-west1/pipelineJobs"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_web_page_can_start_nothing(emulator: Emulator, headers: dict[str, str]) -> None:
    for path in (JOBS, "/storage/v1/b?project=my-project", "/gcp-local/images?repository=x"):
        answer = emulator.call("POST", path, json={}, headers=headers)
        assert answer.status_code == 403, answer.text


def test_a_web_page_opens_no_websocket(emulator: Emulator) -> None:
    asked = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    for headers, status in (({"Origin": "https://evil.example"}, 403), ({}, 404)):
        assert emulator.call("GET", "/x", headers={**asked, **headers}).status_code == status


def test_the_server_listens_on_the_loopback_interface_only(emulator: Emulator) -> None:
    port = f"{int(emulator.endpoint.rpartition(':')[2]):04X}"
    table = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    local = [line.split()[1] for line in table.splitlines()[1:] if line.split()[3] == "0A"]
    assert [each for each in local if each.endswith(f":{port}")] == [f"0100007F:{port}"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", ""),
        (b"\xff", ""),
        (b"[]", "pipeline_job"),
        (b'"text"', "pipeline_job"),
        (b'{"nobody": 1}', "pipeline_job"),
        (b'{"displayName": 1}', "pipeline_job.displayName"),
        (b'{"displayName": "a", "displayName": "b"}', ""),
        (b'{"displayName": "a", "display_name": "b"}', "pipeline_job"),
        (b'{"labels": {"a": 1}}', "pipeline_job.labels.a"),
        (b'{"labels": []}', "pipeline_job.labels"),
        (b'{"runtimeConfig": {"failurePolicy": "X"}}', "pipeline_job.runtimeConfig.failurePolicy"),
        (b'{"runtimeConfig": {"failurePolicy": 999}}', "pipeline_job.runtimeConfig.failurePolicy"),
        (b'{"runtimeConfig": {"failurePolicy": "9"}}', "pipeline_job.runtimeConfig.failurePolicy"),
        (b'{"runtimeConfig": {"failurePolicy": true}}', "pipeline_job.runtimeConfig.failurePolicy"),
        (b'{"createTime": "yesterday"}', "pipeline_job.createTime"),
        (b'{"runtimeConfig": {"parameterValues": {"x": NaN}}}', ""),
        (b'{"reservedIpRanges": "x"}', "pipeline_job.reservedIpRanges"),
        (b'{"jobDetail": {"taskDetails": [{"x": 1}]}}', "pipeline_job.jobDetail.taskDetails[0]"),
        (b'{"a":' * 100_000, ""),
    ],
)
def test_a_malformed_body_is_refused_and_the_field_named(
    emulator: Emulator, body: bytes, field: str
) -> None:
    answer = emulator.call("POST", JOBS, data=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert "Traceback" not in answer.text
    if field:
        assert error["details"][0]["fieldViolations"][0]["field"] == field


@pytest.mark.parametrize(
    "path",
    [
        f"{JOBS}?unknown=1",
        f"{JOBS}?pageSize=many",
        f"{JOBS}?pageSize=1&pageSize=2",
        f"{JOBS}?readMask=name&readMask.paths=name",
        f"{JOBS}?readMask.paths=name&readMask=name",
        f"{JOBS}?pageSize=-1",
        f"{JOBS}?pageToken=forged",
        f"{JOBS}?readMask=nothing",
        "/v1/projects/UPPER/locations/europe-west1/pipelineJobs",
        "/v1/projects/a%2Fb/locations/europe-west1/pipelineJobs",
        "/v1/projects/../locations/europe-west1/pipelineJobs",
    ],
)
def test_a_bad_query_or_name_is_refused(emulator: Emulator, path: str) -> None:
    # http.client sends the path as it is; requests would tidy it.
    import http.client

    connection = http.client.HTTPConnection(emulator.endpoint.removeprefix("http://"), timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 400
    assert json.loads(answer.read())["error"]["status"] == "INVALID_ARGUMENT"


def test_a_body_where_none_belongs_is_refused(emulator: Emulator) -> None:
    assert emulator.call("GET", JOBS, json={"x": 1}).status_code == 400


def test_a_huge_body_is_refused(emulator: Emulator) -> None:
    answer = emulator.call("POST", JOBS, data=b" " * (17 * 1024 * 1024))
    assert answer.status_code == 413


def test_what_is_not_implemented_says_so_by_name(emulator: Emulator) -> None:
    answer = emulator.call("GET", "/v1/projects/my-project/locations/europe-west1/notebookRuntimes")
    assert (answer.status_code, answer.json()["error"]["status"]) == (501, "UNIMPLEMENTED")
    assert "NotebookService.ListNotebookRuntimes" in answer.json()["error"]["message"]
    schemas = emulator.call("GET", "/v1/projects/my-project/schemas")
    assert "SchemaService.ListSchemas" in schemas.json()["error"]["message"]


def test_an_unknown_address_is_not_found(emulator: Emulator) -> None:
    for path in ("/v1/nothing", "/nothing", "/storage/v1/nothing", "/x-kfp.pkg.dev", "//x"):
        assert emulator.call("GET", path).status_code == 404, path


def test_a_server_tells_whose_it_is(emulator: Emulator) -> None:
    answer = emulator.call("GET", "/gcp-local/server")
    assert answer.status_code == 200
    assert answer.json() == {
        "state": str(emulator.state.resolve()),
        "version": json.loads((emulator.state / "server.json").read_text())["version"],
        "grpc_endpoint": emulator.grpc_endpoint,
    }
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        assert emulator.call("GET", "/gcp-local/server", headers=headers).status_code == 403
    assert emulator.call("POST", "/gcp-local/server").status_code == 404


def test_enums_come_as_the_client_asks(emulator: Emulator, project: str) -> None:
    path = f"/v1/projects/{project}/locations/europe/repositories"
    emulator.call("POST", f"{path}?repositoryId=kfp", json={"format": "KFP"})
    assert emulator.call("GET", f"{path}/kfp").json()["format"] == "KFP"
    number = emulator.call("GET", f"{path}/kfp", params={"$alt": "json;enum-encoding=int"})
    assert number.json()["format"] == 9


def test_a_second_server_on_one_folder_is_refused_in_one_line(emulator: Emulator) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gcp_local", "serve", "--state", str(emulator.state)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert emulator.endpoint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_a_server_cannot_use_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("nothing of the kind" * 100)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        for more, named in (["--port", port], f"port {port}"), ([], str(tmp_path / "state.db")):
            done = subprocess.run(
                [sys.executable, "-m", "gcp_local", "serve", "--state", str(tmp_path), *more],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 2
            assert named in done.stderr
            assert len(done.stderr.splitlines()) == 1


def test_everything_survives_a_kill_and_what_ran_has_failed(tmp_path: Path) -> None:
    from google.cloud.storage import Client

    first = start(tmp_path)
    client = Client(
        project="my-project",
        credentials=first.gapic["credentials"],
        client_options={"api_endpoint": first.endpoint},
    )
    bucket = client.create_bucket("kept-bucket")
    bucket.blob("kept").upload_from_string("content")
    parent = "projects/my-project/locations/europe-west1"
    jobs = aiplatform_v1.PipelineServiceClient(**first.gapic)
    done = jobs.create_pipeline_job(parent=parent, pipeline_job=job_of(bucket)).name
    assert wait(jobs, done).state == aiplatform_v1.PipelineState.PIPELINE_STATE_SUCCEEDED
    ran = jobs.create_pipeline_job(parent=parent, pipeline_job=job_of(bucket, "sleeping")).name
    running = aiplatform_v1.PipelineState.PIPELINE_STATE_RUNNING
    while jobs.get_pipeline_job(name=ran).state != running:
        time.sleep(0.02)
    (tmp_path / "storage" / "blobs" / "torn.part").write_text("half")
    first.kill()
    assert (tmp_path / "server.json").exists()

    second = start(tmp_path)
    jobs = aiplatform_v1.PipelineServiceClient(**second.gapic)
    assert jobs.get_pipeline_job(name=done).state.name == "PIPELINE_STATE_SUCCEEDED"
    failed = jobs.get_pipeline_job(name=ran)
    assert failed.state == aiplatform_v1.PipelineState.PIPELINE_STATE_FAILED
    assert "stopped while this job ran" in failed.error.message
    kept = second.call("GET", "/storage/v1/b/kept-bucket/o/kept?alt=media")
    assert kept.content == b"content"
    assert not (tmp_path / "storage" / "blobs" / "torn.part").exists()
    with pytest.raises(exceptions.NotFound):
        jobs.get_pipeline_job(name=f"{parent}/pipelineJobs/other")
    assert second.end() == 0
    assert not (tmp_path / "server.json").exists()


def test_an_idle_server_ends_by_itself(tmp_path: Path) -> None:
    emulator = start(tmp_path, "--idle-timeout", "0.3")
    assert emulator.wait(20) == 0
    assert not (tmp_path / "server.json").exists()


def test_components_do_not_see_the_users_environment(tmp_path: Path) -> None:
    from gcp_local.cloud import Cloud

    os.environ["MY_SECRET"] = "secret"  # pragma: allowlist secret
    cloud = Cloud(tmp_path, "http://127.0.0.1:9")
    try:
        given = cloud._environment("my-project", "europe-west1")
    finally:
        cloud.close()
        del os.environ["MY_SECRET"]
    assert sorted(given) == [
        "BIGQUERY_EMULATOR_HOST",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM",
        "CLOUD_ML_REGION",
        "GCE_METADATA_HOST",
        "GCE_METADATA_IP",
        "GOOGLE_CLOUD_PROJECT",
        "LANG",
        "PATH",
        "PUBSUB_EMULATOR_HOST",
        "STORAGE_EMULATOR_HOST",
    ]


def test_help_does_not_wait_for_google(tmp_path: Path) -> None:
    program = (
        "import sys, gcp_local.cli as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith(('google.cloud.ai', 'uvicorn'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.rstrip().endswith("[]")
    assert "serve" in done.stdout


def test_an_answer_does_not_wait_for_the_clients_ack(emulator: Emulator) -> None:
    path = "/v1/projects/my-project/locations/europe-west9/pipelineJobs"
    took = []
    with requests.Session() as session:
        for _ in range(40):
            started = time.perf_counter()
            assert session.get(emulator.endpoint + path, timeout=10).status_code == 200
            took.append(time.perf_counter() - started)
    assert sorted(took)[10] < 0.03  # delayed acknowledgement costs 0.04 s each time
