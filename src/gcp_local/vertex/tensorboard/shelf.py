"""What the methods on TensorBoard's resources have in common."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import operation as operation_types

from gcp_local import clock
from gcp_local.errors import Aborted, AlreadyExists, InvalidArgument
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import list_page
from gcp_local.resources.masks import changed_paths, copy_field, masked
from gcp_local.rpc.protos import Empty, Message, copy_of, raw, timestamp
from gcp_local.vertex.naming import check_display_name
from gcp_local.vertex.tensorboard.kinds import Experiment, Run, Tensorboard, TimeSeries

if TYPE_CHECKING:
    from gcp_local.vertex.platform import Platform
    from gcp_local.vertex.tensorboard.kinds import Noun

DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)
_ID = re.compile(r"[a-z0-9-]{1,128}")
_BELOW = {Tensorboard: Experiment, Experiment: Run, Run: TimeSeries}
_OUTPUT_ONLY = (
    "name", "create_time", "update_time", "etag", "run_count", "blob_storage_path_prefix",
    "satisfies_pzs", "satisfies_pzi", "metadata",
)  # fmt: skip


class Shelf:
    """Makes, reads, lists, changes and forgets the resources of one kind."""

    def __init__(self, noun: Noun, platform: Platform) -> None:
        self._noun = noun
        self._projects = platform.projects
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations

    def add(self, parent: str, collection: str, resource: Message, own: str) -> Message:
        """Keep a new resource.

        Args:
            parent: its parent's name.
            collection: the segment before its id.
            resource: as the client gave it.
            own: the id that the client chose; empty for one of the server's.

        Raises:
            InvalidArgument: a field that cannot be so.
            AlreadyExists: its name, or a display name that must be the only one, is taken.

        """
        made = copy_of(resource)
        for name in _OUTPUT_ONLY:
            if name in made.DESCRIPTOR.fields_by_name:
                made.ClearField(name)
        if own and not _ID.fullmatch(own):
            field = f"{self._noun.field}_id"
            message = f"Invalid {field} {own!r}: it must be 1 to 128 characters of [a-z0-9-]."
            raise InvalidArgument.of_field(field, message)
        made.name = f"{parent}/{collection}/{own or uuid.uuid4().int % 10**19}"
        self._check(made, parent)
        now = clock.now()
        made.create_time.CopyFrom(timestamp(now))
        made.update_time.CopyFrom(timestamp(now))
        made.etag = str(clock.micros(now))
        self._resources.add(made.name, made, parent=parent)
        return made

    def _check(self, resource: Message, parent: str) -> None:
        named = self._noun.named or self._noun.kind is Tensorboard
        check_display_name(resource.display_name, required=named)
        if "labels" in resource.DESCRIPTOR.fields_by_name:
            check_labels(resource.labels)
        if not self._noun.named:
            return
        for other in self._resources.mentioning(parent, self._noun.kind, resource.display_name):
            if other.display_name == resource.display_name and other.name != resource.name:
                noun = self._noun.kind.DESCRIPTOR.name
                shared = f"has the display name {resource.display_name!r} already"
                raise AlreadyExists(f"The {noun} {other.name!r} {shared}.")

    def get(self, given: str, at: str = "name") -> Message:
        """Answer a resource."""
        return self._resources.get(self._noun.name(self._projects, given, at), self._noun.kind)

    def page(self, parent: str, request: Message) -> tuple[list[Message], str]:
        """Answer a list, oldest first unless an order is asked for."""
        fields = self._noun.filterable
        sortable = {name: path for name, path in fields.items() if name != "labels"}
        page, token = list_page(
            self._resources.children(parent, self._noun.kind),
            request,
            self._noun.kind,
            filterable=fields,
            sortable=sortable,
        )
        return masked(page, request.read_mask, self._noun.kind), token

    def update(self, request: Message) -> Message:
        """Change the fields of a mask, or without one the fields that are set."""
        wanted: Message = getattr(request, self._noun.field)
        with self._database.transaction():
            kept = self.get(wanted.name, f"{self._noun.field}.name")
            if wanted.etag and wanted.etag != kept.etag:
                raise Aborted(f"The etag {wanted.etag!r} is not that of {kept.name!r}.")
            paths = changed_paths(request.update_mask, wanted, self._noun.changeable)
            for path in paths:
                copy_field(wanted, kept, path)
            self._check(kept, kept.name.rsplit("/", 2)[0])
            self.keep(kept)
        return kept

    def keep(self, resource: Message) -> None:
        """Keep a newer state of a resource; its time and its etag are set in it."""
        stamp = max(clock.micros(clock.now()), int(resource.etag or 0) + 1)
        resource.update_time.CopyFrom(timestamp(clock.from_micros(stamp)))
        resource.etag = str(stamp)
        self._resources.replace(resource.name, resource)

    def delete(self, given: str) -> Message:
        """Forget a resource with all below it."""
        with self._database.transaction():
            name = self.get(given).name
            self._forget(name, self._noun.kind)
            parent = name.rsplit("/", 2)[0]
            return self._operations.done(parent, Empty(), DeleteOperationMetadata())

    def _forget(self, name: str, kind: type[Message]) -> None:
        below = _BELOW.get(kind)
        if below is not None:
            for child in list(self._resources.children(name, below)):
                self._forget(child.name, below)
        self._resources.delete(name, kind)
        self._database.run("DELETE FROM tensorboard_points WHERE series = ?", name)
