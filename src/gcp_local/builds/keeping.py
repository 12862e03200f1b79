"""Builds as they are kept: by name, with the request that made them, and their operation."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from gcp_local.builds.messages import Build, BuildOperationMetadata, CreateBuildRequest
from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.rpc.protos import Message, copy_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gcp_local.builds.workshop import Workshop

GLOBAL = "global"


class BuildShelf:
    """The source of truth for which builds there are."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop

    def add(self, build: Message, request: Message) -> None:
        """Keep a new build and, for whoever retries it, its request."""
        with self._shop.database.transaction():
            self._shop.resources.add(build.name, build)
            self._shop.resources.add(f"{build.name}/request", request, parent=build.name)

    def save(self, build: Message) -> None:
        """Keep a newer state."""
        self._shop.resources.replace(build.name, build)

    def get(self, name: str, project: str, build_id: str) -> Message:
        """Give a build by its whole name, or else by its project and id.

        Raises:
            NotFound: there is none.

        """
        full = self.full_name(name, project, build_id)
        found = self._shop.resources.find(full, Build)
        if found is None:
            raise NotFound(f"Requested entity was not found: {full}")
        return found

    def full_name(self, name: str, project: str, build_id: str) -> str:
        """Give the name under which a build is kept; InvalidArgument if nothing names one."""
        if not name:
            if not project or not build_id:
                raise InvalidArgument.of_field("id", "project_id and id are required.")
            name = f"projects/{project}/builds/{build_id}"
        parts = name.split("/")
        if len(parts) == 4 and parts[2] == "builds":
            parts[2:2] = ["locations", GLOBAL]
        if len(parts) != 6 or (parts[0], parts[2], parts[4]) != ("projects", "locations", "builds"):
            raise InvalidArgument.of_field("name", f"Invalid build name: {name!r}.")
        return self._shop.projects.numbered("/".join(parts))

    def request_of(self, build: Message) -> Message:
        """Give a copy of the request that made a build."""
        return self._shop.resources.get(f"{build.name}/request", CreateBuildRequest)

    def of(self, parent: str) -> Iterator[Message]:
        """Go through the builds of a project's location, oldest first."""
        return self._shop.resources.children(parent, Build)

    def everywhere(self) -> Iterator[Message]:
        """Go through all builds, oldest first."""
        return self._shop.resources.everywhere(Build)


def operation_name(build: Message) -> str:
    """Give the name of a build's operation."""
    encoded = base64.b64encode(build.id.encode()).decode().rstrip("=")
    return f"operations/build/{build.project_id}/{encoded}"


def metadata_of(build: Message) -> Message:
    """Make the metadata of a build's operation."""
    return BuildOperationMetadata(build=copy_of(build))


def parent_of(shop: Workshop, parent: str, project: str) -> str:
    """Find where a request is about: its parent, or else its project's global location.

    Raises:
        InvalidArgument: neither is given, or they are of different projects.

    """
    if not parent:
        if not project:
            raise InvalidArgument.of_field("project_id", "project_id is required.")
        return f"projects/{shop.projects.number(project)}/locations/{GLOBAL}"
    numbered = shop.projects.numbered(parent)
    parts = numbered.split("/")
    if len(parts) != 4 or parts[0] != "projects" or parts[2] != "locations":
        raise InvalidArgument.of_field("parent", f"Invalid parent: {parent!r}.")
    if project and shop.projects.number(project) != parts[1]:
        raise InvalidArgument.of_field(
            "project_id", f"project_id {project!r} is not the project of {parent!r}."
        )
    return numbered
