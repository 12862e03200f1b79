"""What the docker of one build has: images as tars, and the references that name them.

Only this module's standard library: a step starts it as a program.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAGGED = re.compile(r"(?P<name>[^@\s]+?)(?::(?P<tag>[\w][\w.-]{0,127}))?", re.ASCII)


class Daemon:
    """The source of truth for the images of one build that are not pushed yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, tar: bytes, references: list[str]) -> str:
        """Keep an image under all these references; give its id."""
        image = hashlib.sha256(tar).hexdigest()
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f"{uuid.uuid4().hex}.part"
        unfinished.write_bytes(tar)
        unfinished.replace(self._folder / f"{image}.tar")
        with self._locked() as known:
            known.update({complete(reference): image for reference in references})
        return f"sha256:{image}"

    def tag(self, old: str, new: str) -> bool:
        """Name an image by one more reference; False if there is no such image."""
        with self._locked() as known:
            image = known.get(complete(old))
            if image is None:
                return False
            known[complete(new)] = image
        return True

    def find(self, reference: str) -> Path | None:
        """Find the tar of an image."""
        with self._locked() as known:
            image = known.get(complete(reference))
        return None if image is None else self._folder / f"{image}.tar"

    def tags_of(self, name: str) -> list[str]:
        """List the references of an image's name, without its tag."""
        with self._locked() as known:
            return sorted(each for each in known if split(each)[0] == name)

    @contextmanager
    def _locked(self) -> Iterator[dict[str, str]]:
        """Hold the list of references, for all processes; what is changed is kept."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "references.json").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            known: dict[str, str] = json.loads(file.read() or "{}")
            before = dict(known)
            yield known
            if known != before:
                file.seek(0)
                file.truncate()
                file.write(json.dumps(known))


def split(reference: str) -> tuple[str, str]:
    """Split a reference without a digest into its name and its tag, which may be empty."""
    match = _TAGGED.fullmatch(reference)
    if match is None:
        return reference, ""
    return match["name"], match["tag"] or ""


def complete(reference: str) -> str:
    """Give a reference its tag, which is `latest` if it has none."""
    name, tag = split(reference)
    return f"{name}:{tag or 'latest'}"
