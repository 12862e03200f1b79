"""Which files of a folder are a build's context: `.dockerignore`, as moby reads it.

The last pattern that matches a file, or a folder that it is in, decides; `!` takes back.
Source: https://docs.docker.com/build/concepts/context/#dockerignore-files.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Pattern:
    """One line of the file."""

    parts: tuple[str, ...]
    taken_back: bool

    def matches(self, path: PurePosixPath) -> bool:
        """Tell whether it matches the path, or a folder that it is in."""
        fits = re.compile(as_expression("/".join(self.parts)))
        return any(fits.fullmatch(str(each)) for each in (path, *path.parents[:-1]))

    def may_match_below(self, folder: PurePosixPath) -> bool:
        """Tell whether something in a folder may match."""
        for pattern, part in zip(self.parts, folder.parts, strict=False):
            if pattern == "**":
                return True
            if not fnmatchcase(part, pattern):
                return False
        return True


def read_patterns(text: str) -> list[Pattern]:
    """Read the lines of a `.dockerignore`."""
    found = []
    for line in text.splitlines():
        said = line.strip()
        if not said or line.startswith("#"):
            continue
        taken_back = said.startswith("!")
        path = os.path.normpath(said.removeprefix("!").strip()).lstrip("/")
        found.append(Pattern(tuple(path.split("/")), taken_back))
    return found


def files_of(context: Path, patterns: Sequence[Pattern]) -> Iterator[tuple[str, Path]]:
    """Go through the files of a context that are not ignored, by their relative paths, sorted."""
    back = [pattern for pattern in patterns if pattern.taken_back]
    for parent, folders, names in os.walk(context):
        inside = PurePosixPath(Path(parent).relative_to(context).as_posix())
        folders[:] = sorted(
            name
            for name in folders
            if not _ignored(inside / name, patterns)
            or any(pattern.may_match_below(inside / name) for pattern in back)
        )
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in sorted([*names, *links]):
            if not _ignored(inside / name, patterns):
                yield str(inside / name), Path(parent, name)


def _ignored(path: PurePosixPath, patterns: Sequence[Pattern]) -> bool:
    ignored = False
    for pattern in patterns:
        if pattern.taken_back is ignored and pattern.matches(path):
            ignored = not pattern.taken_back
    return ignored


def as_expression(pattern: str) -> str:
    """Write a pattern of Go's `filepath.Match`, with `**`, as a regular expression."""
    out, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            out, at = out + ".*", at + 2
        elif pattern[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif pattern[at] == "?":
            out, at = out + "[^/]", at + 1
        elif pattern[at] == "[" and (end := pattern.find("]", at + 2)) > 0:
            out, at = out + pattern[at : end + 1], end + 1
        else:
            out, at = out + re.escape(pattern[at]), at + 1
    return out
