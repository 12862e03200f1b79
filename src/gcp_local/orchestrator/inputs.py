"""What a job gives its pipeline: parameters, artifacts and the folder to write into, checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.orchestrator import parameters
from gcp_local.orchestrator.artifacts import Artifact
from gcp_local.orchestrator.parameters import MistypedValueError
from gcp_local.orchestrator.states import Values

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.orchestrator.parameters import Json
    from gcp_local.orchestrator.spec import ArtifactSpec, Pipeline
    from gcp_local.rpc.protos import Message

_AT = "pipeline_job.runtime_config"
_ARTIFACT_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")


def given(job: Message, pipeline: Pipeline, artifact: Callable[[str], Message | None]) -> Values:
    """Check what the job gives the pipeline against what it takes, and apply defaults.

    Args:
        job: the job, with its name.
        pipeline: what it is to run.
        artifact: gives the artifact of that name from ML Metadata, None if there is none.

    Raises:
        InvalidArgument: something required is missing, unknown or of another type; the message
            names it, the error its field.
        Unimplemented: the pipeline takes a list of artifacts.

    """
    return Values(_parameters(job, pipeline), _artifacts(job, pipeline, artifact))


def root_of(job: Message, pipeline: Pipeline) -> str:
    """Find the folder in Cloud Storage that the run writes into, without a slash at its end.

    Raises:
        InvalidArgument: there is none, or it is none.

    """
    field = f"{_AT}.gcs_output_directory"
    root: str = job.runtime_config.gcs_output_directory or pipeline.default_root
    parts = root.removeprefix("gs://").rstrip("/").split("/")
    if not root:
        raise InvalidArgument.of_field(field, "gcs_output_directory is required.")
    if not root.startswith("gs://") or any(part in {"", ".", ".."} for part in parts):
        message = f"gcs_output_directory {root!r} is not a Cloud Storage path (gs://bucket/folder)."
        raise InvalidArgument.of_field(field, message)
    return root.rstrip("/")


def _parameters(job: Message, pipeline: Pipeline) -> dict[str, Json]:
    """Check the runtime parameters against the pipeline's, and apply defaults."""
    config = job.runtime_config
    if config.parameters:
        message = "Use parameter_values: `parameters` is for schema versions before 2.1.0."
        raise InvalidArgument.of_field(f"{_AT}.parameters", message)
    declared = pipeline.root.parameters
    listed = config.parameter_values
    for name in listed:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise InvalidArgument.of_field(
                f"{_AT}.parameter_values",
                f"The pipeline {pipeline.name!r} has no parameter {name!r}. It has: {known}.",
            )
    values = {}
    for name, spec in declared.items():
        field = f"{_AT}.parameter_values.{name}"
        if name not in listed:
            if not (spec.has_default or spec.optional):
                message = f"The parameter {name!r} is required, and has no value."
                raise InvalidArgument.of_field(field, message)
            values[name] = spec.default
            continue
        try:
            value = parameters.of_type(parameters.from_proto(listed[name]), spec.kind)
        except MistypedValueError as error:
            raise InvalidArgument.of_field(field, f"The parameter {name!r}: {error}.") from None
        if value is None and not spec.optional:
            raise InvalidArgument.of_field(field, f"The parameter {name!r} cannot be null.")
        if spec.literals and value not in spec.literals:
            allowed = ", ".join(repr(literal) for literal in spec.literals)
            message = f"The parameter {name!r} is {value!r}, which is none of {allowed}."
            raise InvalidArgument.of_field(field, message)
        values[name] = value
    return values


def _artifacts(
    job: Message, pipeline: Pipeline, artifact: Callable[[str], Message | None]
) -> dict[str, tuple[Artifact, ...]]:
    """Find the input artifacts, which a job names by their ids in its own metadata store."""
    declared, listed = pipeline.root.artifacts, job.runtime_config.input_artifacts
    for name in listed:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            message = f"The pipeline {pipeline.name!r} has no artifact {name!r}. It has: {known}."
            raise InvalidArgument.of_field(f"{_AT}.input_artifacts", message)
    parent = job.name.partition("/pipelineJobs/")[0]
    found: dict[str, tuple[Artifact, ...]] = {}
    for name, spec in declared.items():
        field = f"{_AT}.input_artifacts.{name}"
        if name not in listed:
            if not spec.optional:
                message = f"The artifact {name!r} is required, and none is given."
                raise InvalidArgument.of_field(field, message)
            continue
        if spec.is_list:
            raise Unimplemented(
                f"The pipeline's input {name!r} is a list of artifacts: a job can only name one."
            )
        identity: str = listed[name].artifact_id
        store = f"{parent}/metadataStores/default"
        kept = (
            artifact(f"{store}/artifacts/{identity}") if _ARTIFACT_ID.fullmatch(identity) else None
        )
        if kept is None:
            message = f"There is no artifact {identity!r} in {store}."
            raise InvalidArgument.of_field(f"{field}.artifact_id", message)
        found[name] = (_read(kept, spec, field),)
    return found


def _read(kept: Message, spec: ArtifactSpec, field: str) -> Artifact:
    """Read an artifact of the input's type; an input of type `system.Artifact` takes any."""
    try:
        artifact = Artifact.read(kept)
    except MistypedValueError as error:
        message = f"The metadata of {kept.name!r}: {error}."
        raise InvalidArgument.of_field(field, message) from None
    if spec.schema_title not in {"", "system.Artifact", artifact.schema_title}:
        message = (
            f"The artifact {artifact.name!r} is of type {artifact.schema_title or 'none'!r}; the"
            f" pipeline takes a {spec.schema_title!r}."
        )
        raise InvalidArgument.of_field(field, message)
    return artifact
