"""The RPCs of Cloud Build that are about triggers: one runs them, or messages make them fire."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.builds import substitutions
from gcp_local.builds.bindings import bind
from gcp_local.builds.keeping import GLOBAL, parent_of
from gcp_local.builds.messages import BuildTrigger, ListBuildTriggersResponse
from gcp_local.builds.trigger_checks import check_trigger
from gcp_local.errors import AlreadyExists, InvalidArgument, NotFound
from gcp_local.resources.listing import list_page
from gcp_local.resources.masks import copy_field
from gcp_local.rpc.protos import Empty, Message, copy_of, timestamp

if TYPE_CHECKING:
    from gcp_local.builds.firing import Firing
    from gcp_local.builds.service import Builds
    from gcp_local.builds.templates import Templates
    from gcp_local.builds.workshop import Workshop

_CHANGEABLE = (
    "description", "name", "tags", "build", "filename", "git_file_source", "disabled",
    "substitutions", "ignored_files", "included_files", "source_to_build", "approval_config",
    "service_account", "pubsub_config", "filter",
)  # fmt: skip


class BuildTriggers:
    """The source of truth for triggers, which are named by an id or by the name a user gave."""

    def __init__(
        self, shop: Workshop, builds: Builds, templates: Templates, firing: Firing
    ) -> None:
        self._shop = shop
        self._builds = builds
        self._templates = templates
        self._firing = firing

    def create_build_trigger(self, request: Message) -> Message:
        """Answer `CreateBuildTrigger`."""
        parent = parent_of(self._shop, request.parent, request.project_id)
        trigger: Message = copy_of(request.trigger)
        check_trigger(trigger)
        trigger.id = str(uuid.uuid4())
        trigger.create_time.CopyFrom(timestamp(clock.now()))
        trigger.resource_name = self._shop.projects.named(f"{parent}/triggers/{trigger.id}")
        with self._shop.database.transaction():
            self._check_free(parent, trigger)
            self._firing.subscribe(trigger, None)
            self._shop.resources.add(f"{parent}/triggers/{trigger.id}", trigger)
        return trigger

    def get_build_trigger(self, request: Message) -> Message:
        """Answer `GetBuildTrigger`."""
        _, trigger = self._find(request.name, request.project_id, request.trigger_id)
        self._firing.tell_state(trigger)
        return trigger

    def list_build_triggers(self, request: Message) -> Message:
        """Answer `ListBuildTriggers`, the newest first."""
        request.parent = parent_of(self._shop, request.parent, request.project_id)
        page, token = list_page(self._of(request.parent), request, BuildTrigger, newest_first=True)
        return ListBuildTriggersResponse(triggers=page, next_page_token=token)

    def update_build_trigger(self, request: Message) -> Message:
        """Answer `UpdateBuildTrigger`: what the mask names, or else everything."""
        said = request.trigger
        name = said.resource_name if "/locations/" in said.resource_name else ""
        paths = list(request.update_mask.paths) or list(_CHANGEABLE)
        for path in paths:
            if path not in _CHANGEABLE:
                raise InvalidArgument.of_field(
                    "update_mask", f"Invalid update mask path {path!r}: it cannot be updated."
                )
        with self._shop.database.transaction():
            key, trigger = self._find(name, request.project_id, request.trigger_id)
            before = copy_of(trigger)
            for path in paths:
                _copy(said, trigger, path)
            check_trigger(trigger)
            self._firing.subscribe(trigger, before)
            self._check_free(key.rpartition("/triggers/")[0], trigger)
            self._shop.resources.replace(key, trigger)
        return trigger

    def delete_build_trigger(self, request: Message) -> Message:
        """Answer `DeleteBuildTrigger`. Its builds stay."""
        with self._shop.database.transaction():
            key, trigger = self._find(request.name, request.project_id, request.trigger_id)
            self._firing.unsubscribe(trigger)
            self._shop.resources.delete(key, BuildTrigger)
        return Empty()

    def run_build_trigger(self, request: Message) -> Message:
        """Answer `RunBuildTrigger`: the operation of a build of the commit that is asked for."""
        key, trigger = self._find(request.name, request.project_id, request.trigger_id)
        parent = key.rpartition("/triggers/")[0]
        said = request.source
        if said.project_id or said.repo_name or said.dir_ or said.invert_regex:
            raise InvalidArgument.of_field(
                "source", "Only a revision and substitutions can be given to a manual trigger."
            )
        substitutions.check_given(said.substitutions, "source.substitutions", users_only=True)
        build, triggered = self._templates.filled(trigger, said, said.substitutions)
        if trigger.HasField("pubsub_config"):
            bind(build, {})
        return self._builds.create(parent, build, triggered)

    # Inside

    def _of(self, parent: str) -> Iterator[Message]:
        return self._shop.resources.children(parent, BuildTrigger)

    def _find(self, name: str, project: str, trigger: str) -> tuple[str, Message]:
        """Find a trigger by its id or its name; the first of the pair is what it is kept under."""
        if name:
            parent, _, trigger = name.rpartition("/triggers/")
        else:
            parent = f"projects/{project}/locations/{GLOBAL}"
        where = parent_of(self._shop, parent, "")
        for each in self._of(where):
            if trigger and trigger in (each.id, each.name):
                return f"{where}/triggers/{each.id}", each
        raise NotFound(f"Requested entity was not found: {name or trigger}")

    def _check_free(self, parent: str, trigger: Message) -> None:
        for other in self._of(parent):
            if other.name == trigger.name and other.id != trigger.id:
                raise AlreadyExists(f"trigger ({trigger.name}) already exists")


def _copy(said: Message, trigger: Message, path: str) -> None:
    """Copy a field; of a trigger's three ways to have a build, only the one that was given."""
    field = trigger.DESCRIPTOR.fields_by_name[path]
    if field.containing_oneof is not None and said.WhichOneof("build_template") != path:
        if said.WhichOneof("build_template") is None and trigger.HasField(path):
            trigger.ClearField(path)
        return
    if field.is_repeated and not (field.message_type and field.message_type.GetOptions().map_entry):
        trigger.ClearField(path)
        getattr(trigger, path).extend(getattr(said, path))
    else:
        copy_field(said, trigger, path)
