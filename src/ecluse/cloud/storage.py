"""Cloud Storage: small objects read whole, written with preconditions."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from google.api_core import exceptions
from google.cloud.storage import Client
from google.cloud.storage.retry import DEFAULT_RETRY

from ecluse.cloud import Addresses
from ecluse.cloud.failures import translated


class PreconditionFailed(Exception):
    """The object's generation is not the expected one."""


@dataclass(frozen=True)
class StoredObject:
    """An object's content and the generation it was read at."""

    content: bytes
    generation: int


class Storage:
    """Objects by their `gs://BUCKET/NAME` addresses."""

    # How long a call that fails in passing is tried again.
    retry_seconds: ClassVar[float] = 30.0

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    def connect(cls, addresses: Addresses) -> "Storage":
        """Connect to the environment's Cloud Storage."""
        with translated("Cloud Storage"):
            return cls(
                Client(
                    project=addresses.environment.project,
                    credentials=addresses.credentials,
                    client_options=addresses.client_options("storage")
                    if addresses.local is not None
                    else None,
                )
            )

    def read(self, address: str) -> StoredObject | None:
        """Return an object, or none if there is none."""
        blob = self._blob(address)
        try:
            with translated(address):
                content = blob.download_as_bytes(retry=self._retry)
        except Exception as error:
            if isinstance(error.__cause__, exceptions.NotFound):
                return None
            raise
        return StoredObject(content=content, generation=int(blob.generation))

    def exists(self, address: str) -> bool:
        """Whether there is an object."""
        with translated(address):
            return bool(self._blob(address).exists(retry=self._retry))

    def write(
        self,
        address: str,
        content: bytes,
        *,
        if_generation: int | None = None,
        content_type: str = "application/json",
    ) -> int:
        """Write an object and return its new generation.

        Args:
            address: where.
            content: the whole content.
            if_generation: write only if the object's generation is this one; 0: only if there is
                none.
            content_type: its media type.

        Raises:
            PreconditionFailed: the generation is another.

        """
        blob = self._blob(address)
        try:
            with translated(address):
                blob.upload_from_string(
                    content,
                    content_type=content_type,
                    if_generation_match=if_generation,
                    retry=self._retry,
                )
        except Exception as error:
            if isinstance(error.__cause__, exceptions.PreconditionFailed):
                raise PreconditionFailed(address) from error
            raise
        return int(blob.generation)

    def write_once(
        self, address: str, content: bytes, *, content_type: str = "application/json"
    ) -> bytes:
        """Write an object that never changes, unless it is there, and return what is there now.

        The object is looked at first: where a retention policy holds, writing what exists is
        forbidden, and the answer would not tell that from a missing permission.
        """
        found = self.read(address)
        if found is None:
            try:
                self.write(address, content, if_generation=0, content_type=content_type)
            except PreconditionFailed:
                found = self.read(address)
        return content if found is None else found.content

    def write_json_once(self, address: str, value: Any) -> bytes:
        """Write a JSON object that never changes, unless it is there, and return what is there."""
        content = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False).encode()
        return self.write_once(address, content)

    def list(self, prefix: str) -> list[str]:
        """Return the addresses that begin with a prefix, sorted."""
        bucket, name = _parts(prefix)
        with translated(prefix):
            blobs = self._client.list_blobs(bucket, prefix=name, retry=self._retry)
            return sorted(f"gs://{bucket}/{blob.name}" for blob in blobs)

    def upload(self, address: str, file: Path, *, content_type: str) -> None:
        """Upload a file, replacing what is there."""
        with translated(address):
            self._blob(address).upload_from_filename(
                str(file), content_type=content_type, retry=self._retry
            )

    def ensure_bucket(self, address: str, location: str) -> None:
        """Create a bucket unless it exists. The embedded cloud's set-up."""
        bucket, _ = _parts(address)
        try:
            with translated(f"gs://{bucket}"):
                self._client.create_bucket(bucket, location=location, retry=self._retry)
        except Exception as error:
            if not isinstance(error.__cause__, exceptions.Conflict):
                raise

    @property
    def _retry(self) -> Any:
        return DEFAULT_RETRY.with_timeout(self.retry_seconds)

    def _blob(self, address: str) -> Any:
        bucket, name = _parts(address)
        return self._client.bucket(bucket).blob(name)


def _parts(address: str) -> tuple[str, str]:
    bucket, _, name = address.removeprefix("gs://").partition("/")
    return bucket, name
