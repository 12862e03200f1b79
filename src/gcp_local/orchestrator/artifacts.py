"""Artifacts as they pass from task to task, and as Vertex ML Metadata shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gcp_local.orchestrator.parameters import from_proto, to_proto

if TYPE_CHECKING:
    from gcp_local.orchestrator.parameters import Json
    from gcp_local.orchestrator.spec import ArtifactSpec
    from gcp_local.rpc.protos import Message

_LIVE = 2  # google.cloud.aiplatform.v1.Artifact.State.LIVE


@dataclass(frozen=True)
class Artifact:
    """An artifact: its ML Metadata resource name, where its payload is, what it is.

    `display_name` is the key of the output that made it.
    """

    name: str
    display_name: str
    uri: str
    schema_title: str
    schema_version: str
    schema_uri: str = ""
    instance_schema: str = ""
    metadata: Mapping[str, Json] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: ArtifactSpec, *, name: str, display_name: str, uri: str) -> Artifact:
        """Make the artifact that an output declares."""
        return cls(
            name=name,
            display_name=display_name,
            uri=uri,
            schema_title=spec.schema_title,
            schema_version=spec.schema_version,
            schema_uri=spec.schema_uri,
            instance_schema=spec.instance_schema,
            metadata=spec.metadata,
        )

    @classmethod
    def read(cls, message: Message) -> Artifact:
        """Read a `google.cloud.aiplatform.v1.Artifact`.

        Raises:
            MistypedValueError: its metadata cannot be handed to a component.

        """
        return cls(
            name=message.name,
            display_name=message.display_name,
            uri=message.uri,
            schema_title=message.schema_title,
            schema_version=message.schema_version,
            metadata={
                name: from_proto(value) for name, value in sorted(message.metadata.fields.items())
            },
        )

    def as_runtime(self) -> dict[str, Json]:
        """Give the RuntimeArtifact that a component reads in its ExecutorInput (JSON form)."""
        if self.schema_title:
            kind = {"schemaTitle": self.schema_title, "schemaVersion": self.schema_version}
        elif self.schema_uri:
            kind = {"schemaUri": self.schema_uri}
        else:
            kind = {"instanceSchema": self.instance_schema}
        runtime: dict[str, Json] = {"name": self.name, "type": kind, "uri": self.uri}
        if self.metadata:
            runtime["metadata"] = dict(self.metadata)
        return runtime

    def write_to(self, message: Message, moment: Message) -> None:
        """Fill in a `google.cloud.aiplatform.v1.Artifact`."""
        message.name = self.name
        message.display_name = self.display_name
        message.uri = self.uri
        message.schema_title = self.schema_title
        message.schema_version = self.schema_version
        message.state = _LIVE
        message.create_time.CopyFrom(moment)
        message.update_time.CopyFrom(moment)
        for key, value in self.metadata.items():
            message.metadata.fields[key].CopyFrom(to_proto(value))
