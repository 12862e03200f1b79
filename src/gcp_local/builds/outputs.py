"""What a build leaves behind when its steps have succeeded: images pushed, files uploaded."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.builds.docker.daemon import Daemon, split
from gcp_local.builds.failures import BuildFailedError
from gcp_local.builds.messages import FailureType, HashType
from gcp_local.errors import ApiError
from gcp_local.registry.images import package_of
from gcp_local.rpc.protos import Message, timestamp

if TYPE_CHECKING:
    from gcp_local.builds.log import BuildLog
    from gcp_local.builds.rooms import Room
    from gcp_local.builds.workshop import Workshop


def span(into: Message, began: datetime, ended: datetime) -> None:
    """Write a `TimeSpan`."""
    into.start_time.CopyFrom(timestamp(began))
    into.end_time.CopyFrom(timestamp(ended))


def push_images(build: Message, room: Room, shop: Workshop, log: BuildLog) -> None:
    """Push the images that the build names, and note their digests in its results.

    Raises:
        BuildFailedError: the build has not made one of them, or it cannot be pushed.

    """
    daemon = Daemon(room.daemon)
    wanted: list[str] = []
    missing = []
    for image in build.images:
        name, tag = split(image)
        # Without a tag, all tags that the build has made of it are meant.
        found = daemon.tags_of(name) if not tag else [image] if daemon.find(image) else []
        wanted += found
        if not found:
            missing.append(image)
    if missing:
        raise BuildFailedError(
            "failed to find one or more images after execution of build steps:"
            f" {json.dumps(missing)}",
            FailureType.PUSH_IMAGE_NOT_FOUND,
        )
    for reference in dict.fromkeys(wanted):
        began = clock.now()
        log.say(f"Pushing {reference}")
        name, tag = split(reference)
        tar = daemon.find(reference)
        assert tar is not None  # found above, and a build's docker forgets nothing
        try:
            with tar.open("rb") as file:
                digest = shop.registry.push(name, file, tag)
        except ApiError as error:
            message = f"failed to push {reference}: {error.message}"
            raise BuildFailedError(message, FailureType.PUSH_FAILED) from None
        log.say(f"{tag}: digest: {digest} size: {tar.stat().st_size}")
        result = build.results.images.add(name=reference, digest=digest)
        result.artifact_registry_package = package_of(name)
        span(result.push_timing, began, clock.now())


def upload_objects(build: Message, room: Room, shop: Workshop, log: BuildLog) -> None:
    """Upload the files that the build names, and a manifest of them.

    Raises:
        BuildFailedError: a path fits no file, or the bucket takes none.

    """
    objects = build.artifacts.objects
    began = clock.now()
    location = objects.location.rstrip("/") + "/"
    bucket, _, prefix = location.removeprefix("gs://").partition("/")
    log.say(f"Artifacts will be uploaded to {location}")
    lines = []
    try:
        for path in _matching(list(objects.paths), room.workspace):
            log.say(f"{path.relative_to(room.workspace)}: Uploading path....")
            written = shop.objects.write(bucket, prefix + path.name, path)
            lines.append(_result(path, f"{location}{path.name}#{written.generation}"))
        manifest = f"artifacts-{build.id}.json"
        content = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
        shop.objects.write(bucket, prefix + manifest, content, content_type="application/json")
    except (ApiError, OSError) as error:
        message = f"failed to upload artifacts: {error}"
        raise BuildFailedError(message, FailureType.PUSH_FAILED) from None
    log.say(f"{len(lines)} artifacts uploaded. Manifest: {location}{manifest}")
    build.results.artifact_manifest = location + manifest
    build.results.num_artifacts = len(lines)
    span(build.results.artifact_timing, began, clock.now())
    span(objects.timing, began, clock.now())


def _matching(patterns: list[str], workspace: Path) -> list[Path]:
    found: dict[Path, None] = {}
    for pattern in patterns:
        inside = pattern.removeprefix("/workspace/")
        files = [
            path
            for path in _found(workspace, inside)
            if path.is_file() and path.resolve().is_relative_to(workspace.resolve())
        ]
        if not files:
            raise BuildFailedError(
                f"failed to find one or more artifacts after execution of build steps: {pattern}",
                FailureType.PUSH_FAILED,
            )
        found.update(dict.fromkeys(files))
    return list(found)


def _found(workspace: Path, pattern: str) -> list[Path]:
    try:
        return sorted(workspace.glob(pattern))
    except (NotImplementedError, ValueError):  # absolute, or no pattern at all
        return []


def _result(path: Path, location: str) -> dict[str, object]:
    """Describe an uploaded file as the manifest does: an `ArtifactResult`."""
    digest = base64.b64encode(hashlib.md5(path.read_bytes(), usedforsecurity=False).digest())
    kind = int(HashType.MD5)
    return {
        "location": location,
        "file_hash": [{"file_hash": [{"type": kind, "value": digest.decode()}]}],
    }
