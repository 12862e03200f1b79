"""Artifact Registry's API: repositories, packages, versions, tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.cloud.artifactregistry_v1.types import package as package_types
from google.cloud.artifactregistry_v1.types import repository as repository_types
from google.cloud.artifactregistry_v1.types import service as service_types
from google.cloud.artifactregistry_v1.types import tag as tag_types
from google.cloud.artifactregistry_v1.types import version as version_types

from gcp_local import clock
from gcp_local.errors import FailedPrecondition, InvalidArgument, Unimplemented
from gcp_local.registry.packages import Package, Repository, Tag, Version, check_tag
from gcp_local.resources.listing import list_page
from gcp_local.rpc.protos import Empty, Message, copy_of, raw, timestamp

if TYPE_CHECKING:
    from gcp_local.registry.images import ImageRegistry
    from gcp_local.registry.packages import PackageRegistry
    from gcp_local.resources.collection import Resources
    from gcp_local.resources.operations import Operations
    from gcp_local.resources.projects import Projects

OperationMetadata = raw(service_types.OperationMetadata)
ListRepositoriesResponse = raw(repository_types.ListRepositoriesResponse)
ListPackagesResponse = raw(package_types.ListPackagesResponse)
ListVersionsResponse = raw(version_types.ListVersionsResponse)
ListTagsResponse = raw(tag_types.ListTagsResponse)

_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_NAME = {"name": "name"}
_TIMES = {"name": "name", "create_time": "create_time", "update_time": "update_time"}


class ArtifactRegistry:
    """The RPCs; the rules are the `PackageRegistry`'s."""

    def __init__(
        self,
        *,
        resources: Resources,
        operations: Operations,
        projects: Projects,
        packages: PackageRegistry,
        images: ImageRegistry,
    ) -> None:
        self._resources = resources
        self._operations = operations
        self._projects = projects
        self._packages = packages
        self._images = images

    def create_repository(self, request: Message) -> Message:
        """Make an empty repository, of format KFP or DOCKER."""
        parent = self._named(request.parent)
        if not _ID.fullmatch(request.repository_id):
            message = f"Invalid repository id {request.repository_id!r}."
            raise InvalidArgument.of_field("repository_id", message)
        formats = repository_types.Repository.Format
        if request.repository.format_ not in (formats.KFP, formats.DOCKER):
            message = "The embedded cloud has repositories of format KFP and DOCKER only."
            raise InvalidArgument.of_field("repository.format", message)
        modes = repository_types.Repository.Mode
        if request.repository.mode not in (modes.MODE_UNSPECIFIED, modes.STANDARD_REPOSITORY):
            raise Unimplemented("The embedded cloud has no remote and no virtual repositories.")
        repository = copy_of(request.repository)
        repository.name = f"{parent}/repositories/{request.repository_id}"
        repository.create_time.CopyFrom(timestamp(clock.now()))
        repository.update_time.CopyFrom(repository.create_time)
        self._resources.add(repository.name, repository)
        return self._operations.done(parent, repository, OperationMetadata())

    def get_repository(self, request: Message) -> Message:
        """Answer a repository."""
        return self._resources.get(self._named(request.name), Repository)

    def list_repositories(self, request: Message) -> Message:
        """Answer a location's repositories."""
        found = self._resources.children(self._named(request.parent), Repository)
        page, token = list_page(found, request, Repository, filterable=_NAME, sortable=_TIMES)
        return ListRepositoriesResponse(repositories=page, next_page_token=token)

    def delete_repository(self, request: Message) -> Message:
        """Forget a repository and all that is in it."""
        name = self._named(request.name)
        self._images.follow(*self._packages.remove_repository(name))
        return self._done(name, Empty())

    def get_package(self, request: Message) -> Message:
        """Answer a package."""
        return self._resources.get(self._named(request.name), Package)

    def list_packages(self, request: Message) -> Message:
        """Answer a repository's packages."""
        parent = self._named(request.parent)
        self._resources.get(parent, Repository)
        page, token = list_page(
            self._resources.children(parent, Package),
            request,
            Package,
            filterable=_NAME,
            sortable=_TIMES,
        )
        return ListPackagesResponse(packages=page, next_page_token=token)

    def delete_package(self, request: Message) -> Message:
        """Forget a package with its versions and tags."""
        name = self._named(request.name)
        self._images.follow(*self._packages.remove_package(name))
        return self._done(name, Empty())

    def get_version(self, request: Message) -> Message:
        """Answer a version, with its tags in the FULL view."""
        version = self._resources.get(self._named(request.name), Version)
        return self._viewed(version, request.view)

    def list_versions(self, request: Message) -> Message:
        """Answer a package's versions."""
        parent = self._named(request.parent)
        self._resources.get(parent, Package)
        page, token = list_page(
            self._resources.children(parent, Version),
            request,
            Version,
            filterable=_NAME,
            sortable=_TIMES,
        )
        shown = [self._viewed(version, request.view) for version in page]
        return ListVersionsResponse(versions=shown, next_page_token=token)

    def delete_version(self, request: Message) -> Message:
        """Forget a version that no tag points to, or with `force` any."""
        name = self._named(request.name)
        if request.force:
            package = name.rpartition("/versions/")[0]
            self._images.check_movable(*self._packages.tags_of(package, name))
        self._images.follow(*self._packages.remove_version(name, force=request.force))
        return self._done(name, Empty())

    def create_tag(self, request: Message) -> Message:
        """Point a new tag to a version."""
        parent = self._named(request.parent)
        self._resources.get(parent, Package)
        check_tag(request.tag_id)
        name = f"{parent}/tags/{request.tag_id}"
        tag = self._packages.create_tag(name, self._version(parent, request.tag.version))
        self._images.follow(name)
        return tag

    def get_tag(self, request: Message) -> Message:
        """Answer a tag."""
        return self._resources.get(self._named(request.name), Tag)

    def list_tags(self, request: Message) -> Message:
        """Answer a package's tags."""
        parent = self._named(request.parent)
        self._resources.get(parent, Package)
        page, token = list_page(
            self._resources.children(parent, Tag),
            request,
            Tag,
            filterable={"name": "name", "version": "version"},
        )
        return ListTagsResponse(tags=page, next_page_token=token)

    def update_tag(self, request: Message) -> Message:
        """Point an existing tag to another version; nothing else of it can change."""
        if list(request.update_mask.paths) not in (["version"], ["*"], []):
            message = "The update mask of a tag is 'version'."
            raise InvalidArgument.of_field("update_mask", message)
        name = self._named(request.tag.name)
        self._resources.get(name, Tag)
        version = self._version(name.rpartition("/tags/")[0], request.tag.version)
        self._images.check_movable(name)
        tag = self._packages.point(name, version)
        self._images.follow(name)
        return tag

    def delete_tag(self, request: Message) -> Message:
        """Forget a tag; its version stays."""
        name = self._named(request.name)
        self._images.check_movable(name)
        self._resources.delete(name, Tag)
        self._images.follow(name)
        return Empty()

    def _named(self, name: str) -> str:
        return self._projects.named(name)

    def _version(self, package: str, name: str) -> str:
        """Give a version's full name; the KFP client at an unknown host leaves out the repository.

        It then writes `packages/P/versions/V`, as its built-in context has it.
        """
        if name.startswith("packages/"):
            name = f"{package.rpartition('/packages/')[0]}/{name}"
        name = self._named(name)
        if name.rpartition("/versions/")[0] != package:
            raise FailedPrecondition(f"Version {name!r} does not belong to {package!r}.")
        return name

    def _viewed(self, version: Message, view: int) -> Message:
        if view == version_types.VersionView.FULL:
            package = version.name.rpartition("/versions/")[0]
            for name in self._packages.tags_of(package, version.name):
                version.related_tags.add(name=name, version=version.name)
        return version

    def _done(self, name: str, response: Message) -> Message:
        parent = "/".join(name.split("/")[:4])
        return self._operations.done(parent, response, OperationMetadata())
