"""What the KFP compiler can write and nobody has proved to work on Vertex AI Pipelines.

Without `--permissive` it is refused: a pipeline that runs here and not there would be the worse
surprise. With it each of these either runs, with the meaning that KFP gives it, or is refused as
not implemented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gcp_local.rpc.protos import Message

_NOTEBOOK = "__KFP_NOTEBOOK_REL_PATH"


@dataclass(frozen=True)
class Unproven:
    """A feature, the place in the `pipeline_spec` where it is used, and whether it can run here."""

    feature: str
    where: str
    runs: bool

    def __str__(self) -> str:
        return f"{self.feature} at {self.where}"


def found(spec: Message, deployment: Message) -> tuple[Unproven, ...]:
    """List everything unproven in a pipeline.

    Args:
        spec: its `PipelineSpec`.
        deployment: the `PipelineDeploymentConfig` in it.

    """
    dags = {f"components.{name}": component for name, component in sorted(spec.components.items())}
    return tuple(
        item
        for where, component in [("root", spec.root), *dags.items()]
        for item in (*_component(component, where), *_tasks(spec, component, deployment, where))
    ) + tuple(
        item
        for label, executor in sorted(deployment.executors.items())
        for item in _executor(executor, f"deployment_spec.executors.{label}")
    )


def _component(spec: Message, where: str) -> Iterator[Unproven]:
    if spec.single_platform_specs:
        yield Unproven("singlePlatformSpecs (a platform's own features)", where, runs=False)
    if spec.task_config_passthroughs:
        yield Unproven("taskConfigPassthroughs", where, runs=False)
    for definitions in ("input_definitions", "output_definitions"):
        for name, parameter in sorted(getattr(spec, definitions).parameters.items()):
            place = f"{where}.{definitions}.parameters.{name}"
            kind = parameter.DESCRIPTOR.fields_by_name["parameter_type"].enum_type
            if kind.values_by_number[parameter.parameter_type].name == "TASK_CONFIG":
                yield Unproven("parameter type TASK_CONFIG", place, runs=False)
            if getattr(parameter, "literals", None):
                yield Unproven("literals", place, runs=True)


def _tasks(spec: Message, parent: Message, deployment: Message, where: str) -> Iterator[Unproven]:
    for name, task in sorted(parent.dag.tasks.items()):
        place = f"{where}.dag.tasks.{name}"
        if task.caching_options.cache_key:
            yield Unproven("cacheKey", place, runs=True)
        handled = any(each.startswith("exit-handler-") for each in task.dependent_tasks)
        final = any(
            each.WhichOneof("kind") == "task_final_status"
            for each in task.inputs.parameters.values()
        )
        if where != "root" and (handled or final):
            yield Unproven("an ExitHandler in a sub-pipeline", place, runs=True)
        child = spec.components.get(task.component_ref.name)
        executor = deployment.executors.get(child.executor_label) if child else None
        if task.retry_policy.max_retry_count and not (executor and executor.HasField("container")):
            yield Unproven("set_retry on a sub-pipeline or an importer", place, runs=False)


def _executor(spec: Message, where: str) -> Iterator[Unproven]:
    kind = spec.WhichOneof("spec")
    if kind == "container":
        container = spec.container
        if "{{$" in container.image:
            yield Unproven("an image that is known at run time only", where, runs=True)
        if container.HasField("lifecycle"):
            yield Unproven("a lifecycle hook", where, runs=False)
        if any(_NOTEBOOK in word for word in container.command):
            yield Unproven("a notebook component", where, runs=True)
        for what in ("cpu_limit", "cpu_request", "memory_limit", "memory_request"):
            if "{{$" in getattr(container.resources, f"resource_{what}"):
                yield Unproven(f"{what} by a value that is known at run time only", where, True)
    elif kind == "importer":
        if spec.importer.download_to_workspace:
            yield Unproven("downloadToWorkspace", where, runs=False)
    elif kind is not None:
        yield Unproven(f"an executor of kind {kind}", where, runs=False)
