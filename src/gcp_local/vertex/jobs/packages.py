"""Python packages of a training program: unpacked beside it instead of installed.

Vertex AI installs them by pip in a container of the job's own. Here that would change the Python
that everything runs in; so a package's files go first on the job's path, and what it requires must
be there already. Its setup.py is not run: a package that has to be built does not work.
"""

from __future__ import annotations

import lzma
import re
import shutil
import tarfile
import zipfile
import zlib
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from gcp_local.vertex.jobs.lifecycle import JobFailedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO

_MAX_BYTES = 512 * 1024 * 1024
_MAX_FILES = 50_000
# What a damaged archive makes of the readers; RuntimeError: a zip that asks for a password.
_UNREADABLE = (
    tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
_REQUIRES = re.compile(r"Requires-Dist: (.+)")


def unpack(archive: Path, name: str, target: Path) -> list[Path]:
    """Unpack a source distribution or a wheel, and check what it requires.

    Args:
        archive: the file.
        name: what it is called, which tells its kind.
        target: a folder to be made.

    Returns:
        The folders to put on the path.

    Raises:
        JobFailedError: it is no package, holds what is not harmless, or requires what is not there.

    """
    target.mkdir(parents=True)
    try:
        if name.endswith((".whl", ".zip")):
            with zipfile.ZipFile(archive) as opened:
                _lay(_zipped(opened), target)
        elif name.endswith((".tar.gz", ".tgz", ".tar")):
            with tarfile.open(archive, "r:*") as packed:
                _lay(_packed(packed), target)
        else:
            raise JobFailedError(
                f"{name!r} is no Python package: a source distribution (.tar.gz) or a wheel."
            )
    except _UNREADABLE as error:
        raise JobFailedError(f"The package {name!r} cannot be unpacked: {error}") from error
    inner = list(target.iterdir())
    root = target
    if not name.endswith(".whl") and len(inner) == 1 and inner[0].is_dir():
        root = inner[0]
    missing = sorted(each for each in _requirements(root) if not _satisfied(each))
    if missing:
        raise JobFailedError(
            f"The package {name!r} requires {', '.join(missing)}. The embedded cloud installs"
            " nothing into the Python it runs in: put it into that environment beforehand."
        )
    return [root / "src", root] if (root / "src").is_dir() else [root]


def _packed(archive: tarfile.TarFile) -> Iterator[tuple[str, int, IO[bytes]]]:
    for member in archive:
        if member.isdir():
            continue
        content = archive.extractfile(member) if member.isreg() else None
        if content is None:
            raise JobFailedError(f"The package's entry {member.name!r} is no file or folder.")
        yield member.name, member.size, content


def _zipped(archive: zipfile.ZipFile) -> Iterator[tuple[str, int, IO[bytes]]]:
    for entry in archive.infolist():
        if not entry.is_dir():
            yield entry.filename, entry.file_size, archive.open(entry)


def _lay(entries: Iterable[tuple[str, int, IO[bytes]]], target: Path) -> None:
    count = size = 0
    for name, length, content in entries:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name:
            raise JobFailedError(f"The package's entry {name!r} leads out of the package.")
        count, size = count + 1, size + length
        if count > _MAX_FILES or size > _MAX_BYTES:
            raise JobFailedError("The package is larger than the embedded cloud takes.")
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with content, place.open("wb") as file:
            shutil.copyfileobj(content, file)


def _requirements(root: Path) -> set[str]:
    """Find what a package says it requires: of a wheel, and as setuptools notes it in an sdist."""
    found: set[str] = set()
    for file in (*root.glob("*.dist-info/METADATA"), root / "PKG-INFO"):
        if file.is_file():
            found.update(_REQUIRES.findall(file.read_text(encoding="utf-8", errors="replace")))
    for file in (*root.glob("*.egg-info/requires.txt"), *root.glob("src/*.egg-info/requires.txt")):
        # What stands under a [heading] is optional.
        always = file.read_text(encoding="utf-8", errors="replace").partition("[")[0]
        found.update(line.strip() for line in always.splitlines() if line.strip())
    return found


def _satisfied(requirement: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(requirement)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            return True
        return wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    except (InvalidRequirement, metadata.PackageNotFoundError):
        return False
