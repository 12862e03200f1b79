"""Objects: immutable bytes under a name, numbered by generation.

What is known of an object lies in the database, its bytes in a file that the row names. A write
lays down the file first and then enters it in one transaction, in which its preconditions are
checked: of any number of concurrent writers that ask for the same generation, exactly one wins. The
old file goes once the new row is committed, never before; so who finds a row and opens its file
within one transaction finds the file.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gcp_local import clock
from gcp_local.errors import Internal, InvalidArgument, NotFound
from gcp_local.storage.blobs import Blobs
from gcp_local.storage.names import check_object_name
from gcp_local.storage.values import ANY, Description, Object, Preconditions, check_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gcp_local.resources.database import Database
    from gcp_local.storage.blobs import Blob


class ObjectStore:
    """The source of truth for what lies in the buckets."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._blobs = Blobs(folder / "blobs")
        self._blobs.sweep(self._named())

    # Reading

    def get(
        self,
        bucket: str,
        name: str,
        *,
        generation: int | None = None,
        preconditions: Preconditions = ANY,
    ) -> Object:
        """Describe the live object.

        Raises:
            NotFound: no such object, or `generation` is not the live one.
            ConditionNotMet, NotModified: as the preconditions say.

        """
        live = self.find(bucket, name)
        if live is None or generation not in (None, live.generation):
            self._require_bucket(bucket)
            raise _no_such_object(bucket, name)
        preconditions.check(live, reading=True)
        return live

    def find(self, bucket: str, name: str) -> Object | None:
        """Describe the live object, if there is one."""
        row = self._database.row(
            "SELECT body FROM objects WHERE bucket = ? AND name = ?", bucket, name
        )
        return Object(**json.loads(row["body"])) if row else None

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
        """Describe the live object and open its bytes, which stay readable whatever comes.

        Raises:
            NotFound, ConditionNotMet, NotModified: as `get`.
            Internal: its file is lost.

        """
        with self._database.transaction():
            live = self.get(bucket, name, generation=generation, preconditions=preconditions)
            try:
                return live, self._blobs.path(live.blob).open("rb")
            except FileNotFoundError:
                raise _lost(bucket, name) from None

    def list(self, bucket: str, prefix: str = "") -> list[Object]:
        """List the live objects whose names begin with the prefix, in the order of their UTF-8.

        Raises:
            NotFound: no such bucket.

        """
        self._require_bucket(bucket)
        return list(self.scan(bucket, prefix))

    def scan(self, bucket: str, prefix: str = "", start: str = "") -> Iterator[Object]:
        """Go through the live objects from the name `start` on."""
        rows = self._database.rows(
            "SELECT name, body FROM objects WHERE bucket = ? AND name >= ? ORDER BY name",
            bucket,
            max(prefix, start, key=str.encode),
        )
        for row in rows:
            if not row["name"].startswith(prefix):
                return
            yield Object(**json.loads(row["body"]))

    # Writing

    def write(
        self,
        bucket: str,
        name: str,
        source: Path | bytes | BinaryIO,
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
            source: the bytes, or a file that holds them, by its path or open.
            content_type: shorthand for the description's.
            metadata: shorthand for the description's.
            description: what else to say of the object, and the checksums to hold it to.
            preconditions: what must be true of the live object.
            move: take the file at that path itself instead of copying it; one that lies in the
                store's folder (see `scratch`) is the caller's again if nothing was written.

        Raises:
            NotFound: no such bucket.
            ConditionNotMet: a precondition does not hold; nothing was written.
            InvalidArgument: a bad name, or a checksum that does not fit the bytes.

        """
        check_object_name(name)
        said = description or Description(content_type=content_type, metadata=metadata or {})
        self._require_bucket(bucket)
        preconditions.check(self.find(bucket, name))  # early: spare the copying
        return self._commit(bucket, name, self._lay_down(source, move=move), said, preconditions)

    def _lay_down(self, source: Path | bytes | BinaryIO, *, move: bool) -> Blob:
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
        check_object_name(name)
        self._require_bucket(bucket)
        count = sum(described.component_count or 1 for described, _ in sources)
        blob = self._blobs.copy(*[file for _, file in sources])
        return self._commit(bucket, name, blob, description, preconditions, component_count=count)

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
            generation: which generation must be the live one.
            preconditions: what must be true of the live object.

        """
        with self._database.transaction():
            live = self.get(bucket, name, generation=generation)
            preconditions.check(live)
            changed = replace(
                live,
                metageneration=live.metageneration + 1,
                updated=clock.micros(clock.now()),
                **changes_to(live),
            )
            self._put(changed)
        return changed

    def delete(
        self,
        bucket: str,
        name: str,
        *,
        generation: int | None = None,
        preconditions: Preconditions = ANY,
    ) -> None:
        """Delete the live object.

        Raises:
            NotFound: no such object, or `generation` is not the live one.
            ConditionNotMet: a precondition does not hold.

        """
        with self._database.transaction():
            live = self.find(bucket, name)
            if live is None or generation not in (None, live.generation):
                self._require_bucket(bucket)
                preconditions.check(live)
                raise _no_such_object(bucket, name)
            preconditions.check(live)
            self._database.run("DELETE FROM objects WHERE bucket = ? AND name = ?", bucket, name)
            self._forget(live)

    def scratch(self) -> Path:
        """Name a new file in the store's folder for bytes that are still arriving."""
        return self._blobs.scratch()

    # Inside

    def _commit(
        self,
        bucket: str,
        name: str,
        blob: Blob,
        said: Description,
        preconditions: Preconditions,
        *,
        component_count: int | None = None,
    ) -> Object:
        try:
            _check_sums(said, blob)
            return self._enter(bucket, name, blob, said, preconditions, component_count)
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
            self._require_bucket(bucket)
            before = self.find(bucket, name)
            preconditions.check(before)
            written = Object(
                bucket=bucket,
                name=name,
                generation=self._next_generation(),
                metageneration=1,
                size=blob.size,
                crc32c=blob.crc32c,
                md5=None if component_count else blob.md5,
                blob=blob.path.name,
                created=(now := clock.micros(clock.now())),
                updated=now,
                content_type=said.content_type,
                content_encoding=said.content_encoding,
                content_disposition=said.content_disposition,
                content_language=said.content_language,
                cache_control=said.cache_control,
                storage_class=said.storage_class or "STANDARD",
                custom_time=said.custom_time,
                component_count=component_count,
                metadata=dict(said.metadata),
            )
            self._put(written)
            self._database.afterwards(blob.settle)
            if before is not None:
                self._forget(before)
        return written

    def _forget(self, described: Object) -> None:
        """Remove an object's bytes once its row has gone for good."""
        path = self._blobs.path(described.blob)
        self._database.afterwards(lambda: path.unlink(missing_ok=True))

    def _put(self, described: Object) -> None:
        check_headers(described)
        self._database.run(
            "INSERT OR REPLACE INTO objects (bucket, name, body) VALUES (?, ?, ?)",
            described.bucket,
            described.name,
            json.dumps(asdict(described)),
        )

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

    def _require_bucket(self, bucket: str) -> None:
        if self._database.row("SELECT 1 FROM buckets WHERE name = ?", bucket) is None:
            raise NotFound("The specified bucket does not exist.")

    def _named(self) -> set[str]:
        """Name the files that the database knows: of objects and of unfinished uploads."""
        objects = self._database.rows("SELECT body FROM objects")
        uploads = [json.loads(row["body"]) for row in self._database.rows("SELECT * FROM uploads")]
        known = {json.loads(row["body"])["blob"] for row in objects}
        return known | {upload["part"] for upload in uploads if upload["generation"] is None}


def _check_sums(said: Description, blob: Blob) -> None:
    pairs = (("MD5 hash", said.md5, blob.md5), ("CRC32C", said.crc32c, blob.crc32c))
    for what, given, found in pairs:
        if given is not None and given != found:
            message = f'Provided {what} "{given}" doesn\'t match calculated {what} "{found}".'
            raise InvalidArgument(message)


def _no_such_object(bucket: str, name: str) -> NotFound:
    return NotFound(f"No such object: {bucket}/{name}")


def _lost(bucket: str, name: str) -> Internal:
    return Internal(f"The bytes of {bucket}/{name} are lost: its file is not there.")
