"""Vertex AI's MetadataService: executions, and the events that connect them with artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import metadata_service as service_types

from gcp_local.errors import InvalidArgument
from gcp_local.resources.labels import check_labels
from gcp_local.rpc.protos import Message, raw
from gcp_local.vertex.metadata.kinds import (
    INPUT,
    OUTPUT,
    Artifact,
    Execution,
    node_name,
    store_of,
)
from gcp_local.vertex.metadata.lineage import around_execution
from gcp_local.vertex.metadata.nodes import Nodes, Noun
from gcp_local.vertex.metadata.schemas import EXECUTION

if TYPE_CHECKING:
    from gcp_local.vertex.metadata.schema_service import Schemas
    from gcp_local.vertex.metadata.store import MetadataGraph
    from gcp_local.vertex.platform import Platform

ListExecutionsResponse = raw(service_types.ListExecutionsResponse)
PurgeExecutionsResponse = raw(service_types.PurgeExecutionsResponse)
PurgeExecutionsMetadata = raw(service_types.PurgeExecutionsMetadata)
AddExecutionEventsResponse = raw(service_types.AddExecutionEventsResponse)
_NOUN = Noun(
    Execution,
    "executions",
    "execution",
    EXECUTION,
    ("display_name", "description", "labels", "state", "metadata"),
)


class ExecutionService:
    """The executions' part of `google.cloud.aiplatform.v1.MetadataService`."""

    def __init__(self, platform: Platform, graph: MetadataGraph, schemas: Schemas) -> None:
        self._nodes = Nodes(_NOUN, platform, graph, schemas)
        self._projects = platform.projects
        self._database = platform.database
        self._graph = graph

    def create_execution(self, request: Message) -> Message:
        """Make an execution."""
        return self._nodes.create(request)

    def get_execution(self, request: Message) -> Message:
        """Answer an execution."""
        return self._nodes.get(request)

    def list_executions(self, request: Message) -> Message:
        """Answer a store's executions."""
        page, token = self._nodes.page(request)
        return ListExecutionsResponse(executions=page, next_page_token=token)

    def update_execution(self, request: Message) -> Message:
        """Change an execution."""
        return self._nodes.update(request)

    def delete_execution(self, request: Message) -> Message:
        """Forget an execution and its events."""
        return self._nodes.delete(request)

    def purge_executions(self, request: Message) -> Message:
        """Forget all executions that pass a filter."""
        return self._nodes.purge(request, PurgeExecutionsResponse(), PurgeExecutionsMetadata())

    def add_execution_events(self, request: Message) -> Message:
        """Connect artifacts with an execution; those connected with it already are passed over."""
        name = node_name(self._projects, request.execution, "executions", "execution")
        with self._database.transaction():
            self._graph.get(name, Execution)
            for number, event in enumerate(request.events):
                at = f"events[{number}]"
                artifact = node_name(self._projects, event.artifact, "artifacts", f"{at}.artifact")
                if store_of(artifact) != store_of(name):
                    message = f"{artifact!r} and {name!r} are not of the same metadata store."
                    raise InvalidArgument.of_field(f"{at}.artifact", message)
                if event.type_ not in (INPUT, OUTPUT):
                    message = "An event's type must be INPUT or OUTPUT."
                    raise InvalidArgument.of_field(f"{at}.type", message)
                check_labels(event.labels)
                self._graph.get(artifact, Artifact)
                self._graph.add_event(name, artifact, event.type_, event.labels)
        return AddExecutionEventsResponse()

    def query_execution_inputs_and_outputs(self, request: Message) -> Message:
        """Answer an execution, its artifacts, and the events between them."""
        name = node_name(self._projects, request.execution, "executions", "execution")
        return around_execution(self._graph, self._graph.get(name, Execution))
