"""The RPCs of Cloud Build that are about triggers. One runs them; nothing pushes to this cloud."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.builds import substitutions
from gcp_local.builds.archives import read_member
from gcp_local.builds.configuration import read_build
from gcp_local.builds.creation import Triggered
from gcp_local.builds.keeping import GLOBAL, parent_of
from gcp_local.builds.messages import (
    Build,
    BuildTrigger,
    ListBuildTriggersResponse,
    Substitution,
)
from gcp_local.builds.trigger_checks import check_trigger
from gcp_local.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from gcp_local.resources.listing import list_page
from gcp_local.resources.masks import copy_field
from gcp_local.rpc.protos import Empty, Message, copy_of, timestamp

if TYPE_CHECKING:
    from gcp_local.builds.commits import Commit
    from gcp_local.builds.service import Builds
    from gcp_local.builds.workshop import Workshop

_CHANGEABLE = (
    "description", "name", "tags", "build", "filename", "git_file_source", "disabled",
    "substitutions", "ignored_files", "included_files", "source_to_build", "approval_config",
    "service_account",
)  # fmt: skip


class BuildTriggers:
    """The source of truth for triggers, which are named by an id or by the name a user gave."""

    def __init__(self, shop: Workshop, builds: Builds) -> None:
        self._shop = shop
        self._builds = builds

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
            self._shop.resources.add(f"{parent}/triggers/{trigger.id}", trigger)
        return trigger

    def get_build_trigger(self, request: Message) -> Message:
        """Answer `GetBuildTrigger`."""
        _, trigger = self._find(request.name, request.project_id, request.trigger_id)
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
            for path in paths:
                _copy(said, trigger, path)
            check_trigger(trigger)
            self._check_free(key.rpartition("/triggers/")[0], trigger)
            self._shop.resources.replace(key, trigger)
        return trigger

    def delete_build_trigger(self, request: Message) -> Message:
        """Answer `DeleteBuildTrigger`. Its builds stay."""
        with self._shop.database.transaction():
            key, _ = self._find(request.name, request.project_id, request.trigger_id)
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
        built_in = {"TRIGGER_NAME": trigger.name, "TRIGGER_BUILD_CONFIG_PATH": ""}
        commit = self._commit(trigger, said)
        if commit is not None:
            built_in |= _of_commit(trigger, said, commit)
        build, path = self._template(trigger, commit)
        built_in["TRIGGER_BUILD_CONFIG_PATH"] = path
        if commit is not None:
            _set_source(build, trigger.source_to_build, commit.sha)
        for more in (trigger.substitutions, said.substitutions):
            build.substitutions.update(more)
        build.service_account = trigger.service_account or build.service_account
        build.tags.extend(tag for tag in (*trigger.tags, f"trigger-{trigger.id}")
                          if tag not in build.tags)  # fmt: skip
        # Triggered builds always have these, whatever their configuration says.
        build.options.substitution_option = Substitution.ALLOW_LOOSE
        build.options.dynamic_substitutions = True
        required = bool(trigger.approval_config.approval_required)
        return self._builds.create(parent, build, Triggered(trigger.id, required, built_in))

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

    def _commit(self, trigger: Message, said: Message) -> Commit | None:
        """Find the commit that a run is of; None if the trigger has no repository."""
        chosen = said.WhichOneof("revision")
        if not trigger.HasField("source_to_build"):
            if chosen:
                raise InvalidArgument.of_field(
                    "source", f"trigger {trigger.name!r} has no repository: it cannot be run on"
                    " a revision."
                )  # fmt: skip
            return None
        source = trigger.source_to_build
        revision = {
            "commit_sha": said.commit_sha,
            "branch_name": f"refs/heads/{said.branch_name}",
            "tag_name": f"refs/tags/{said.tag_name}",
        }.get(chosen or "", source.ref)
        try:
            return self._shop.commits.find(source.repository or source.uri, revision)
        except NotFound as error:
            raise FailedPrecondition(error.message) from None

    def _template(self, trigger: Message, commit: Commit | None) -> tuple[Message, str]:
        """Give a build of the trigger's template, and the path of its file, if it has one."""
        match trigger.WhichOneof("build_template"):
            case "filename":
                path = trigger.filename
            case "git_file_source":
                path, commit = trigger.git_file_source.path, self._of_file(trigger, commit)
            case _:
                return copy_of(trigger.build), ""
        assert commit is not None  # a file needs a repository, see `check_trigger`
        content = read_member(commit.tar, path)
        if content is None:
            message = f"couldn't find {path!r} in commit {commit.sha} of {commit.repository}"
            raise FailedPrecondition(message)
        build = Build()
        build.CopyFrom(read_build(content, path))
        return build, path

    def _of_file(self, trigger: Message, commit: Commit | None) -> Commit | None:
        said = trigger.git_file_source
        repository = said.repository or said.uri
        if not repository and not said.revision:
            return commit
        source = trigger.source_to_build
        revision = said.revision or source.ref
        try:
            return self._shop.commits.find(repository or source.repository or source.uri, revision)
        except NotFound as error:
            raise FailedPrecondition(error.message) from None


def _of_commit(trigger: Message, said: Message, commit: Commit) -> dict[str, str]:
    """Give the substitutions that a run has from its commit and from how that was named."""
    source = trigger.source_to_build
    name = (source.repository or source.uri).rstrip("/").removesuffix(".git")
    parts = name.split("/")
    found = {
        **substitutions.of_commit(commit.sha),
        "REPO_NAME": parts[-1],
        "REPO_FULL_NAME": "/".join(parts[-2:]) if source.uri else parts[-1],
    }
    ref = source.ref if said.WhichOneof("revision") is None else ""
    branch = said.branch_name or (ref.removeprefix("refs/heads/") if "/heads/" in ref else "")
    tag = said.tag_name or (ref.removeprefix("refs/tags/") if "/tags/" in ref else "")
    if branch:
        found |= {"BRANCH_NAME": branch, "REF_NAME": branch}
    if tag:
        found |= {"TAG_NAME": tag, "REF_NAME": tag}
    return found


def _set_source(build: Message, source: Message, sha: str) -> None:
    if source.repository:
        build.source.connected_repository.repository = source.repository
        build.source.connected_repository.revision = sha
    else:
        build.source.git_source.url = source.uri
        build.source.git_source.revision = sha


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
