"""`dsl.importer`: an artifact that exists already enters the pipeline."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_local.orchestrator.artifacts import Artifact
from gcp_local.orchestrator.binding import metadata_name
from gcp_local.orchestrator.placeholders import PlaceholderError, Scope, resolve, resolve_value
from gcp_local.orchestrator.spec import ComponentInput
from gcp_local.orchestrator.states import Outcome, TaskFailedError, TaskState, Values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gcp_local.orchestrator.spec import Importer


def imported(
    importer: Importer,
    inputs: Values,
    parent: str,
    task_id: int,
    placeholders: Mapping[str, str],
    known: Callable[[str, Artifact], str | None],
) -> Outcome:
    """Record the artifact of that URI.

    With `reimport` it is a new artifact each time; without, the same URI, type and metadata are the
    same artifact (the same ML Metadata name) in every run, and if ML Metadata knows one, that one.

    Args:
        importer: the component.
        inputs: what the task was given.
        parent: the job's location.
        task_id: the task's number.
        placeholders: the values of the task's placeholders.
        known: gives the name of the artifact in a location's ML Metadata that is like this one.

    Raises:
        TaskFailedError: there is no URI, or a placeholder stands for nothing.

    """
    given = {name: value for name, value in inputs.parameters.items() if value is not None}
    scope = Scope({"inputs": {"parameterValues": given}, "outputs": {}}, placeholders)
    try:
        if isinstance(importer.uri, ComponentInput):
            uri = given.get(importer.uri.name)
        else:
            uri = resolve(str(importer.uri.value), scope)
        metadata = {name: resolve_value(value, scope) for name, value in importer.metadata.items()}
    except PlaceholderError as error:
        raise TaskFailedError(str(error)) from error
    if not isinstance(uri, str) or not uri:
        raise TaskFailedError("The importer was given no artifact URI.")
    identity = json.dumps([importer.artifact.schema_title, uri, metadata], sort_keys=True)
    if importer.reimport:
        identity = f"{placeholders.get('.pipeline_job_resource_name')}\0{task_id}\0{identity}"
    artifact = Artifact(
        name=metadata_name(parent, identity),
        display_name="artifact",
        uri=uri,
        schema_title=importer.artifact.schema_title,
        schema_version=importer.artifact.schema_version,
        schema_uri=importer.artifact.schema_uri,
        instance_schema=importer.artifact.instance_schema,
        metadata=metadata,
    )
    earlier = None if importer.reimport else known(parent, artifact)
    if earlier is not None:
        artifact = replace(artifact, name=earlier)
    return Outcome(TaskState.SUCCEEDED, Values(artifacts={"artifact": (artifact,)}))
