"""Vertex AI's MetadataService: artifacts, and the lineage of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import metadata_service as service_types

from gcp_local.rpc.protos import Message, raw
from gcp_local.vertex.metadata.filtering import compile_node_filter
from gcp_local.vertex.metadata.kinds import Artifact, node_name
from gcp_local.vertex.metadata.lineage import lineage_of
from gcp_local.vertex.metadata.nodes import Nodes, Noun
from gcp_local.vertex.metadata.schemas import ARTIFACT

if TYPE_CHECKING:
    from gcp_local.vertex.metadata.schema_service import Schemas
    from gcp_local.vertex.metadata.store import MetadataGraph
    from gcp_local.vertex.platform import Platform

ListArtifactsResponse = raw(service_types.ListArtifactsResponse)
PurgeArtifactsResponse = raw(service_types.PurgeArtifactsResponse)
PurgeArtifactsMetadata = raw(service_types.PurgeArtifactsMetadata)
_NOUN = Noun(
    Artifact,
    "artifacts",
    "artifact",
    ARTIFACT,
    ("display_name", "description", "uri", "labels", "state", "metadata"),
)


class ArtifactService:
    """The artifacts' part of `google.cloud.aiplatform.v1.MetadataService`."""

    def __init__(self, platform: Platform, graph: MetadataGraph, schemas: Schemas) -> None:
        self._nodes = Nodes(_NOUN, platform, graph, schemas)
        self._projects = platform.projects
        self._graph = graph

    def create_artifact(self, request: Message) -> Message:
        """Make an artifact."""
        return self._nodes.create(request)

    def get_artifact(self, request: Message) -> Message:
        """Answer an artifact."""
        return self._nodes.get(request)

    def list_artifacts(self, request: Message) -> Message:
        """Answer a store's artifacts."""
        page, token = self._nodes.page(request)
        return ListArtifactsResponse(artifacts=page, next_page_token=token)

    def update_artifact(self, request: Message) -> Message:
        """Change an artifact."""
        return self._nodes.update(request)

    def delete_artifact(self, request: Message) -> Message:
        """Forget an artifact and its events; what it stands for stays where it is."""
        return self._nodes.delete(request)

    def purge_artifacts(self, request: Message) -> Message:
        """Forget all artifacts that pass a filter."""
        return self._nodes.purge(request, PurgeArtifactsResponse(), PurgeArtifactsMetadata())

    def query_artifact_lineage_subgraph(self, request: Message) -> Message:
        """Answer what an artifact was made from, what was made from it, and so on."""
        name = node_name(self._projects, request.artifact, "artifacts", "artifact")
        self._graph.get(name, Artifact)
        holds = compile_node_filter(request.filter, Artifact, self._graph, self._projects)
        return lineage_of(self._graph, name, request.max_hops, holds)
