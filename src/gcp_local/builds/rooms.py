"""A build's room: the folders that stand in for what a build's machine has.

On Google Cloud every step is a container that has `/workspace` mounted. A host cannot mount there:
each build has a folder of its own in that place, steps run in it, and where a step's command,
environment or script says `/workspace`, `/builder/home`, `/builder/outputs` or the path of one of
its volumes, it gets this folder's path. A program that says `/workspace` of itself finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

WORKSPACE, HOME, OUTPUTS = "/workspace", "/builder/home", "/builder/outputs"


@dataclass(frozen=True)
class Room:
    """The folders of one build, under one folder that is deleted at its end."""

    folder: Path

    @property
    def workspace(self) -> Path:
        """In place of `/workspace`."""
        return self.folder / "workspace"

    @property
    def home(self) -> Path:
        """In place of `/builder/home`, which all steps share."""
        return self.folder / "home"

    @property
    def daemon(self) -> Path:
        """The images that the build's docker has."""
        return self.folder / "docker"

    @property
    def programs(self) -> Path:
        """Programs that stand in for those of the builders' images."""
        return self.folder / "bin"

    @property
    def log(self) -> Path:
        """The whole log."""
        return self.folder / "log.txt"

    def make(self) -> None:
        """Make the folders."""
        for folder in (self.workspace, self.home, self.daemon, self.programs):
            folder.mkdir(parents=True)

    def of_step(self, index: int) -> StepRoom:
        """Make the folders of a step alone."""
        room = StepRoom(self, self.folder / "steps" / str(index))
        for folder in (room.outputs, room.scratch):
            folder.mkdir(parents=True)
        return room


@dataclass(frozen=True)
class StepRoom:
    """The folders of one step."""

    build: Room
    folder: Path

    @property
    def outputs(self) -> Path:
        """In place of `/builder/outputs`."""
        return self.folder / "outputs"

    @property
    def scratch(self) -> Path:
        """In place of `/tmp`, as far as TMPDIR goes."""
        return self.folder / "tmp"

    @property
    def image(self) -> Path:
        """The files of its image."""
        return self.folder / "image"

    def places(self, volumes: list[Message]) -> dict[str, Path]:
        """Tell which folder is in place of which path; make those of the step's volumes."""
        found = {WORKSPACE: self.build.workspace, HOME: self.build.home, OUTPUTS: self.outputs}
        for volume in volumes:
            folder = self.build.folder / "volumes" / volume.name
            folder.mkdir(parents=True, exist_ok=True)
            found[volume.path.rstrip("/")] = folder
        return found


def placed(text: str, places: Mapping[str, Path]) -> str:
    """Put folders in place of the paths that they stand in for, wherever one begins.

    `/workspace` in `cat /workspace/x` and `--out=/workspace` is one; in `gs://b/workspace` and
    `/workspaces` there is none.
    """
    if not any(path in text for path in places):
        return text
    longest_first = sorted(places, key=len, reverse=True)
    names = "|".join(re.escape(path) for path in longest_first)
    return re.sub(rf"(?<![\w./~}}-])({names})(?![\w.-])", lambda match: str(places[match[1]]), text)
