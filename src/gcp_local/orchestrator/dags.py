"""Reads the DAGs of a pipeline: tasks, where their inputs come from, their retries and loops."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gcp_local.orchestrator import conditions, consistency, parameters
from gcp_local.orchestrator.parameters import MistypedValueError
from gcp_local.orchestrator.refusals import refusal
from gcp_local.orchestrator.spec import (
    ArtifactSource,
    ComponentInput,
    Constant,
    Dag,
    FinalStatus,
    Loop,
    ParameterSource,
    Retry,
    Task,
    TaskOutput,
)

if TYPE_CHECKING:
    from gcp_local.orchestrator.parameters import Json
    from gcp_local.rpc.protos import Message

_LONGEST_PAUSE = 3600.0  # "Max allowed is 1 hour", pipeline_spec.proto


def read(spec: Message, where: str) -> Dag:
    """Read a `DagSpec`.

    Raises:
        InvalidArgument: it is inconsistent in itself, or Vertex AI refuses it.

    """
    tasks = {
        name: _task(name, task, f"{where}.dag.tasks.{name}") for name, task in spec.tasks.items()
    }
    if not tasks:
        raise refusal(f"{where} has no tasks", where)
    parameter_outputs: dict[str, tuple[TaskOutput, ...]] = {}
    for key, output in spec.outputs.parameters.items():
        one = output.value_from_parameter
        several = output.value_from_oneof.parameter_selectors
        parameter_outputs[key] = tuple(
            TaskOutput(selector.producer_subtask, selector.output_parameter_key)
            for selector in (several or [one])
        )
    artifact_outputs = {
        key: tuple(
            TaskOutput(selector.producer_subtask, selector.output_artifact_key)
            for selector in output.artifact_selectors
        )
        for key, output in spec.outputs.artifacts.items()
    }
    return Dag(consistency.in_order(tasks, where), parameter_outputs, artifact_outputs)


def _task(name: str, spec: Message, where: str) -> Task:
    inputs = {
        key: _parameter_source(item, where, key) for key, item in spec.inputs.parameters.items()
    }
    artifacts = {
        key: _artifact_source(item, where, key) for key, item in spec.inputs.artifacts.items()
    }
    origins = [*(source.origin for source in inputs.values()), *artifacts.values()]
    producers = {origin.task for origin in origins if isinstance(origin, TaskOutput | FinalStatus)}
    condition = spec.trigger_policy.condition
    if condition:
        try:
            conditions.check(condition)
        except conditions.ConditionError as error:
            raise refusal(f"the condition at {where}: {error}", where) from None
    completed = spec.trigger_policy.DESCRIPTOR.enum_types_by_name["TriggerStrategy"].values_by_name
    return Task(
        name=name,
        display_name=spec.task_info.name or name,
        component=spec.component_ref.name,
        parameters=inputs,
        artifacts=artifacts,
        upstream=frozenset({*spec.dependent_tasks, *producers}),
        condition=condition,
        waits_for_success=spec.trigger_policy.strategy
        != completed["ALL_UPSTREAM_TASKS_COMPLETED"].number,
        retry=_retry(spec.retry_policy, where) if spec.HasField("retry_policy") else None,
        loop=_loop(spec, where),
        cached=spec.caching_options.enable_cache,
        cache_key=spec.caching_options.cache_key,
    )


def _parameter_source(spec: Message, where: str, key: str) -> ParameterSource:
    origin: Constant | TaskOutput | ComponentInput | FinalStatus
    match spec.WhichOneof("kind"):
        case "task_output_parameter":
            output = spec.task_output_parameter
            origin = TaskOutput(output.producer_task, output.output_parameter_key)
        case "component_input_parameter":
            origin = ComponentInput(spec.component_input_parameter)
        case "task_final_status":
            origin = FinalStatus(spec.task_final_status.producer_task)
        case "runtime_value" if spec.runtime_value.WhichOneof("value") == "constant":
            origin = Constant(constant(spec.runtime_value.constant, where))
        case "runtime_value" if spec.runtime_value.WhichOneof("value") == "runtime_parameter":
            origin = ComponentInput(spec.runtime_value.runtime_parameter)
        case _:
            raise refusal(f"input {key!r} at {where} has no source", where)
    selector = spec.parameter_expression_selector
    if selector:
        try:
            conditions.check(selector)
        except conditions.ConditionError as error:
            raise refusal(f"the selector of input {key!r} at {where}: {error}", where) from None
    return ParameterSource(origin, selector)


def _artifact_source(spec: Message, where: str, key: str) -> ArtifactSource:
    match spec.WhichOneof("kind"):
        case "task_output_artifact":
            output = spec.task_output_artifact
            return TaskOutput(output.producer_task, output.output_artifact_key)
        case "component_input_artifact":
            return ComponentInput(spec.component_input_artifact)
        case _:
            raise refusal(f"input {key!r} at {where} has no source", where)


def _retry(spec: Message, where: str) -> Retry | None:
    """Read a retry policy: by default the pause is none, its factor 2, its longest an hour."""
    pauses = {name: getattr(spec, name) for name in ("backoff_duration", "backoff_max_duration")}
    seconds = {name: each.seconds + each.nanos / 1e9 for name, each in pauses.items()}
    for name, value in {
        "max_retry_count": spec.max_retry_count,
        "backoff_factor": spec.backoff_factor,
        **seconds,
    }.items():
        if not 0 <= value < math.inf:
            raise refusal(f"{name} at {where} is {value}", where)
    if not spec.max_retry_count:
        return None
    return Retry(
        count=spec.max_retry_count,
        backoff=seconds["backoff_duration"],
        factor=spec.backoff_factor or 2.0,
        longest=min(seconds["backoff_max_duration"] or _LONGEST_PAUSE, _LONGEST_PAUSE),
    )


def _loop(spec: Message, where: str) -> Loop | None:
    limit = spec.iterator_policy.parallelism_limit
    if limit < 0:
        raise refusal(f"parallelism_limit at {where} is {limit}", where)
    match spec.WhichOneof("iterator"):
        case "parameter_iterator":
            iterator = spec.parameter_iterator
            if iterator.items.WhichOneof("kind") == "raw":
                try:
                    raw_items = parameters.storable(parameters.strict_json(iterator.items.raw))
                except ValueError as error:
                    raise refusal(f"the loop's items at {where}: {error}", where) from None
                if not isinstance(raw_items, list):
                    raise refusal(f"the loop's items at {where} are not a list", where)
                return Loop(iterator.item_input, tuple(raw_items), False, limit)
            over = ComponentInput(iterator.items.input_parameter)
            return Loop(iterator.item_input, over, False, limit)
        case "artifact_iterator":
            over = ComponentInput(spec.artifact_iterator.items.input_artifact)
            return Loop(spec.artifact_iterator.item_input, over, True, limit)
        case _:
            return None


def constant(spec: Message, where: str) -> Json:
    """Read a value that is written in the pipeline.

    Raises:
        InvalidArgument: no PipelineJob can hold it.

    """
    try:
        return parameters.from_proto(spec)
    except MistypedValueError as error:
        raise refusal(f"the value at {where}: {error}", where) from None
