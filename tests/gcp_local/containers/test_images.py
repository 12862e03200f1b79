"""The image store: digests of content, safe unpacking."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import random
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gcp_local.errors import FailedPrecondition, InvalidArgument, NotFound
from gcp_local.images import store
from gcp_local.images.store import ImageStore
from tests.gcp_local.emulators import Emulator

RUNTIME = "europe-west1-docker.pkg.dev/my-project/images/runtime"


def tar_of(files: Mapping[str, bytes], *, mtime: int = 0, mode: int = 0o644) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), mtime, mode
            archive.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    return packed


def damaged(compress: Callable[[bytes], bytes]) -> io.BytesIO:
    letters = bytes(random.Random(0).choices(b"abc", k=100_000))
    content = compress(tar_of({"x": letters}).getvalue())
    middle = len(content) // 2
    return io.BytesIO(content[:middle] + bytes(5000) + content[middle + 5000 :])


def special(kind: bytes, name: str = "x", link: str = "") -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, link
        archive.addfile(entry)
    packed.seek(0)
    return packed


def test_the_digest_is_that_of_the_content_alone(tmp_path: Path) -> None:
    images = ImageStore(tmp_path)
    files = {"churn/a.py": b"a", "churn/b.py": b"b"}
    digest = images.add(RUNTIME, tar_of(files))
    again = dict(reversed(files.items()))
    assert images.add(RUNTIME, tar_of(again, mtime=99)) == digest
    assert images.add(RUNTIME, tar_of({**files, "churn/b.py": b"c"})) != digest
    assert images.add(RUNTIME, tar_of(files, mode=0o755)) != digest
    assert images.add(RUNTIME, tar_of({"churn/a.pya": b"", "churn/b.py": b"b"})) != digest
    images.unpack(f"{RUNTIME}@{digest}", tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "churn" / "a.py").read_bytes() == b"a"


def test_an_image_is_known_in_its_repository_by_its_digest(tmp_path: Path) -> None:
    images = ImageStore(tmp_path)
    digest = images.add(RUNTIME, tar_of({"a.py": b"a"}))
    for unknown in (f"{RUNTIME}:latest", RUNTIME, f"{RUNTIME}x@{digest}", "alpine", "python:2.7"):
        with pytest.raises(NotFound, match=unknown):
            images.unpack(unknown, tmp_path / "unpacked")
    for number, public in enumerate(("python:3.11-slim", "python:3.12")):
        images.unpack(public, tmp_path / f"public-{number}")
        assert not list((tmp_path / f"public-{number}").iterdir())


def test_a_tag_names_the_image_that_was_put_with_it_last(tmp_path: Path) -> None:
    images = ImageStore(tmp_path)
    first = images.add(RUNTIME, tar_of({"a.py": b"a"}), "v1")
    second = images.add(RUNTIME, tar_of({"a.py": b"b"}), "v1")
    assert images.add(RUNTIME, tar_of({"a.py": b"a"}), "latest") == first
    again = ImageStore(tmp_path)
    assert again.digest_of(f"{RUNTIME}:v1") == second
    assert again.digest_of(RUNTIME) == again.digest_of(f"{RUNTIME}:latest") == first
    assert again.digest_of(f"{RUNTIME}:v1@{first}") == first  # as in a registry
    for unknown in (f"{RUNTIME}:v2", f"{RUNTIME}x:v1", f"{RUNTIME}:", f"{RUNTIME}@sha256:1", ""):
        assert again.digest_of(unknown) is None
    again.unpack(f"{RUNTIME}:v1", tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "a.py").read_bytes() == b"b"
    with pytest.raises(InvalidArgument, match="Invalid image tag"):
        images.add(RUNTIME, tar_of({"a.py": b"a"}), "../v1")


def test_a_change_to_an_unpacked_image_stays_there(tmp_path: Path) -> None:
    images = ImageStore(tmp_path / "images")
    image = f"{RUNTIME}@{images.add(RUNTIME, tar_of({'churn.py': b'good'}))}"
    images.unpack(image, tmp_path / "first")
    (tmp_path / "first" / "churn.py").write_bytes(b"evil")
    images.unpack(image, tmp_path / "second")
    assert (tmp_path / "second" / "churn.py").read_bytes() == b"good"


def _rewrite(folder: Path) -> None:
    (folder / "churn.py").write_bytes(b"evil")


def _add(folder: Path) -> None:
    (folder / "json.py").write_bytes(b"evil")


def _link(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "elsewhere" / "x.py").touch()
    (folder / "json").symlink_to(folder.parent / "elsewhere")


def _chmod(folder: Path) -> None:
    (folder / "churn.py").chmod(0o755)


def _rewrite_unseen(folder: Path) -> None:
    """Change the bytes, and then make it look as it was."""
    path = folder / "churn.py"
    before = path.stat()
    path.write_bytes(b"evil")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("proved", [False, True], ids=["unread", "read-before"])
@pytest.mark.parametrize("damage", [_rewrite, _rewrite_unseen, _add, _link, _chmod])
def test_an_image_that_was_changed_in_the_store_does_not_run_until_it_is_put_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
    proved: bool,
) -> None:
    images = ImageStore(tmp_path / "images")
    digest = images.add(RUNTIME, tar_of({"churn.py": b"good"}))
    if proved:
        monkeypatch.setattr(store, "_SETTLED_NANOSECONDS", 0)  # else the test would have to wait
        images.unpack(f"{RUNTIME}@{digest}", tmp_path / "before")
        time.sleep(0.02)  # longer than a tick of the kernel's clock
        assert images._proved
    damage(tmp_path / "images" / "content" / digest.removeprefix("sha256:"))
    with pytest.raises(FailedPrecondition, match=f"{RUNTIME}@{digest}"):
        images.unpack(f"{RUNTIME}@{digest}", tmp_path / "refused")
    assert images.add(RUNTIME, tar_of({"churn.py": b"good"})) == digest
    images.unpack(f"{RUNTIME}@{digest}", tmp_path / "again")
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["churn.py"]
    assert (tmp_path / "again" / "churn.py").read_bytes() == b"good"


@pytest.mark.parametrize(
    "tar",
    [
        tar_of({"../out": b"x"}),
        tar_of({"/etc/out": b"x"}),
        tar_of({"a/../../out": b"x"}),
        special(tarfile.SYMTYPE, link="/etc/passwd"),
        special(tarfile.LNKTYPE, link="/etc/passwd"),
        special(tarfile.FIFOTYPE),
        special(tarfile.CHRTYPE),
        tar_of({"twice": b"x", "./twice": b"y"}),
        tar_of({"\udce8": b"x"}),
        damaged(bz2.compress),
        damaged(lzma.compress),
        io.BytesIO(b"not a tar"),
    ],
)
def test_a_tar_that_leads_out_is_refused_and_leaves_nothing(
    tmp_path: Path, tar: io.BytesIO
) -> None:
    images = ImageStore(tmp_path / "images")
    with pytest.raises(InvalidArgument):
        images.add(RUNTIME, tar)
    assert list((tmp_path / "images" / "content").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_images_are_put_over_http(emulator: Emulator) -> None:
    content = tar_of({"churn/__init__.py": b""}).read()
    answer = emulator.call("PUT", f"/gcp-local/images?repository={RUNTIME}", data=content)
    told = answer.json()
    assert told["reference"] == f"{RUNTIME}@{told['digest']}"
    again = emulator.call("PUT", f"/gcp-local/images?repository={RUNTIME}", data=content)
    assert again.json() == told
    tagged = emulator.call("PUT", f"/gcp-local/images?repository={RUNTIME}&tag=v1", data=content)
    assert tagged.json() == told
    for bad in (
        "",
        "?repository=",
        "?repository=../x",
        "?repository=docker.io/x",
        f"?repository={RUNTIME}&tag=a:b",
    ):
        assert emulator.call("PUT", f"/gcp-local/images{bad}", data=content).status_code == 400
