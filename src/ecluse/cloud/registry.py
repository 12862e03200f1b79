"""The template repository: compiled pipelines in Artifact Registry, used by digest.

Content goes through kfp's registry client; tags and versions through Artifact Registry's own, which
pages and raises typed errors.
"""

import tempfile
from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.cloud import artifactregistry_v1
from kfp.registry import ApiAuth, RegistryClient
from requests import exceptions as http_exceptions

from ecluse.canonical import digest_of
from ecluse.cloud import Addresses
from ecluse.cloud.failures import translated
from ecluse.cloud.retries import READING
from ecluse.errors import ReleaseAltered
from ecluse.repository.settings import Environment

LIVE_TAG = "live"
"""The tag on the version that the ledger says is live. For people: nothing runs by tag."""


class Registry:
    """The compiled pipelines of one environment."""

    def __init__(self, environment: Environment, content: Any, metadata: Any) -> None:
        self._environment = environment
        self._content = content
        self._metadata = metadata
        self._parent = (
            f"projects/{environment.project}/locations/{environment.location}"
            f"/repositories/{environment.templates}"
        )

    @classmethod
    def connect(cls, addresses: Addresses) -> "Registry":
        """Connect to the environment's template repository."""
        environment = addresses.environment
        host = environment.template_host
        with translated(host):
            if addresses.local is not None:
                host = f"{addresses.local}/{host.removeprefix('https://')}"
                content = RegistryClient(host=host, auth=ApiAuth("embedded-cloud"))
            else:
                content = RegistryClient(host=host)
            metadata = artifactregistry_v1.ArtifactRegistryClient(
                credentials=addresses.credentials,
                transport="rest",
                client_options=addresses.client_options("artifactregistry"),
            )
        return cls(environment, content, metadata)

    def has(self, package: str, digest: str) -> bool:
        """Whether a compiled pipeline is there."""
        name = f"{self._parent}/packages/{package}/versions/{digest}"
        with translated(name):
            try:
                self._metadata.get_version(name=name, **READING)
            except exceptions.NotFound:
                return False
        return True

    def upload(self, package: str, content: bytes) -> None:
        """Upload a compiled pipeline and prove, by downloading it, that its version is its digest.

        Raises:
            ReleaseAltered: the registry filed it elsewhere, or gives back other bytes.

        """
        digest = digest_of(content)
        address = self._environment.template_uri(package, digest)
        with translated(address), tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{package}.yaml"
            file.write_bytes(content)
            filed, version = self._content.upload_pipeline(str(file))
        if (filed, version) != (package, digest):
            raise ReleaseAltered(
                f"the registry filed the pipeline as {filed}/{version}", where=address
            )
        self.verify(package, digest)

    def download(self, package: str, digest: str) -> bytes | None:
        """Return a compiled pipeline's bytes as they are, or none if there is no such version."""
        address = self._environment.template_uri(package, digest)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "pipeline.yaml"
            with translated(address):
                try:
                    self._content.download_pipeline(package, version=digest, file_name=str(file))
                except http_exceptions.HTTPError as error:
                    if error.response is not None and error.response.status_code == 404:
                        return None
                    raise
            return file.read_bytes()

    def verify(self, package: str, digest: str) -> None:
        """Download a compiled pipeline and hash it.

        Raises:
            ReleaseAltered: it is missing, or its bytes do not hash to its version.

        """
        address = self._environment.template_uri(package, digest)
        content = self.download(package, digest)
        if content is None:
            raise ReleaseAltered("the compiled pipeline is not in the registry", where=address)
        if digest_of(content) != digest:
            raise ReleaseAltered(
                f"the registry gives back bytes whose digest is {digest_of(content)}", where=address
            )

    def tag_live(self, package: str, digest: str) -> None:
        """Move the `live` tag to a version."""
        packaged = f"{self._parent}/packages/{package}"
        tag = {
            "name": f"{packaged}/tags/{LIVE_TAG}",
            "version": f"{packaged}/versions/{digest}",
        }
        with translated(tag["name"]):
            try:
                self._metadata.create_tag(parent=packaged, tag_id=LIVE_TAG, tag=tag)
            except exceptions.Conflict:
                self._metadata.update_tag(tag=tag, update_mask={"paths": ["version"]})

    def untag_live(self, package: str) -> None:
        """Take the `live` tag away, where there is one."""
        name = f"{self._parent}/packages/{package}/tags/{LIVE_TAG}"
        with translated(name):
            try:
                self._metadata.delete_tag(name=name)
            except exceptions.NotFound:
                return

    def live_digest(self, package: str) -> str | None:
        """Return the digest that the `live` tag is on, or none."""
        name = f"{self._parent}/packages/{package}/tags/{LIVE_TAG}"
        with translated(name):
            try:
                version = str(self._metadata.get_tag(name=name, **READING).version)
            except exceptions.NotFound:
                return None
        return version.rsplit("/", 1)[1]

    def ensure_repository(self) -> None:
        """Create the repository unless it exists. The embedded cloud's set-up."""
        parent, _, repository_id = self._parent.partition("/repositories/")
        with translated(self._parent):
            try:
                self._metadata.create_repository(
                    parent=parent, repository_id=repository_id, repository={"format_": "KFP"}
                )
            except exceptions.Conflict:
                return
