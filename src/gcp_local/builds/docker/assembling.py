"""What an image would hold: the files that a Dockerfile copies, and what it says of running.

Nothing is run. What `RUN` would install is this machine's matter; what it would write is missing,
and the stand-in says so. The files become a tar as the image store takes it: what Python finds
(below `PYTHONPATH`, `site-packages` and the working directory) lies where Python looks, all else
below `.image/root`, and `.image/config.json` has the entry point, the variables, the instructions.
"""

from __future__ import annotations

import io
import json
import posixpath
import re
import stat
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gcp_local.builds.docker.dockerfile import (
    DockerfileError,
    Instruction,
    Say,
    Stage,
    arguments_of,
    expanded,
)
from gcp_local.builds.docker.ignoring import as_expression

CONFIG, ROOT = ".image/config.json", ".image/root"
_PACKAGES = re.compile(r".*/(?:site|dist)-packages")
# Who owns a file, and how it is laid down, is nothing to a host.
_FLAGS = frozenset({"from", "chmod", "chown", "link"})
_OCTAL = re.compile(r"[0-7]{3,4}")
_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True)
class Image:
    """A stage as far as it is done.

    Attributes:
        files: the bytes and whether they can be executed, by absolute path.
        env: its variables.
        entry_point: what its containers run.
        command: what they run, or with which arguments, if nobody says anything else.
        folder: the working directory.
        said: the instructions that made it, for its digest.

    """

    files: Mapping[str, tuple[bytes, bool]] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    folder: str = "/"
    said: tuple[str, ...] = ()

    def tar(self) -> bytes:
        """Write it as the image store takes it: names, modes and bytes, and nothing of today."""
        config = {
            "entryPoint": self.entry_point,
            "command": self.command,
            "env": dict(sorted(self.env.items())),
            "workingDir": self.folder,
            "instructions": self.said,
        }
        found = {CONFIG: (json.dumps(config, indent=1).encode(), False)}
        for path, content in self.files.items():
            found.setdefault(_name_in_store(path, self), content)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, (data, executable) in sorted(found.items()):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                entry.mode = 0o755 if executable else 0o644
                tar.addfile(entry, io.BytesIO(data))
        return archive.getvalue()


def _name_in_store(path: str, image: Image) -> str:
    for entry in filter(None, [*image.env.get("PYTHONPATH", "").split(":"), image.folder]):
        root = entry.rstrip("/")
        if root and path.startswith(f"{root}/"):
            return path[len(root) + 1 :]
    if match := re.match(rf"{_PACKAGES.pattern}/", path):
        return path[match.end() :]
    return f"{ROOT}{path}"


@dataclass(frozen=True)
class Assembly:
    """One build of an image.

    Attributes:
        stages: of the Dockerfile.
        context: its files, by relative path.
        given: the build arguments.
        arguments: the values of the ARGs before the first stage.
        bases: gives an image of this build's own by its reference.
        say: takes what docker would print.

    """

    stages: Sequence[Stage]
    context: Mapping[str, Path]
    given: Mapping[str, str]
    arguments: Mapping[str, str]
    say: Say

    def of(self, target: str) -> Image:
        """Assemble a stage, the last one if none is named; DockerfileError if it cannot be."""
        if not target:
            return self._assembled(len(self.stages) - 1)
        index = self._index(target, len(self.stages))
        if index is None:
            raise DockerfileError(f"target stage {target!r} could not be found")
        return self._assembled(index)

    def _index(self, name: str, before: int) -> int | None:
        for index in reversed(range(before)):
            if self.stages[index].name == name.lower() or str(index) == name:
                return index
        return None

    def _assembled(self, index: int) -> Image:
        stage = self.stages[index]
        under = self._index(stage.base, index)
        image = self._assembled(under) if under is not None else Image(said=(f"FROM {stage.base}",))
        values: dict[str, str] = {}
        for each in stage.instructions:
            self.say(_written(each)[:120])
            if each.word == "ARG":
                values.update(arguments_of(each, self.given, {**self.arguments, **values}))
                said = f"ARG {each.rest} {json.dumps(values, sort_keys=True)}"
                image = replace(image, said=(*image.said, said))
            else:
                image = self._changed(image, each, index, {**values, **image.env})
        return image

    def _changed(
        self, image: Image, said: Instruction, index: int, values: Mapping[str, str]
    ) -> Image:
        """Carry out one instruction."""
        image = replace(image, said=(*image.said, _written(said)))
        changes: dict[str, Any] = {}
        match said.word:
            case "RUN":
                self.say("  (not run: the embedded cloud runs no container)")
            case "ENV":
                changes["env"] = {**image.env, **_variables(said, values)}
            case "WORKDIR":
                changes["folder"] = _absolute(expanded(said.rest, values), image.folder)
            case "ENTRYPOINT":
                changes["entry_point"] = _command(said)
                # It takes away the CMD of what the stage stands on, but not the stage's own.
                if all(each.word != "CMD" for each in self.stages[index].instructions):
                    changes["command"] = ()
            case "CMD":
                changes["command"] = _command(said)
            case "COPY" | "ADD":
                changes["files"] = {**image.files, **self._copied(image, said, index, values)}
        return replace(image, **changes)

    def _copied(
        self, image: Image, said: Instruction, index: int, values: Mapping[str, str]
    ) -> dict[str, tuple[bytes, bool]]:
        if unknown := sorted(said.flags.keys() - _FLAGS):
            raise DockerfileError(f"line {said.line}: {said.word} --{unknown[0]} is not done here")
        words = [expanded(word, values) for word in said.words()]
        if len(words) < 2 or any(word.startswith("<<") for word in words):
            raise DockerfileError(f"line {said.line}: {said.word} needs sources and a destination")
        *sources, last = words
        target = _absolute(last, image.folder)
        many = last.endswith("/") or last == "." or len(sources) > 1
        origin = said.flags.get("from")
        found: dict[str, tuple[bytes, bool]] = {}
        for source in sources:
            if origin is not None:
                files = self._files_from(expanded(origin, values), index)
            elif "://" in source or source.endswith((".tar", ".tar.gz", ".tgz")) * (
                said.word == "ADD"
            ):
                raise DockerfileError(f"line {said.line}: the stand-in adds files only: {source}")
            else:
                files = {name: _content(path) for name, path in self._context_of(source).items()}
            laid = _laid(files, source, target, many=many)
            if not laid and origin is None:
                raise DockerfileError(
                    f'failed to compute cache key: "/{source.lstrip("/")}": not found'
                )
            if not laid:
                self.say(f"  ({source} is not there: nothing was run that would have made it)")
            found.update(laid)
        if mode := said.flags.get("chmod"):
            if not _OCTAL.fullmatch(mode):
                raise DockerfileError(f"line {said.line}: the stand-in knows octal modes: {mode!r}")
            executable = bool(int(mode, 8) & stat.S_IXUSR)
            found = {path: (content, executable) for path, (content, _) in found.items()}
        return found

    def _files_from(self, origin: str, index: int) -> Mapping[str, tuple[bytes, bool]]:
        stage = self._index(origin, index)
        if stage is None:
            return {}
        image = replace(self, say=lambda _: None)._assembled(stage)
        return {path.lstrip("/"): content for path, content in image.files.items()}

    def _context_of(self, source: str) -> dict[str, Path]:
        """Give the files of the context that a source names, and only those: they are read."""
        wanted = posixpath.normpath("/" + source).lstrip("/")
        if not wanted:
            return dict(self.context)
        fits = re.compile(as_expression(wanted) + "(/.*)?")
        return {name: path for name, path in self.context.items() if fits.fullmatch(name)}


def _laid(
    files: Mapping[str, tuple[bytes, bool]], source: str, target: str, *, many: bool
) -> dict[str, tuple[bytes, bool]]:
    """Lay files where COPY lays them: a folder's contents, or a file under its name or another."""
    wanted = posixpath.normpath("/" + source).lstrip("/")
    fits = re.compile(as_expression(wanted)) if wanted else None
    found = {}
    for name, content in files.items():
        if fits is None:
            found[posixpath.join(target, name)] = content
            continue
        parts = name.split("/")
        heads = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
        head = next((each for each in heads if fits.fullmatch(each)), None)
        if head is None:
            continue
        inside = name[len(head) + 1 :]
        if inside:
            found[posixpath.join(target, inside)] = content
        elif many:
            found[posixpath.join(target, parts[-1])] = content
        else:
            found[target] = content
    return found


def _content(path: Path) -> tuple[bytes, bool]:
    if path.is_symlink() or not path.is_file():
        raise DockerfileError(f"{path.name}: the stand-in copies files, and no links")
    return path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR)


def _written(said: Instruction) -> str:
    flags = "".join(f"--{name}={value} " for name, value in said.flags.items())
    return f"{said.word} {flags}{said.rest}"


def _absolute(path: str, folder: str) -> str:
    return posixpath.normpath(posixpath.join("/", folder, path))


def _command(said: Instruction) -> tuple[str, ...]:
    listed = said.listed()
    return tuple(listed) if listed is not None else (*_SHELL, said.rest)


def _variables(said: Instruction, values: Mapping[str, str]) -> dict[str, str]:
    words = said.words()
    if words and "=" not in words[0]:
        name, _, value = said.rest.partition(" ")
        return {name: expanded(value.strip(), values)}
    return {name: expanded(value, values) for name, _, value in (w.partition("=") for w in words)}
