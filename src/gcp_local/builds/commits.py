"""Commits of repositories, put here by whoever has them: there is no git host to ask.

`PUT /gcp-local/sources?repository=…&commit=…&ref=refs/heads/main` with a tar of the checkout (its
`.git` too, if the build asks git) is what a push would have been.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import tarfile
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REF = re.compile(r"refs/(?:heads|tags)/[^\s~^:?*\[\\]+")


@dataclass(frozen=True)
class Commit:
    """A commit whose files are here."""

    repository: str
    sha: str
    tar: Path


class CommitStore:
    """The source of truth for which commits builds can be made from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.glob("*.part"):
            unfinished.unlink()

    def put(self, repository: str, sha: str, tar: bytes, refs: Sequence[str] = ()) -> Commit:
        """Keep a commit's files, and let refs name it from now on.

        Args:
            repository: its address, `https://github.com/acme/ml`, or its name as a connected
                repository, `projects/…/connections/…/repositories/…`.
            sha: 40 hexadecimal digits.
            tar: the files, compressed or not.
            refs: `refs/heads/main` and `refs/tags/v1`.

        Raises:
            InvalidArgument: any of these is not well formed.

        """
        if not repository:
            raise InvalidArgument("The query parameter 'repository' is required.")
        if not _COMMIT.fullmatch(sha):
            raise InvalidArgument(f"Invalid commit {sha!r}: it must have 40 hexadecimal digits.")
        for ref in refs:
            if not _REF.fullmatch(ref):
                raise InvalidArgument(f"Invalid ref {ref!r}: like refs/heads/main or refs/tags/v1.")
        _check(tar)
        path = self._path(repository, sha)
        self._write(path, tar)
        for ref in refs:
            self._write(self._path(repository, ref), sha.encode())
        return Commit(repository, sha, path)

    def find(self, repository: str, revision: str) -> Commit:
        """Find a commit by its sha, a branch, a tag or a whole ref; NotFound if it is not here."""
        for name in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            path = self._path(repository, name)
            if not path.exists():
                continue
            if _COMMIT.fullmatch(name):
                return Commit(repository, name, path)
            sha = path.read_text()
            return Commit(repository, sha, self._path(repository, sha))
        raise NotFound(
            f"Couldn't read commit {revision!r} of {repository!r}: the embedded cloud reaches no"
            " git host. Put its files here: PUT /gcp-local/sources?repository=REPOSITORY"
            "&commit=SHA&ref=refs/heads/BRANCH with a tar as the body."
        )

    def _path(self, repository: str, name: str) -> Path:
        key = f"{repository.rstrip('/').removesuffix('.git')}\n{name}"
        return self._folder / hashlib.sha256(key.encode()).hexdigest()

    def _write(self, path: Path, content: bytes) -> None:
        unfinished = path.with_name(f"{uuid.uuid4().hex}.part")
        unfinished.write_bytes(content)
        unfinished.replace(path)


def _check(tar: bytes) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:*") as archive:
            archive.getmembers()
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise InvalidArgument(f"The body is not a tar that can be read: {error}") from None
