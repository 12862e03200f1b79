"""Reads a job's `pipeline_spec`, and refuses what Vertex AI Pipelines would refuse.

What Google documents as unsupported is refused. What nobody has yet proved to work there is read,
and listed beside it: whether that may run is for the caller to say.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import SerializeToJsonError

from gcp_local.errors import InvalidArgument
from gcp_local.orchestrator import consistency, dags, machine, parameters, unproven
from gcp_local.orchestrator.parameters import MistypedValueError, ParameterType
from gcp_local.orchestrator.refusals import AT, refusal
from gcp_local.orchestrator.spec import (
    ArtifactSpec,
    Component,
    ComponentInput,
    Constant,
    Container,
    Dag,
    Importer,
    ParameterSpec,
    Pipeline,
)
from gcp_local.rpc.protos import from_json, raw, to_json

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

SCHEMA_VERSION = "2.1.0"
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
        body = dags.read(spec.dag, where)
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
            uri = Constant(dags.constant(spec.artifact_uri.constant, where))
        case "runtime_parameter":
            uri = ComponentInput(spec.artifact_uri.runtime_parameter)
        case _:
            raise refusal(f"no artifact_uri at {where}", where)
    return Importer(
        uri=uri,
        artifact=_artifact(spec.type_schema),
        metadata={
            name: dags.constant(item, where) for name, item in sorted(spec.metadata.fields.items())
        },
        reimport=spec.reimport,
    )
