"""Finding objects and opening their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from gcp_local.errors import Internal, NotFound
from gcp_local.storage.buckets import BucketStore
from gcp_local.storage.shelf import Shelf
from gcp_local.storage.values import ANY, Object, Preconditions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gcp_local.resources.database import Database
    from gcp_local.storage.blobs import Blobs


class ObjectReader:
    """What can be asked of the buckets."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs
        self._shelf = Shelf(database)
        self._buckets = BucketStore(database)

    def get(
        self,
        bucket: str,
        name: str,
        *,
        generation: int | None = None,
        preconditions: Preconditions = ANY,
    ) -> Object:
        """Describe a generation; without a number, the live one.

        Raises:
            NotFound: no such object, or no such generation.
            ConditionNotMet, NotModified: as the preconditions say.

        """
        found = self._shelf.find(bucket, name, generation)
        if found is None:
            self._buckets.get(bucket)
            raise no_such_object(bucket, name)
        preconditions.check(found, reading=True)
        return found

    def find(self, bucket: str, name: str) -> Object | None:
        """Describe the live object, if there is one."""
        return self._shelf.live(bucket, name)

    def open_path(self, bucket: str, name: str) -> Path:
        """Find the read-only file of the live generation's bytes.

        The file goes when the object is replaced or deleted, maybe before it is opened: `open`
        knows no such gap.

        Raises:
            NotFound: no such object.
            Internal: its file is lost.

        """
        with self._database.transaction():
            path = self._blobs.path(self.get(bucket, name).blob)
            if not path.exists():
                raise _lost(bucket, name)
        return path

    def open(
        self,
        bucket: str,
        name: str,
        *,
        generation: int | None = None,
        preconditions: Preconditions = ANY,
    ) -> tuple[Object, BinaryIO]:
        """Describe a generation and open its bytes, which stay readable whatever comes.

        Raises:
            NotFound, ConditionNotMet, NotModified: as `get`.
            Internal: its file is lost.

        """
        with self._database.transaction():
            found = self.get(bucket, name, generation=generation, preconditions=preconditions)
            try:
                return found, self._blobs.path(found.blob).open("rb")
            except FileNotFoundError:
                raise _lost(bucket, name) from None

    def list(self, bucket: str, prefix: str = "") -> list[Object]:
        """List the live objects whose names begin with the prefix, in the order of their UTF-8.

        Raises:
            NotFound: no such bucket.

        """
        self._buckets.get(bucket)
        return list(self.scan(bucket, prefix))

    def scan(
        self, bucket: str, prefix: str = "", start: str = "", *, versions: bool = False
    ) -> Iterator[Object]:
        """Go through the objects from the name `start` on, as `Shelf.scan`."""
        return self._shelf.scan(bucket, prefix, start, versions=versions)

    def first(self, bucket: str, start: str) -> Object | None:
        """Find the first live object from the name `start` on."""
        return self._shelf.first(bucket, start)

    def generations(self, bucket: str, name: str) -> tuple[Object, ...]:
        """List an object's generations, the newest first; none, if there is no such object."""
        return self._shelf.generations(bucket, name)


def no_such_object(bucket: str, name: str) -> NotFound:
    """Build the error that tells that an object, or the generation asked for, is not there."""
    return NotFound(f"No such object: {bucket}/{name}")


def _lost(bucket: str, name: str) -> Internal:
    return Internal(f"The bytes of {bucket}/{name} are lost: its file is not there.")
