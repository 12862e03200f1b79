"""What a second run with the same parameters takes from the cache: told beforehand, and true."""

import uuid
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1, storage
from google.protobuf import json_format
from kfp import dsl

from ecluse.repository.caching import tasks_to_run_anew
from tests.ecluse.conftest import Commands
from tests.ecluse.repositories import Repository

IMAGE = "python:3.11-slim"


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def draw(run_key: str, table: dsl.Output[dsl.Dataset]) -> int:
    return 1


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def read(table: dsl.Input[dsl.Dataset]) -> int:
    return 2


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def count(number: int) -> int:
    return number


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def say(text: str) -> str:
    return text


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def tell(status: dsl.PipelineTaskFinalStatus) -> None:
    assert status.state


@dsl.pipeline(name="all-cached")
def all_cached(run_key: str) -> None:
    drawn = draw(run_key=run_key)
    read(table=drawn.outputs["table"])
    count(number=drawn.outputs["Output"])


@dsl.pipeline(name="first-runs")
def first_runs(run_key: str) -> None:
    drawn = draw(run_key=run_key).set_caching_options(False)
    read(table=drawn.outputs["table"])
    count(number=drawn.outputs["Output"])


@dsl.pipeline(name="a-condition")
def a_condition(run_key: str) -> None:
    drawn = draw(run_key=run_key).set_caching_options(False)
    with dsl.If(drawn.outputs["Output"] == 1):
        read(table=drawn.outputs["table"])
        count(number=5)


@dsl.pipeline(name="a-loop")
def a_loop(run_key: str) -> None:
    drawn = draw(run_key=run_key)
    with dsl.ParallelFor([1, 2]) as number:
        count(number=number)
        read(table=drawn.outputs["table"])


@dsl.pipeline(name="imported")
def imported(run_key: str, uri: str = "gs://a/b") -> None:
    anew = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, reimport=True)
    read(table=anew.output)
    say(text=run_key)


@dsl.pipeline(name="known-import")
def known_import(run_key: str, uri: str = "gs://a/b") -> None:
    known = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, reimport=False)
    read(table=known.output)
    say(text=run_key).set_caching_options(False)


@dsl.pipeline(name="inner")
def inner(run_key: str) -> dsl.Dataset:
    return draw(run_key=run_key).outputs["table"]


@dsl.pipeline(name="nested")
def nested(run_key: str) -> None:
    read(table=inner(run_key=run_key).output)


@dsl.pipeline(name="this-run")
def this_run(run_key: str) -> None:
    say(text=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)
    final = tell()
    with dsl.ExitHandler(final):
        draw(run_key=run_key).set_caching_options(False)


def spec_of(pipeline: Any) -> dict[str, Any]:
    return dict(json_format.MessageToDict(pipeline.pipeline_spec))


@pytest.mark.parametrize(
    ("pipeline", "tasks"),
    [
        (all_cached, ("draw",)),
        (first_runs, ()),
        (a_condition, ("count",)),
        (a_loop, ("draw", "count")),
        (imported, ("say",)),
        (known_import, ("read",)),
        (nested, ("draw",)),
        (this_run, ()),
    ],
    ids=lambda value: value.name if hasattr(value, "name") else "",
)
def test_the_tasks_are_told_that_keep_a_second_run_from_running(
    pipeline: Any, tasks: tuple[str, ...]
) -> None:
    assert tasks_to_run_anew(spec_of(pipeline)) == tasks


@pytest.mark.parametrize(
    ("pipeline", "skipped", "by_their_value"),
    # `count` reads a number, and runs anew only if that is another one.
    [(all_cached, 3, 1), (a_condition, 1, 0), (nested, 2, 0)],
)
def test_the_embedded_cloud_skips_just_these(
    address: str, pipeline: Any, skipped: int, by_their_value: int
) -> None:
    spec = spec_of(pipeline)
    assert skips(address, spec) == skipped
    for name in tasks_to_run_anew(spec):
        forbid_caching(spec, name)
    assert tasks_to_run_anew(spec) == ()
    spec["pipelineInfo"]["name"] += "-anew"
    assert skips(address, spec) == by_their_value


def forbid_caching(spec: dict[str, Any], name: str) -> None:
    dags = [spec["root"]["dag"], *(c["dag"] for c in spec["components"].values() if "dag" in c)]
    for dag in dags:
        dag["tasks"].get(name, {}).pop("cachingOptions", None)


def skips(address: str, spec: dict[str, Any]) -> int:
    """Run a pipeline twice with the same parameters; return how many tasks the second skipped."""
    suffix = uuid.uuid4().hex[:8]
    client: dict[str, Any] = {
        "credentials": AnonymousCredentials(),
        "client_options": {"api_endpoint": address},
    }
    storage.Client(project=f"caching-{suffix}", **client).create_bucket(f"caching-{suffix}")
    jobs: Any = aiplatform_v1.PipelineServiceClient(transport="rest", **client)
    job: Any = None
    for _ in range(2):
        job = jobs.create_pipeline_job(
            parent=f"projects/caching-{suffix}/locations/europe-west1",
            pipeline_job={
                "pipeline_spec": spec,
                "runtime_config": {
                    "gcs_output_directory": f"gs://caching-{suffix}/runs",
                    "parameter_values": {"run_key": "always the same"},
                },
            },
        )
        for _ in range(1500):
            job = jobs.get_pipeline_job(name=job.name)
            if job.end_time:
                break
        assert job.state.name == "PIPELINE_STATE_SUCCEEDED", job.error
    return sum(task.state.name == "SKIPPED" for task in job.job_detail.task_details)


# As a user meets it


def test_a_schedule_whose_second_run_would_come_from_the_cache_is_refused(
    ecluse: Commands, repository: Repository
) -> None:
    repository.replace(
        "pipelines/alpha/pipeline.yaml", "gates:", "schedule: {cron: '0 6 * * 1'}\ngates:"
    )
    allowed = ecluse("check")
    assert allowed.code == 0, allowed.err
    repository.replace("pipelines/alpha/pipeline.py", ".set_caching_options(False)", "")
    refused = ecluse("check")
    assert refused.code == 2
    assert "pipelines/alpha/pipeline.yaml:3: every scheduled run has the same" in refused.err
    assert "what `measure` gave before" in refused.err
    assert "write `.set_caching_options(False)` on the task `measure`" in refused.err
    repository.replace("pipelines/alpha/pipeline.yaml", "schedule: {cron: '0 6 * * 1'}\n", "")
    assert ecluse("check").code == 0


def test_a_schedule_of_one_environment_is_held_against_the_cache_too(
    ecluse: Commands, repository: Repository
) -> None:
    repository.replace("pipelines/alpha/pipeline.py", ".set_caching_options(False)", "")
    repository.replace(
        "pipelines/alpha/pipeline.yaml",
        "gates:",
        "environments:\n  prod:\n    schedule: {cron: '0 6 * * 1'}\ngates:",
    )
    refused = ecluse("check")
    assert refused.code == 2
    assert "pipelines/alpha/pipeline.yaml:5: every scheduled run" in refused.err
