"""Cloud Storage: small objects read whole, written with preconditions."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.cloud.storage import Client

from ecluse.cloud import Addresses
from ecluse.cloud.calls import ONCE, Calls
from ecluse.cloud.failures import translated

# Without this the client asks for a bucket's metadata beside the first call there, in a thread of
# its own that knows no budget, for traces that nobody keeps.
_NO_METADATA = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"
_LISTED = "items(name),nextPageToken"


class PreconditionFailed(Exception):
    """The object's generation is not the expected one."""


@dataclass(frozen=True)
class StoredObject:
    """An object's content and the generation it was read at."""

    content: bytes
    generation: int


class Storage:
    """Objects by their `gs://BUCKET/NAME` addresses."""

    def __init__(self, client: Any, calls: Calls) -> None:
        self._client = client
        self._calls = calls

    @classmethod
    def connect(cls, addresses: Addresses) -> "Storage":
        """Connect to the environment's Cloud Storage."""
        os.environ.setdefault(_NO_METADATA, "true")
        with translated("Cloud Storage"):
            client = Client(
                project=addresses.environment.project,
                credentials=addresses.credentials,
                client_options=addresses.client_options("storage")
                if addresses.local is not None
                else None,
            )
            addresses.make_room(client._http)
        return cls(client, addresses.calls)

    def read(self, address: str) -> StoredObject | None:
        """Return an object, or none if there is none."""

        def download() -> StoredObject:
            blob = self._blob(address)
            content = blob.download_as_bytes(**ONCE)
            return StoredObject(content=content, generation=int(blob.generation))

        try:
            return self._calls.call(address, download, expecting=exceptions.NotFound)
        except exceptions.NotFound:
            return None

    def read_many(self, addresses: Iterable[str]) -> dict[str, StoredObject | None]:
        """Return objects by their addresses, read side by side; none for each that is not there."""
        wanted = list(dict.fromkeys(addresses))
        return dict(zip(wanted, self._calls.side_by_side(self.read, wanted), strict=True))

    def exists(self, address: str) -> bool:
        """Whether there is an object."""
        return self._calls.call(address, lambda: bool(self._blob(address).exists(**ONCE)))

    def write(
        self,
        address: str,
        content: bytes,
        *,
        if_generation: int | None = None,
        content_type: str = "application/json",
    ) -> int:
        """Write an object and return its new generation.

        A try that failed may have written all the same, so that the next one is refused because of
        our own success (under a retention policy even as forbidden): then the object is read, and
        if it holds these very bytes, they are taken for ours. Content that another writer could
        write alike needs a nonce.

        Args:
            address: where.
            content: the whole content.
            if_generation: write only if the object's generation is this one; 0: only if there is
                none.
            content_type: its media type.

        Raises:
            PreconditionFailed: the generation is another.

        """
        refused = (exceptions.PreconditionFailed, exceptions.Forbidden)
        in_doubt = False

        def upload() -> int:
            nonlocal in_doubt
            blob = self._blob(address)
            try:
                blob.upload_from_string(
                    content, content_type=content_type, if_generation_match=if_generation, **ONCE
                )
            except refused:
                raise
            except Exception:
                in_doubt = True
                raise
            return int(blob.generation)

        try:
            return self._calls.call(address, upload, expecting=refused)
        except refused as error:
            found = self.read(address) if in_doubt else None
            if found is not None and found.content == content:
                return found.generation
            if isinstance(error, exceptions.PreconditionFailed):
                raise PreconditionFailed(address) from error
            with translated(address):
                raise

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
        found: list[str] = []
        token: str | None = None
        while True:
            names, token = self._calls.call(prefix, partial(self._page, bucket, name, token))
            found += names
            if token is None:
                return sorted(f"gs://{bucket}/{name}" for name in found)

    def has_any(self, prefix: str) -> bool:
        """Whether the address of any object begins with a prefix. One call."""
        bucket, name = _parts(prefix)
        return bool(self._calls.call(prefix, partial(self._page, bucket, name, None))[0])

    def upload(self, address: str, file: Path, *, content_type: str) -> None:
        """Upload a file, replacing what is there."""
        self._calls.call(
            address,
            lambda: self._blob(address).upload_from_filename(
                str(file), content_type=content_type, **ONCE
            ),
        )

    def delete(self, address: str, *, if_generation: int | None = None) -> None:
        """Delete an object, unless it is gone already.

        After a try that failed, a refusal may mean that it was this very generation that went.

        Args:
            address: where.
            if_generation: delete only what is of this generation.

        Raises:
            PreconditionFailed: the generation is another.

        """
        try:
            self._calls.call(
                address,
                lambda: self._blob(address).delete(if_generation_match=if_generation, **ONCE),
                expecting=(exceptions.NotFound, exceptions.PreconditionFailed),
            )
        except exceptions.NotFound:
            return
        except exceptions.PreconditionFailed as error:
            if self.exists(address):
                raise PreconditionFailed(address) from error

    def ensure_bucket(self, address: str, location: str, *, versioned: bool = False) -> None:
        """Create a bucket unless it exists. The embedded cloud's set-up."""
        name, _ = _parts(address)
        bucket = self._client.bucket(name)
        bucket.versioning_enabled = versioned
        bucket.iam_configuration.uniform_bucket_level_access_enabled = True
        bucket.iam_configuration.public_access_prevention = "enforced"
        try:
            self._calls.call(
                f"gs://{name}",
                lambda: self._client.create_bucket(bucket, location=location, **ONCE),
                expecting=exceptions.Conflict,
            )
        except exceptions.Conflict:
            return

    def _page(
        self, bucket: str, prefix: str, token: str | None
    ) -> tuple[Sequence[str], str | None]:
        blobs = self._client.list_blobs(
            bucket, prefix=prefix, page_token=token, fields=_LISTED, **ONCE
        )
        names = [str(blob.name) for blob in next(blobs.pages)]
        return names, blobs.next_page_token

    def _blob(self, address: str) -> Any:
        bucket, name = _parts(address)
        return self._client.bucket(bucket).blob(name)


def _parts(address: str) -> tuple[str, str]:
    bucket, _, name = address.removeprefix("gs://").partition("/")
    return bucket, name
