"""Multipart uploads of the XML API: an object's bytes in numbered parts, in any order.

Source: https://cloud.google.com/storage/docs/multipart-uploads. It is how
`google.cloud.storage.transfer_manager.upload_chunks_concurrently` uploads.
"""

from __future__ import annotations

import json
import secrets
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.storage.values import ANY, Description, Object, check_headers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gcp_local.resources.database import Database
    from gcp_local.storage.blobs import Blob
    from gcp_local.storage.objects import ObjectStore

SMALLEST_PART = 5 * 1024 * 1024
MOST_PARTS = 10_000


@dataclass(frozen=True, kw_only=True)
class MultipartUpload:
    """One upload that is under way."""

    id: str
    bucket: str
    name: str
    description: Description


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of it; the sums are base64, as in the API."""

    number: int
    blob: str
    size: int
    md5: str
    crc32c: str


class MultipartUploads:
    """The source of truth for them."""

    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self._database = database
        self._objects = objects

    def start(self, bucket: str, name: str, description: Description) -> MultipartUpload:
        """Begin an upload."""
        check_headers(description)
        self._objects.check_writable(bucket, name, ANY)
        upload = MultipartUpload(
            id=secrets.token_urlsafe(48), bucket=bucket, name=name, description=description
        )
        self._database.run(
            "INSERT INTO multipart_uploads VALUES (?, ?)", upload.id, json.dumps(asdict(upload))
        )
        return upload

    def get(self, identity: str, bucket: str, name: str) -> MultipartUpload:
        """Give an upload of that object; NotFound if there is none."""
        row = self._database.row("SELECT body FROM multipart_uploads WHERE id = ?", identity)
        body = json.loads(row["body"]) if row else None
        if body is None or (body["bucket"], body["name"]) != (bucket, name):
            raise NotFound("The requested upload was not found.", reason="NoSuchUpload")
        return MultipartUpload(**{**body, "description": Description(**body["description"])})

    def put(
        self, upload: MultipartUpload, number: int, content: bytes, sums: Mapping[str, str]
    ) -> Part:
        """Take a part, in place of an earlier one of its number.

        Args:
            upload: the upload.
            number: 1 to 10,000.
            content: the part's bytes.
            sums: the checksums to hold it to, base64, by `md5` and `crc32c`.

        Raises:
            InvalidArgument: a number or a checksum that does not fit.
            NotFound: the upload has ended meanwhile.

        """
        if not 1 <= number <= MOST_PARTS:
            message = f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive."
            raise InvalidArgument(message, reason="InvalidArgument")
        blob = self._objects.lay_down(content)
        try:
            part = _part(number, blob, sums)
            with self._database.transaction():
                self.get(upload.id, upload.bucket, upload.name)
                self._drop(upload.id, number)
                self._database.run(
                    "INSERT INTO multipart_parts VALUES (?, ?, ?)",
                    upload.id,
                    number,
                    json.dumps(asdict(part)),
                )
        except BaseException:
            blob.discard()
            raise
        return part

    def complete(self, upload: MultipartUpload, named: Sequence[tuple[int, str]]) -> Object:
        """Put the named parts together as the object.

        Args:
            upload: the upload.
            named: number and MD5 (base64) of each part, in the order of their numbers.

        Raises:
            InvalidArgument: a part that is not there, out of order, or too small.
            NotFound, PermissionDenied: as a write.

        """
        numbers = [number for number, _ in named]
        if not named or numbers != sorted(set(numbers)):
            message = "The list of parts was not in ascending order."
            raise InvalidArgument(message, reason="InvalidPartOrder")
        there = {part.number: part for part in self.parts(upload)}
        for number, md5 in named:
            if number not in there or there[number].md5 != md5:
                message = f"The part {number} was not found or its ETag does not match."
                raise InvalidArgument(message, reason="InvalidPart")
            if number != numbers[-1] and there[number].size < SMALLEST_PART:
                message = f"The part {number} is smaller than {SMALLEST_PART} bytes."
                raise InvalidArgument(message, reason="EntityTooSmall")
        with ExitStack() as stack:
            paths = [self._objects.blob_path(there[number].blob) for number in numbers]
            files = [stack.enter_context(path.open("rb")) for path in paths]
            return self._objects.join(
                upload.bucket,
                upload.name,
                files,
                description=upload.description,
                then=lambda: self.end(upload),
            )

    def abort(self, upload: MultipartUpload) -> None:
        """Forget an upload and its parts."""
        with self._database.transaction():
            self.get(upload.id, upload.bucket, upload.name)
            self.end(upload)

    def end(self, upload: MultipartUpload) -> None:
        """Remove what is kept of an upload, within the present transaction."""
        self.get(upload.id, upload.bucket, upload.name)
        for part in self.parts(upload):
            self._drop(upload.id, part.number)
        self._database.run("DELETE FROM multipart_uploads WHERE id = ?", upload.id)

    def parts(self, upload: MultipartUpload) -> list[Part]:
        """List the parts that have arrived, by number."""
        rows = self._database.rows(
            "SELECT body FROM multipart_parts WHERE upload = ? ORDER BY number", upload.id
        )
        return [Part(**json.loads(row["body"])) for row in rows]

    def _drop(self, identity: str, number: int) -> None:
        place = (identity, number)
        row = self._database.row(
            "SELECT body FROM multipart_parts WHERE upload = ? AND number = ?", *place
        )
        if row is None:
            return
        self._database.run("DELETE FROM multipart_parts WHERE upload = ? AND number = ?", *place)
        path = self._objects.blob_path(json.loads(row["body"])["blob"])
        self._database.afterwards(lambda: path.unlink(missing_ok=True))


def _part(number: int, blob: Blob, sums: Mapping[str, str]) -> Part:
    assert blob.md5 is not None
    part = Part(
        number=number, blob=blob.path.name, size=blob.size, md5=blob.md5, crc32c=blob.crc32c
    )
    for name, code in (("md5", "BadDigest"), ("crc32c", "CrcMismatch")):
        found = getattr(part, name)
        if sums.get(name, found) != found:
            message = f"The {name} you specified ({sums[name]}) did not match {found}."
            raise InvalidArgument(message, reason=code)
    return part
