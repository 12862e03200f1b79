"""Vertex AI's MetadataService: metadata stores."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import metadata_service as service_types

from gcp_local import clock
from gcp_local.resources.listing import list_page
from gcp_local.rpc.protos import Empty, Message, copy_of, raw, timestamp
from gcp_local.vertex.metadata.kinds import MetadataStore, check_id, store_name
from gcp_local.vertex.naming import location_of
from gcp_local.vertex.settings import check_encryption

if TYPE_CHECKING:
    from gcp_local.vertex.metadata.store import MetadataGraph
    from gcp_local.vertex.platform import Platform

ListMetadataStoresResponse = raw(service_types.ListMetadataStoresResponse)
CreateMetadata = raw(service_types.CreateMetadataStoreOperationMetadata)
DeleteMetadata = raw(service_types.DeleteMetadataStoreOperationMetadata)


class MetadataStoreService:
    """The stores' part of `google.cloud.aiplatform.v1.MetadataService`."""

    def __init__(self, platform: Platform, graph: MetadataGraph) -> None:
        self._projects = platform.projects
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations
        self._graph = graph

    def create_metadata_store(self, request: Message) -> Message:
        """Make a store, with the id that the client chose or one of its own."""
        parent = location_of(self._projects, request.parent)
        given = request.metadata_store_id
        own = check_id(given, "metadata_store_id") if given else str(uuid.uuid4())
        store = copy_of(request.metadata_store)
        check_encryption(store, parent.rpartition("/")[2], at="metadata_store")
        store.ClearField("state")
        store.name = f"{parent}/metadataStores/{own}"
        now = timestamp(clock.now())
        store.create_time.CopyFrom(now)
        store.update_time.CopyFrom(now)
        with self._database.transaction():
            self._resources.add(store.name, store)
            return self._operations.done(store.name, store, CreateMetadata())

    def get_metadata_store(self, request: Message) -> Message:
        """Answer a store."""
        name = store_name(self._projects, request.name, "name")
        return self._resources.get(name, MetadataStore)

    def list_metadata_stores(self, request: Message) -> Message:
        """Answer a location's stores."""
        parent = location_of(self._projects, request.parent)
        found = self._resources.children(parent, MetadataStore)
        page, token = list_page(found, request, MetadataStore)
        return ListMetadataStoresResponse(metadata_stores=page, next_page_token=token)

    def delete_metadata_store(self, request: Message) -> Message:
        """Forget a store and all that is in it."""
        name = store_name(self._projects, request.name, "name")
        with self._database.transaction():
            self._graph.delete_store(name)
            return self._operations.done(name, Empty(), DeleteMetadata())
