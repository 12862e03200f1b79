"""Which command of this machine stands for an image's entry point: `--image PATTERN=COMMAND`.

A host cannot run a container image. Whoever knows a command of this machine that does what the
image does says so, and the image can run: the command takes the place of the image's entry point.
A container that names a command of its own runs that, as it would in a container, and needs no
more from a mapping than the word that this machine has what the image has: `PATTERN=` is enough.
"""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class MappingError(ValueError):
    """A mapping that cannot be meant; the message shows it."""


@dataclass(frozen=True)
class ImageMapping:
    """One `PATTERN=COMMAND`.

    Attributes:
        pattern: a glob over the whole reference, as the container names it; `*` matches slashes.
        words: the command, its program an absolute path. Empty: the image has no entry point.

    """

    pattern: str
    words: tuple[str, ...] = ()

    @classmethod
    def parsed(cls, text: str, path: str) -> ImageMapping:
        """Read `PATTERN=COMMAND`; the command is split into words as a shell would, without one.

        Args:
            text: what was given.
            path: where a program without a slash is looked for, as in `$PATH`.

        Raises:
            MappingError: no pattern, unbalanced quotes, or no such program.

        """
        pattern, sign, command = text.partition("=")
        pattern = pattern.strip()
        if not sign or not pattern or any(letter.isspace() for letter in pattern):
            raise MappingError(f"{text!r} is not PATTERN=COMMAND")
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise MappingError(f"the command of {text!r}: {error}") from None
        if not words:
            return cls(pattern)
        program = shutil.which(words[0], path=path)
        if program is None:
            raise MappingError(f"there is no program {words[0]!r}, which {text!r} names")
        # Containers run in a folder of their own.
        return cls(pattern, (str(Path(program).absolute()), *words[1:]))


@dataclass(frozen=True)
class ImageMappings:
    """All mappings of a server, in the order they were given: the first that matches counts."""

    mappings: tuple[ImageMapping, ...] = ()

    @classmethod
    def parsed(cls, texts: Iterable[str], path: str) -> ImageMappings:
        """Read mappings; see `ImageMapping.parsed`."""
        return cls(tuple(ImageMapping.parsed(text, path) for text in texts))

    def entry_point(self, image: str) -> tuple[str, ...] | None:
        """Find the command for an image; empty if it is mapped to none, None if it is not."""
        for mapping in self.mappings:
            if fnmatchcase(image, mapping.pattern):
                return mapping.words
        return None


def lines_of(file: Path) -> list[str]:
    """Read the mappings of a file, one a line; empty lines and those that begin with # are not.

    Raises:
        OSError: it cannot be read.
        MappingError: it is not text.

    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError:
        raise MappingError(f"{file} is not UTF-8 text") from None
    return [line for line in lines if line and not line.startswith("#")]
