"""The template repository: compiled pipelines in Artifact Registry, used by digest.

Content goes through kfp's registry client; tags and versions through Artifact Registry's own, which
pages and raises typed errors.
"""

import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from google.api_core import exceptions
from google.cloud import artifactregistry_v1
from kfp.registry import ApiAuth, RegistryClient
from requests import exceptions as http_exceptions

from ecluse.canonical import digest_of
from ecluse.cloud import Addresses
from ecluse.cloud.calls import ONCE, TRY_SECONDS, Calls
from ecluse.cloud.failures import translated
from ecluse.errors import ReleaseAltered
from ecluse.repository.settings import Environment

_T = TypeVar("_T")
_PAGE_SIZE = 1000

LIVE_TAG = "live"
"""The tag on the version that the ledger says is live. For people: nothing runs by tag."""


class Registry:
    """The compiled pipelines of one environment."""

    def __init__(self, environment: Environment, content: Any, metadata: Any, calls: Calls) -> None:
        self._environment = environment
        self._content = content
        self._metadata = metadata
        self._calls = calls
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
                content = RegistryClient(host=host, auth=addresses.credentials)
            metadata = addresses.typed(
                artifactregistry_v1.ArtifactRegistryClient, "artifactregistry"
            )
        return cls(environment, content, metadata, addresses.calls)

    def has(self, package: str, digest: str) -> bool:
        """Whether a compiled pipeline is there."""
        name = f"{self._parent}/packages/{package}/versions/{digest}"
        return self._found(name, lambda: self._metadata.get_version(name=name, **ONCE)) is not None

    def upload(self, package: str, content: bytes) -> None:
        """Upload a compiled pipeline and prove, by downloading it, that its version is its digest.

        Raises:
            ReleaseAltered: the registry filed it elsewhere, or gives back other bytes.

        """
        digest = digest_of(content)
        address = self._environment.template_uri(package, digest)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{package}.yaml"
            file.write_bytes(content)
            # Safe to repeat: the same bytes are filed under the same digest.
            filed, version = self._calls.call(
                address, lambda: _in_time(lambda: self._content.upload_pipeline(str(file)))
            )
        if (filed, version) != (package, digest):
            raise ReleaseAltered(
                f"the registry filed the pipeline as {filed}/{version}", where=address
            )
        self.verify(package, digest)

    def download(self, package: str, digest: str) -> bytes | None:
        """Return a compiled pipeline's bytes as they are, or none if there is no such version."""
        address = self._environment.template_uri(package, digest)

        def download(file: Path) -> bytes | None:
            try:
                self._content.download_pipeline(package, version=digest, file_name=str(file))
            except http_exceptions.HTTPError as error:
                if error.response is not None and error.response.status_code == 404:
                    return None
                raise
            return file.read_bytes()

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "pipeline.yaml"
            return self._calls.call(address, lambda: _in_time(lambda: download(file)))

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
        try:
            self._calls.call(
                tag["name"],
                lambda: self._metadata.create_tag(
                    parent=packaged, tag_id=LIVE_TAG, tag=tag, **ONCE
                ),
                expecting=exceptions.Conflict,
            )
        except exceptions.Conflict:
            mask = {"paths": ["version"]}
            self._calls.call(
                tag["name"], lambda: self._metadata.update_tag(tag=tag, update_mask=mask, **ONCE)
            )

    def untag_live(self, package: str) -> None:
        """Take the `live` tag away, where there is one."""
        name = f"{self._parent}/packages/{package}/tags/{LIVE_TAG}"
        self._found(name, lambda: self._metadata.delete_tag(name=name, **ONCE))

    def live_digest(self, package: str) -> str | None:
        """Return the digest that the `live` tag is on, or none."""
        name = f"{self._parent}/packages/{package}/tags/{LIVE_TAG}"
        tag = self._found(name, lambda: self._metadata.get_tag(name=name, **ONCE))
        return str(tag.version).rsplit("/", 1)[1] if tag is not None else None

    def live_digests(self, packages: Iterable[str]) -> dict[str, str | None]:
        """Return what `live_digest` says of each package, asked side by side."""
        wanted = list(dict.fromkeys(packages))
        found = self._calls.side_by_side(self.live_digest, wanted)
        return dict(zip(wanted, found, strict=True))

    def packages(self) -> tuple[str, ...]:
        """Return the names of all packages, sorted."""
        request = {"parent": self._parent, "page_size": _PAGE_SIZE}
        pages = self._calls.pages(
            f"{self._parent}/packages",
            lambda token: self._metadata.list_packages({**request, "page_token": token}, **ONCE),
        )
        return tuple(
            sorted(
                str(package.name).rsplit("/", 1)[1] for page in pages for package in page.packages
            )
        )

    def ensure_repository(self) -> None:
        """Create the repository unless it exists. The embedded cloud's set-up."""
        parent, _, repository_id = self._parent.partition("/repositories/")
        try:
            self._calls.call(
                self._parent,
                lambda: self._metadata.create_repository(
                    parent=parent,
                    repository_id=repository_id,
                    repository={"format_": "KFP"},
                    **ONCE,
                ),
                expecting=exceptions.Conflict,
            )
        except exceptions.Conflict:
            return

    def _found(self, name: str, function: Callable[[], Any]) -> Any | None:
        """Return what a call returns, or none if there is no such thing."""
        try:
            return self._calls.call(name, function, expecting=exceptions.NotFound)
        except exceptions.NotFound:
            return None


def _in_time(function: Callable[[], _T]) -> _T:
    """Call kfp's client, which knows no timeouts, and wait no longer than for any other call.

    Raises:
        Timeout: as if the client had one. The forlorn call ends with the process.

    """
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001  it belongs to whoever waits
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    try:
        return future.result(TRY_SECONDS)
    except TimeoutError:
        if future.done():
            raise
        raise http_exceptions.Timeout(f"no answer in {TRY_SECONDS:.0f} s") from None
