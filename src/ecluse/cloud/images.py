"""The image repository: tells the digest of an image, if there is one of the tag."""

from typing import Any

from google.api_core import exceptions
from google.cloud import artifactregistry_v1

from ecluse.cloud import Addresses
from ecluse.cloud.calls import ONCE, Calls
from ecluse.cloud.failures import translated


class Images:
    """Images in Artifact Registry."""

    def __init__(self, client: Any, calls: Calls) -> None:
        self._client = client
        self._calls = calls

    @classmethod
    def connect(cls, addresses: Addresses) -> "Images":
        """Connect to Artifact Registry."""
        with translated("Artifact Registry"):
            client = addresses.typed(artifactregistry_v1.ArtifactRegistryClient, "artifactregistry")
        return cls(client, addresses.calls)

    def digest(self, repository: str, name: str, tag: str) -> str | None:
        """Return the digest of REPOSITORY/NAME:TAG, or none if there is no such image.

        Args:
            repository: `LOCATION-docker.pkg.dev/PROJECT/REPOSITORY`.
            name: the image's name in it.
            tag: its tag.

        """
        host, project, repository_id = repository.split("/")
        location = host.removesuffix("-docker.pkg.dev")
        resource = (
            f"projects/{project}/locations/{location}/repositories/{repository_id}"
            f"/packages/{name}/tags/{tag}"
        )
        try:
            found = self._calls.call(
                resource,
                lambda: self._client.get_tag(name=resource, **ONCE),
                expecting=exceptions.NotFound,
            )
        except exceptions.NotFound:
            return None
        return str(found.version).rsplit("/", 1)[1]
