"""What Vertex AI documents of caching: what is the same execution, and what comes of it."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator"

import copy
from pathlib import Path
from typing import Any

import pytest
from google.cloud.aiplatform_v1.types import Execution
from kfp import dsl

from gcp_local.containers.processes import PlainLauncher
from gcp_local.orchestrator.states import JobState, TaskState
from tests.gcp_local.orchestrator import components as c
from tests.gcp_local.orchestrator.harness import BUCKET, Cloud, Result, compiled

RAN, CACHED = TaskState.SUCCEEDED, TaskState.SKIPPED


@dsl.container_component
def measure(text: str, size: dsl.OutputPath(int), copied: dsl.Output[dsl.Dataset]):  # type: ignore[valid-type]
    script = 'printf %s "$0" > "$1"; printf %s "${#0}" > "$2"'
    return dsl.ContainerSpec(
        image="python:3.11", command=["sh", "-c", script], args=[text, copied.path, size]
    )


@dsl.container_component
def repeat(data: dsl.Input[dsl.Dataset], times: int, twice: dsl.OutputPath(str)):  # type: ignore[valid-type]
    script = 'for i in $(seq "$1"); do cat "$0"; done > "$2"'
    return dsl.ContainerSpec(
        image="python:3.11", command=["sh", "-c", script], args=[data.path, times, twice]
    )


@dsl.pipeline(name="measuring")
def measuring(text: str = "four", times: int = 2) -> str:
    measured = measure(text=text)
    return repeat(data=measured.outputs["copied"], times=times).output  # type: ignore[no-any-return]


def ids(result: Result) -> str:
    return str(result.artifact("measure", "copied").name)


def test_an_execution_that_was_done_before_is_skipped_and_its_outputs_are_the_same_artifacts(
    plain_cloud: Cloud,
) -> None:
    first, second = plain_cloud.succeed(measuring), plain_cloud.succeed(measuring)
    assert first.states() == {"measure": RAN, "repeat": RAN}
    assert second.states() == {"measure": CACHED, "repeat": CACHED}
    assert second.outputs("measure") == first.outputs("measure") == {"size": 4}
    assert second.outputs("repeat") == {"twice": "fourfour"}
    mine, theirs = (result.artifact("measure", "copied") for result in (second, first))
    assert (mine.name, mine.uri, mine.schema_title) == (
        theirs.name,
        theirs.uri,
        "system.Dataset",
    )
    assert second.read(mine.uri) == b"four"
    task = second.tasks["measure"]
    assert [status.state for status in task.pipeline_task_status] == [TaskState.PENDING, CACHED]
    assert task.execution.state == Execution.State.CACHED
    assert task.execution.name != first.tasks["measure"].execution.name
    assert not task.HasField("executor_detail")
    assert second.inputs("repeat") == {"times": 2}
    assert task.inputs == first.tasks["measure"].inputs
    assert second.tasks["repeat"].inputs["data"].artifacts[0].name == theirs.name
    assert second.outputs("") == {"Output": "fourfour"}


def test_only_what_differs_runs_again(plain_cloud: Cloud) -> None:
    plain_cloud.succeed(measuring)
    times = plain_cloud.succeed(measuring, {"times": 3})
    assert times.states() == {"measure": CACHED, "repeat": RAN}
    assert times.outputs("repeat") == {"twice": "fourfourfour"}
    text = plain_cloud.succeed(measuring, {"text": "5"})
    assert text.states() == {"measure": RAN, "repeat": RAN}


def test_the_same_bytes_under_another_artifact_id_are_another_input(plain_cloud: Cloud) -> None:
    spec = compiled(measuring, plain_cloud.folder)
    first = plain_cloud.succeed(spec)
    afresh = copy.deepcopy(spec)
    afresh["root"]["dag"]["tasks"]["measure"]["cachingOptions"] = {}
    second = plain_cloud.succeed(afresh)
    assert second.states() == {"measure": RAN, "repeat": RAN}
    assert ids(first) != ids(second)
    assert second.read(second.artifact("measure", "copied").uri) == b"four"


EXECUTOR = ("deploymentSpec", "executors", "exec-measure", "container")
OUTPUTS = ("components", "comp-measure", "outputDefinitions")
ARGUMENTS = [
    "{{$.inputs.parameters['text']}}",
    "{{$.outputs.artifacts['copied'].path}}",
    "{{$.outputs.parameters['size'].output_file}}",
]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("pipelineInfo", "name"), "weighing", RAN),
        ((*EXECUTOR, "image"), "python:3.12", RAN),
        ((*EXECUTOR, "env"), [{"name": "A", "value": "1"}], RAN),
        ((*EXECUTOR, "command"), ["sh", "-ec", 'printf %s "$0" > "$1"; printf 4 > "$2"'], RAN),
        ((*EXECUTOR, "args"), [*ARGUMENTS, "more"], RAN),
        ((*OUTPUTS, "artifacts", "copied", "metadata"), {"unit": "g"}, RAN),
        (
            (*OUTPUTS, "artifacts", "copied", "artifactType"),
            {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"},
            RAN,
        ),
        (
            (*OUTPUTS, "parameters", "more"),
            {"parameterType": "STRING"},
            RAN,
        ),
        ((*EXECUTOR, "resources"), {"cpuLimit": 2.0, "resourceCpuLimit": "2"}, CACHED),
        (("root", "dag", "tasks", "measure", "taskInfo", "name"), "shown so", CACHED),
        (("root", "dag", "tasks", "measure", "retryPolicy"), {"maxRetryCount": 2}, CACHED),
        (("root", "inputDefinitions", "parameters", "text", "defaultValue"), "f" + "our", CACHED),
    ],
)
def test_the_component_and_the_pipelines_name_decide_what_is_the_same(
    plain_cloud: Cloud, path: tuple[str, ...], value: Any, expected: TaskState
) -> None:
    spec = compiled(measuring, plain_cloud.folder)
    plain_cloud.succeed(spec)
    changed = copy.deepcopy(spec)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert plain_cloud.succeed(changed).states()["measure"] is expected


def test_the_compiled_caching_options_decide_whether_a_task_may_be_skipped(
    plain_cloud: Cloud,
) -> None:
    @dsl.pipeline(name="options")
    def options() -> None:
        measure(text="a").set_caching_options(False)
        measure(text="b")

    first, second = plain_cloud.succeed(options), plain_cloud.succeed(options)
    assert first.states() == {"measure": RAN, "measure-2": RAN}
    assert second.states() == {"measure": RAN, "measure-2": CACHED}


def test_a_failed_execution_is_never_taken(plain_cloud: Cloud, tmp_path: Path) -> None:
    @dsl.container_component
    def need(path: str):
        return dsl.ContainerSpec(image="python:3.11", command=["cat"], args=[path])

    @dsl.pipeline(name="needing")
    def needing(path: str) -> None:
        need(path=path)

    path = tmp_path / "missing"
    given = {"path": str(path)}
    assert plain_cloud.run(needing, given).state is JobState.FAILED
    path.touch()
    assert plain_cloud.succeed(needing, given).states() == {"need": RAN}
    path.unlink()
    assert plain_cloud.succeed(needing, given).states() == {"need": CACHED}


def test_what_comes_after_a_skipped_task_runs_and_an_exit_task_sees_a_success(
    plain_cloud: Cloud,
) -> None:
    @dsl.pipeline(name="after")
    def after() -> None:
        with dsl.ExitHandler(c.report_status()):
            measured = measure(text="a")
            with dsl.If(measured.outputs["size"] == 1):
                c.echo(text="yes")

    plain_cloud.succeed(after)
    result = plain_cloud.succeed(after)
    states = result.states()
    assert states["exit-handler-1.measure"] is CACHED
    assert states["exit-handler-1.condition-2.echo"] is CACHED
    # Its input, the final status, names the job: it is never the same.
    assert states["report-status"] is RAN
    assert result.outputs("report-status")["Output"].startswith("SUCCEEDED")


def test_the_final_status_of_a_skipped_task_is_a_success(plain_cloud: Cloud) -> None:
    @dsl.pipeline(name="final")
    def final() -> None:
        c.report_status().after(measure(text="a")).ignore_upstream_failure()

    plain_cloud.succeed(final)
    result = plain_cloud.succeed(final)
    assert result.states()["measure"] is CACHED
    assert result.outputs("report-status")["Output"].startswith("SUCCEEDED")


def test_each_round_of_a_loop_is_an_execution_of_its_own(plain_cloud: Cloud) -> None:
    @dsl.pipeline(name="rounds")
    def rounds(words: list) -> None:
        with dsl.ParallelFor(words) as word:
            measured = measure(text=word)
        c.describe_values(
            whole=1,
            real=1.0,
            text="",
            flag=True,
            items=dsl.Collected(measured.outputs["size"]),
            struct={},
        )

    plain_cloud.succeed(rounds, {"words": ["a", "bb"]})
    result = plain_cloud.succeed(rounds, {"words": ["bb", "ccc", "a"]})
    states = [state for name, state in result.states().items() if name.endswith(".measure")]
    assert states == [CACHED, RAN, CACHED]
    assert '["list", [2, 3, 1]]' in result.outputs("describe-values")["Output"]


def test_an_identical_task_of_the_same_run_is_skipped_if_it_comes_later(
    plain_cloud: Cloud,
) -> None:
    @dsl.pipeline(name="twice")
    def twice() -> None:
        first = measure(text="a")
        measure(text="a").after(first)

    result = plain_cloud.succeed(twice)
    assert result.states() == {"measure": RAN, "measure-2": CACHED}


def test_a_placeholder_in_a_parameter_counts_by_its_value_and_in_an_argument_by_its_name(
    plain_cloud: Cloud,
) -> None:
    @dsl.container_component
    def tell():
        return dsl.ContainerSpec(
            image="python:3.11", command=["echo"], args=[dsl.PIPELINE_JOB_NAME_PLACEHOLDER]
        )

    @dsl.pipeline(name="placeholders")
    def placeholders() -> None:
        measure(text=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)
        tell()

    plain_cloud.succeed(placeholders)
    assert plain_cloud.succeed(placeholders).states() == {"measure": RAN, "tell": CACHED}


def test_an_importer_is_never_skipped_and_its_artifact_keeps_its_id(plain_cloud: Cloud) -> None:
    plain_cloud.objects.write(BUCKET, "data.txt", b"data")

    @dsl.pipeline(name="importing")
    def importing(afresh: bool = False) -> None:
        data = dsl.importer(
            artifact_uri=f"gs://{BUCKET}/data.txt", artifact_class=dsl.Dataset, reimport=False
        )
        repeat(data=data.output, times=1)

    plain_cloud.succeed(importing)
    spec = compiled(importing, plain_cloud.folder)
    assert plain_cloud.succeed(spec).states() == {"importer": RAN, "repeat": CACHED}
    spec["deploymentSpec"]["executors"]["exec-importer"]["importer"]["reimport"] = True
    assert plain_cloud.succeed(spec).states() == {"importer": RAN, "repeat": RAN}


def test_projects_and_locations_share_nothing(plain_cloud: Cloud) -> None:
    plain_cloud.succeed(measuring)
    for parent in (
        "projects/123456/locations/us-central1",
        "projects/654321/locations/europe-west1",
    ):
        job = plain_cloud.job(measuring, parent=parent)
        plain_cloud.orchestrator.submit(job)
        assert set(plain_cloud.wait(job.name).states().values()) == {RAN}


def test_an_execution_that_was_deleted_from_ml_metadata_is_not_taken(plain_cloud: Cloud) -> None:
    first = plain_cloud.succeed(measuring)
    plain_cloud.forgotten.add(first.tasks["measure"].execution.name)
    second = plain_cloud.succeed(measuring)
    assert second.states() == {"measure": RAN, "repeat": RAN}
    # The execution that ran in its place is taken from now on.
    assert plain_cloud.succeed(measuring).states() == {"measure": CACHED, "repeat": CACHED}


def test_the_cache_survives_a_restart(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, PlainLauncher())
    first = cloud.succeed(measuring)
    cloud.close()
    cloud = Cloud(tmp_path, PlainLauncher(), count=10)
    second = cloud.succeed(measuring)
    cloud.close()
    assert second.states() == {"measure": CACHED, "repeat": CACHED}
    assert ids(second) == ids(first)


def test_an_execution_is_cached_only_if_its_end_was_recorded(tmp_path: Path) -> None:
    class Failing(Cloud):
        def _save(self, job: Any) -> None:
            if any(task.state == RAN for task in job.job_detail.task_details):
                raise OSError("no space left on device")
            super()._save(job)

    failing = Failing(tmp_path, PlainLauncher())
    assert failing.run(measuring).state is JobState.FAILED
    failing.close()
    cloud = Cloud(tmp_path, PlainLauncher(), count=10)
    assert set(cloud.succeed(measuring).states().values()) == {RAN}
    cloud.close()
