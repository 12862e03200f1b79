"""The tool image of an environment: what the builds of its triggers run `ecluse` in.

    LEDGER/tool.json   the image of the last promotion here that had one

It is one for the environment and not one a pipeline: whoever reads the ledger must be no older
than whoever wrote it.
"""

import json
import os
import re

from ecluse import clock
from ecluse.cloud import Cloud
from ecluse.errors import InvalidInput, NoToolImage, Refused

VARIABLE = "ECLUSE_TOOL_IMAGE"
_IMAGE = re.compile(r"[^\s@$]+@sha256:[0-9a-f]{64}")


def given_tool_image() -> str | None:
    """Return the image that this very command runs in, as cloudbuild/ tells it; none elsewhere.

    Raises:
        InvalidInput: the variable is set, and not to an image by digest.

    """
    image = os.environ.get(VARIABLE) or None
    if image is not None and not _IMAGE.fullmatch(image):
        raise InvalidInput(
            f"`{image}` is no image by digest",
            where=VARIABLE,
            fix="set it to what `ecluse image ENVIRONMENT tool` prints",
        )
    return image


def recorded_tool_image(cloud: Cloud) -> str | None:
    """Return the image that an environment's triggers are to run in; none if none is recorded.

    Raises:
        Refused: the object cannot be read.

    """
    address = _address(cloud)
    found = cloud.storage.read(address)
    if found is None:
        return None
    try:
        image = json.loads(found.content)["image"]
    except (ValueError, KeyError, TypeError):
        image = None
    if not isinstance(image, str) or not _IMAGE.fullmatch(image):
        raise Refused(
            "names no tool image",
            where=address,
            fix="delete the object, then promote again: the promotion writes it anew",
        )
    return image


def record_tool_image(cloud: Cloud, image: str, *, by: str) -> None:
    """Let an environment's triggers run in an image from now on. For the lease's holder alone."""
    if recorded_tool_image(cloud) != image:
        said = {"image": image, "at": clock.rfc3339(clock.now()), "by": by}
        cloud.storage.write(_address(cloud), json.dumps(said, sort_keys=True, indent=1).encode())


def no_tool_image(environment: str) -> NoToolImage:
    """Return the error of an environment where triggers are wanted and no image is known."""
    return NoToolImage(
        "triggers are wanted, and no image is known that their builds could run `ecluse` in",
        where=f"environments/{environment}.yaml",
        fix=f'export {VARIABLE}="$(ecluse image {environment} tool)", then promote again',
    )


def _address(cloud: Cloud) -> str:
    return f"{cloud.environment.ledger}/tool.json"
