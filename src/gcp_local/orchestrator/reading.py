"""Reads a job's `pipeline_spec`, and refuses what Vertex AI Pipelines would refuse.

What Google documents as unsupported is refused. What nobody has yet proved to work there is read,
and listed beside it: whether that may run is for the caller to say.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import SerializeToJsonError

from gcp_local.errors import InvalidArgument
from gcp_local.orchestrator import conditions, consistency, machine, parameters, unproven
from gcp_local.orchestrator.parameters import MistypedValueError, ParameterType
from gcp_local.orchestrator.refusals import AT, refusal
from gcp_local.orchestrator.spec import (
    ArtifactSource,
    ArtifactSpec,
    Component,
    ComponentInput,
    Constant,
    Container,
    Dag,
    FinalStatus,
    Importer,
    Loop,
    ParameterSource,
    ParameterSpec,
    Pipeline,
    Retry,
    Task,
    TaskOutput,
)
from gcp_local.rpc.protos import from_json, raw, to_json

if TYPE_CHECKING:
    from gcp_local.orchestrator.parameters import Json
    from gcp_local.rpc.protos import Message

SCHEMA_VERSION = "2.1.0"
_LONGEST_PAUSE = 3600.0  # "Max allowed is 1 hour", pipeline_spec.proto
_NOTHING = Component("root", {}, {}, {}, {}, Dag({}, {}, {}))


def read(pipeline_spec: Message) -> Pipeline:
    """Read the Struct that a PipelineJob carries in `pipeline_spec`.

    Raises:
        InvalidArgument: not a PipelineSpec, inconsistent in itself, or with a feature that
            Vertex AI refuses; the message names the place.

    """
    # Imported at the first pipeline: kfp takes half a second, which a server's start need not pay.
    from kfp.pipeline_spec import pipeline_spec_pb2

    try:
        body = parameters.storable(to_json(pipeline_spec), pipeline=True)
    except (SerializeToJsonError, ValueError) as error:
        raise InvalidArgument.of_field(AT, f"Invalid pipeline spec: {error}.") from None
    spec = from_json(body, raw(pipeline_spec_pb2.PipelineSpec), at=AT)
    if spec.schema_version != SCHEMA_VERSION:
        shown = spec.schema_version or "none"
        raise refusal(f"schema_version is {shown}; {SCHEMA_VERSION} is supported", "schema_version")
    if not spec.pipeline_info.name:
        raise refusal("pipeline_info.name is missing", "pipeline_info.name")
    deployment = from_json(
        to_json(spec.deployment_spec),
        raw(pipeline_spec_pb2.PipelineDeploymentConfig),
        at=f"{AT}.deployment_spec",
    )
    doubtful = unproven.found(spec, deployment)
    if any(not item.runs for item in doubtful):
        return Pipeline(spec.pipeline_info.name, _NOTHING, {}, unproven=doubtful)
    components = {
        name: _component(name, component, deployment.executors)
        for name, component in spec.components.items()
    }
    root = _component("root", spec.root, deployment.executors)
    if not isinstance(root.body, Dag):
        raise refusal("root is not a DAG", "root")
    consistency.check(root, components)
    return Pipeline(
        name=spec.pipeline_info.name,
        root=root,
        components=components,
        default_root=spec.default_pipeline_root,
        unproven=doubtful,
    )


def _component(name: str, spec: Message, executors: Any) -> Component:
    where = "root" if name == "root" else f"components.{name}"
    body: Dag | Container | Importer
    if spec.HasField("dag"):
        body = _dag(spec.dag, where)
    elif spec.HasField("executor_label"):
        if spec.executor_label not in executors:
            raise refusal(
                f"{where} names executor {spec.executor_label!r}, which is not there", where
            )
        body = _executor(executors[spec.executor_label], spec.executor_label)
    else:
        raise refusal(f"{where} has neither a DAG nor an executor", where)
    return Component(
        name=name,
        parameters={
            key: _parameter(item, f"{where}.input_definitions.parameters.{key}")
            for key, item in spec.input_definitions.parameters.items()
        },
        artifacts={
            key: replace(
                _artifact(item.artifact_type),
                is_list=item.is_artifact_list,
                optional=item.is_optional,
            )
            for key, item in spec.input_definitions.artifacts.items()
        },
        parameter_outputs={
            key: _parameter_type(item, f"{where}.output_definitions.parameters.{key}")
            for key, item in spec.output_definitions.parameters.items()
        },
        artifact_outputs={
            key: replace(
                _artifact(item.artifact_type),
                is_list=item.is_artifact_list,
                metadata=to_json(item.metadata),
            )
            for key, item in spec.output_definitions.artifacts.items()
        },
        body=body,
    )


def _parameter(spec: Message, where: str) -> ParameterSpec:
    kind = _parameter_type(spec, where)
    given = spec.HasField("default_value")
    try:
        default = parameters.of_type(parameters.from_proto(spec.default_value), kind)
        literals = tuple(
            parameters.of_type(parameters.from_proto(item), kind) for item in spec.literals
        )
    except MistypedValueError as error:
        raise refusal(f"the default or a literal at {where}: {error}", where) from None
    return ParameterSpec(
        kind=kind,
        default=default,
        has_default=given,
        optional=spec.is_optional,
        literals=literals,
    )


def _value(spec: Message, where: str) -> Json:
    try:
        return parameters.from_proto(spec)
    except MistypedValueError as error:
        raise refusal(f"the value at {where}: {error}", where) from None


def _parameter_type(spec: Message, where: str) -> ParameterType:
    enum = spec.DESCRIPTOR.fields_by_name["parameter_type"].enum_type
    name = enum.values_by_number[spec.parameter_type].name
    if name not in ParameterType.__members__:
        raise refusal(f"{where} is of type {name}, which no parameter can have", where)
    return ParameterType[name]


def _artifact(spec: Message) -> ArtifactSpec:
    return ArtifactSpec(
        schema_title=spec.schema_title,
        schema_version=spec.schema_version,
        schema_uri=spec.schema_uri,
        instance_schema=spec.instance_schema,
    )


def _executor(spec: Message, label: str) -> Container | Importer:
    where = f"deployment_spec.executors.{label}"
    match spec.WhichOneof("spec"):
        case "container":
            return _container(spec.container, where)
        case "importer":
            return _importer(spec.importer, where)
        case other:
            raise refusal(f"an executor of kind {other} at {where} is not known", where)


def _container(spec: Message, where: str) -> Container:
    if not spec.image:
        raise refusal(f"no image at {where}", where)
    machine.check(spec.resources, where)
    return Container(
        image=spec.image,
        command=tuple(spec.command),
        args=tuple(spec.args),
        env={variable.name: variable.value for variable in spec.env},
        accelerator=machine.accelerator_of(spec.resources),
    )


def _importer(spec: Message, where: str) -> Importer:
    uri: Constant | ComponentInput
    match spec.artifact_uri.WhichOneof("value"):
        case "constant":
            uri = Constant(_value(spec.artifact_uri.constant, where))
        case "runtime_parameter":
            uri = ComponentInput(spec.artifact_uri.runtime_parameter)
        case _:
            raise refusal(f"no artifact_uri at {where}", where)
    return Importer(
        uri=uri,
        artifact=_artifact(spec.type_schema),
        metadata={name: _value(item, where) for name, item in sorted(spec.metadata.fields.items())},
        reimport=spec.reimport,
    )


def _dag(spec: Message, where: str) -> Dag:
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
            origin = Constant(_value(spec.runtime_value.constant, where))
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
