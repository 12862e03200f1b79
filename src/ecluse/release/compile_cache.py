"""Compiled pipelines on disk, each taken as it is while everything behind it is as it was.

Behind a pipeline is every file of its folder but pipeline.yaml; every file under pipelines/ that is
no Python and in no pipeline's folder; whatever the compile worker saw being imported, opened,
listed or looked for in vain, wherever it lies; Python, and all packages installed beside kfp. Files
are held against their hash, never their time, so a fresh clone may bring its cache along.

Not seen is what a compiled extension reads in the folder of another pipeline or outside pipelines/,
and what the environment's variables say.
"""

# ruff: noqa: PTH118, PTH208 (thousands of files: paths stay texts)

import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ecluse.release.compile_worker import digest_of_path
from ecluse.release.template import Template

_CACHE_VERSION = 2
_WORKER = Path(__file__).with_name("compile_worker.py")
_PIPELINES = "pipelines"
_NEVER_BEHIND = frozenset({"pipeline.yaml", ".DS_Store"})


def compiler_version() -> str:
    """Return the compiler's name and version, such as `kfp 2.17.0`."""
    return f"kfp {version('kfp')}"


@dataclass(frozen=True)
class Compilation:
    """What compiling a pipeline gave.

    Attributes:
        spec: the PipelineSpec as plain values.
        template: its canonical text.
        read: the sha256 of each file of the repository that was read to make it, by path.
        beside: the same of the files in the pipeline's folder that were not read.

    """

    spec: Mapping[str, Any]
    template: Template
    read: Mapping[str, str]
    beside: Mapping[str, str]


class CompileCache:
    """The compiled pipelines of a repository, .ecluse/compiled/NAME.json each.

    Made for one command: files that change while it works count as they were when it began, and
    what is compiled from them meanwhile does not pass for up to date the next time.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / ".ecluse" / "compiled"
        self._files = _Files(root)
        self._keys: dict[tuple[str, bool], str] = {}

    def read(self, name: str) -> Compilation | None:
        """Return a pipeline as it was compiled, if that was from the very files that are there."""
        # Hashed before the worker may start: whatever changes from now on is a change.
        _ = self._files.everything
        try:
            checksum, _, content = (self._folder / f"{name}.json").read_bytes().partition(b"\n")
            if hashlib.sha256(content).hexdigest().encode() != checksum:
                return None
            kept = json.loads(content)
            if kept["key"] != self._key(name, watched=kept["watched"]):
                return None
            read: dict[str, str | None] = kept["read"]
            if any(self._files.digest(path) != digest for path, digest in read.items()):
                return None
            return self._compilation(name, kept["spec"], Template(tuple(kept["template"])), read)
        except (OSError, ValueError, KeyError, TypeError):
            return None  # none, or one that an older version or a torn disk left: compile

    def write(
        self,
        name: str,
        spec: Mapping[str, Any],
        template: Template,
        read: Mapping[str, str | None],
        *,
        watched: bool,
    ) -> Compilation:
        """Keep what was compiled, whole or not at all; where nothing can be written, do without.

        Args:
            name: the pipeline.
            spec: the PipelineSpec.
            template: its canonical text.
            read: what was read to make it, as the compile worker tells.
            watched: whether the worker saw all that was read.

        """
        kept = {
            "key": self._key(name, watched=watched),
            "watched": watched,
            "read": read,
            "spec": spec,
            "template": template.parts,
        }
        content = json.dumps(kept, ensure_ascii=False).encode("utf-8", "surrogatepass")
        checksum = hashlib.sha256(content).hexdigest().encode()
        partial = self._folder / f".{name}.{os.getpid()}.{threading.get_ident()}"
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(checksum + b"\n" + content)
            partial.replace(self._folder / f"{name}.json")
        return self._compilation(name, spec, template, read)

    def _compilation(
        self,
        name: str,
        spec: Mapping[str, Any],
        template: Template,
        read: Mapping[str, str | None],
    ) -> Compilation:
        files = {
            path: digest
            for path, digest in read.items()
            if digest is not None and not path.startswith(os.sep) and not path.endswith("/")
        }
        own = self._files.own(name)
        beside = {path: digest for path, digest in own.items() if path not in files}
        return Compilation(spec, template, files, beside)

    def _key(self, name: str, *, watched: bool) -> str:
        """Hash what a pipeline depends on whether or not it was seen being read."""
        known = self._keys.get((name, watched))
        if known is not None:
            return known
        files = self._files
        behind = {**files.common, **files.own(name)} if watched else files.everything
        content = json.dumps([self._made_by, sorted(behind.items())])
        key = self._keys[name, watched] = hashlib.sha256(content.encode()).hexdigest()
        return key

    @cached_property
    def _made_by(self) -> list[str]:
        worker = hashlib.sha256(_WORKER.read_bytes()).hexdigest()
        return [str(_CACHE_VERSION), sys.version, worker, *_installed()]


class _Files:
    """The files of a repository as they are when first asked for; each is read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._digests: dict[str, str | None] = {}

    def digest(self, path: str) -> str | None:
        """Return a file's sha256, or that of a folder's names if the path ends in `/`."""
        if path not in self._digests:
            self._digests[path] = digest_of_path(os.path.join(self._root, path))
        return self._digests[path]

    def own(self, pipeline: str) -> dict[str, str]:
        """Return the digests of a pipeline's folder."""
        return self._hashed(self._folders.get(pipeline, []))

    @cached_property
    def common(self) -> dict[str, str]:
        """The digests of what is no Python and belongs to no one pipeline."""
        names = [
            path
            for folder, paths in self._folders.items()
            if f"{_PIPELINES}/{folder}/pipeline.py" not in paths
            for path in paths
            if not path.endswith(".py")
        ]
        return self._hashed(names)

    @cached_property
    def everything(self) -> dict[str, str]:
        """The digests of all that is under pipelines/."""
        return self._hashed([path for paths in self._folders.values() for path in paths])

    @cached_property
    def _folders(self) -> dict[str, list[str]]:
        folders: dict[str, list[str]] = {}
        for path in _walk(os.path.join(self._root, _PIPELINES), f"{_PIPELINES}/"):
            _, first, *rest = path.split("/", 2)
            folders.setdefault(first if rest else "", []).append(path)
        return folders

    def _hashed(self, paths: list[str]) -> dict[str, str]:
        found = ((path, self.digest(path)) for path in paths)
        return {path: digest for path, digest in found if digest is not None}


def _walk(folder: str, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    yield from _walk(entry.path, f"{prefix}{entry.name}/")
            elif entry.name not in _NEVER_BEHIND and entry.is_file():
                yield prefix + entry.name


def _installed() -> list[str]:
    """Return the names and versions of all installed packages, as their folders say."""
    found = set()
    for folder in sys.path:
        with suppress(OSError):
            found |= {
                name
                for name in os.listdir(folder or ".")
                if name.endswith((".dist-info", ".egg-info"))
            }
    return sorted(found)
