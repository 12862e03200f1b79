"""Vertex AI's MetadataService: contexts, what is in them, and which stand in which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import metadata_service as service_types

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import Message, raw
from gcp_local.vertex.metadata.kinds import Artifact, Context, Execution, node_name, store_of
from gcp_local.vertex.metadata.lineage import within_context
from gcp_local.vertex.metadata.nodes import Nodes, Noun
from gcp_local.vertex.metadata.schemas import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gcp_local.vertex.metadata.schema_service import Schemas
    from gcp_local.vertex.metadata.store import MetadataGraph
    from gcp_local.vertex.platform import Platform

ListContextsResponse = raw(service_types.ListContextsResponse)
PurgeContextsResponse = raw(service_types.PurgeContextsResponse)
PurgeContextsMetadata = raw(service_types.PurgeContextsMetadata)
AddContextChildrenResponse = raw(service_types.AddContextChildrenResponse)
RemoveContextChildrenResponse = raw(service_types.RemoveContextChildrenResponse)
AddMembersResponse = raw(service_types.AddContextArtifactsAndExecutionsResponse)
_NOUN = Noun(
    Context,
    "contexts",
    "context",
    CONTEXT,
    ("display_name", "description", "labels", "metadata"),
)
_MOST_PARENTS = 10


class ContextService:
    """The contexts' part of `google.cloud.aiplatform.v1.MetadataService`."""

    def __init__(self, platform: Platform, graph: MetadataGraph, schemas: Schemas) -> None:
        self._nodes = Nodes(_NOUN, platform, graph, schemas)
        self._projects = platform.projects
        self._database = platform.database
        self._graph = graph

    def create_context(self, request: Message) -> Message:
        """Make a context."""
        return self._nodes.create(request)

    def get_context(self, request: Message) -> Message:
        """Answer a context."""
        return self._nodes.get(request)

    def list_contexts(self, request: Message) -> Message:
        """Answer a store's contexts."""
        page, token = self._nodes.page(request)
        return ListContextsResponse(contexts=page, next_page_token=token)

    def update_context(self, request: Message) -> Message:
        """Change a context."""
        return self._nodes.update(request)

    def delete_context(self, request: Message) -> Message:
        """Forget a context; what was in it stays, and its children have one parent less."""
        return self._nodes.delete(request)

    def purge_contexts(self, request: Message) -> Message:
        """Forget all contexts that pass a filter."""
        return self._nodes.purge(request, PurgeContextsResponse(), PurgeContextsMetadata())

    def add_context_artifacts_and_executions(self, request: Message) -> Message:
        """Put artifacts and executions into a context; those in it already are passed over."""
        name = node_name(self._projects, request.context, "contexts", "context")
        with self._database.transaction():
            self._graph.get(name, Context)
            for kind, field in ((Artifact, "artifacts"), (Execution, "executions")):
                members = self._names(getattr(request, field), field, field, name)
                self._graph.check_all(members, kind)
                self._graph.add_members(name, members)
        return AddMembersResponse()

    def add_context_children(self, request: Message) -> Message:
        """Make contexts the children of another; those that are so already are passed over.

        Raises:
            InvalidArgument: a context would be above itself, or have more than ten parents.

        """
        name = node_name(self._projects, request.context, "contexts", "context")
        with self._database.transaction():
            self._graph.get(name, Context)
            above = self._graph.ancestors(name)
            for child_name in self._children(request, name):
                child = self._graph.get(child_name, Context)
                parents = list(child.parent_contexts)
                if name in parents:
                    continue
                if child_name in above:
                    message = f"{child_name!r} as a child of {name!r} would make a cycle."
                    raise InvalidArgument.of_field("child_contexts", message)
                if len(parents) >= _MOST_PARENTS:
                    message = f"{child_name!r} would have more than {_MOST_PARENTS} parents."
                    raise InvalidArgument.of_field("child_contexts", message)
                self._graph.set_parents(child, [*parents, name])
        return AddContextChildrenResponse()

    def remove_context_children(self, request: Message) -> Message:
        """Part contexts from a parent; those that are not its children are passed over."""
        name = node_name(self._projects, request.context, "contexts", "context")
        with self._database.transaction():
            self._graph.get(name, Context)
            for child_name in self._children(request, name):
                child = self._graph.get(child_name, Context)
                self._graph.set_parents(
                    child, [own for own in child.parent_contexts if own != name]
                )
        return RemoveContextChildrenResponse()

    def query_context_lineage_subgraph(self, request: Message) -> Message:
        """Answer the artifacts and executions in a context, and the events between them."""
        name = node_name(self._projects, request.context, "contexts", "context")
        self._graph.get(name, Context)
        return within_context(self._graph, name)

    def _children(self, request: Message, parent: str) -> list[str]:
        return self._names(request.child_contexts, "contexts", "child_contexts", parent)

    def _names(self, given: Iterable[str], noun: str, field: str, context: str) -> list[str]:
        """Read the names of nodes that are to be connected with a context of the same store."""
        names = [node_name(self._projects, name, noun, field) for name in given]
        for name in names:
            if store_of(name) != store_of(context):
                message = f"{name!r} and {context!r} are not of the same metadata store."
                raise InvalidArgument.of_field(field, message)
        return names
