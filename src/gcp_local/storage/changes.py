"""What happens to objects, as those are told who asked to be.

Source: https://cloud.google.com/storage/docs/pubsub-notifications.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcp_local.storage.values import Object


class Event(Enum):
    """What can happen: Cloud Storage's word for it, and Eventarc's."""

    FINALIZE = ("OBJECT_FINALIZE", "finalized")
    DELETE = ("OBJECT_DELETE", "deleted")
    ARCHIVE = ("OBJECT_ARCHIVE", "archived")
    METADATA_UPDATE = ("OBJECT_METADATA_UPDATE", "metadataUpdated")

    @property
    def type(self) -> str:
        """The event's type in a notification."""
        return self.value[0]

    @property
    def cloud_event(self) -> str:
        """The event's type as a CloudEvent."""
        return f"google.cloud.storage.object.v1.{self.value[1]}"


@dataclass(frozen=True)
class Change:
    """One change of one object.

    Attributes:
        described: the object; one that is gone as it was.
        overwrote: the generation in whose place it came.
        overwritten_by: the generation that came in its place.

    """

    event: Event
    described: Object
    overwrote: int | None = None
    overwritten_by: int | None = None
