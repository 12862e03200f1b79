"""KFP packages: the bytes of compiled pipelines, known by their sha256, with tags that move.

A version's id is the sha256 of the very bytes that were uploaded; a package is named after the
pipeline. Names are those of the Artifact Registry API, with the project's id.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.cloud.artifactregistry_v1.types import package as package_types
from google.cloud.artifactregistry_v1.types import repository as repository_types
from google.cloud.artifactregistry_v1.types import tag as tag_types
from google.cloud.artifactregistry_v1.types import version as version_types

from gcp_local import clock
from gcp_local.errors import FailedPrecondition, InvalidArgument, NotFound
from gcp_local.registry.template import read
from gcp_local.rpc.protos import Message, raw, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gcp_local.resources.collection import Resources
    from gcp_local.resources.database import Database

Repository = raw(repository_types.Repository)
Package = raw(package_types.Package)
Version = raw(version_types.Version)
Tag = raw(tag_types.Tag)

_TEMPLATE = re.compile(
    r"https://(?P<location>[a-z0-9-]+)-kfp\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)"
    r"/(?P<package>[^/]+)/(?P<version>[^/]+)"
)
_VERSION = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class Uploaded:
    """What an upload answers."""

    package: str
    version: str


class PackageRegistry:
    """The source of truth for which compiled pipelines are published, and under which tags."""

    def __init__(self, database: Database, resources: Resources, folder: Path) -> None:
        self._database = database
        self._resources = resources
        self._contents = folder
        folder.mkdir(parents=True, exist_ok=True)

    def require_repository(self, name: str) -> None:
        """Refuse a repository that is not there, or is for something other than KFP packages."""
        repository = self._resources.find(name, Repository)
        if repository is None:
            raise NotFound(f"Repository {name!r} not found.")
        if repository.format_ != repository_types.Repository.Format.KFP:
            raise FailedPrecondition(f"Repository {name!r} is not of format KFP.")

    def upload(self, repository: str, content: bytes, tags: Sequence[str]) -> Uploaded:
        """Publish a compiled pipeline; the same bytes are the same version.

        Args:
            repository: the repository's full name.
            content: the YAML (or JSON, which is YAML) of a compiled pipeline.
            tags: they point to this version afterwards, wherever they pointed before.

        Raises:
            NotFound: no such repository.
            InvalidArgument: not a compiled pipeline, or a bad tag.

        """
        self.require_repository(repository)
        for tag in tags:
            check_tag(tag)
        package = read(content).package
        version = f"sha256:{hashlib.sha256(content).hexdigest()}"
        parent = f"{repository}/packages/{package}"
        name = f"{parent}/versions/{version}"
        self._keep(version, content)
        now = timestamp(clock.now())
        with self._database.transaction():
            if self._resources.find(parent, Package) is None:
                self._resources.add(parent, Package(name=parent, create_time=now, update_time=now))
            if self._resources.find(name, Version) is None:
                self._resources.add(name, Version(name=name, create_time=now, update_time=now))
            for tag in tags:
                self.point(f"{parent}/tags/{tag}", name)
        return Uploaded(package, version)

    def point(self, tag: str, version: str) -> Message:
        """Make a tag point to a version, whether the tag is there already or not."""
        message = Tag(name=tag, version=version)
        with self._database.transaction():
            self._resources.get(version, Version)
            if self._resources.find(tag, Tag) is None:
                self._resources.add(tag, message)
            else:
                self._resources.replace(tag, message)
        return message

    def create_tag(self, tag: str, version: str) -> Message:
        """Make a new tag point to a version; AlreadyExists if the tag is there."""
        message = Tag(name=tag, version=version)
        with self._database.transaction():
            self._resources.get(version, Version)
            self._resources.add(tag, message)
        return message

    def resolve(self, package: str, reference: str) -> str:
        """Give the version id (`sha256:…`) for a version id or a tag of a package.

        Raises:
            NotFound: the package has no such version or tag.

        """
        if reference.startswith("sha256:"):
            version = self._resources.get(f"{package}/versions/{reference}", Version)
            return str(version.name.rpartition("/")[2])
        tag = self._resources.get(f"{package}/tags/{reference}", Tag)
        return str(tag.version.rpartition("/")[2])

    def content(self, version: str) -> bytes:
        """Give the bytes of a version that `resolve` gave."""
        return self._path(version).read_bytes()

    def template(self, uri: str) -> tuple[str, Message]:
        """Fetch the pipeline that a job's `template_uri` names.

        Returns:
            The version (`sha256:…`) and the pipeline's specification as a `Struct`.

        Raises:
            InvalidArgument: not a template's address, or a package that Vertex AI does not take.
            NotFound: no such template.

        """
        match = _TEMPLATE.fullmatch(uri)
        if match is None:
            message = (
                f"Invalid template URI {uri!r}: it must be"
                " https://LOCATION-kfp.pkg.dev/PROJECT/REPOSITORY/PACKAGE/VERSION_OR_TAG."
            )
            raise InvalidArgument.of_field("pipeline_job.template_uri", message)
        place = f"projects/{match['project']}/locations/{match['location']}"
        package = f"{place}/repositories/{match['repository']}/packages/{match['package']}"
        version = self.resolve(package, match["version"])
        template = read(self.content(version))
        if template.documents > 1:
            raise InvalidArgument(
                f"The template {uri!r} has a second YAML document (platformSpec), which Vertex AI"
                " Pipelines does not support."
            )
        return version, template.spec()

    def remove_version(self, name: str, *, force: bool) -> list[str]:
        """Forget a version; one that tags point to only if `force` takes the tags with it.

        Returns:
            The names of all that was forgotten; so do the next two.

        """
        package = name.rpartition("/versions/")[0]
        with self._database.transaction():
            self._resources.get(name, Version)
            tags = self.tags_of(package, name)
            if tags and not force:
                raise FailedPrecondition(f"Version {name!r} has tags; delete them first.")
            for tag in tags:
                self._resources.delete(tag, Tag)
            self._resources.delete(name, Version)
        return [*tags, name]

    def remove_package(self, name: str) -> list[str]:
        """Forget a package with its versions and tags."""
        forgotten = []
        with self._database.transaction():
            self._resources.get(name, Package)
            for version in list(self._resources.children(name, Version)):
                forgotten += self.remove_version(version.name, force=True)
            self._resources.delete(name, Package)
        return forgotten

    def remove_repository(self, name: str) -> list[str]:
        """Forget a repository with its packages."""
        forgotten = []
        with self._database.transaction():
            self._resources.get(name, Repository)
            for package in list(self._resources.children(name, Package)):
                forgotten += self.remove_package(package.name)
            self._resources.delete(name, Repository)
        return forgotten

    def tags_of(self, package: str, version: str) -> list[str]:
        """List the names of the tags that point to a version."""
        tags = self._resources.children(package, Tag)
        return [tag.name for tag in tags if tag.version == version]

    def _keep(self, version: str, content: bytes) -> None:
        target = self._path(version)
        if not target.exists():
            unfinished = target.with_name(f"{uuid.uuid4().hex}.part")
            unfinished.write_bytes(content)
            unfinished.rename(target)

    def _path(self, version: str) -> Path:
        if not _VERSION.fullmatch(version):
            raise InvalidArgument(f"Invalid version {version!r}.")
        return self._contents / version.removeprefix("sha256:")


def check_tag(tag: str) -> None:
    """Raise InvalidArgument unless a tag may have this name."""
    if not _TAG.fullmatch(tag):
        raise InvalidArgument(f"Invalid tag {tag!r}.")
