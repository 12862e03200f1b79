"""What the steps of a build find around them: variables, programs, secrets."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_local.builds.failures import BuildFailedError
from gcp_local.builds.messages import FailureType
from gcp_local.errors import ApiError

if TYPE_CHECKING:
    from gcp_local.builds.rooms import Room
    from gcp_local.builds.workshop import Workshop
    from gcp_local.rpc.protos import Message

# Programs that stand in for those of the builders' images: modules of this package.
_PROGRAMS = {
    "docker": "gcp_local.builds.docker",
    "gsutil": "gcp_local.builds.copying.gsutil",
    "gcloud": "gcp_local.builds.copying.gcloud",
}


_PACKAGES = shlex.quote(str(Path(__file__).parents[2]))


def variables(build: Message, room: Room, shop: Workshop) -> dict[str, str]:
    """Give the variables of every step, and lay the programs that their PATH leads to first."""
    _, _, _, location, *_ = build.name.split("/")
    env = shop.host.environment(build.project_id, location)
    env.pop("CLOUD_ML_REGION", None)  # which is of Vertex AI's containers
    env["PATH"] = f"{room.programs}:{env['PATH']}"
    env["GCP_LOCAL"] = shop.endpoint
    env["GCP_LOCAL_DOCKER"] = str(room.daemon)
    # What the delivery engine of this repository reads: a step of a build is no laptop, and has no
    # other way to hear that Google's services are here.
    env["ECLUSE_LOCAL"] = shop.endpoint
    for name, module in _PROGRAMS.items():
        program = room.programs / name
        # With this package on its path, and nothing of the step's image.
        words = shlex.join([sys.executable, "-P", "-s", "-m", module])
        program.write_text(f'#!/bin/sh\nPYTHONPATH={_PACKAGES} exec {words} "$@"\n')
        program.chmod(0o755)
    return env


def secrets(build: Message, shop: Workshop) -> dict[str, str]:
    """Give the values of the build's secrets, by their variables.

    Raises:
        BuildFailedError: nobody put one of them here.

    """
    found = {}
    for secret in build.available_secrets.secret_manager:
        try:
            value = shop.secrets.get(secret.version_name)
        except ApiError as error:
            message = f"failed to access secret version for secret {error.message}"
            raise BuildFailedError(message, FailureType.FAILURE_TYPE_UNSPECIFIED) from None
        found[secret.env] = value.decode(errors="surrogateescape")
    return found
