"""Packages of training programs: of a damaged one, the job's error says that it is damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from gcp_local.vertex.jobs.lifecycle import JobFailedError
from gcp_local.vertex.jobs.packages import unpack

LETTERS = "".join(random.Random(0).choices("abc", k=100_000)).encode()


def sdist() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("trainer-1/task.py")
        entry.size = len(LETTERS)
        archive.addfile(entry, io.BytesIO(LETTERS))
    return packed.getvalue()


def wheel() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trainer/task.py", LETTERS)
    return packed.getvalue()


def locked() -> bytes:
    """Say of a wheel's entry that it is encrypted, in both of its headers."""
    content = bytearray(wheel())
    for head, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(head) + flags] |= 1
    return bytes(content)


def damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(5000) + content[middle + 5000 :]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tar.gz", damaged(bz2.compress(sdist()))),
        ("a.tar.gz", damaged(lzma.compress(sdist()))),
        ("a.tar.gz", gzip.compress(sdist())[:-500]),
        ("a.whl", damaged(wheel())),
        ("a.whl", locked()),
        ("a.whl", b"nothing of the kind"),
    ],
    ids=["bz2", "xz", "short", "wheel", "locked", "neither"],
)
def test_a_damaged_package_is_said_to_be_one(tmp_path: Path, name: str, content: bytes) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(content)
    with pytest.raises(JobFailedError, match=f"'{name}' cannot be unpacked"):
        unpack(archive, name, tmp_path / "unpacked")
