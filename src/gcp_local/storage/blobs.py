"""Blobs: the files that hold objects' bytes, under random names, so no object's name is a path."""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import google_crc32c

from gcp_local.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Blob:
    """A file with its checksums (base64, as in the API); no MD5 if it was put together.

    `borrowed` is a file that was the writer's own before; if nothing comes of the write, it is
    the writer's again.
    """

    path: Path
    size: int
    md5: str | None
    crc32c: str
    borrowed: bool = False

    def check(self, md5: str | None, crc32c: str | None) -> None:
        """Raise InvalidArgument if a checksum that the writer gave does not fit the bytes."""
        for what, given, found in (("MD5 hash", md5, self.md5), ("CRC32C", crc32c, self.crc32c)):
            if given is not None and given != found:
                message = f'Provided {what} "{given}" doesn\'t match calculated {what} "{found}".'
                raise InvalidArgument(message)

    def settle(self) -> None:
        """Make the file what it stays: read-only."""
        self.path.chmod(0o444)

    def discard(self) -> None:
        """Remove the file of a write that came to nothing."""
        if not self.borrowed:
            self.path.unlink(missing_ok=True)


class Blobs:
    """The source of truth for which files there are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """Find a blob's file."""
        return self._folder / name

    def scratch(self) -> Path:
        """Name a new file in the folder, for bytes that are still arriving."""
        return self._folder / uuid.uuid4().hex

    def copy(self, *sources: bytes | BinaryIO) -> Blob:
        """Lay bytes, or what open files still hold, down in a new file, one behind the other."""
        target = self.scratch()
        try:
            with target.open("wb") as writer:
                pieces = (piece for source in sources for piece in _pieces(source))
                return _summed(target, pieces, writer)
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def take(self, source: Path) -> Blob:
        """Make a file itself a blob; one in the folder already (see `scratch`) stays in place."""
        with source.open("rb") as reader:
            blob = _summed(source, _pieces(reader))
        if source.parent == self._folder:
            return replace(blob, borrowed=True)
        return replace(blob, path=source.rename(self.scratch()))

    def sweep(self, known: Collection[str]) -> None:
        """Remove the files of writes that a crash cut short: all but the known."""
        for path in self._folder.iterdir():
            if path.name not in known:
                path.unlink()


def _pieces(source: bytes | BinaryIO) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    while piece := source.read(_CHUNK):
        yield piece


def _summed(path: Path, pieces: Iterable[bytes], writer: BinaryIO | None = None) -> Blob:
    md5, crc, size = hashlib.md5(usedforsecurity=False), 0, 0
    for piece in pieces:
        md5.update(piece)
        crc = google_crc32c.extend(crc, piece)
        size += len(piece)
        if writer is not None:
            writer.write(piece)
    encoded = base64.b64encode(md5.digest()), base64.b64encode(crc.to_bytes(4, "big"))
    return Blob(path, size, encoded[0].decode(), encoded[1].decode())
