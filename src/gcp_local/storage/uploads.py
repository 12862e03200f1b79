"""Resumable uploads: sessions that take an object's bytes in pieces.

The protocol is that of https://cloud.google.com/storage/docs/performing-resumable-uploads: every
piece but the last is a multiple of 256 KiB, what has arrived is told by a 308 with a Range, and
a session outlives the server.

The requests of one session go one after the other; only what they lead to is entered in the
database's transaction. The bytes of a piece are written behind what is recorded, and reckoned with
it, before that: a refused piece, and one that a crash cut short, is as if it had never come.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.storage.values import Description, Object, Preconditions, check_headers

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.resources.database import Database
    from gcp_local.storage.objects import ObjectStore

QUANTUM = 256 * 1024
_RANGE = re.compile(
    r"bytes (?:(?P<first>[0-9]{1,19})-(?P<last>[0-9]{1,19})|\*)/(?P<total>[0-9]{1,19}|\*)"
)


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One session."""

    id: str
    bucket: str
    name: str
    part: str
    description: Description
    preconditions: Preconditions
    received: int = 0
    total: int | None = None
    generation: int | None = None


@dataclass(frozen=True)
class ContentRange:
    """A Content-Range header: `first` is None in a bare question (`bytes */…`)."""

    first: int | None
    last: int | None
    total: int | None

    @classmethod
    def parse(cls, header: str | None, length: int) -> ContentRange:
        """Read the header of a piece of that length; without one, the piece is the whole."""
        if header is None:
            return cls(0, length - 1, length) if length else cls(None, None, 0)
        match = _RANGE.fullmatch(header.strip())
        if match is None:
            raise InvalidArgument(f"Failed to parse Content-Range header: {header!r:.200}.")
        total = None if match["total"] == "*" else int(match["total"])
        if match["first"] is None:
            return cls(None, None, total)
        first, last = int(match["first"]), int(match["last"])
        if last - first + 1 != length or (total is not None and last >= total):
            message = f"Content-Range {header!r} does not fit a body of {length} bytes."
            raise InvalidArgument(message)
        return cls(first, last, total)


class Uploads:
    """The source of truth for the sessions."""

    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self._database = database
        self._objects = objects
        # A session always has the same lock; two sessions may share one.
        self._locks = [threading.Lock() for _ in range(64)]

    def start(
        self,
        bucket: str,
        name: str,
        *,
        description: Description,
        preconditions: Preconditions,
        total: int | None,
    ) -> Upload:
        """Open a session; its preconditions are checked now and when it is finished."""
        check_headers(description)
        self._objects.check_writable(bucket, name, preconditions)
        part = self._objects.scratch()
        part.touch()
        upload = Upload(
            id=secrets.token_urlsafe(48),
            bucket=bucket,
            name=name,
            part=part.name,
            description=description,
            preconditions=preconditions,
            total=total,
        )
        self._put(upload)
        return upload

    def get(self, identity: str) -> Upload:
        """Give a session; NotFound if it is unknown or was cancelled."""
        row = self._database.row("SELECT body FROM uploads WHERE id = ?", identity)
        if row is None:
            raise NotFound("No such upload session.")
        body = json.loads(row["body"])
        body["description"] = Description(**body["description"])
        body["preconditions"] = Preconditions(**body["preconditions"])
        return Upload(**body)

    def receive(
        self, identity: str, asked: ContentRange, content: bytes, checksums: Description
    ) -> tuple[Upload, Object | None]:
        """Take a piece, or answer a bare question about how much has arrived.

        Returns:
            The session and, once it is finished, its object.

        Raises:
            NotFound: no such session.
            InvalidArgument: a piece beyond what has arrived, or not a multiple of 256 KiB.
            ConditionNotMet: at the end, the preconditions do not hold any more.

        A refused piece is as if it had not come; the session goes on with what was there before.

        """
        with self._lock(identity):
            upload = self.get(identity)
            if upload.generation is not None:
                return upload, self._written(upload)
            if asked.first is not None:
                upload = self._append(upload, asked.first, asked.total, content)
            total = asked.total if asked.total is not None else upload.total
            if total is None or upload.received < total:
                self._put(upload)
                return upload, None
            if upload.received > total:
                raise InvalidArgument(f"More than the declared {total} bytes have arrived.")
            return self._finish(upload, checksums)

    def cancel(self, identity: str) -> None:
        """Forget a session and its bytes, unless they have become an object's."""
        with self._lock(identity), self._database.transaction():
            upload = self.get(identity)
            self._database.run("DELETE FROM uploads WHERE id = ?", identity)
            if upload.generation is None:
                path = self._path(upload)
                self._database.afterwards(lambda: path.unlink(missing_ok=True))

    def _lock(self, identity: str) -> threading.Lock:
        return self._locks[hash(identity) % len(self._locks)]

    def _written(self, upload: Upload) -> Object:
        """Describe what a finished session wrote, or what has come in its place since."""
        try:
            return self._objects.get(upload.bucket, upload.name, generation=upload.generation)
        except NotFound:
            return self._objects.get(upload.bucket, upload.name)

    def _append(self, upload: Upload, first: int, total: int | None, content: bytes) -> Upload:
        if first > upload.received:
            raise InvalidArgument(
                f"Invalid request.  According to the Content-Range header, the upload offset is"
                f" {first} byte(s), which exceeds already uploaded size of {upload.received}"
                " byte(s)."
            )
        if (total is None or first + len(content) < total) and len(content) % QUANTUM:
            raise InvalidArgument(
                "Invalid request.  The number of bytes uploaded is required to be a multiple"
                f" of {QUANTUM}, except for the final request. The received request contained"
                f" {len(content)} bytes, which does not meet this requirement."
            )
        fresh = content[upload.received - first :]
        with self._path(upload).open("r+b") as file:
            file.truncate(upload.received)  # what was refused, or cut short, may lie behind
            file.seek(upload.received)
            file.write(fresh)
        return replace(upload, received=upload.received + len(fresh))

    def _finish(self, upload: Upload, checksums: Description) -> tuple[Upload, Object]:
        said = replace(
            upload.description,
            md5=checksums.md5 or upload.description.md5,
            crc32c=checksums.crc32c or upload.description.crc32c,
        )
        with self._path(upload).open("r+b") as file:
            file.truncate(upload.received)
        blob = self._objects.weigh(self._path(upload))  # long; nobody else waits for it
        with self._database.transaction():
            written = self._objects.write(
                upload.bucket,
                upload.name,
                blob,
                description=said,
                preconditions=upload.preconditions,
            )
            upload = replace(upload, generation=written.generation)
            self._put(upload)
        return upload, written

    def _path(self, upload: Upload) -> Path:
        return self._objects.scratch().with_name(upload.part)

    def _put(self, upload: Upload) -> None:
        self._database.run(
            "INSERT OR REPLACE INTO uploads VALUES (?, ?)", upload.id, json.dumps(asdict(upload))
        )
