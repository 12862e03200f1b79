"""Unpacks a build's source, a tar or a zip that a user uploaded, and nothing outside its folder."""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = 4 * 1024 * 1024 * 1024
_MOST_FILES = 200_000
# An encrypted zip, or one of a method that Python has not, is a RuntimeError.
_UNREADABLE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError,
    RuntimeError, ValueError,
)  # fmt: skip


class UnreadableError(ValueError):
    """Not an archive, or not one that can be unpacked here."""


def unpack(archive: Path, target: Path) -> None:
    """Unpack a tar (compressed or not) or a zip into a folder that is there.

    Raises:
        UnreadableError: it is neither, too large, or leads out of the folder.

    """
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, target)
        else:
            _untar(archive, target)
    except UnreadableError:
        raise
    except _UNREADABLE as error:
        raise UnreadableError(f"the archive cannot be unpacked: {error}") from None


def read_member(archive: Path, name: str) -> bytes | None:
    """Read one file of a tar; None if it has no such file."""
    wanted = name.removeprefix("./").lstrip("/")
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:
            if member.isreg() and member.name.removeprefix("./") == wanted:
                file = tar.extractfile(member)
                return file.read() if file is not None else None
    return None


def _untar(archive: Path, target: Path) -> None:
    with tarfile.open(archive, "r:*") as tar:
        size = count = 0
        for member in tar:
            size, count = size + member.size, count + 1
            _check_size(size, count)
            # The filter refuses absolute names, `..`, links that lead out, and devices.
            tar.extract(member, target, filter="data")


def _unzip(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        _check_size(sum(member.file_size for member in members), len(members))
        for member in members:
            parts = member.filename.replace("\\", "/").split("/")
            if member.filename.startswith("/") or ".." in parts:
                raise UnreadableError(f"{member.filename!r} leads out of the archive")
            mode = member.external_attr >> 16
            if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or not stat.S_IFMT(mode)):
                raise UnreadableError(f"{member.filename!r} is neither a file nor a folder")
            path = packed.extract(member, target)
            if mode & stat.S_IXUSR and not member.is_dir():
                (target / path).chmod(0o755)


def _check_size(size: int, count: int) -> None:
    if size > _MOST_BYTES or count > _MOST_FILES:
        raise UnreadableError("the archive is larger than the embedded cloud takes")
