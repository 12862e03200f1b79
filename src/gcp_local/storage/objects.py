"""Objects: immutable bytes under a name, numbered by generation.

What is known of an object lies in the database, its bytes in a file that the row names. A write
lays down the file first and then enters it in one transaction, in which its preconditions are
checked: of any number of concurrent writers that ask for the same generation, exactly one wins. The
old file goes once the new row is committed, never before; so who finds a row and opens its file
within one transaction finds the file.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gcp_local import clock
from gcp_local.storage.blobs import Blob, Blobs
from gcp_local.storage.changes import Change, Event
from gcp_local.storage.names import check_object_name
from gcp_local.storage.protection import check_unprotected
from gcp_local.storage.reading import ObjectReader, no_such_object
from gcp_local.storage.values import ANY, Description, Object, Preconditions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gcp_local.resources.database import Database
    from gcp_local.storage.buckets import Bucket


class ObjectStore(ObjectReader):
    """The source of truth for what lies in the buckets.

    Attributes:
        changed: called with every change of an object, in the transaction in which it happens.

    """

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__(database, Blobs(folder / "blobs"))
        self.changed: Callable[[Change], object] = lambda _: None
        self._blobs.sweep(self._named())

    def write(
        self,
        bucket: str,
        name: str,
        source: Blob | Path | bytes | BinaryIO,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        description: Description | None = None,
        preconditions: Preconditions = ANY,
        move: bool = False,
    ) -> Object:
        """Write a new generation, whole or not at all.

        Args:
            bucket: an existing bucket's name.
            name: the object's name.
            source: the bytes, or a file that holds them, by its path, open, or weighed.
            content_type: shorthand for the description's.
            metadata: shorthand for the description's.
            description: what else to say of the object, and the checksums to hold it to.
            preconditions: what must be true of the live object.
            move: take the file at that path itself instead of copying it; one that lies in the
                store's folder (see `scratch`) is the caller's again if nothing was written.

        Raises:
            NotFound: no such bucket.
            ConditionNotMet: a precondition does not hold; nothing was written.
            PermissionDenied: a hold or a retention policy keeps the live object.
            InvalidArgument: a bad name, or a checksum that does not fit the bytes.

        """
        said = description or Description(content_type=content_type, metadata=metadata or {})
        self.check_writable(bucket, name, preconditions)  # early: spare the copying
        blob = self.lay_down(source, move=move)
        return self._commit(bucket, name, blob, said, preconditions)

    def check_writable(self, bucket: str, name: str, preconditions: Preconditions) -> None:
        """Raise what a write would raise now, whatever its bytes."""
        check_object_name(name)
        self._check_replaceable(self._buckets.get(bucket), self.find(bucket, name), preconditions)

    def lay_down(self, source: Blob | Path | bytes | BinaryIO, *, move: bool = False) -> Blob:
        """Put bytes into a file of the store's, which no object names yet; see `write`."""
        if isinstance(source, Blob):
            return source
        if not isinstance(source, Path):
            return self._blobs.copy(source)
        if move:
            return self._blobs.take(source)
        with source.open("rb") as file:
            return self._blobs.copy(file)

    def compose(
        self,
        bucket: str,
        name: str,
        sources: Sequence[tuple[Object, BinaryIO]],
        *,
        description: Description,
        preconditions: Preconditions = ANY,
    ) -> Object:
        """Write the concatenation of opened objects' bytes as a new object, which has no MD5."""
        count = sum(described.component_count or 1 for described, _ in sources)
        files = [file for _, file in sources]
        return self.join(
            bucket, name, files, description=description, preconditions=preconditions, count=count
        )

    def join(
        self,
        bucket: str,
        name: str,
        files: Sequence[BinaryIO],
        *,
        description: Description,
        preconditions: Preconditions = ANY,
        count: int | None = None,
        then: Callable[[], object] = lambda: None,
    ) -> Object:
        """Write the concatenation of open files as a new object, which has no MD5.

        Args:
            bucket: an existing bucket's name.
            name: the object's name.
            files: the bytes, one behind the other.
            description: what else to say of the object.
            preconditions: what must be true of the live object.
            count: of how many components it is composed, if it is.
            then: what else is done in the same transaction.

        """
        self.check_writable(bucket, name, preconditions)
        blob = replace(self._blobs.copy(*files), md5=None)
        with self._database.transaction():
            written = self._commit(bucket, name, blob, description, preconditions, count=count)
            try:
                then()
            except BaseException:
                blob.discard()
                raise
            return written

    def patch(
        self,
        bucket: str,
        name: str,
        changes_to: Callable[[Object], Mapping[str, Any]],
        *,
        generation: int | None = None,
        preconditions: Preconditions = ANY,
    ) -> Object:
        """Change what is said of an object; the bytes stay.

        Args:
            bucket: the bucket's name.
            name: the object's name.
            changes_to: given the object as it is, gives the new values of its fields; nobody else
                changes it meanwhile.
            generation: which generation; without a number, the live one.
            preconditions: what must be true of that generation.

        """
        with self._database.transaction():
            found = self.get(bucket, name, generation=generation)
            preconditions.check(found)
            now = clock.micros(clock.now())
            changed = replace(
                found,
                metageneration=found.metageneration + 1,
                updated=now,
                **changes_to(found),
            )
            if found.event_based_hold and not changed.event_based_hold:
                changed = replace(changed, hold_released=now)
            self._shelf.put(changed)
            self.changed(Change(Event.METADATA_UPDATE, changed))
        return changed

    def delete(
        self,
        bucket: str,
        name: str,
        *,
        generation: int | None = None,
        preconditions: Preconditions = ANY,
    ) -> None:
        """Delete a generation for good; or, without a number, the live one.

        In a bucket with versions, the latter stays as a noncurrent generation.

        Raises:
            NotFound: no such object, or no such generation.
            ConditionNotMet: a precondition does not hold.
            PermissionDenied: a hold or a retention policy keeps it.

        """
        with self._database.transaction():
            found = self._shelf.find(bucket, name, generation)
            home = self._buckets.get(bucket)
            self._check_replaceable(home, found, preconditions)
            if found is None:
                raise no_such_object(bucket, name)
            gone = self._retire(found, keep=bool(home.versioning) and generation is None)
            self.changed(Change(gone, found))

    def scratch(self) -> Path:
        """Name a new file in the store's folder for bytes that are still arriving."""
        return self._blobs.scratch()

    def blob_path(self, blob: str) -> Path:
        """Find a file of the store's folder by its name."""
        return self._blobs.path(blob)

    def weigh(self, path: Path) -> Blob:
        """Reckon the checksums of a file in the store's folder, which `write` then takes."""
        return self._blobs.take(path)

    # Inside

    def _commit(
        self,
        bucket: str,
        name: str,
        blob: Blob,
        said: Description,
        preconditions: Preconditions,
        *,
        count: int | None = None,
    ) -> Object:
        try:
            blob.check(said.md5, said.crc32c)
            return self._enter(bucket, name, blob, said, preconditions, count)
        except BaseException:
            blob.discard()
            raise

    def _enter(
        self,
        bucket: str,
        name: str,
        blob: Blob,
        said: Description,
        preconditions: Preconditions,
        component_count: int | None,
    ) -> Object:
        with self._database.transaction():
            home, before = self._buckets.get(bucket), self.find(bucket, name)
            self._check_replaceable(home, before, preconditions)
            gone = self._retire(before, keep=bool(home.versioning)) if before else None
            written = Object(
                bucket=bucket,
                name=name,
                generation=self._next_generation(),
                metageneration=1,
                size=blob.size,
                crc32c=blob.crc32c,
                md5=blob.md5,
                blob=blob.path.name,
                created=(now := clock.micros(clock.now())),
                updated=now,
                content_type=said.content_type,
                content_encoding=said.content_encoding,
                content_disposition=said.content_disposition,
                content_language=said.content_language,
                cache_control=said.cache_control,
                storage_class=said.storage_class or home.storage_class,
                custom_time=said.custom_time,
                component_count=component_count,
                metadata=dict(said.metadata),
                temporary_hold=said.temporary_hold,
                event_based_hold=home.event_based_hold
                if said.event_based_hold is None
                else said.event_based_hold,
            )
            self._shelf.put(written)
            if before is not None and gone is not None:
                self.changed(Change(gone, before, overwritten_by=written.generation))
            overwrote = before.generation if before else None
            self.changed(Change(Event.FINALIZE, written, overwrote=overwrote))
            self._database.afterwards(blob.settle)
        return written

    @staticmethod
    def _check_replaceable(
        bucket: Bucket, found: Object | None, preconditions: Preconditions
    ) -> None:
        preconditions.check(found)
        if found is not None:
            check_unprotected(found, bucket, clock.micros(clock.now()))

    def _retire(self, described: Object, *, keep: bool) -> Event:
        """Let a generation be live no more; unless it is kept, its bytes go after the commit."""
        if keep and described.deleted is None:
            self._shelf.archive(described, clock.micros(clock.now()))
            return Event.ARCHIVE
        self._shelf.remove(described)
        path = self._blobs.path(described.blob)
        self._database.afterwards(lambda: path.unlink(missing_ok=True))
        return Event.DELETE

    def _next_generation(self) -> int:
        """Give out generations: the time in microseconds, never one number twice."""
        self._database.run(
            "INSERT INTO counters (name, value) VALUES ('generation', ?)"
            " ON CONFLICT (name) DO UPDATE SET value = max(value + 1, excluded.value)",
            clock.micros(clock.now()),
        )
        row = self._database.row("SELECT value FROM counters WHERE name = 'generation'")
        assert row is not None
        return int(row["value"])

    def _named(self) -> set[str]:
        """Name the files that the database knows: of objects and of unfinished uploads."""
        uploads = [json.loads(row["body"]) for row in self._database.rows("SELECT * FROM uploads")]
        parts = self._database.rows("SELECT body FROM multipart_parts")
        known = self._shelf.blobs() | {json.loads(row["body"])["blob"] for row in parts}
        return known | {upload["part"] for upload in uploads if upload["generation"] is None}
