"""What Cloud Build refuses of a trigger, and which triggers could never fire here."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from gcp_local.builds.bindings import check_filter
from gcp_local.builds.checks import check_definition
from gcp_local.builds.substitutions import check_given
from gcp_local.cel import CelError
from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.rpc.protos import copy_of

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,62}[a-zA-Z0-9])?")
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_ACCOUNT = re.compile(r"projects/[^/]+/serviceAccounts/([^/@\s]+@[^/@\s]+\.[^/@\s]+|\d{10,30})")
_CONNECTED = re.compile(r"projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+")
_REF = re.compile(r"refs/(heads|tags)/\S+")
_NO_GIT_HOST = "nothing pushes to the embedded cloud, so it would never fire"
_EVENTS = {
    "trigger_template": _NO_GIT_HOST,
    "github": _NO_GIT_HOST,
    "repository_event_config": _NO_GIT_HOST,
    "webhook_config": "there is no Secret Manager that would hold the webhook's key",
    "autodetect": "it is for GitHub's events, and nothing pushes to the embedded cloud",
}


def check_trigger(trigger: Message) -> None:
    """Refuse a trigger.

    Raises:
        InvalidArgument: Cloud Build would refuse it.
        Unimplemented: it is to fire by what does not happen here.

    """
    for name, why in _EVENTS.items():
        field = trigger.DESCRIPTOR.fields_by_name[name]
        message = field.message_type is not None
        if trigger.HasField(name) if message else getattr(trigger, name):
            raise Unimplemented(
                f"The embedded Cloud Build has no trigger.{name}: {why}. A manual trigger"
                " (source_to_build) can be run; messages fire one with pubsub_config."
            )
    if not _NAME.fullmatch(trigger.name):
        _refuse("name", f"{trigger.name!r} must match [a-zA-Z0-9-], 1 to 64 characters")
    if trigger.WhichOneof("build_template") is None:
        _refuse("build", "one of build, filename and git_file_source is required")
    for tag in trigger.tags:
        if not _TAG.fullmatch(tag):
            _refuse("tags", f"{tag!r} must match format '^[\\w][\\w.-]{{0,127}}$'")
    check_given(trigger.substitutions, "trigger.substitutions", users_only=True)
    if trigger.filter:
        _check_filter(trigger)
    if trigger.service_account and not _ACCOUNT.fullmatch(trigger.service_account):
        _refuse(
            "service_account",
            f"{trigger.service_account!r} must have the format"
            " projects/{PROJECT_ID}/serviceAccounts/{ACCOUNT_ID_OR_EMAIL}",
        )
    if trigger.HasField("source_to_build"):
        _check_repository(trigger.source_to_build)
    _check_template(trigger)


def _check_filter(trigger: Message) -> None:
    if not trigger.HasField("pubsub_config"):
        _refuse("filter", "a filter needs a trigger that events fire, such as pubsub_config")
    try:
        check_filter(trigger.filter, trigger.substitutions)
    except CelError as error:
        _refuse("filter", str(error))


def _check_repository(source: Message) -> None:
    field = "source_to_build"
    if bool(source.uri) == bool(source.repository):
        _refuse(field, "either uri or repository must be set")
    if source.repository and not _CONNECTED.fullmatch(source.repository):
        message = f"{source.repository!r} must match projects/*/locations/*/connections/*/"
        _refuse(f"{field}.repository", f"{message}repositories/*")
    if not _REF.fullmatch(source.ref):
        _refuse(f"{field}.ref", f"{source.ref!r} must start with refs/heads/ or refs/tags/")


def _check_template(trigger: Message) -> None:
    match trigger.WhichOneof("build_template"):
        case "build":
            check_definition(copy_of(trigger.build))
            if trigger.build.HasField("source"):
                _refuse("build.source", "the source of a trigger's build is its repository's")
        case "filename":
            _check_path(trigger.filename, "filename")
        case "git_file_source":
            _check_path(trigger.git_file_source.path, "git_file_source.path")
    if trigger.WhichOneof("build_template") != "build" and not trigger.HasField("source_to_build"):
        _refuse("source_to_build", "a build configuration in a file needs a repository")


def _check_path(path: str, field: str) -> None:
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts:
        _refuse(field, f"{path!r} must be a path relative to the repository's root")


def _refuse(field: str, message: str) -> NoReturn:
    where = f"trigger.{field}"
    raise InvalidArgument.of_field(where, f"invalid value for '{where}': {message}")
