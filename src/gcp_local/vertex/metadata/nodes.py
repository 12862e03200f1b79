"""What the methods on artifacts, executions and contexts have in common."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import operation as operation_types
from google.protobuf.message import DecodeError

from gcp_local.errors import Aborted, FailedPrecondition, InvalidArgument
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import MAX_PAGE, list_page
from gcp_local.resources.masks import changed_paths, copy_field
from gcp_local.rpc.protos import Empty, Message, copy_of, raw
from gcp_local.vertex.metadata.filtering import compile_node_filter, fields_of
from gcp_local.vertex.metadata.kinds import check_id, node_name, store_name, store_of
from gcp_local.vertex.naming import check_display_name

if TYPE_CHECKING:
    from gcp_local.resources.filtering import Fields, Predicate
    from gcp_local.vertex.metadata.schema_service import Schemas
    from gcp_local.vertex.metadata.store import MetadataGraph
    from gcp_local.vertex.platform import Platform

DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)
_LARGEST_METADATA_BYTES = 200 * 1024
_LARGEST_SAMPLE = 100


@dataclass(frozen=True)
class Noun:
    """A kind of node.

    Attributes:
        kind: its message.
        plural: its collection's name.
        field: what requests call it.
        schema_type: which schemas are for it.
        changeable: the fields that an update may set.

    """

    kind: type[Message]
    plural: str
    field: str
    schema_type: int
    changeable: tuple[str, ...]


class Nodes:
    """The methods on one kind of node, by whatever name its service has them."""

    def __init__(
        self, noun: Noun, platform: Platform, graph: MetadataGraph, schemas: Schemas
    ) -> None:
        self._noun = noun
        self._projects = platform.projects
        self._database = platform.database
        self._operations = platform.operations
        self._graph = graph
        self._schemas = schemas

    def create(self, request: Message) -> Message:
        """Make a node, with the id that the client chose or one of its own."""
        store = store_name(self._projects, request.parent)
        field = self._noun.field
        given = getattr(request, f"{field}_id")
        own = check_id(given, f"{field}_id") if given else str(uuid.uuid4())
        node = copy_of(getattr(request, field))
        with self._database.transaction():
            self._graph.open_store(store)
            return self._add(node, f"{store}/{self._noun.plural}/{own}")

    def _add(self, node: Message, name: str) -> Message:
        for output_only in ("create_time", "update_time", "etag", "parent_contexts"):
            if output_only in node.DESCRIPTOR.fields_by_name:
                node.ClearField(output_only)
        node.name = name
        self._check(node)
        return self._graph.add(node)

    def _check(self, node: Message) -> None:
        check_display_name(node.display_name, required=False)
        check_labels(node.labels)
        state = node.DESCRIPTOR.fields_by_name.get("state")
        if state is not None and node.state not in state.enum_type.values_by_number:
            raise InvalidArgument.of_field("state", f"Invalid state {node.state}.")
        for key in list(node.metadata.fields):
            if key != key.strip():
                node.metadata.fields[key.strip()].CopyFrom(node.metadata.fields[key])
                del node.metadata.fields[key]
        if node.metadata.ByteSize() > _LARGEST_METADATA_BYTES:
            raise InvalidArgument.of_field("metadata", "The metadata is larger than 200 KB.")
        try:
            type(node)().ParseFromString(node.SerializeToString())
        except DecodeError:
            raise InvalidArgument.of_field(
                "metadata", "The metadata is nested too deeply."
            ) from None
        self._schemas.apply(node, self._noun.schema_type)

    def get(self, request: Message) -> Message:
        """Answer a node."""
        return self._graph.get(self._name(request.name), self._noun.kind)

    def _name(self, given: str) -> str:
        return node_name(self._projects, given, self._noun.plural)

    def page(self, request: Message) -> tuple[list[Message], str]:
        """Answer a list: the nodes that pass its filter, oldest first unless it says otherwise."""
        if request.page_size > MAX_PAGE:
            message = f"page_size must be at most {MAX_PAGE}."
            raise InvalidArgument.of_field("page_size", message)
        store = store_name(self._projects, request.parent)
        self._graph.open_store(store)
        return list_page(
            self._graph.nodes(store, self._noun.kind),
            request,
            self._noun.kind,
            sortable=fields_of(self._noun.kind),
            compiler=self._predicate,
        )

    def _predicate(self, text: str, kind: type[Message], fields: Fields) -> Predicate:
        del fields
        return compile_node_filter(text, kind, self._graph, self._projects)

    def update(self, request: Message) -> Message:
        """Change a node: the fields of the mask, or without one the fields that are set."""
        wanted: Message = getattr(request, self._noun.field)
        name = node_name(self._projects, wanted.name, self._noun.plural, f"{self._noun.field}.name")
        with self._database.transaction():
            node = self._graph.find(name, self._noun.kind)
            if node is None and request.allow_missing:
                check_id(name.rsplit("/", 1)[1], f"{self._noun.field}.name")
                self._graph.open_store(store_of(name))
                return self._add(copy_of(wanted), name)
            node = self._graph.get(name, self._noun.kind)
            if wanted.etag and wanted.etag != node.etag:
                # The high-level SDK reads both out of this sentence.
                raise Aborted(
                    f"Specified {self._noun.kind.DESCRIPTOR.name} `etag`: `{wanted.etag}` does not"
                    f" match server `etag`: `{node.etag}`"
                )
            for path in self._paths(request.update_mask, wanted, node):
                copy_field(wanted, node, path)
            self._check(node)
            return self._graph.put(node)

    def _paths(self, mask: Message, wanted: Message, node: Message) -> list[str]:
        """Tell which fields to set.

        Raises:
            InvalidArgument: one that cannot be changed.

        """
        for field in ("schema_title", "schema_version"):
            asked = getattr(wanted, field)
            if (asked and asked != getattr(node, field)) or field in mask.paths:
                message = f"The field {field!r} of {node.name!r} cannot be changed."
                raise InvalidArgument.of_field(f"{self._noun.field}.{field}", message)
        return changed_paths(mask, wanted, self._noun.changeable)

    def delete(self, request: Message) -> Message:
        """Forget a node, and with it its events and its memberships."""
        name = self._name(request.name)
        with self._database.transaction():
            node = self._graph.get(name, self._noun.kind)
            if request.etag and request.etag != node.etag:
                raise FailedPrecondition(
                    f"The etag {request.etag!r} is not that of {name!r}: {node.etag!r}."
                )
            self._graph.delete(name, self._noun.kind)
            return self._operations.done(store_of(name), Empty(), DeleteOperationMetadata())

    def purge(self, request: Message, response: Message, metadata: Message) -> Message:
        """Forget all nodes that pass a filter, or without `force` tell which they would be."""
        store = store_name(self._projects, request.parent)
        if not request.filter.strip():
            raise InvalidArgument.of_field("filter", "A filter is required to purge.")
        holds = compile_node_filter(request.filter, self._noun.kind, self._graph, self._projects)
        with self._database.transaction():
            self._graph.open_store(store)
            names = [node.name for node in self._graph.nodes(store, self._noun.kind) if holds(node)]
            response.purge_count = len(names)
            if request.force:
                for name in names:
                    self._graph.delete(name, self._noun.kind)
            else:
                response.purge_sample.extend(names[:_LARGEST_SAMPLE])
            return self._operations.done(store, response, metadata)
