"""Runs of pipelines one after another, through Google's typed clients and a running server."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.cloud.storage import Bucket, Client
from google.protobuf import json_format, struct_pb2

from tests.gcp_local.emulators import Emulator, start
from tests.gcp_local.pipelines import compiled
from tests.gcp_local.vertex.test_pipelines import wait

State = aiplatform_v1.PipelineTaskDetail.State
PARENT = "projects/{project}/locations/europe-west1"


def job_of(
    bucket: Bucket,
    pipeline: str,
    change: Callable[[dict[str, Any]], None] | None = None,
    artifacts: dict[str, str] | None = None,
    **values: Any,
) -> aiplatform_v1.PipelineJob:
    body = yaml.safe_load(compiled(pipeline))
    if change:
        change(body)
    spec = struct_pb2.Struct()
    json_format.ParseDict(body, spec)
    config = aiplatform_v1.PipelineJob.RuntimeConfig
    return aiplatform_v1.PipelineJob(
        pipeline_spec=spec,
        runtime_config=config(
            gcs_output_directory=f"gs://{bucket.name}/root",
            parameter_values=values,
            input_artifacts={
                name: config.InputArtifact(artifact_id=identity)
                for name, identity in (artifacts or {}).items()
            },
        ),
    )


def states(job: aiplatform_v1.PipelineJob) -> dict[str, str]:
    # None but the first, the run itself, which is not there before the run has begun.
    return {task.task_name: task.state.name for task in list(job.job_detail.task_details)[1:]}


class Runner:
    """Runs jobs in one project."""

    def __init__(self, emulator: Emulator, project: str) -> None:
        self.jobs = aiplatform_v1.PipelineServiceClient(**emulator.gapic)
        self.metadata = aiplatform_v1.MetadataServiceClient(**emulator.gapic)
        self.parent = PARENT.format(project=project)

    def submit(self, job: aiplatform_v1.PipelineJob) -> str:
        created = self.jobs.create_pipeline_job(parent=self.parent, pipeline_job=job)
        return str(created.name)

    def run(self, job: aiplatform_v1.PipelineJob) -> aiplatform_v1.PipelineJob:
        return wait(self.jobs, self.submit(job))


@pytest.fixture
def runner(emulator: Emulator, project: str) -> Runner:
    return Runner(emulator, project)


def test_a_second_run_is_skipped_until_its_execution_is_deleted(
    runner: Runner, bucket: Bucket
) -> None:
    first = runner.run(job_of(bucket, "doubling", number=21))
    second = runner.run(job_of(bucket, "doubling", number=21))
    assert (states(first), states(second)) == ({"double": "SUCCEEDED"}, {"double": "SKIPPED"})
    task = second.job_detail.task_details[1]
    execution = runner.metadata.get_execution(name=task.execution.name)
    assert execution.state == aiplatform_v1.Execution.State.CACHED
    assert execution.metadata["output:Output"] == 42
    ran = first.job_detail.task_details[1].execution.name
    runner.metadata.delete_execution(name=ran)
    assert states(runner.run(job_of(bucket, "doubling", number=21))) == {"double": "SUCCEEDED"}


def test_an_artifact_of_one_run_is_the_input_of_another(runner: Runner, bucket: Bucket) -> None:
    bucket.blob("rows.csv").upload_from_string("a,b")
    rows = f"gs://{bucket.name}/rows.csv"
    traced = runner.run(job_of(bucket, "tracing", rows=rows, depth=5))
    tasks = {task.task_name: task for task in traced.job_detail.task_details}
    model = tasks["train"].outputs["model"].artifacts[0].name
    read = runner.run(job_of(bucket, "weighing", artifacts={"model": model.rpartition("/")[2]}))
    assert states(read) == {"weigh": "SUCCEEDED"}
    root, task = read.job_detail.task_details
    assert task.execution.metadata["output:Output"] == "5 none"
    assert root.inputs["model"].artifacts[0].name == task.inputs["model"].artifacts[0].name == model
    found = runner.metadata.query_execution_inputs_and_outputs(execution=task.execution.name)
    assert [artifact.name for artifact in found.artifacts] == [model]
    imported = tasks["importer"].outputs["artifact"].artifacts[0].name
    with pytest.raises(exceptions.BadRequest, match=r"takes a 'system\.Model'"):
        runner.submit(job_of(bucket, "weighing", artifacts={"model": imported.rpartition("/")[2]}))
    with pytest.raises(exceptions.BadRequest, match="There is no artifact '1'"):
        runner.submit(job_of(bucket, "weighing", artifacts={"model": "1"}))


def _custom_key(body: dict[str, Any]) -> None:
    body["root"]["dag"]["tasks"]["double"]["cachingOptions"]["cacheKey"] = "mine"


def test_what_is_unproven_is_refused_by_a_server_that_is_not_permissive(
    runner: Runner, bucket: Bucket
) -> None:
    with pytest.raises(exceptions.BadRequest, match=r"cacheKey at root\.dag\.tasks\.double"):
        runner.submit(job_of(bucket, "doubling", _custom_key))


def _until(reached: Callable[[], bool]) -> None:
    for _ in range(1500):
        if reached():
            return
        time.sleep(0.02)
    raise AssertionError("it did not get there")


def _sleepers(marker: str) -> int:
    command = ["pgrep", "-f", "-c", marker]
    return int(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def test_a_kill_in_the_middle_leaves_the_cache_whole_and_nothing_behind(tmp_path: Path) -> None:
    state = tmp_path / "state"
    server = start(state, "--permissive")
    client = Client(
        project="my-project",
        credentials=server.gapic["credentials"],
        client_options={"api_endpoint": server.endpoint},
    )
    bucket = client.create_bucket("killed-bucket")
    runner = Runner(server, "my-project")
    keyed = runner.run(job_of(bucket, "doubling", _custom_key, number=2))
    told = keyed.job_detail.task_details[0].execution.metadata["unproven"]
    assert told == ["cacheKey at root.dag.tasks.double"]
    seconds = 600 + time.time_ns() % 1_000_000_007 / 1e9
    name = runner.submit(job_of(bucket, "halfway", seconds=seconds))
    marker = f"^sleep {seconds}"
    _until(lambda: states(runner.jobs.get_pipeline_job(name=name)).get("rest") == "RUNNING")
    _until(lambda: _sleepers(marker) == 1)
    server.kill()
    _until(lambda: _sleepers(marker) == 0)

    server = start(state)
    runner = Runner(server, "my-project")
    failed = runner.jobs.get_pipeline_job(name=name)
    assert states(failed) == {"double": "SUCCEEDED", "rest": "FAILED"}
    assert "stopped while this job ran" in failed.error.message
    assert [path for path in (state / "work").rglob("*") if path.is_file()] == []
    # What had ended is in the cache, what had not is not.
    again = runner.run(job_of(bucket, "halfway", _rest_at_once, seconds=seconds))
    assert states(again) == {"double": "SKIPPED", "rest": "SUCCEEDED"}
    assert server.end() == 0


def _rest_at_once(body: dict[str, Any]) -> None:
    body["deploymentSpec"]["executors"]["exec-rest"]["container"]["command"] = ["true"]
