"""Which programs of this machine stand in for the images that builds usually run in.

`gcr.io/cloud-builders/…` are Google's own; the others are common ones of Docker Hub. What none of
them fits is not run: the user may know better, by `--image PATTERN=COMMAND`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_GOOGLES = re.compile(r"(?:[a-z]+\.)?gcr\.io/cloud-builders/(?P<name>[a-z-]+)")
_SDK = re.compile(
    r"(?:gcr\.io/google\.com/cloudsdktool/)?(?:google/)?(?:google-)?cloud-(?:sdk|cli)"
)
_HUB = re.compile(r"(?:(?:index\.)?docker\.io/)?(?:library/)?(?P<name>[a-z0-9/-]+)")
_MIRROR = "mirror.gcr.io/library/"
# What Google's builders are called and this machine may have under the same name.
_SAME_NAME = frozenset(
    {"bazel", "curl", "docker", "gcloud", "git", "go", "gradle", "gsutil", "javac", "mvn",
     "node", "npm", "wget", "yarn"}
)  # fmt: skip
_HUBS_PROGRAMS = {
    "docker": "docker",
    "alpine/git": "git",
    "bitnami/git": "git",
    "curlimages/curl": "curl",
}
_SHELLS = {"alpine": "sh", "bash": "bash", "busybox": "sh", "debian": "bash", "ubuntu": "bash"}
_TAGGED = re.compile(r"(?P<name>[^@]+?)(?::(?P<tag>[\w][\w.-]*))?(?:@sha256:[0-9a-f]{64})?")


@dataclass(frozen=True)
class Builder:
    """What an image is, as far as running it goes.

    Attributes:
        entry_point: what comes before a step's arguments.
        command: what runs when a step names nothing.

    """

    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


def builder_of(image: str) -> Builder | None:
    """Find what stands in for an image; None if nothing does."""
    tagged = _TAGGED.fullmatch(image)
    if tagged is None:
        return None
    name, tag = tagged["name"].removeprefix(_MIRROR), tagged["tag"] or ""
    if match := _GOOGLES.fullmatch(name):
        return Builder((match["name"],)) if match["name"] in _SAME_NAME else None
    if _SDK.fullmatch(name) and "/" in name:
        return Builder((), ("bash",))
    found = _HUB.fullmatch(name)
    return _of_hub(found["name"], tag) if found else None


def _of_hub(name: str, tag: str) -> Builder | None:
    if name in _HUBS_PROGRAMS:
        return Builder((_HUBS_PROGRAMS[name],))
    if name in _SHELLS:
        return Builder((), (_SHELLS[name],))
    if name == "python" and not tag.startswith("2"):
        return Builder((), ("python3",))
    return None
