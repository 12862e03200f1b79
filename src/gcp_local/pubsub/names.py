"""The names of Pub/Sub's resources, and the errors about them.

Source: https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gcp_local.errors import AlreadyExists, InvalidArgument, NotFound

if TYPE_CHECKING:
    from gcp_local.resources.projects import Projects

# What the topic of a subscription is called when the topic has been deleted.
DELETED_TOPIC = "_deleted-topic_"
_NAME = re.compile(r"projects/([^/]+)/(topics|subscriptions|snapshots)/([^/]+)")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9._~+%-]{2,254}")


def checked_name(projects: Projects, name: str, kind: str, field: str) -> str:
    """Give a resource's name as it is kept, with the project's id.

    Args:
        projects: which project has which id.
        name: as the request gives it.
        kind: `topics` or `subscriptions`.
        field: what the request calls it.

    Raises:
        InvalidArgument: no resource of that kind can have this name.

    """
    matched = _NAME.fullmatch(name)
    if matched is None or matched[2] != kind or not _is_id(matched[3]):
        message = f"Invalid [{kind}] name: (name={name}); expected projects/PROJECT/{kind}/ID."
        raise InvalidArgument.of_field(field, message)
    return projects.named(name)


def not_found(name: str) -> NotFound:
    """Say, as Pub/Sub does, that a resource is not there."""
    return NotFound(f"Resource not found (resource={name.rpartition('/')[2]}).")


def already_exists(name: str) -> AlreadyExists:
    """Say, as Pub/Sub does, that a resource is there already."""
    return AlreadyExists(
        f"Resource already exists in the project (resource={name.rpartition('/')[2]})."
    )


def _is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None and not text.lower().startswith("goog")
