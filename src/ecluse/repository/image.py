"""What an image is made of, and the tag that says so.

An image's tag is the hash of everything that goes into it, so "is there an image for these
sources?" is a look-up, and a change elsewhere in the repository builds nothing.
"""

import io
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

from ecluse.canonical import digest_of, digest_of_value, short
from ecluse.errors import InvalidInput, SettingsError
from ecluse.repository.catalog import Catalog

_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE)
_COPY_FROM = re.compile(r"--from=(\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class ImageSource:
    """The sources of one image.

    Attributes:
        name: `runtime` or another of [tool.ecluse.images].
        target: the Dockerfile's stage.
        tag: the hash of the sources and of the Dockerfile's stages behind the target.

    """

    name: str
    target: str
    tag: str

    def reference(self, repository: str) -> str:
        """Return `REPOSITORY/NAME:TAG`."""
        return f"{repository}/{self.name}:{self.tag}"


def image_source(catalog: Catalog, name: str) -> ImageSource:
    """Hash the sources of an image.

    Raises:
        InvalidInput: pyproject.toml declares no such image.
        SettingsError: a source or the Dockerfile's stage is missing.

    """
    images = catalog.project.images
    if name not in images:
        raise InvalidInput(
            f"no image `{name}` is declared",
            where="pyproject.toml, [tool.ecluse.images]",
            fix=f"there are: {', '.join(sorted(images))}" if images else "declare it",
        )
    settings = images[name]
    stages = _stages_behind(catalog.root / settings.dockerfile, settings.target)
    files = {
        file.relative_to(catalog.root).as_posix(): digest_of(file.read_bytes())
        for file in catalog.files_of(settings.sources)
    }
    tag = short(digest_of_value({"stages": stages, "files": files}), 20)
    return ImageSource(name=name, target=settings.target, tag=tag)


def python_files_archive(catalog: Catalog, name: str) -> bytes:
    """Return a tar of an image's sources as they stand on PYTHONPATH, for the embedded cloud.

    The embedded cloud has no container engine: there an image is these files, put before everything
    else that Python finds. Names, modes and bytes only, so equal sources make equal archives.
    """
    settings = catalog.project.images[name]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in catalog.files_of(settings.sources):
            relative = file.relative_to(catalog.root)
            if relative.parts[0] == "src":
                relative = relative.relative_to("src")
            entry = tarfile.TarInfo(relative.as_posix())
            content = file.read_bytes()
            entry.size = len(content)
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def _stages_behind(dockerfile: Path, target: str) -> list[str]:
    """Return the text of a Dockerfile's target stage and of the stages that it stands on.

    What comes before the first FROM counts; the stages of other targets do not, so that a change of
    the tool image does not touch the runtime image.
    """
    if not dockerfile.exists():
        raise SettingsError("the file is missing", where=dockerfile.name)
    head: list[str] = []
    stages: dict[str, list[str]] = {}
    bases: dict[str, set[str]] = {}
    current: str | None = None
    for line in dockerfile.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("#") or not line.strip():
            continue
        if match := _FROM.match(line.strip()):
            current = (match[2] or f"stage {len(stages)}").lower()
            stages[current], bases[current] = [], {match[1].lower()}
        if current is None:
            head.append(line)
        else:
            stages[current].append(line)
            bases[current] |= {other.lower() for other in _COPY_FROM.findall(line)}
    if target.lower() not in stages:
        raise SettingsError(f"there is no stage `{target}`", where=dockerfile.name)
    needed, pending = set[str](), [target.lower()]
    while pending:
        stage = pending.pop()
        if stage in stages and stage not in needed:
            needed.add(stage)
            pending.extend(bases[stage])
    return head + [line for name, lines in stages.items() if name in needed for line in lines]
