"""Vertex AI's PipelineService, through Google's typed client.

Over REST the client knows an error by its HTTP code alone: INVALID_ARGUMENT and FAILED_PRECONDITION
are both BadRequest.
"""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api_core import exceptions
from google.cloud import aiplatform_v1, artifactregistry_v1
from google.cloud.storage import Bucket
from google.protobuf import json_format, struct_pb2
from kfp.registry import ApiAuth, RegistryClient

from gcp_local import errors
from gcp_local.cloud import Cloud
from gcp_local.vertex.pipelines import PipelineJob
from tests.gcp_local.emulators import Emulator
from tests.gcp_local.pipelines import compiled

LOCATION = "europe-west1"
EVEN = ("true", "false")
DONE = {
    aiplatform_v1.PipelineState.PIPELINE_STATE_SUCCEEDED,
    aiplatform_v1.PipelineState.PIPELINE_STATE_FAILED,
    aiplatform_v1.PipelineState.PIPELINE_STATE_CANCELLED,
}


@pytest.fixture
def jobs(emulator: Emulator) -> aiplatform_v1.PipelineServiceClient:
    return aiplatform_v1.PipelineServiceClient(**emulator.gapic)


def job_of(bucket: Bucket, pipeline: str = "doubling", **said: Any) -> Any:
    """A job with its specification inside."""
    spec = struct_pb2.Struct()
    json_format.ParseDict(yaml.safe_load(compiled(pipeline)), spec)
    values = said.pop("parameter_values", {})
    return aiplatform_v1.PipelineJob(
        pipeline_spec=spec,
        runtime_config=aiplatform_v1.PipelineJob.RuntimeConfig(
            gcs_output_directory=f"gs://{bucket.name}/root", parameter_values=values
        ),
        **said,
    )


def wait(jobs: aiplatform_v1.PipelineServiceClient, name: str) -> aiplatform_v1.PipelineJob:
    for _ in range(600):
        job = jobs.get_pipeline_job(name=name)
        if job.state in DONE:
            return job
        time.sleep(0.05)
    raise AssertionError(f"{name} did not end: {job.state.name}")


def template(emulator: Emulator, parent: str, project: str, folder: Path) -> tuple[str, str]:
    """Upload the doubling pipeline; give its address by the tag `live`, and its version."""
    registry = artifactregistry_v1.ArtifactRegistryClient(**emulator.gapic)
    registry.create_repository(
        parent=parent,
        repository_id="kfp",
        repository=artifactregistry_v1.Repository(format_="KFP"),
    )
    file = folder / "p.yaml"
    file.write_bytes(compiled("doubling"))
    place = f"{LOCATION}-kfp.pkg.dev/{project}/kfp"
    client = RegistryClient(host=f"{emulator.endpoint}/{place}", auth=ApiAuth("x"))
    package, version = client.upload_pipeline(str(file), tags="live")
    return f"https://{place}/{package}/live", version


def test_a_job_runs_and_tells_what_it_did(
    jobs: aiplatform_v1.PipelineServiceClient, parent: str, project: str, bucket: Bucket
) -> None:
    job = job_of(bucket, parameter_values={"number": 21}, labels={"team": "ml"})
    created = jobs.create_pipeline_job(parent=parent, pipeline_job=job, pipeline_job_id="run-1")
    number = created.name.split("/")[1]
    assert number.isdecimal()
    assert created.name == f"projects/{number}/locations/{LOCATION}/pipelineJobs/run-1"
    assert created.state == aiplatform_v1.PipelineState.PIPELINE_STATE_PENDING
    assert created.labels["team"] == "ml"
    assert created.service_account == f"{number}-compute@developer.gserviceaccount.com"
    ended = wait(jobs, f"{parent}/pipelineJobs/run-1")
    assert ended.state == aiplatform_v1.PipelineState.PIPELINE_STATE_SUCCEEDED, ended.error
    times: list[Any] = [ended.create_time, ended.start_time, ended.end_time]
    assert times == sorted(times)
    tasks = {task.task_name: task for task in ended.job_detail.task_details}
    assert tasks["double"].execution.metadata["output:Output"] == 42


def test_an_id_is_given_once_and_follows_the_rules(
    jobs: aiplatform_v1.PipelineServiceClient, parent: str, bucket: Bucket
) -> None:
    job = job_of(bucket)
    jobs.create_pipeline_job(parent=parent, pipeline_job=job, pipeline_job_id="same")
    with pytest.raises(exceptions.Conflict):
        jobs.create_pipeline_job(parent=parent, pipeline_job=job, pipeline_job_id="same")
    for bad in ("Capital", "under_score", "x" * 128, "1st"):
        with pytest.raises(exceptions.BadRequest):
            jobs.create_pipeline_job(parent=parent, pipeline_job=job, pipeline_job_id=bad)
    generated = jobs.create_pipeline_job(parent=parent, pipeline_job=job)
    assert generated.name.rpartition("/")[2].startswith("doubling-")
    job.pipeline_spec["pipelineInfo"]["name"] = f"2-{'long' * 30}"
    generated = jobs.create_pipeline_job(parent=parent, pipeline_job=job)
    identity = generated.name.rpartition("/")[2]
    assert identity.startswith("longlong")
    assert len(identity) == 127


def test_a_template_is_taken_by_tag_and_by_digest(
    emulator: Emulator,
    jobs: aiplatform_v1.PipelineServiceClient,
    parent: str,
    project: str,
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    uri, version = template(emulator, parent, project, tmp_path)
    package = uri.rpartition("/")[0]
    config = aiplatform_v1.PipelineJob.RuntimeConfig(
        gcs_output_directory=f"gs://{bucket.name}/root", parameter_values={"number": 4}
    )
    for reference in ("live", version):
        job = aiplatform_v1.PipelineJob(
            template_uri=f"{package}/{reference}", runtime_config=config
        )
        created = jobs.create_pipeline_job(parent=parent, pipeline_job=job)
        assert created.template_metadata.version == version
        info: Any = created.pipeline_spec["pipelineInfo"]
        assert info["name"] == "doubling"
        ended = wait(jobs, created.name)
        assert ended.state == aiplatform_v1.PipelineState.PIPELINE_STATE_SUCCEEDED, ended.error
    found = jobs.list_pipeline_jobs(
        request={"parent": parent, "filter": f'template_metadata.version="{version}"'}
    )
    assert len(list(found)) == 2
    for missing in ("no-such-tag", f"sha256:{'0' * 64}"):
        uri = f"{package}/{missing}"
        job = aiplatform_v1.PipelineJob(template_uri=uri, runtime_config=config)
        with pytest.raises(exceptions.NotFound):
            jobs.create_pipeline_job(parent=parent, pipeline_job=job)
    job = aiplatform_v1.PipelineJob(template_uri="gs://x/y.yaml", runtime_config=config)
    with pytest.raises(exceptions.BadRequest, match="template"):
        jobs.create_pipeline_job(parent=parent, pipeline_job=job)


@pytest.mark.parametrize(
    "said",
    [
        {"labels": {"Upper": "x"}},
        {"labels": {"k": "v1.4.0"}},
        {"labels": {"k": "x" * 64}},
        {"labels": {"1st": "x"}},
        {"display_name": "x" * 129},
        {"service_account": "not-an-address"},
        {"parameter_values": {"nobody": 1}},
        {"parameter_values": {"number": "text"}},
    ],
    ids=str,
)
def test_what_vertex_ai_refuses_is_refused_and_no_job_comes_of_it(
    jobs: aiplatform_v1.PipelineServiceClient,
    parent: str,
    bucket: Bucket,
    said: dict[str, Any],
) -> None:
    with pytest.raises(exceptions.BadRequest):
        jobs.create_pipeline_job(parent=parent, pipeline_job=job_of(bucket, **said))
    assert list(jobs.list_pipeline_jobs(parent=parent)) == []


KEY = f"projects/p-12345/locations/{LOCATION}/keyRings/ring/cryptoKeys/key"
ATTACHMENT = f"projects/p-12345/regions/{LOCATION}/networkAttachments/net"


@pytest.mark.parametrize(
    "said",
    [
        {"service_account": "runner@my-project.iam.gserviceaccount.com"},
        {"service_account": "12345-compute@developer.gserviceaccount.com"},
        {"encryption_spec": {"kms_key_name": KEY}},
        {"network": "projects/12345/global/networks/my-vpc"},
        {"reserved_ip_ranges": ["vertex-ai-ip-range"]},
        {"psc_interface_config": {"network_attachment": ATTACHMENT}},
        {"psc_interface_config": {"network_attachment": "net"}},
    ],
    ids=str,
)
def test_settings_of_googles_form_are_kept(
    jobs: aiplatform_v1.PipelineServiceClient, parent: str, bucket: Bucket, said: dict[str, Any]
) -> None:
    name = jobs.create_pipeline_job(parent=parent, pipeline_job=job_of(bucket, **said)).name
    found = type(jobs.get_pipeline_job(name=name)).to_dict(jobs.get_pipeline_job(name=name))
    for setting, value in said.items():
        assert value == found[setting] or value.items() <= found[setting].items()


@pytest.mark.parametrize(
    "said",
    [
        {"service_account": "someone@example.com"},
        {"service_account": "a b@my-project.iam.gserviceaccount.com"},
        {"encryption_spec": {"kms_key_name": "key"}},
        {"encryption_spec": {"kms_key_name": f"{KEY}/cryptoKeyVersions/1"}},
        {"encryption_spec": {"kms_key_name": KEY.replace(LOCATION, "us-east1")}},
        {"network": "default"},
        {"network": "projects/my-project/global/networks/my-vpc"},
        {"network": "projects/12345/global/networks/My_VPC"},  # pragma: allowlist secret
        {"reserved_ip_ranges": ["10.0.0.0/8"]},
        {"reserved_ip_ranges": ["fine", ""]},
        {"psc_interface_config": {"network_attachment": "projects/p/networkAttachments/net"}},
        {"psc_interface_config": {"network_attachment": ATTACHMENT.replace("west1", "west4")}},
    ],
    ids=str,
)
def test_settings_of_another_form_are_refused_and_named(
    jobs: aiplatform_v1.PipelineServiceClient, parent: str, bucket: Bucket, said: dict[str, Any]
) -> None:
    with pytest.raises(exceptions.BadRequest, match=next(iter(said))):
        jobs.create_pipeline_job(parent=parent, pipeline_job=job_of(bucket, **said))
    assert list(jobs.list_pipeline_jobs(parent=parent)) == []


def test_where_a_template_came_from_is_not_the_clients_to_say(
    emulator: Emulator, jobs: aiplatform_v1.PipelineServiceClient, parent: str, bucket: Bucket
) -> None:
    said = aiplatform_v1.PipelineTemplateMetadata(version=f"sha256:{'0' * 64}")
    job = job_of(bucket, template_metadata=said)
    created = jobs.create_pipeline_job(parent=parent, pipeline_job=job)
    assert "template_metadata" not in created
    assert "template_metadata" not in jobs.get_pipeline_job(name=created.name)


def test_a_template_beside_its_specification_is_looked_up_all_the_same(
    emulator: Emulator,
    jobs: aiplatform_v1.PipelineServiceClient,
    parent: str,
    project: str,
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    uri, version = template(emulator, parent, project, tmp_path)
    job = job_of(bucket, template_uri=uri)
    created = jobs.create_pipeline_job(parent=parent, pipeline_job=job)
    assert created.template_metadata.version == version
    missing = job_of(bucket, template_uri=f"{uri}x")
    with pytest.raises(exceptions.NotFound):
        jobs.create_pipeline_job(parent=parent, pipeline_job=missing)
    other = job_of(bucket, "sleeping", template_uri=uri)
    with pytest.raises(exceptions.BadRequest, match="differs"):
        jobs.create_pipeline_job(parent=parent, pipeline_job=other)


def test_a_job_without_a_pipeline_is_refused(
    jobs: aiplatform_v1.PipelineServiceClient, parent: str
) -> None:
    with pytest.raises(exceptions.BadRequest, match="template_uri"):
        jobs.create_pipeline_job(parent=parent, pipeline_job=aiplatform_v1.PipelineJob())


def test_lists_filter_order_and_pages(
    jobs: aiplatform_v1.PipelineServiceClient, parent: str, bucket: Bucket
) -> None:
    for number in range(5):
        job = job_of(bucket, display_name=f"job {number}", labels={"even": EVEN[number % 2]})
        jobs.create_pipeline_job(parent=parent, pipeline_job=job, pipeline_job_id=f"job-{number}")
    for number in range(5):
        wait(jobs, f"{parent}/pipelineJobs/job-{number}")

    def names(**request: Any) -> list[str]:
        found = jobs.list_pipeline_jobs(request={"parent": parent, **request})
        return [job.display_name[-1] for job in found]

    assert names() == list("43210")
    assert names(order_by="create_time") == list("01234")
    assert names(order_by="create_time desc", page_size=2) == list("43210")
    assert names(filter='labels.even="true"') == list("420")
    assert names(filter='labels.even="true" AND NOT display_name="job 2"') == list("40")
    assert names(filter='display_name:"*3" OR display_name="job 1"') == list("31")
    assert names(filter='state="PIPELINE_STATE_SUCCEEDED"') == list("43210")
    assert names(filter='create_time<"2020-01-01T00:00:00Z"') == []
    assert names(filter='pipeline_name="doubling" AND pipeline_job_user_id="job-3"') == ["3"]
    for bad in ("nonsense", "unknown=1", 'display_name>"a"', "(state=X", 'labels.a="b" AND'):
        with pytest.raises(exceptions.BadRequest):
            names(filter=bad)
    with pytest.raises(exceptions.BadRequest):
        names(order_by="nonsense")
    first = next(iter(jobs.list_pipeline_jobs(request={"parent": parent, "page_size": 2}).pages))
    with pytest.raises(exceptions.BadRequest, match="page token"):
        names(page_token=first.next_page_token, filter='labels.even="true"')
    assert not any(job.job_detail.task_details for job in jobs.list_pipeline_jobs(parent=parent))
    masked = jobs.list_pipeline_jobs(request={"parent": parent, "read_mask": "name,state"})
    assert all(job.name and not job.pipeline_spec and not job.display_name for job in masked)
    for bad in ("nothing", "labels.even", "runtimeConfig.nothing", "jobDetail.taskDetails.name"):
        with pytest.raises(exceptions.BadRequest, match="read mask"):
            jobs.list_pipeline_jobs(request={"parent": parent, "read_mask": bad})


def test_a_running_job_is_cancelled_and_only_then_deleted(
    jobs: aiplatform_v1.PipelineServiceClient, parent: str, bucket: Bucket
) -> None:
    name = jobs.create_pipeline_job(parent=parent, pipeline_job=job_of(bucket, "sleeping")).name
    with pytest.raises(exceptions.BadRequest):
        jobs.delete_pipeline_job(name=name)
    jobs.cancel_pipeline_job(name=name)
    ended = wait(jobs, name)
    assert ended.state == aiplatform_v1.PipelineState.PIPELINE_STATE_CANCELLED
    with pytest.raises(exceptions.BadRequest):
        jobs.cancel_pipeline_job(name=name)
    operation = jobs.delete_pipeline_job(name=name)
    operation.result(timeout=5)  # type: ignore[no-untyped-call]
    again = jobs.get_operation({"name": operation.operation.name})
    assert again.done
    with pytest.raises(exceptions.NotFound):
        jobs.get_pipeline_job(name=name)
    with pytest.raises(exceptions.NotFound):
        jobs.cancel_pipeline_job(name=name)


def test_a_cancel_is_kept_however_early_it_comes(
    emulator: Emulator, parent: str, bucket: Bucket
) -> None:
    spec = yaml.safe_load(compiled("sleeping"))
    task = spec["root"]["dag"]["tasks"].pop("sleep")
    for number in range(200):  # it takes a while to read, between the job and its run
        named = {**task, "taskInfo": {"name": f"sleep-{number}"}}
        spec["root"]["dag"]["tasks"][f"sleep-{number}"] = named
    body = {
        "pipelineSpec": spec,
        "runtimeConfig": {"gcsOutputDirectory": f"gs://{bucket.name}/root"},
    }
    created: list[int] = []
    path = f"/v1/{parent}/pipelineJobs"
    for attempt in range(3):
        name = f"{path}/early-{attempt}"

        def create(query: str = f"{path}?pipelineJobId=early-{attempt}") -> None:
            created.append(emulator.call("POST", query, json=body).status_code)

        creating = threading.Thread(target=create)
        creating.start()
        while emulator.call("POST", f"{name}:cancel", json={}).status_code != 200:
            time.sleep(0.001)
        creating.join()
        ended = {f"PIPELINE_STATE_{state}" for state in ("CANCELLED", "FAILED", "SUCCEEDED")}
        until = time.monotonic() + 15
        while (state := emulator.call("GET", name).json()["state"]) not in ended:
            assert time.monotonic() < until, state
            time.sleep(0.02)
        assert state == "PIPELINE_STATE_CANCELLED"
    assert created == [200] * 3


def test_a_job_that_cannot_be_started_does_not_stay(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, "http://127.0.0.1:9")
    parent = "projects/my-project/locations/europe-west1"
    spec = struct_pb2.Struct()
    json_format.ParseDict(yaml.safe_load(compiled("doubling")), spec)
    job = PipelineJob(pipeline_spec=spec)
    job.runtime_config.gcs_output_directory = "gs://bucket/root"
    request: Any = aiplatform_v1.CreatePipelineJobRequest.pb()(parent=parent, pipeline_job=job)
    listing: Any = aiplatform_v1.ListPipelineJobsRequest.pb()(parent=parent)
    cloud.vertex.pipelines.close()  # it starts nothing any more
    try:
        with pytest.raises(errors.Unavailable):
            cloud.vertex.pipelines.create_pipeline_job(request)
        assert list(cloud.vertex.pipelines.list_pipeline_jobs(listing).pipeline_jobs) == []
        assert not cloud.vertex.pipelines.busy()
    finally:
        cloud.close()


def test_projects_do_not_see_each_other(
    jobs: aiplatform_v1.PipelineServiceClient, parent: str, bucket: Bucket
) -> None:
    jobs.create_pipeline_job(parent=parent, pipeline_job=job_of(bucket))
    other = f"projects/other-{uuid.uuid4().hex[:8]}/locations/{LOCATION}"
    assert list(jobs.list_pipeline_jobs(parent=other)) == []
    assert list(jobs.list_pipeline_jobs(parent=parent.replace("west1", "west4"))) == []
