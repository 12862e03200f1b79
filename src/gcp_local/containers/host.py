"""The host of containers: which command of this machine stands for a container, and in what room.

A container gets a folder of its own with a copy of its image's files, a home, a place for temporary
files and a mount in place of `/gcs`; and an environment that holds nothing of the user's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_local.containers.processes import Command
from gcp_local.errors import Unimplemented
from gcp_local.images.mapping import ImageMappings

if TYPE_CHECKING:
    from gcp_local.containers.processes import Launcher
    from gcp_local.images.store import ImageStore

PROGRAMS = os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"])
"""The `PATH` of every container: this server's Python first."""
BOOTSTRAP = Path(__file__).with_name("bootstrap")
MOUNT_VARIABLE = "GCP_LOCAL_MOUNT"
LOG_NAME = "log.txt"


class UnrunnableError(ValueError):
    """No container of this kind runs on this host; the message says why, and what to do."""


@dataclass(frozen=True)
class ContainerHost:
    """Turns containers into commands of this machine.

    Attributes:
        images: where the files of container images are found.
        environment: gives the environment variables of the containers of a (project, location).
        launcher: starts the commands.
        mappings: which command of this machine stands for an image's entry point.
        accelerators_ignored: who asks for a GPU or TPU runs without it.

    """

    images: ImageStore
    environment: Callable[[str, str], dict[str, str]]
    launcher: Launcher
    mappings: ImageMappings = field(default_factory=ImageMappings)
    accelerators_ignored: bool = False

    def check_accelerator(self, who: str, accelerator: str) -> None:
        """Refuse an accelerator, unless the user said that it may be left out.

        Args:
            who: who asks for it, as in `The task 'train'`.
            accelerator: what it is, as in `1 NVIDIA_TESLA_T4`; empty: none is asked for.

        Raises:
            Unimplemented: there is none on this host.

        """
        if accelerator and not self.accelerators_ignored:
            raise Unimplemented(
                f"{who} asks for an accelerator ({accelerator}), and the embedded cloud has none."
                " Start the server with --ignore-accelerators to run without, or leave the"
                " accelerator out."
            )

    def command(
        self,
        image: str,
        words: Sequence[str],
        *,
        arguments: Sequence[str] = (),
        folder: Path,
        mount: Path,
        environment: Mapping[str, str],
        own: Mapping[str, str],
    ) -> Command:
        """Lay out a container's folder and give the command that stands for it.

        Args:
            image: the image's reference.
            words: the container's command; without one, the image's entry point.
            arguments: the container's arguments, which follow the command or the entry point.
            folder: the container's own folder, which exists; its log will be there too.
            mount: the folder in place of `/gcs`.
            environment: the variables common to all containers of a job, from `environment`.
            own: the variables of this container alone.

        Raises:
            UnrunnableError: nothing here can stand for the container.
            ApiError: the image is not in the store, or was damaged there.

        """
        entry_point = self.mappings.entry_point(image)
        files = folder / "image"
        if entry_point is None or self.images.digest_of(image) is not None:
            self.images.unpack(image, files)
        else:
            files.mkdir()
        program = tuple(words) or entry_point
        if not program:
            raise UnrunnableError(
                f"The image {image!r} was to run its own entry point, which is not known on this"
                " host: name a command in the container's spec, or start the server with"
                " --image 'PATTERN=COMMAND'."
            )
        home, scratch = folder / "home", folder / "tmp"
        home.mkdir()
        scratch.mkdir()
        path = [str(BOOTSTRAP), str(files)]
        if own.get("PYTHONPATH"):
            path.append(own["PYTHONPATH"])
        variables = {
            **environment,
            "HOME": str(home),
            "TMPDIR": str(scratch),
            MOUNT_VARIABLE: str(mount),
            **own,
            "PYTHONPATH": ":".join(path),
        }
        return Command((*program, *arguments), variables, home, folder / LOG_NAME)
