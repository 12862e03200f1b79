"""Several pipeline jobs at once, through Google's typed client."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.cloud.storage import Bucket

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.vertex.test_pipelines import job_of, wait

State = aiplatform_v1.PipelineState


@pytest.fixture
def jobs(emulator: Emulator) -> aiplatform_v1.PipelineServiceClient:
    return aiplatform_v1.PipelineServiceClient(**emulator.gapic)


def created(
    jobs: aiplatform_v1.PipelineServiceClient, parent: str, bucket: Bucket, *pipelines: str
) -> list[str]:
    return [
        jobs.create_pipeline_job(
            parent=parent,
            pipeline_job=job_of(
                bucket,
                pipeline,
                parameter_values={"number": 2} if pipeline == "doubling" else {},
            ),
            pipeline_job_id=f"batch-{position}",
        ).name
        for position, pipeline in enumerate(pipelines)
    ]


def done(operation: Any) -> Any:
    return operation.result(timeout=30)


def test_those_that_run_are_cancelled_and_those_that_ended_are_passed_over(
    jobs: aiplatform_v1.PipelineServiceClient, parent: str, bucket: Bucket
) -> None:
    ended, *running = created(jobs, parent, bucket, "doubling", "sleeping", "sleeping")
    assert wait(jobs, ended).state == State.PIPELINE_STATE_SUCCEEDED
    answer = done(jobs.batch_cancel_pipeline_jobs(parent=parent, names=[ended, *running]))
    assert sorted(job.name for job in answer.pipeline_jobs) == sorted(running)
    assert {job.state for job in answer.pipeline_jobs} == {State.PIPELINE_STATE_CANCELLED}
    assert jobs.get_pipeline_job(name=ended).state == State.PIPELINE_STATE_SUCCEEDED


def test_a_batch_is_deleted_whole_or_not_at_all(
    jobs: aiplatform_v1.PipelineServiceClient, parent: str, bucket: Bucket
) -> None:
    ended, running = created(jobs, parent, bucket, "doubling", "sleeping")
    wait(jobs, ended)
    with pytest.raises(exceptions.BadRequest, match="None was"):
        jobs.batch_delete_pipeline_jobs(parent=parent, names=[ended, running])
    with pytest.raises(exceptions.NotFound):
        jobs.batch_delete_pipeline_jobs(parent=parent, names=[ended, f"{ended}-not-there"])
    assert jobs.get_pipeline_job(name=ended).state == State.PIPELINE_STATE_SUCCEEDED
    done(jobs.batch_cancel_pipeline_jobs(parent=parent, names=[running]))
    deleted = done(jobs.batch_delete_pipeline_jobs(parent=parent, names=[ended, running]))
    assert {job.name for job in deleted.pipeline_jobs} == {ended, running}
    assert list(jobs.list_pipeline_jobs(parent=parent)) == []


@pytest.mark.parametrize("method", ["batch_cancel_pipeline_jobs", "batch_delete_pipeline_jobs"])
@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "1 to 32"),
        ([f"{{parent}}/pipelineJobs/job-{number}" for number in range(33)], "1 to 32"),
        (["{parent}/pipelineJobs/a", "{parent}/pipelineJobs/a"], "twice"),
        (["projects/other-project/locations/europe-west1/pipelineJobs/a"], "is not a pipeline job"),
        (["{parent}/customJobs/1"], "is not a pipeline job"),
    ],
)
def test_what_is_no_batch_is_refused(
    jobs: aiplatform_v1.PipelineServiceClient,
    parent: str,
    method: str,
    names: list[str],
    reason: str,
) -> None:
    given: list[Any] = [name.format(parent=parent) for name in names]
    with pytest.raises(exceptions.BadRequest, match=reason):
        getattr(jobs, method)(parent=parent, names=given)
