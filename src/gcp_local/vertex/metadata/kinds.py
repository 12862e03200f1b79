"""The messages of ML Metadata, and the forms of their names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import artifact as artifact_types
from google.cloud.aiplatform_v1.types import context as context_types
from google.cloud.aiplatform_v1.types import event as event_types
from google.cloud.aiplatform_v1.types import execution as execution_types
from google.cloud.aiplatform_v1.types import lineage_subgraph as lineage_types
from google.cloud.aiplatform_v1.types import metadata_schema as schema_types
from google.cloud.aiplatform_v1.types import metadata_store as store_types

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import raw

if TYPE_CHECKING:
    from gcp_local.resources.projects import Projects

Artifact = raw(artifact_types.Artifact)
Execution = raw(execution_types.Execution)
Context = raw(context_types.Context)
Event = raw(event_types.Event)
MetadataStore = raw(store_types.MetadataStore)
MetadataSchema = raw(schema_types.MetadataSchema)
LineageSubgraph = raw(lineage_types.LineageSubgraph)

INPUT, OUTPUT = 1, 2  # google.cloud.aiplatform.v1.Event.Type

_ID = re.compile(r"[a-z0-9-]{4,128}")
_STORE = r"projects/[^/]+/locations/[a-z]+(?:-[a-z0-9]+)*/metadataStores/[^/]+"
_STORE_NAME = re.compile(_STORE)
_NODE_NAME = re.compile(rf"({_STORE})/(artifacts|executions|contexts|metadataSchemas)/[^/]+")


def check_id(given: str, field: str) -> str:
    """Give back an id of 4 to 128 lower-case letters, digits and dashes.

    Raises:
        InvalidArgument: it is not one; the error names the field.

    """
    if not _ID.fullmatch(given):
        message = f"Invalid {field} {given!r}: it must be 4 to 128 characters of [a-z0-9-]."
        raise InvalidArgument.of_field(field, message)
    return given


def store_name(projects: Projects, given: str, field: str = "parent") -> str:
    """Give a metadata store's name with the project's number; InvalidArgument if it is not one."""
    if not _STORE_NAME.fullmatch(given):
        raise InvalidArgument.of_field(field, f"Invalid metadata store name {given!r}.")
    return projects.numbered(given)


def node_name(projects: Projects, given: str, noun: str, field: str = "name") -> str:
    """Give a node's name with the project's number.

    Args:
        projects: knows the numbers.
        given: `projects/…/metadataStores/…/NOUN/ID`.
        noun: `artifacts`, `executions`, `contexts` or `metadataSchemas`.
        field: where it was given, for the error's text.

    Raises:
        InvalidArgument: it is not such a name.

    """
    match = _NODE_NAME.fullmatch(given)
    if match is None or match[2] != noun:
        raise InvalidArgument.of_field(field, f"Invalid name {given!r} of one of the {noun}.")
    return projects.numbered(given)


def store_of(name: str) -> str:
    """Give the metadata store of a node's name."""
    return name.rsplit("/", 2)[0]
