"""Vertex AI's MetadataService: the schemas of a store."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import metadata_service as service_types

from gcp_local import clock
from gcp_local.errors import AlreadyExists, InvalidArgument
from gcp_local.resources.listing import list_page
from gcp_local.rpc.protos import Message, copy_of, raw, timestamp
from gcp_local.vertex.metadata import schemas
from gcp_local.vertex.metadata.filtering import compile_schema_filter
from gcp_local.vertex.metadata.kinds import (
    MetadataSchema,
    MetadataStore,
    check_id,
    node_name,
    store_name,
    store_of,
)

if TYPE_CHECKING:
    from gcp_local.resources.projects import Projects
    from gcp_local.vertex.metadata.store import MetadataGraph
    from gcp_local.vertex.platform import Platform

ListMetadataSchemasResponse = raw(service_types.ListMetadataSchemasResponse)
_VERSION = re.compile(r"[0-9]+[.][0-9]+[.][0-9]+")


class Schemas:
    """The source of truth for which schemas a store knows: the built-in ones, and its own."""

    def __init__(self, graph: MetadataGraph) -> None:
        self._graph = graph

    def all(self, store: str) -> list[Message]:
        """Give a store's schemas, the built-in ones first; NotFound if there is no such store."""
        created = self._graph.get(store, MetadataStore).create_time
        found = [
            MetadataSchema(
                name=f"{store}/metadataSchemas/{schemas.built_in_id(title)}",
                schema_version=schemas.VERSION,
                schema=schemas.built_in_text(title),
                schema_type=kind,
                create_time=created,
            )
            for title, kind in schemas.built_in().items()
        ]
        return [*found, *self._graph.nodes(store, MetadataSchema)]

    def apply(self, node: Message, kind: int) -> None:
        """Hold a node against the schema that it names; without a version it takes the latest.

        Raises:
            InvalidArgument: it names none, one that the store does not have, or one for another
                kind of node, or its metadata is not as the schema says.

        """
        title, version = node.schema_title, node.schema_version
        if not title:
            raise InvalidArgument.of_field("schema_title", "schema_title is required.")
        if schemas.built_in().get(title) == kind and version in ("", schemas.VERSION):
            schema = schemas.built_in_schema(title)
            node.schema_version = schemas.VERSION
        else:
            schema = self._own(node, kind)
        schemas.check_metadata(node.metadata, schema, title)

    def _own(self, node: Message, kind: int) -> dict[str, object]:
        title, version = node.schema_title, node.schema_version
        fitting: dict[tuple[int, ...], dict[str, object]] = {}
        for kept in self.all(store_of(node.name)):
            schema = schemas.read_schema(kept.schema)
            right = schema["title"] == title and kept.schema_type == kind
            if right and version in ("", kept.schema_version):
                fitting[tuple(map(int, kept.schema_version.split(".")))] = schema
        if not fitting:
            asked = f"{title!r} version {version!r}" if version else f"{title!r}"
            noun = node.DESCRIPTOR.name
            message = f"The metadata store has no schema {asked} for an {noun}."
            raise InvalidArgument.of_field("schema_title", message)
        latest = max(fitting)
        node.schema_version = ".".join(map(str, latest))
        return fitting[latest]


class MetadataSchemaService:
    """The schemas' part of `google.cloud.aiplatform.v1.MetadataService`."""

    def __init__(self, platform: Platform, graph: MetadataGraph, known: Schemas) -> None:
        self._projects: Projects = platform.projects
        self._resources = platform.resources
        self._database = platform.database
        self._graph = graph
        self._schemas = known

    def create_metadata_schema(self, request: Message) -> Message:
        """Register a schema; a title and version are unique in a store."""
        store = store_name(self._projects, request.parent)
        schema: Message = copy_of(request.metadata_schema)
        read = schemas.read_schema(schema.schema)
        schema.schema_version = schema.schema_version or str(read.get("version", schemas.VERSION))
        if not _VERSION.fullmatch(schema.schema_version):
            message = f"Invalid schema_version {schema.schema_version!r}: it must be like 1.0.0."
            raise InvalidArgument.of_field("metadata_schema.schema_version", message)
        if str(read.get("version", schema.schema_version)) != schema.schema_version:
            message = "schema_version differs from the version in the schema."
            raise InvalidArgument.of_field("metadata_schema.schema_version", message)
        if schema.schema_type not in (schemas.ARTIFACT, schemas.EXECUTION, schemas.CONTEXT):
            message = "schema_type must be ARTIFACT_TYPE, EXECUTION_TYPE or CONTEXT_TYPE."
            raise InvalidArgument.of_field("metadata_schema.schema_type", message)
        given = request.metadata_schema_id
        own = check_id(given, "metadata_schema_id") if given else str(uuid.uuid4())
        schema.name = f"{store}/metadataSchemas/{own}"
        with self._database.transaction():
            self._graph.open_store(store)
            for known in self._schemas.all(store):
                same = schemas.read_schema(known.schema)["title"] == read["title"]
                if known.name == schema.name or (
                    same and known.schema_version == schema.schema_version
                ):
                    raise AlreadyExists(f"The MetadataSchema {known.name!r} already exists.")
            schema.create_time.CopyFrom(timestamp(clock.now()))
            self._resources.add(schema.name, schema)
        return schema

    def get_metadata_schema(self, request: Message) -> Message:
        """Answer one of a store's schemas, built-in or its own."""
        name = node_name(self._projects, request.name, "metadataSchemas")
        self._graph.open_store(store_of(name))
        for schema in self._schemas.all(store_of(name)):
            if schema.name == name:
                return schema
        return self._resources.get(name, MetadataSchema)

    def list_metadata_schemas(self, request: Message) -> Message:
        """Answer a store's schemas, the built-in ones first."""
        store = store_name(self._projects, request.parent)
        self._graph.open_store(store)
        page, token = list_page(
            self._schemas.all(store), request, MetadataSchema, compiler=compile_schema_filter
        )
        return ListMetadataSchemasResponse(metadata_schemas=page, next_page_token=token)
