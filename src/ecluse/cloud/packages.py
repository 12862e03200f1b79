"""Artifact Registry at large: which versions lie in a repository, how old, under which tags."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.api_core import exceptions
from google.cloud import artifactregistry_v1

from ecluse.cloud import Addresses
from ecluse.cloud.calls import ONCE, Calls
from ecluse.cloud.failures import translated


@dataclass(frozen=True)
class Version:
    """One version of a package.

    Attributes:
        name: its resource name.
        package: the package's id.
        digest: `sha256:…`.
        tags: the tags on it.
        created: when it was first uploaded.

    """

    name: str
    package: str
    digest: str
    tags: tuple[str, ...]
    created: datetime


class Packages:
    """Packages of any format, by the resource name of their repository."""

    def __init__(self, client: Any, calls: Calls) -> None:
        self._client = client
        self._calls = calls

    @classmethod
    def connect(cls, addresses: Addresses) -> "Packages":
        """Connect to Artifact Registry."""
        with translated("Artifact Registry"):
            client = addresses.typed(artifactregistry_v1.ArtifactRegistryClient, "artifactregistry")
        return cls(client, addresses.calls)

    def versions(self, repository: str) -> list[Version]:
        """Return every version of every package of a repository, with its tags."""
        pages = self._calls.pages(
            repository,
            lambda token: self._client.list_packages(
                request={"parent": repository, "page_token": token, "page_size": 1000}, **ONCE
            ),
        )
        packages = [package.name for page in pages for package in page.packages]
        found = self._calls.side_by_side(self._versions_of, packages)
        return [version for versions in found for version in versions]

    def delete(self, versions: Iterable[Version]) -> None:
        """Delete versions and the tags on them; one that is gone already is no error."""
        self._calls.side_by_side(self._delete, versions)

    def _versions_of(self, package: str) -> list[Version]:
        pages = self._calls.pages(
            package,
            lambda token: self._client.list_versions(
                request={
                    "parent": package,
                    "page_token": token,
                    "page_size": 1000,
                    "view": artifactregistry_v1.VersionView.FULL,
                },
                **ONCE,
            ),
        )
        return [
            Version(
                name=version.name,
                package=package.rsplit("/", 1)[1],
                digest=version.name.rsplit("/", 1)[1],
                tags=tuple(sorted(tag.name.rsplit("/", 1)[1] for tag in version.related_tags)),
                created=version.create_time,
            )
            for page in pages
            for version in page.versions
        ]

    def _delete(self, version: Version) -> None:
        try:
            self._calls.call(
                version.name,
                lambda: self._client.delete_version(
                    request={"name": version.name, "force": True}, **ONCE
                ),
                expecting=exceptions.NotFound,
            )
        except exceptions.NotFound:
            return
