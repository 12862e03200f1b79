"""The host of containers: which command of this machine stands for a container, and in what room.

A container gets a folder of its own with a copy of its image's files, a home, a place for temporary
files and a mount in place of `/gcs`; and an environment that holds nothing of the user's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_local.containers.processes import Command

if TYPE_CHECKING:
    from gcp_local.containers.processes import Launcher
    from gcp_local.images.store import ImageStore

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

    """

    images: ImageStore
    environment: Callable[[str, str], dict[str, str]]
    launcher: Launcher

    def command(
        self,
        image: str,
        words: Sequence[str],
        *,
        folder: Path,
        mount: Path,
        environment: Mapping[str, str],
        own: Mapping[str, str],
    ) -> Command:
        """Lay out a container's folder and give the command that stands for it.

        Args:
            image: the image's reference.
            words: the container's command and arguments; without any, the image's entry point.
            folder: the container's own folder, which exists; its log will be there too.
            mount: the folder in place of `/gcs`.
            environment: the variables common to all containers of a job, from `environment`.
            own: the variables of this container alone.

        Raises:
            UnrunnableError: nothing here can stand for the container.
            ApiError: the image is not in the store, or was damaged there.

        """
        files = folder / "image"
        self.images.unpack(image, files)
        if not words:
            raise UnrunnableError(
                f"The image {image!r} was to run its own entry point, which is not known"
                " on this host: the component must name a command."
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
        return Command(tuple(words), variables, home, folder / LOG_NAME)
