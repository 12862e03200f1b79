"""What is not proved to work on Vertex AI: refused, unless the cloud is permissive."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator"

import copy
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from gcp_local.containers.processes import PlainLauncher
from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.orchestrator.states import JobState, TaskState
from tests.gcp_local.orchestrator import components as c
from tests.gcp_local.orchestrator.harness import Cloud, compiled

Spec = dict[str, Any]
RAN, CACHED = TaskState.SUCCEEDED, TaskState.SKIPPED


@pytest.fixture
def permissive(tmp_path: Path) -> Iterator[Cloud]:
    folder = tmp_path / "permissive"
    folder.mkdir()
    cloud = Cloud(folder, PlainLauncher(), permissive=True)
    yield cloud
    cloud.close()
    assert list(cloud.work.iterdir()) == []


def refused(cloud: Cloud, spec: Any, message: str, given: dict[str, Any] | None = None) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        cloud.orchestrator.validate(cloud.job(spec, given))
    assert message in refusal.value.message
    assert refusal.value.message.endswith("is not supported.")


def adding(folder: Path) -> Spec:
    @dsl.pipeline(name="adding")
    def adding(n: int = 1) -> None:
        c.add(a=n, b=1)

    return compiled(adding, folder)


def changed(spec: Spec, *path: Any) -> Spec:
    *keys, last, value = path
    made = copy.deepcopy(spec)
    place = made
    for key in keys:
        place = place.setdefault(key, {})
    place[last] = value
    return made


TASK = ("root", "dag", "tasks", "add")
EXECUTOR = ("deploymentSpec", "executors", "exec-add")
COMPONENT = ("components", "comp-add")
PARAMETER = (*COMPONENT, "inputDefinitions", "parameters", "a")


def test_a_cache_key_is_refused_and_permissively_it_alone_says_what_is_the_same(
    plain_cloud: Cloud, permissive: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    spec = changed(adding(permissive.folder), *TASK, "cachingOptions", "cacheKey", "mine")
    refused(plain_cloud, spec, "cacheKey at root.dag.tasks.add")
    with caplog.at_level(logging.WARNING):
        first = permissive.succeed(spec, {"n": 1})
    assert f"{first.job.name}: cacheKey at root.dag.tasks.add is not proved" in caplog.text
    assert first.metadata("")["unproven"] == ["cacheKey at root.dag.tasks.add"]
    second = permissive.succeed(spec, {"n": 2})
    assert second.states() == {"add": CACHED}
    assert second.outputs("add") == {"Output": 2}
    other = changed(spec, *TASK, "cachingOptions", "cacheKey", "yours")
    assert permissive.succeed(other, {"n": 2}).outputs("add") == {"Output": 3}


def test_what_is_proved_is_not_warned_of(permissive: Cloud) -> None:
    assert "unproven" not in permissive.succeed(adding(permissive.folder)).metadata("")


def test_literals_are_refused_and_permissively_a_value_must_be_one_of_them(
    plain_cloud: Cloud, permissive: Cloud
) -> None:
    spec = changed(adding(permissive.folder), *PARAMETER, "literals", [1, 2])
    where = "components.comp-add.input_definitions.parameters.a"
    refused(plain_cloud, spec, f"literals at {where}")
    assert permissive.succeed(spec, {"n": 2}).outputs("add") == {"Output": 3}
    result = permissive.run(spec, {"n": 3})
    assert result.state is JobState.FAILED
    assert "'a' is 3, which is none of 1, 2" in result.error


def test_literals_of_the_pipelines_own_parameter_hold_for_the_jobs_value(
    plain_cloud: Cloud, permissive: Cloud
) -> None:
    path = ("root", "inputDefinitions", "parameters", "n", "literals")
    spec = changed(adding(permissive.folder), *path, [1, 2])
    refused(plain_cloud, spec, "literals at root")
    with pytest.raises(InvalidArgument, match="'n' is 3, which is none of 1, 2"):
        permissive.orchestrator.validate(permissive.job(spec, {"n": 3}))


def test_an_exit_handler_in_a_sub_pipeline_is_refused_and_permissively_handles_its_exit(
    plain_cloud: Cloud, permissive: Cloud
) -> None:
    @dsl.pipeline(name="inner")
    def inner(message: str) -> None:
        with dsl.ExitHandler(c.report_status()):
            c.fail(message=message)

    @dsl.pipeline(name="plain")
    def plain() -> None:
        with dsl.ExitHandler(c.echo(text="the end")):
            c.echo(text="a")

    @dsl.pipeline(name="outer")
    def outer() -> None:
        inner(message="inside")
        plain()

    refused(plain_cloud, outer, "an ExitHandler in a sub-pipeline at components.comp-inner")
    result = permissive.run(outer)
    assert result.state is JobState.FAILED
    assert "ValueError: inside" in result.outputs("inner.report-status")["Output"]
    assert result.outputs("plain.echo") == {"Output": "the end"}
    assert len(result.metadata("")["unproven"]) == 2


def test_an_image_known_at_run_time_only_is_refused_and_permissively_runs(
    plain_cloud: Cloud, permissive: Cloud
) -> None:
    image = "python:3.{{$.inputs.parameters['a']}}"
    spec = changed(adding(permissive.folder), *EXECUTOR, "container", "image", image)
    refused(plain_cloud, spec, "an image that is known at run time only")
    assert permissive.succeed(spec, {"n": 11}).outputs("add") == {"Output": 12}


def test_limits_known_at_run_time_only_are_refused_and_permissively_ignored(
    plain_cloud: Cloud, permissive: Cloud
) -> None:
    resources = {"resourceCpuLimit": "{{$.inputs.parameters['a']}}"}
    spec = changed(adding(permissive.folder), *EXECUTOR, "container", "resources", resources)
    refused(plain_cloud, spec, "cpu_limit by a value that is known at run time only")
    assert permissive.succeed(spec).outputs("add") == {"Output": 2}


def test_a_notebook_component_is_refused_and_permissively_runs_as_any_python_component(
    plain_cloud: Cloud, permissive: Cloud, tmp_path: Path
) -> None:
    notebook = tmp_path / "notebook.ipynb"
    notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')

    @dsl.notebook_component(
        notebook_path=str(notebook),
        base_image="python:3.11",
        install_kfp_package=False,
        packages_to_install=["nbclient==0.0.0.nowhere"],
    )
    def explore() -> None:
        dsl.run_notebook()

    @dsl.pipeline(name="exploring")
    def exploring() -> None:
        explore()

    refused(plain_cloud, exploring, "a notebook component")
    result = permissive.run(exploring)
    assert "The component installs nbclient==0.0.0.nowhere" in result.tasks["explore"].error.message


@pytest.mark.parametrize(
    ("path", "feature"),
    [
        ((*COMPONENT, "singlePlatformSpecs", [{}]), "singlePlatformSpecs"),
        ((*COMPONENT, "taskConfigPassthroughs", [{}]), "taskConfigPassthroughs"),
        ((*PARAMETER, "parameterType", "TASK_CONFIG"), "parameter type TASK_CONFIG"),
        ((*EXECUTOR, {"importer": {"downloadToWorkspace": True}}), "downloadToWorkspace"),
        ((*EXECUTOR, {"resolver": {}}), "an executor of kind resolver"),
        ((*EXECUTOR, {"customJob": {"customJob": {}}}), "an executor of kind custom_job"),
        ((*EXECUTOR, "container", "lifecycle", {}), "a lifecycle hook"),
    ],
)
def test_what_has_no_meaning_here_is_not_implemented_even_permissively(
    plain_cloud: Cloud, permissive: Cloud, path: tuple[Any, ...], feature: str
) -> None:
    spec = changed(adding(permissive.folder), *path)
    refused(plain_cloud, spec, feature)
    with pytest.raises(Unimplemented, match=feature):
        permissive.orchestrator.validate(permissive.job(spec))


@pytest.mark.parametrize("kind", ["sub-pipeline", "loop", "importer"])
def test_a_retry_of_what_is_no_component_is_refused(
    plain_cloud: Cloud, permissive: Cloud, kind: str
) -> None:
    @dsl.pipeline(name="inner")
    def inner() -> None:
        c.fail(message="again")

    @dsl.pipeline(name="outer")
    def outer() -> None:
        if kind == "importer":
            dsl.importer(artifact_uri="gs://bucket/x", artifact_class=dsl.Model).set_retry(2)
        elif kind == "loop":
            with dsl.ParallelFor([1, 2]):
                inner()
        else:
            inner().set_retry(2)

    spec = compiled(outer, plain_cloud.folder)
    if kind == "loop":  # the compiler writes none there; who writes IR by hand may
        (loop,) = spec["root"]["dag"]["tasks"].values()
        loop["retryPolicy"] = {"maxRetryCount": 2}
    feature = "set_retry on a sub-pipeline or an importer at root"
    refused(plain_cloud, spec, feature)
    with pytest.raises(Unimplemented, match=feature):
        permissive.orchestrator.validate(permissive.job(spec))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("schemaVersion", "2.0.0"), "schema_version is 2.0.0"),
        (("platforms", {"kubernetes": {}}), 'Unknown name "platforms"'),
    ],
)
def test_what_vertex_ai_refuses_stays_refused(
    permissive: Cloud, path: tuple[Any, ...], message: str
) -> None:
    job = permissive.job(changed(adding(permissive.folder), *path))
    with pytest.raises(InvalidArgument) as refusal:
        permissive.orchestrator.validate(job)
    assert message in refusal.value.message
