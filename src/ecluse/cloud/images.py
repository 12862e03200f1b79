"""The image repository: tells the digest of an image, if there is one of the tag."""

from typing import Any

from google.api_core import exceptions
from google.cloud import artifactregistry_v1

from ecluse.cloud import Addresses
from ecluse.cloud.failures import translated
from ecluse.cloud.retries import READING


class Images:
    """Images in Artifact Registry."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    def connect(cls, addresses: Addresses) -> "Images":
        """Connect to Artifact Registry."""
        with translated("Artifact Registry"):
            return cls(
                artifactregistry_v1.ArtifactRegistryClient(
                    credentials=addresses.credentials,
                    transport="rest",
                    client_options=addresses.client_options("artifactregistry"),
                )
            )

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
        with translated(resource):
            try:
                version = str(self._client.get_tag(name=resource, **READING).version)
            except exceptions.NotFound:
                return None
        return version.rsplit("/", 1)[1]
