"""Secrets that builds ask Secret Manager for, put here by whoever wants them in a test.

There is no Secret Manager: `PUT /gcp-local/secrets?version=projects/P/secrets/S/versions/1` with
the value as the body stands in for it. The version `latest` is the one that was put last.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.resources.projects import Projects

_VERSION = re.compile(r"(projects/[^/]+/secrets/[\w-]{1,255})/versions/([1-9][0-9]*)")
_MOST_BYTES = 64 * 1024


class SecretStore:
    """The source of truth for secrets. Only this user can read the files."""

    def __init__(self, folder: Path, projects: Projects) -> None:
        self._folder = folder
        self._projects = projects
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, version: str, value: bytes) -> None:
        """Keep a version's value.

        Raises:
            InvalidArgument: a malformed name, or a value that no variable can hold.

        """
        match = _VERSION.fullmatch(version)
        if match is None:
            raise InvalidArgument(
                f"Invalid version {version!r}: like projects/PROJECT/secrets/SECRET/versions/1."
            )
        if len(value) > _MOST_BYTES or b"\0" in value:
            raise InvalidArgument(f"A secret has at most {_MOST_BYTES} bytes, none of them 0.")
        for name in (version, f"{match[1]}/versions/latest"):
            path = self._path(name)
            unfinished = path.with_name(f"{uuid.uuid4().hex}.part")
            with open(unfinished, "wb", opener=_private) as file:
                file.write(value)
            unfinished.replace(path)

    def get(self, version: str) -> bytes:
        """Give the value of a version; NotFound if nobody put it here."""
        try:
            return self._path(version).read_bytes()
        except FileNotFoundError:
            raise NotFound(
                f"Secret [{version}] not found: put it into the embedded cloud with"
                " PUT /gcp-local/secrets?version=VERSION."
            ) from None

    def _path(self, version: str) -> Path:
        key = self._projects.numbered(version)
        return self._folder / hashlib.sha256(key.encode()).hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
