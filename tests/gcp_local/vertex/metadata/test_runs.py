"""What ML Metadata keeps of pipeline runs, through Google's typed client."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.cloud.storage import Client as StorageClient

from gcp_local.resources.collection import Resources
from gcp_local.resources.database import Database
from gcp_local.vertex.metadata.kinds import Execution
from gcp_local.vertex.metadata.recorder import RunRecorder
from gcp_local.vertex.metadata.store import MetadataGraph
from gcp_local.vertex.pipelines import PipelineJob
from tests.gcp_local.emulators import start
from tests.gcp_local.vertex.metadata.runs import Runner, tasks

Client = aiplatform_v1.MetadataServiceClient
State = aiplatform_v1.Execution.State


def test_a_run_leaves_its_lineage(metadata: Client, store: str, runner: Runner) -> None:
    job = runner.run("run-one", depth=4)
    assert job.state is aiplatform_v1.PipelineState.PIPELINE_STATE_SUCCEEDED, job.error
    detail = job.job_detail
    assert metadata.get_context(name=f"{store}/contexts/tracing") == detail.pipeline_context
    run = metadata.get_context(name=f"{store}/contexts/run-one")
    assert (run.schema_title, run.display_name) == ("system.PipelineRun", "run-one")
    assert run.parent_contexts == [detail.pipeline_context.name]

    graph = metadata.query_context_lineage_subgraph(context=run.name)
    executions = {node.display_name: node for node in graph.executions}
    assert {name: node.schema_title for name, node in executions.items()} == {
        "run-one": "system.Run",
        "importer": "system.ImporterExecution",
        "train": "system.ContainerExecution",
        "judge": "system.ContainerExecution",
    }
    assert {node.state for node in graph.executions} == {State.COMPLETE}
    assert executions["train"].metadata["input:depth"] == 4
    assert executions["judge"].metadata["output:Output"] == "good"

    model = tasks(job)["train"].outputs["model"].artifacts[0]
    kept = metadata.get_artifact(name=model.name)
    assert (kept.uri, kept.schema_title) == (model.uri, "system.Model")
    assert dict(kept.metadata)["framework"] == "none"
    events = {(e.execution, e.artifact): e.type_ for e in graph.events}
    assert events[executions["train"].name, model.name] is aiplatform_v1.Event.Type.OUTPUT
    assert events[executions["judge"].name, model.name] is aiplatform_v1.Event.Type.INPUT

    metrics: Any = {
        "parent": store,
        "filter": f'in_context("{run.name}") AND schema_title="system.Metrics"',
    }
    assert [node.metadata["accuracy"] for node in metadata.list_artifacts(request=metrics)] == [0.5]
    rows = tasks(job)["importer"].outputs["artifact"].artifacts[0]
    lineage = metadata.query_artifact_lineage_subgraph(artifact=rows.name)
    assert {node.display_name for node in lineage.executions} >= {"importer", "train", "judge"}


def test_two_runs_of_a_pipeline_share_its_context_and_what_they_import(
    metadata: Client, store: str, runner: Runner
) -> None:
    first, second = runner.run("run-one"), runner.run("run-two", fail=True)
    assert second.state is aiplatform_v1.PipelineState.PIPELINE_STATE_FAILED
    imported = {tasks(j)["importer"].outputs["artifact"].artifacts[0].name for j in (first, second)}
    assert len(imported) == 1
    in_pipeline: Any = {
        "parent": store,
        "filter": f'in_context("{store}/contexts/tracing") AND schema_title="system.Run"',
    }
    states = [node.state for node in metadata.list_executions(request=in_pipeline)]
    assert states == [State.COMPLETE, State.FAILED]
    failed = metadata.get_execution(name=tasks(second)["judge"].execution.name)
    assert failed.state is State.FAILED
    graph = metadata.query_execution_inputs_and_outputs(execution=failed.name)
    assert [event.type_ for event in graph.events] == [aiplatform_v1.Event.Type.INPUT]


def test_an_importer_takes_the_artifact_that_is_there(
    metadata: Client, store: str, runner: Runner
) -> None:
    def dataset(title: str, **said: Any) -> str:
        artifact = aiplatform_v1.Artifact(schema_title=title, uri=runner.rows, **said)
        return metadata.create_artifact(parent=store, artifact=artifact).name

    dataset("system.Model")
    dataset("system.Dataset", metadata={"month": "May"})
    dataset("system.Dataset")
    newest = dataset("system.Dataset", description="by hand")
    job = runner.run("run-one")
    imported = tasks(job)["importer"].outputs["artifact"].artifacts[0]
    assert imported.name == newest
    assert metadata.get_artifact(name=newest).description == "by hand"
    graph = metadata.query_artifact_lineage_subgraph(artifact=newest)
    assert {node.display_name for node in graph.executions} >= {"importer", "train", "judge"}


def test_a_pipelines_input_artifact_is_one_of_the_metadata_store(
    metadata: Client, store: str, runner: Runner
) -> None:
    runner.bucket.blob("model").upload_from_string("3")
    model = metadata.create_artifact(
        parent=store,
        artifact=aiplatform_v1.Artifact(
            schema_title="system.Model", uri=f"gs://{runner.bucket.name}/model"
        ),
        artifact_id="the-model",
    )
    job = runner.judge("run-one", "the-model")
    assert job.state is aiplatform_v1.PipelineState.PIPELINE_STATE_SUCCEEDED, job.error
    graph = metadata.query_artifact_lineage_subgraph(artifact=model.name)
    executions = {node.display_name for node in graph.executions}
    assert executions == {"run-one", "judge"}
    assert {event.type_ for event in graph.events} == {aiplatform_v1.Event.Type.INPUT}
    deleted: Any = metadata.delete_artifact(name=model.name)
    deleted.result(timeout=5)
    with pytest.raises(exceptions.ClientError, match="the-model"):
        runner.judge("run-two", "the-model")


def test_what_is_rolled_back_is_written_again_and_what_gets_lost_is_failed(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    graph = MetadataGraph(Resources(database), database)
    recorder = RunRecorder(graph, database)
    parent = "projects/123456/locations/europe-west1"
    job = PipelineJob(name=f"{parent}/pipelineJobs/run-one")
    contexts = f"{parent}/metadataStores/default/contexts"
    job.job_detail.pipeline_context.name = f"{contexts}/pipeline"
    job.job_detail.pipeline_run_context.name = f"{contexts}/run-one"
    task = job.job_detail.task_details.add(task_id=7)
    task.execution.name = f"{parent}/metadataStores/default/executions/7"
    task.execution.state = State.RUNNING
    with suppress(ZeroDivisionError), database.transaction():
        recorder.record(job, ended=False)
        raise ZeroDivisionError
    assert graph.find(task.execution.name, Execution) is None
    recorder.record(job, ended=False)
    assert graph.get(task.execution.name, Execution).state == State.RUNNING
    task.ClearField("execution")
    recorder.record(job, ended=True)
    kept = graph.get(f"{parent}/metadataStores/default/executions/7", Execution)
    assert kept.state == State.FAILED
    database.close()


def test_what_a_client_adds_to_a_run_is_seen_in_its_job(
    metadata: Client, store: str, runner: Runner
) -> None:
    job = runner.run("run-one")
    experiment = metadata.create_context(
        parent=store,
        context=aiplatform_v1.Context(schema_title="system.Experiment"),
        context_id="an-experiment",
    )
    run = job.job_detail.pipeline_run_context.name
    metadata.add_context_children(context=experiment.name, child_contexts=[run])
    for shown in (
        runner.jobs.get_pipeline_job(name=job.name),
        next(iter(runner.jobs.list_pipeline_jobs(parent=runner.parent))),
    ):
        assert experiment.name in shown.job_detail.pipeline_run_context.parent_contexts


def test_a_job_has_its_contexts_from_its_creation(
    metadata: Client, store: str, runner: Runner
) -> None:
    # The SDK asks no more once the job has ended, and one taken from the cache ends at once.
    detail = runner.submit("run-one").job_detail
    context = metadata.get_context(name=detail.pipeline_run_context.name)
    assert context.display_name == "run-one"
    assert list(context.parent_contexts) == [detail.pipeline_context.name]


def test_a_killed_run_is_failed_in_the_metadata_too(tmp_path: Path) -> None:
    emulator = start(tmp_path / "state")
    project = "killed-project"
    storage = StorageClient(
        project=project,
        credentials=emulator.gapic["credentials"],
        client_options={"api_endpoint": emulator.endpoint},
    )
    spec_runner = Runner(
        aiplatform_v1.PipelineServiceClient(**emulator.gapic),
        f"projects/{project}/locations/europe-west1",
        storage.create_bucket("killed-bucket"),
    )
    job = spec_runner.submit("run-one", wait=60.0)
    while "train" not in tasks(job) or not tasks(job)["train"].execution.name:
        time.sleep(0.02)
        job = spec_runner.jobs.get_pipeline_job(name=job.name)
    emulator.kill()

    emulator = start(tmp_path / "state")
    try:
        metadata = Client(**emulator.gapic)
        store = f"{spec_runner.parent}/metadataStores/default"
        graph = metadata.query_context_lineage_subgraph(context=f"{store}/contexts/run-one")
        states = {node.display_name: node.state for node in graph.executions}
        assert states == {
            "run-one": State.FAILED,
            "importer": State.COMPLETE,
            "train": State.FAILED,
        }
        names = {node.display_name: node.name for node in graph.executions}
        kinds = {event.execution: event.type_ for event in graph.events}
        assert kinds == {
            names["importer"]: aiplatform_v1.Event.Type.OUTPUT,
            names["train"]: aiplatform_v1.Event.Type.INPUT,
        }
    finally:
        assert emulator.end() == 0
