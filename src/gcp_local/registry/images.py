"""Container images as Artifact Registry knows them: packages, versions and tags of a repository.

Their files are the image store's; a push writes both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from google.cloud.artifactregistry_v1.types import repository as repository_types

from gcp_local import clock
from gcp_local.errors import FailedPrecondition, InvalidArgument, NotFound
from gcp_local.registry.packages import Package, Repository, Tag, Version
from gcp_local.rpc.protos import Message, timestamp

if TYPE_CHECKING:
    from gcp_local.images.store import ImageStore
    from gcp_local.registry.packages import PackageRegistry
    from gcp_local.resources.collection import Resources
    from gcp_local.resources.database import Database

_ADDRESS = re.compile(
    r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/(?P<name>.+)"
)


class ImageRegistry:
    """Where images are pushed to."""

    def __init__(
        self,
        database: Database,
        resources: Resources,
        packages: PackageRegistry,
        images: ImageStore,
    ) -> None:
        self._database = database
        self._resources = resources
        self._packages = packages
        self._images = images

    def push(self, address: str, tar: BinaryIO, tag: str) -> str:
        """Push an image as `docker push` does; give its digest.

        Args:
            address: `LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/NAME`.
            tar: the image, as the store takes it.
            tag: its tag.

        Raises:
            InvalidArgument: not such an address, or not an image.
            NotFound: the repository is not there.
            FailedPrecondition: it is not of format DOCKER, or its tags are immutable, and this one
                is another image's.

        """
        package = package_of(address)
        repository = self._repository(package)
        digest = self._images.add(address, tar)
        with self._database.transaction():
            kept = self._resources.find(f"{package}/tags/{tag}", Tag)
            immutable = repository.docker_config.immutable_tags
            if immutable and kept is not None and not kept.version.endswith(f"/{digest}"):
                raise FailedPrecondition(
                    f"cannot update tag {tag}. The repository has enabled tag immutability"
                )
            self._record(package, digest, tag)
        return self._images.tag(address, digest, tag)

    def put(self, address: str, tar: BinaryIO, tag: str | None) -> str:
        """Record an image whether its repository is there or not; give its digest.

        Raises:
            InvalidArgument: as `push`.

        """
        digest = self._images.add(address, tar, tag)
        package = package_of(address)
        try:
            self._repository(package)
        except (NotFound, FailedPrecondition):
            return digest  # known to the image store alone
        with self._database.transaction():
            self._record(package, digest, tag)
        return digest

    def check_movable(self, *tags: str) -> None:
        """Refuse to move or delete tags of a repository whose tags are immutable.

        Raises:
            FailedPrecondition: they are.

        """
        for tag in tags:
            repository = self._resources.find(tag.partition("/packages/")[0], Repository)
            if repository is not None and repository.docker_config.immutable_tags:
                raise FailedPrecondition(
                    f"cannot change tag {tag.rpartition('/')[2]}. The repository has enabled tag"
                    " immutability"
                )

    def follow(self, *names: str) -> None:
        """Let the image store know of tags and versions what Artifact Registry says of them now."""
        for name in names:
            package, noun, own = name.rsplit("/", 2)
            address = _address_of(package)
            kept = self._resources.find(name, Tag if noun == "tags" else Version)
            if noun == "tags" and kept is not None:
                digest = kept.version.rpartition("/")[2]
                if self._images.digest_of(f"{address}@{digest}"):  # and it is no KFP package
                    self._images.tag(address, digest, own)
            elif noun == "tags":
                self._images.untag(address, own)
            elif kept is None:
                self._images.forget(address, own)

    def _repository(self, package: str) -> Message:
        name = package.rpartition("/packages/")[0]
        found = self._resources.find(name, Repository)
        if found is None:
            raise NotFound(f'name unknown: Repository "{name.rpartition("/")[2]}" not found')
        if found.format_ != repository_types.Repository.Format.DOCKER:
            raise FailedPrecondition(f"Repository {name!r} is not of format DOCKER.")
        return found

    def _record(self, package: str, digest: str, tag: str | None) -> None:
        now = timestamp(clock.now())
        version = f"{package}/versions/{digest}"
        for name, kind in ((package, Package), (version, Version)):
            if self._resources.find(name, kind) is None:
                self._resources.add(name, kind(name=name, create_time=now, update_time=now))
        if tag is not None:
            self._packages.point(f"{package}/tags/{tag}", version)


def package_of(address: str) -> str:
    """Give the name of an image's package; InvalidArgument if it is in no repository."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise InvalidArgument(f"Invalid image repository: {address!r}")
    name = match["name"].replace("/", "%2F")
    return (
        f"projects/{match['project']}/locations/{match['location']}"
        f"/repositories/{match['repository']}/packages/{name}"
    )


def _address_of(package: str) -> str:
    """Give the address of the image whose package this is."""
    _, project, _, location, _, repository, _, name = package.split("/")
    return f"{location}-docker.pkg.dev/{project}/{repository}/{name.replace('%2F', '/')}"
