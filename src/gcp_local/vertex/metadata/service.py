"""Vertex AI's MetadataService: its nouns, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.vertex.metadata.artifacts import ArtifactService
from gcp_local.vertex.metadata.contexts import ContextService
from gcp_local.vertex.metadata.executions import ExecutionService
from gcp_local.vertex.metadata.schema_service import MetadataSchemaService, Schemas
from gcp_local.vertex.metadata.stores import MetadataStoreService

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcp_local.vertex.metadata.store import MetadataGraph
    from gcp_local.vertex.platform import Platform


def metadata_services(platform: Platform, graph: MetadataGraph) -> Sequence[object]:
    """Give the objects that answer `google.cloud.aiplatform.v1.MetadataService`."""
    schemas = Schemas(graph)
    return [
        MetadataStoreService(platform, graph),
        MetadataSchemaService(platform, graph, schemas),
        ArtifactService(platform, graph, schemas),
        ExecutionService(platform, graph, schemas),
        ContextService(platform, graph, schemas),
    ]
