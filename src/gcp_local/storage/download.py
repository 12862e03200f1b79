"""Reading an object's bytes: `alt=media`, whole or a range, and what the headers tell."""

from __future__ import annotations

import gzip
import re
import tempfile
import zlib
from email.utils import format_datetime
from typing import TYPE_CHECKING, BinaryIO

from gcp_local import clock
from gcp_local.errors import InvalidArgument, PayloadTooLarge, RangeNotSatisfiable
from gcp_local.storage import wire
from gcp_local.web.messages import Answer, FileSlice, Request

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.storage.objects import ObjectStore
    from gcp_local.storage.values import Object

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
_MAX_DIGITS = 18
_PIECE = 1 << 20
MAX_UNPACKED = 1 << 30


def answer(objects: ObjectStore, request: Request, bucket: str, name: str) -> Answer:
    """Answer the bytes; an object stored as gzip is unpacked for a client that takes none.

    Raises:
        NotFound, NotModified, ConditionNotMet: as for the metadata.
        RangeNotSatisfiable: the range begins behind the end.
        InvalidArgument: said to be gzip, but not.
        PayloadTooLarge: more gzip than this stand-in unpacks.

    """
    query = request.parameters
    found, file = objects.open(
        bucket,
        name,
        generation=wire.integer(query, "generation"),
        preconditions=wire.preconditions_of(query),
    )
    try:
        return _answer(objects, found, file, request)
    except BaseException:
        file.close()
        raise


def _answer(objects: ObjectStore, found: Object, file: BinaryIO, request: Request) -> Answer:
    headers = _headers(found)
    zipped = found.content_encoding == "gzip"
    if zipped and "gzip" not in request.headers.get("accept-encoding", ""):
        # https://cloud.google.com/storage/docs/transcoding: the range is ignored.
        headers.pop("content-encoding")
        headers["warning"] = "214 UploadServer gunzipped"
        with file:
            content, size = unpacked(file, objects.scratch().parent)
        return Answer(200, FileSlice(content, 0, size), headers)
    window = _window(request.headers.get("range"), found.size)
    if window is None:
        return Answer(200, FileSlice(file, 0, found.size), headers)
    first, last = window
    headers["content-range"] = f"bytes {first}-{last}/{found.size}"
    return Answer(206, FileSlice(file, first, last - first + 1), headers)


def _headers(found: Object) -> dict[str, str]:
    sums = f"crc32c={found.crc32c}" + (f",md5={found.md5}" if found.md5 else "")
    said = {
        "content-type": found.content_type or "application/octet-stream",
        "content-encoding": found.content_encoding,
        "content-disposition": found.content_disposition,
        "content-language": found.content_language,
        "cache-control": found.cache_control,
        "etag": found.etag,
        "last-modified": format_datetime(clock.from_micros(found.updated), usegmt=True),
        "accept-ranges": "bytes",
        "x-goog-generation": str(found.generation),
        "x-goog-metageneration": str(found.metageneration),
        "x-goog-hash": sums,
        "x-goog-storage-class": found.storage_class,
        "x-goog-stored-content-encoding": found.content_encoding or "identity",
        "x-goog-stored-content-length": str(found.size),
    }
    return {name: value for name, value in said.items() if value is not None}


def _window(header: str | None, size: int) -> tuple[int, int] | None:
    """Read a Range header: the first and last byte, or None for the whole (RFC 9110, 14.2)."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = (_position(digits) for digits in match.groups())
    if first is None:
        wanted = min(last or 0, size)
        if not wanted:
            raise RangeNotSatisfiable("The requested range cannot be satisfied.")
        return size - wanted, size - 1
    if last is not None and last < first:
        return None
    if first >= size:
        raise RangeNotSatisfiable("The requested range cannot be satisfied.")
    return first, size - 1 if last is None else min(last, size - 1)


def _position(digits: str) -> int | None:
    """Read a position; what has too many digits for a file lies behind any end."""
    if not digits:
        return None
    return int(digits.lstrip("0")[: _MAX_DIGITS + 1] or "0")


def unpacked(file: BinaryIO, folder: Path, limit: int = MAX_UNPACKED) -> tuple[BinaryIO, int]:
    """Unpack into a nameless file, piece by piece: a few bytes may hold more than fits in memory.

    Returns:
        The file, which whoever sends it closes, and its size.

    Raises:
        InvalidArgument: the bytes are not gzip.
        PayloadTooLarge: there are more of them than this stand-in unpacks.

    """
    target: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
    try:
        size = 0
        with gzip.open(file) as packed:
            while piece := packed.read(_PIECE):
                size += len(piece)
                _check_unpacked(size, limit)
                target.write(piece)
    except (OSError, EOFError, zlib.error) as error:
        target.close()
        message = f"The object's contentEncoding is gzip, but its bytes are not gzip: {error}."
        raise InvalidArgument(message) from None
    except BaseException:
        target.close()
        raise
    return target, size


def _check_unpacked(size: int, limit: int) -> None:
    if size > limit:
        raise PayloadTooLarge(
            f"The embedded cloud unpacks no more than {limit} bytes: ask for the object with"
            " 'Accept-Encoding: gzip'."
        )
