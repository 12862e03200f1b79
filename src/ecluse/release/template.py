"""A compiled pipeline's canonical text, cut where the runtime image's digest goes in."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ecluse.canonical import digest_of
from ecluse.release.canonical_yaml import canonical_yaml, quoted

RUNTIME_IMAGE = "runtime"
"""What a component writes as its base image; a release puts the image's digest in its place."""


@dataclass(frozen=True)
class Template:
    """The canonical text of a pipeline in parts, between which the runtime image is named.

    Attributes:
        parts: one more than there are components in the runtime image.

    """

    parts: tuple[str, ...]

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> "Template":
        """Write a PipelineSpec's canonical text and cut it."""
        text = canonical_yaml(spec)
        # Not to be found in the text: it holds the text's own digest.
        mark = f"runtime image of {digest_of(text)}"
        marked = json.loads(json.dumps(spec))
        for container in containers(marked):
            if container.get("image") == RUNTIME_IMAGE:
                container["image"] = mark
        return cls(tuple(canonical_yaml(marked).decode().split(quoted(mark))))

    @property
    def names_runtime_image(self) -> bool:
        """Whether any component runs in the runtime image."""
        return len(self.parts) > 1

    def content(self, image: str) -> bytes:
        """Return the canonical bytes with this as the runtime image."""
        return quoted(image).join(self.parts).encode()


def containers(spec: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Return the containers of a PipelineSpec's executors."""
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    return [executor["container"] for executor in executors.values() if "container" in executor]
