"""What a step's image is: one that the build has made, one of the image store, or a stand-in."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gcp_local.builds.builders import builder_of
from gcp_local.builds.docker.assembling import CONFIG
from gcp_local.errors import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.builds.docker.daemon import Daemon
    from gcp_local.containers.host import ContainerHost

# What the image says of these holds in its own file system only.
_OF_THE_IMAGE = frozenset({"PATH", "PYTHONPATH", "HOME", "LD_LIBRARY_PATH"})


class PullError(Exception):
    """There is no such image, as far as this machine goes; the message is docker's."""


@dataclass(frozen=True)
class StepImage:
    """An image whose files lie in a step's room.

    Attributes:
        entry_point: what comes before the step's arguments; None if nobody said.
        command: what runs when the step names nothing.
        env: the image's own variables.
        digest: `sha256:…`, where it has one.
        cached: whether the machine has it without a pull.

    """

    entry_point: tuple[str, ...] | None
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    cached: bool = False


def laid_out(name: str, files: Path, daemon: Daemon, host: ContainerHost) -> StepImage:
    """Lay an image's files into a new folder and tell how it runs.

    Raises:
        PullError: nothing here is that image, or can stand in for it.

    """
    mapped = host.mappings.entry_point(name)
    own = daemon.find(name) if "@" not in name else None
    stored = host.images.digest_of(name)
    if own is not None:
        files.mkdir()
        with tarfile.open(own) as tar:
            tar.extractall(files, filter="data")
        return _of_files(files, mapped, digest="", cached=True)
    if stored is not None:
        try:
            host.images.unpack(name, files)
        except ApiError as error:
            raise PullError(error.message) from None
        return _of_files(files, mapped, digest=stored, cached=False)
    files.mkdir()
    if mapped is not None:
        return StepImage(mapped)
    builder = builder_of(name)
    if builder is None:
        raise PullError(
            f"pull access denied for {name.partition('@')[0]}, repository does not exist or may"
            " require 'docker login' (the embedded cloud runs no containers: it has stand-ins for"
            " common builders and the images that were pushed to it; name the command of this"
            " machine that is this image's: --image 'PATTERN=COMMAND')"
        )
    _, _, digest = name.partition("@")
    return StepImage(builder.entry_point, builder.command, digest=digest, cached=True)


def _of_files(
    files: Path, mapped: tuple[str, ...] | None, *, digest: str, cached: bool
) -> StepImage:
    try:
        config = json.loads((files / CONFIG).read_text(encoding="utf-8"))
        entry_point, command = _words(config["entryPoint"]), _words(config["command"])
        env = {str(name): str(value) for name, value in config["env"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        # Files alone, as `PUT /gcp-local/images` has them: nobody said how it runs.
        return StepImage(mapped, digest=digest, cached=cached)
    for name in _OF_THE_IMAGE & env.keys():
        del env[name]
    return StepImage(entry_point if mapped is None else mapped, command, env, digest, cached)


def _words(said: list[str]) -> tuple[str, ...]:
    return tuple(map(str, said))
