"""What Vertex AI's services agree on: parents and display names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument

if TYPE_CHECKING:
    from gcp_local.resources.projects import Projects

_LOCATION = re.compile(r"projects/[^/]+/locations/[a-z]+(-[a-z0-9]+)*")
_MAX_DISPLAY_NAME = 128


def location_of(projects: Projects, parent: str) -> str:
    """Give `projects/NUMBER/locations/LOCATION` for a parent with the project's id or number."""
    if not _LOCATION.fullmatch(parent):
        raise InvalidArgument.of_field("parent", f"Invalid parent {parent!r}.")
    return projects.numbered(parent)


def check_display_name(name: str, *, required: bool) -> None:
    """Refuse a display name of more than 128 characters, or an empty one if it is required."""
    if required and not name:
        raise InvalidArgument.of_field("display_name", "display_name is required.")
    if len(name) > _MAX_DISPLAY_NAME:
        raise InvalidArgument.of_field("display_name", "display_name has more than 128 characters.")
