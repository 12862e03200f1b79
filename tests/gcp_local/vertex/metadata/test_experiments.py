"""Experiments, lineage and pipeline runs as the high-level SDK writes and reads them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from google.cloud import aiplatform, storage

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.pipelines import compiled

RUNNER = "runner@my-project.iam.gserviceaccount.com"


@pytest.fixture
def sdk(emulator: Emulator, project: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The SDK, set to a project of its own; the settings are given to set more."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.endpoint)
    settings = {
        "project": project,
        "location": "europe-west1",
        "api_endpoint": emulator.endpoint,
        "api_transport": "rest",
        "credentials": emulator.gapic["credentials"],
    }
    aiplatform.init(**settings)
    return settings


def experiment(sdk: dict[str, Any], name: str = "an-experiment", **said: Any) -> None:
    aiplatform.init(**sdk, experiment=name, **said)


def test_an_experiments_runs_are_told_as_a_data_frame(sdk: dict[str, Any]) -> None:
    experiment(sdk)
    for number, auc in enumerate((0.8, 0.9)):
        with aiplatform.start_run(f"run-{number}"):
            aiplatform.log_params({"depth": number + 1, "kind": "trees"})
            aiplatform.log_metrics({"auc": auc})
            for loss in (0.5, 0.25):
                aiplatform.log_time_series_metrics({"loss": loss})
    frame = aiplatform.get_experiment_df("an-experiment").sort_values("run_name")
    assert list(frame["run_name"]) == ["run-0", "run-1"]
    assert set(frame["state"]) == {"COMPLETE"}
    assert list(frame["param.depth"]) == [1.0, 2.0]
    assert list(frame["metric.auc"]) == [0.8, 0.9]
    assert list(frame["time_series_metric.loss"]) == [0.25, 0.25]
    shown = aiplatform.Experiment("an-experiment").get_data_frame(include_time_series=False)
    assert "time_series_metric.loss" not in shown


def test_a_run_is_resumed_read_and_deleted(sdk: dict[str, Any]) -> None:
    experiment(sdk)
    aiplatform.start_run("one-run")
    aiplatform.log_params({"depth": 1})
    aiplatform.log_time_series_metrics({"loss": 0.5})
    aiplatform.end_run()
    with pytest.raises(Exception, match="already exists"):
        aiplatform.start_run("one-run")
    aiplatform.start_run("one-run", resume=True)
    aiplatform.log_params({"eta": 0.1})
    aiplatform.log_time_series_metrics({"loss": 0.25})
    aiplatform.end_run()

    own = aiplatform.Experiment("an-experiment")
    (run,) = aiplatform.ExperimentRun.list(experiment=own)
    assert run.get_params() == {"depth": 1.0, "eta": 0.1}
    series = run.get_time_series_data_frame()
    assert list(zip(series["step"], series["loss"], strict=True)) == [(1, 0.5), (2, 0.25)]
    assert [each.name for each in aiplatform.Experiment.list()] == ["an-experiment"]
    run.delete(delete_backing_tensorboard_run=True)
    assert not aiplatform.ExperimentRun.list(experiment=own)
    own.delete()
    assert not aiplatform.Experiment.list()


def test_an_experiment_can_do_without_a_tensorboard(sdk: dict[str, Any]) -> None:
    experiment(sdk, experiment_tensorboard=False)
    with aiplatform.start_run("one-run") as run:
        run.log_metrics({"auc": 0.5})
    assert not aiplatform.Tensorboard.list()
    assert list(aiplatform.get_experiment_df("an-experiment")["metric.auc"]) == [0.5]


def test_a_run_keeps_what_it_was_made_from_and_what_it_made(
    sdk: dict[str, Any], storage_client: storage.Client
) -> None:
    bucket = f"models-of-{sdk['project']}"
    storage_client.create_bucket(bucket)
    experiment(sdk, experiment_tensorboard=False, staging_bucket=f"gs://{bucket}")
    with aiplatform.start_run("one-run") as run:
        with aiplatform.start_execution(
            schema_title="system.ContainerExecution", display_name="prepare"
        ) as execution:
            rows = aiplatform.Artifact.create(schema_title="system.Dataset", uri="gs://b/rows")
            features = aiplatform.Artifact.create(schema_title="system.Dataset", uri="gs://b/f")
            execution.assign_input_artifacts([rows])
            execution.assign_output_artifacts([features])
        run.log_classification_metrics(
            labels=["stays", "leaves"],
            matrix=[[3, 1], [0, 2]],
            fpr=[0.0, 1.0],
            tpr=[0.5, 1.0],
            threshold=[1.0, 0.0],
            display_name="confusion",
        )
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
        logged = run.log_model(model, display_name="regression")
    assert execution.state.name == "COMPLETE"
    assert [each.uri for each in execution.get_input_artifacts()] == ["gs://b/rows"]
    assert [each.uri for each in execution.get_output_artifacts()] == ["gs://b/f"]

    read = aiplatform.ExperimentRun("one-run", "an-experiment")
    assert [each.display_name for each in read.get_executions()] == ["prepare"]
    (metrics,) = read.get_classification_metrics()
    assert (metrics["labels"], metrics["matrix"]) == (["stays", "leaves"], [[3, 1], [0, 2]])
    assert [each.uri for each in read.get_experiment_models()] == [logged.uri]
    assert logged.uri.startswith(f"gs://{bucket}/")
    assert {each.uri for each in read.get_artifacts()} >= {"gs://b/rows", "gs://b/f", logged.uri}


def test_artifacts_executions_and_contexts_are_found_again(sdk: dict[str, Any]) -> None:
    rows = aiplatform.Artifact.create(
        schema_title="system.Dataset", resource_id="the-rows", uri="gs://b/rows", metadata={"n": 3}
    )
    rows.update(metadata={"columns": 2.0}, description="of last month")
    again = aiplatform.Artifact("the-rows")
    assert (again.metadata, again.description) == ({"n": 3.0, "columns": 2.0}, "of last month")
    assert aiplatform.Artifact.get_with_uri("gs://b/rows").name == "the-rows"
    assert aiplatform.Artifact.get("no-rows") is None
    context: Any = aiplatform.Context.get_or_create("a-context", schema_title="system.Experiment")
    child = aiplatform.Context.create(schema_title="system.ExperimentRun", resource_id="child")
    context.add_context_children([child])
    context.add_artifacts_and_executions(artifact_resource_names=[rows.resource_name])
    assert [each.name for each in context.get_artifacts()] == ["the-rows"]
    filter_ = f'parent_contexts:"{context.resource_name}"'
    assert [each.name for each in aiplatform.Context.list(filter=filter_)] == ["child"]
    # Unlike all others this method forgets the credentials of `init`: its default is a type.
    execution = aiplatform.Execution.create(
        schema_title="system.Run", resource_id="the-run", credentials=sdk["credentials"]
    )
    with execution:
        execution.assign_input_artifacts([rows])
    assert aiplatform.Execution("the-run").state.name == "COMPLETE"
    rows.delete()
    assert aiplatform.Artifact.get("the-rows") is None
    assert not execution.get_input_artifacts()


def test_a_pipeline_job_is_part_of_an_experiment(
    sdk: dict[str, Any], storage_client: storage.Client, tmp_path: Path
) -> None:
    source = storage_client.create_bucket(f"rows-of-{sdk['project']}")
    source.blob("rows.csv").upload_from_string("a,b")
    template = tmp_path / "pipeline.yaml"
    template.write_bytes(compiled("tracing"))
    experiment(sdk, experiment_tensorboard=False)
    job = aiplatform.PipelineJob(
        display_name="tracing",
        template_path=str(template),
        job_id="traced",
        # A bucket that is there already would have the SDK ask Google itself for the project.
        pipeline_root=f"gs://root-of-{sdk['project']}/runs",
        parameter_values={"rows": f"gs://{source.name}/rows.csv", "depth": 5},
    )
    job.submit(service_account=RUNNER, experiment="an-experiment")
    while not job.done():  # its own wait looks every five seconds
        time.sleep(0.02)
    assert job.has_failed is False
    own = job.get_associated_experiment()
    assert own is not None
    assert own.name == "an-experiment"
    row = aiplatform.get_experiment_df("an-experiment").iloc[0]
    assert (row["run_type"], row["run_name"]) == ("system.PipelineRun", "traced")
    assert (row["state"], row["param.depth"], row["metric.accuracy"]) == ("COMPLETE", 5.0, 0.5)

    train = next(task for task in job.task_details if task.task_name == "train")
    model = aiplatform.Artifact(train.outputs["model"].artifacts[0].name)
    assert model.schema_title == "system.Model"
    frame = aiplatform.get_pipeline_df("tracing")
    assert list(frame["run_name"]) == ["traced"]

    with aiplatform.start_run("by-hand") as run:
        run.log(pipeline_job=job)
    assert [each.name for each in run.get_logged_pipeline_jobs()] == ["traced"]


def test_a_custom_job_is_noted_in_its_run_and_told_of_it(
    sdk: dict[str, Any], storage_client: storage.Client
) -> None:
    bucket = storage_client.create_bucket(f"jobs-of-{sdk['project']}").name
    experiment(sdk, experiment_tensorboard=False, staging_bucket=f"gs://{bucket}")
    script = (
        "import os; from google.cloud import storage; "
        f"storage.Client().bucket('{bucket}').blob('told').upload_from_string("
        "os.environ['AIP_EXPERIMENT_RUN_NAME'])"
    )
    container = {"image_uri": "python:3.11", "command": ["python", "-c", script]}
    pool = {
        "machine_spec": {"machine_type": "n1-standard-4"},
        "replica_count": 1,
        "container_spec": container,
    }
    aiplatform.start_run("one-run")
    aiplatform.end_run()
    for own_run in ("one-run", None):
        job = aiplatform.CustomJob(display_name="job", worker_pool_specs=[pool])
        job.submit(experiment="an-experiment", experiment_run=own_run, service_account=RUNNER)
        while not job.state.name.endswith(("SUCCEEDED", "FAILED")):
            time.sleep(0.02)
        assert job.state.name == "JOB_STATE_SUCCEEDED", job.error
        told = storage_client.bucket(bucket).blob("told").download_as_text()
        assert job.job_spec.experiment_run.endswith(f"/contexts/an-experiment-{told}")
    named, own = sorted(
        aiplatform.ExperimentRun.list(experiment="an-experiment"),
        key=lambda run: run.name,
        reverse=True,
    )
    assert (named.name, own.name) == ("one-run", f"custom-job-{job.name}")
    assert [each.name for each in own.get_logged_custom_jobs()] == [job.name]
    assert len(named.get_logged_custom_jobs()) == 1
