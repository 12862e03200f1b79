"""Objects: immutable bytes under a name, numbered by generation.

Bytes lie in files of random names under the store's folder, so no object name is ever a path; what
is known of them lies in the database. A write lays down the file first and then enters it in one
transaction, in which its preconditions are checked: of any number of concurrent writers that ask
for the same generation, exactly one wins.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shutil
import uuid
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import google_crc32c

from gcp_local import clock
from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.storage.names import check_object_name
from gcp_local.storage.values import ANY, Description, Object, Preconditions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from gcp_local.resources.database import Database

_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Blob:
    path: Path
    size: int
    md5: str
    crc32c: str


class ObjectStore:
    """The source of truth for what lies in the buckets."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._blobs = folder / "blobs"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._sweep()

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

        The file goes when the object is replaced or deleted: open it at once, or copy it.

        Raises:
            NotFound: no such object.

        """
        return self.path_of(self.get(bucket, name))

    def path_of(self, described: Object) -> Path:
        """Find the file of that generation's bytes."""
        return self._blobs / described.blob

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
        source: Path | bytes,
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
            source: the bytes, or a file that holds them.
            content_type: shorthand for the description's.
            metadata: shorthand for the description's.
            description: what else to say of the object, and the checksums to hold it to.
            preconditions: what must be true of the live object.
            move: take the source file itself instead of copying it.

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

    def compose(
        self,
        bucket: str,
        name: str,
        sources: Sequence[Object],
        *,
        description: Description,
        preconditions: Preconditions = ANY,
    ) -> Object:
        """Write the concatenation of other objects' bytes as a new object, which has no MD5."""
        joined = self.scratch()
        try:
            with joined.open("wb") as target:
                for source in sources:
                    with self.path_of(source).open("rb") as part:
                        shutil.copyfileobj(part, target, _CHUNK)
            count = sum(source.component_count or 1 for source in sources)
            check_object_name(name)
            self._require_bucket(bucket)
            blob = self._lay_down(joined, move=True)
            return self._commit(
                bucket, name, blob, description, preconditions, component_count=count
            )
        finally:
            joined.unlink(missing_ok=True)

    def patch(
        self,
        bucket: str,
        name: str,
        changes: Mapping[str, Any],
        *,
        generation: int | None = None,
        preconditions: Preconditions = ANY,
    ) -> Object:
        """Change what is said of an object (its fields by their names here); the bytes stay."""
        with self._database.transaction():
            live = self.get(bucket, name, generation=generation)
            preconditions.check(live)
            changed = replace(
                live,
                metageneration=live.metageneration + 1,
                updated=clock.micros(clock.now()),
                **changes,
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
        self.path_of(live).unlink(missing_ok=True)

    def scratch(self) -> Path:
        """Name a new file in the store's folder for bytes that are still arriving."""
        return self._blobs / f"{uuid.uuid4().hex}.part"

    # Inside

    def _commit(
        self,
        bucket: str,
        name: str,
        blob: _Blob,
        said: Description,
        preconditions: Preconditions,
        *,
        component_count: int | None = None,
    ) -> Object:
        try:
            _check_sums(said, blob)
            return self._enter(bucket, name, blob, said, preconditions, component_count)
        except BaseException:
            blob.path.unlink(missing_ok=True)
            raise

    def _enter(
        self,
        bucket: str,
        name: str,
        blob: _Blob,
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
        if before is not None:
            self.path_of(before).unlink(missing_ok=True)
        return written

    def _put(self, described: Object) -> None:
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

    def _lay_down(self, source: Path | bytes, *, move: bool) -> _Blob:
        target = self._blobs / uuid.uuid4().hex
        md5, crc, size = hashlib.md5(usedforsecurity=False), 0, 0
        if isinstance(source, bytes):
            target.write_bytes(source)
            md5.update(source)
            crc = google_crc32c.value(source)
            size = len(source)
        else:
            with contextlib.ExitStack() as files:
                reader = files.enter_context(source.open("rb"))
                writer = None if move else files.enter_context(target.open("wb"))
                while chunk := reader.read(_CHUNK):
                    md5.update(chunk)
                    crc = google_crc32c.extend(crc, chunk)
                    size += len(chunk)
                    if writer:
                        writer.write(chunk)
            if move:
                source.rename(target)
        target.chmod(0o444)
        return _Blob(
            target,
            size,
            base64.b64encode(md5.digest()).decode(),
            base64.b64encode(crc.to_bytes(4, "big")).decode(),
        )

    def _require_bucket(self, bucket: str) -> None:
        if self._database.row("SELECT 1 FROM buckets WHERE name = ?", bucket) is None:
            raise NotFound("The specified bucket does not exist.")

    def _sweep(self) -> None:
        """Remove the files of writes that a crash cut short."""
        rows = self._database.rows("SELECT body FROM objects")
        known = {json.loads(row["body"])["blob"] for row in rows}
        rows = self._database.rows("SELECT body FROM uploads")
        known |= {json.loads(row["body"])["part"] for row in rows}
        for path in self._blobs.iterdir():
            if path.name not in known:
                path.unlink()


def _check_sums(said: Description, blob: _Blob) -> None:
    pairs = (("MD5 hash", said.md5, blob.md5), ("CRC32C", said.crc32c, blob.crc32c))
    for what, given, found in pairs:
        if given is not None and given != found:
            message = f'Provided {what} "{given}" doesn\'t match calculated {what} "{found}".'
            raise InvalidArgument(message)


def _no_such_object(bucket: str, name: str) -> NotFound:
    return NotFound(f"No such object: {bucket}/{name}")
