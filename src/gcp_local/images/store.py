"""The image store: what `docker build` and `docker push` would have left in a registry.

An image is a tree of files that go first on a task's PYTHONPATH. Its digest is that of its
canonical content (sorted names, modes and bytes, nothing else), so that the same sources give the
same digest whenever and wherever they were packed.

A task gets a copy of its own, as a container does: what it changes in there is gone with it. And
each copy is held to the digest, so that whatever happened to this folder, what runs is what the
digest names. Files that were read once and have not been touched since, by the kernel's own account
of it (the change time, which no program can set), are not read again.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import shutil
import stat
import tarfile
import time
import uuid
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from gcp_local.errors import FailedPrecondition, InvalidArgument, NotFound, PayloadTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_UNPACKED_BYTES = 512 * 1024 * 1024
_MAX_FILES = 50_000
_REPOSITORY = re.compile(
    r"[a-z0-9-]+-docker\.pkg\.dev/[a-z0-9:.-]+/[a-z0-9-]+(/[a-z0-9._-]+)+", re.ASCII
)
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_REFERENCE = re.compile(
    r"(?P<repository>[^@]+?)(:(?P<tag>\w[\w.-]{0,127}))?(@sha256:(?P<hex>[0-9a-f]{64}))?", re.ASCII
)
_PUBLIC_PYTHON = re.compile(r"(docker\.io/)?(library/)?python:3(\.\d+){0,2}(-slim)?")
_SETTLED_NANOSECONDS = 2_000_000_000
_Stamps = tuple[tuple[str, int, int, int, int, int], ...]


class ImageStore:
    """The source of truth for which images can be run."""

    def __init__(self, folder: Path) -> None:
        self._content = folder / "content"
        self._references = folder / "references"
        self._proved: dict[str, _Stamps] = {}
        self._content.mkdir(parents=True, exist_ok=True)
        self._references.mkdir(exist_ok=True)
        for unfinished in self._content.glob("*.part"):
            shutil.rmtree(unfinished)
        for unfinished in self._references.glob("*.part"):
            unfinished.unlink()

    def add(self, repository: str, tar: BinaryIO, tag: str | None = None) -> str:
        """Unpack a tar under its digest and record it in the repository; idempotent.

        Args:
            repository: `LOC-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE`.
            tar: an uncompressed or compressed tar of regular files and folders.
            tag: names this image from now on, and no longer the one that it named before.

        Returns:
            The digest, `sha256:…`.

        Raises:
            InvalidArgument: a bad repository name or tag, not a tar, or an entry that is not
                harmless.
            PayloadTooLarge: more than the store takes.

        """
        if not _REPOSITORY.fullmatch(repository):
            raise InvalidArgument(f"Invalid image repository: {repository!r}")
        if tag is not None and not _TAG.fullmatch(tag):
            raise InvalidArgument(f"Invalid image tag: {tag!r}")
        unpacked = self._content / f"{uuid.uuid4().hex}.part"
        unpacked.mkdir()
        try:
            _unpack(tar, unpacked)
            digest = _digest(unpacked)
            target = self._content / digest
            if target.exists() and _digest(target) != digest:
                shutil.rmtree(target)  # it was changed since, and is replaced
            if not target.exists():
                unpacked.rename(target)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
        self._reference_path(repository, f"@{digest}").touch()
        if tag is not None:
            self.tag(repository, f"sha256:{digest}", tag)
        return f"sha256:{digest}"

    def tag(self, repository: str, digest: str, tag: str) -> str:
        """Let a tag name an image that is there, whatever it named before; give the digest."""
        if not _TAG.fullmatch(tag):
            raise InvalidArgument(f"Invalid image tag: {tag!r}")
        path = self._reference_path(repository, f":{tag}")
        unfinished = path.with_name(f"{uuid.uuid4().hex}.part")
        unfinished.write_text(digest.removeprefix("sha256:"))
        unfinished.replace(path)
        return digest

    def untag(self, repository: str, tag: str) -> None:
        """Let a tag name no image any more."""
        self._reference_path(repository, f":{tag}").unlink(missing_ok=True)

    def forget(self, repository: str, digest: str) -> None:
        """Let a repository have an image no more, which others may have still."""
        path = self._reference_path(repository, f"@{digest.removeprefix('sha256:')}")
        path.unlink(missing_ok=True)

    def digest_of(self, image: str) -> str | None:
        """Find the digest (`sha256:…`) that an image's reference names now; None if none.

        As in a registry, a reference without tag and digest means the tag `latest`, and a digest
        counts more than a tag beside it.
        """
        match = _REFERENCE.fullmatch(image)
        if match is None:
            return None
        repository, digest = match["repository"], match["hex"]
        if digest is None:
            try:
                tag = match["tag"] or "latest"
                digest = self._reference_path(repository, f":{tag}").read_text()
            except FileNotFoundError:
                return None
        known = self._reference_path(repository, f"@{digest}").exists()
        return f"sha256:{digest}" if known else None

    def unpack(self, image: str, target: Path) -> None:
        """Lay the files of an image into a new folder, which goes first on a task's PYTHONPATH.

        A public `python:3.x` or `python:3.x-slim` image is the host's Python and has no files.

        Raises:
            NotFound: the image is not in the store; the message names it.
            FailedPrecondition: its files were changed since it was put there.

        """
        if _PUBLIC_PYTHON.fullmatch(image):
            target.mkdir()
            return
        digest = (self.digest_of(image) or "").removeprefix("sha256:")
        if not digest:
            raise NotFound(
                f"Image {image!r} cannot be run on this host. Put its files into the image store"
                " (PUT /gcp-local/images?repository=REPOSITORY&tag=TAG), or start the server with"
                " --image 'PATTERN=COMMAND', the command of this machine that stands for the"
                " image's entry point. Only public python:3.x images run without."
            )
        source = self._content / digest
        stamps = _stamps(source)
        shutil.copytree(source, target, symlinks=True, copy_function=_copy)
        untouched = stamps == _stamps(source)
        if untouched and self._proved.get(digest) == stamps:
            return
        if _digest(target) != digest:
            raise FailedPrecondition(
                f"The files of image {image!r} were changed in the image store, and are no longer"
                " what its digest names. Put the image there again."
            )
        # What was changed a moment ago could be changed once more within the same tick.
        settled = time.time_ns() - max((stamp[-1] for stamp in stamps), default=0)
        if untouched and settled > _SETTLED_NANOSECONDS:
            self._proved[digest] = stamps

    def _reference_path(self, repository: str, what: str) -> Path:
        """Find the file of a digest (`@…`: it is there) or of a tag (`:…`: it holds the digest)."""
        key = hashlib.sha256(f"{repository}{what}".encode()).hexdigest()
        return self._references / key


def _unpack(tar: BinaryIO, target: Path) -> None:
    size = count = 0
    try:
        with tarfile.open(fileobj=tar, mode="r:*") as archive:
            for member in archive:
                path = _harmless(member)
                count, size = count + 1, size + member.size
                if count > _MAX_FILES or size > MAX_UNPACKED_BYTES:
                    raise PayloadTooLarge("The image is larger than the store takes.")
                place = target / path
                if member.isdir():
                    place.mkdir(parents=True, exist_ok=True)
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                content = archive.extractfile(member)
                assert content is not None  # regular files only, see _harmless
                with content, place.open("xb") as file:
                    shutil.copyfileobj(content, file)
                place.chmod(0o755 if member.mode & stat.S_IXUSR else 0o644)
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise InvalidArgument(f"The image is not a tar that can be unpacked: {error}") from error


def _harmless(member: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if not (member.isreg() or member.isdir()):
        raise InvalidArgument(f"Image entry {member.name!r} is neither a file nor a folder.")
    if path.is_absolute() or ".." in path.parts or "\0" in member.name or "\\" in member.name:
        raise InvalidArgument(f"Image entry {member.name!r} leads out of the image.")
    try:
        member.name.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"The name of the image entry {member.name!a} is no UTF-8.") from None
    return path


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for name, path in sorted(_files(folder)):
        if path.is_symlink():  # which no image has, and a changed one may
            mode, content = "link", bytes(path.readlink())
        else:
            mode = "755" if path.stat().st_mode & stat.S_IXUSR else "644"
            content = path.read_bytes()
        total.update(f"{len(name.encode())} {mode} {len(content)}\n{name}".encode())
        total.update(content)
    return total.hexdigest()


def _copy(source: str, target: str) -> str:
    """Copy a file and its mode; its times are nobody's business."""
    return shutil.copy(source, target, follow_symlinks=False)


def _stamps(folder: Path) -> _Stamps:
    """Tell what the kernel says of each file; the last is when it was changed in any way."""
    found = []
    for name, path in sorted(_files(folder)):
        said = path.lstat()
        changes = said.st_mtime_ns, said.st_ctime_ns
        found.append((name, said.st_ino, said.st_mode, said.st_size, *changes))
    return tuple(found)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for parent, folders, names in os.walk(folder):
        # A link to a folder is told among the folders.
        for name in (*names, *(each for each in folders if Path(parent, each).is_symlink())):
            path = Path(parent, name)
            if path.is_symlink() or path.is_file():
                yield path.relative_to(folder).as_posix(), path
