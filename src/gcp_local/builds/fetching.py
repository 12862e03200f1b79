"""A build's source: found and settled when the build is made, unpacked when it begins."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from gcp_local.builds.archives import UnreadableError, unpack
from gcp_local.builds.failures import BuildFailedError
from gcp_local.builds.messages import FailureType, HashType, Verify
from gcp_local.errors import ApiError, InvalidArgument, NotFound, Unimplemented

if TYPE_CHECKING:
    from gcp_local.builds.commits import Commit, CommitStore
    from gcp_local.builds.log import BuildLog
    from gcp_local.builds.rooms import Room
    from gcp_local.builds.workshop import Workshop
    from gcp_local.rpc.protos import Message
    from gcp_local.storage.objects import ObjectStore

_HASHES = {HashType.SHA256: "sha256", HashType.MD5: "md5", HashType.SHA512: "sha512"}


def settle(build: Message, objects: ObjectStore, commits: CommitStore) -> None:
    """Say in a build's provenance which very source it has, and with which hashes.

    Raises:
        InvalidArgument: no such object, or a source without its required fields.
        Unimplemented: this stand-in cannot fetch such a source.

    """
    kind = build.source.WhichOneof("source")
    if kind is None:
        return
    provenance = build.source_provenance
    if kind == "storage_source":
        said = build.source.storage_source
        generation = _generation(said, objects)
        provenance.resolved_storage_source.CopyFrom(said)
        provenance.resolved_storage_source.generation = generation
        _hash(build, said.bucket, said.object_, generation, objects)
        return
    if kind == "storage_source_manifest":
        raise Unimplemented("The embedded Cloud Build has no source.storage_source_manifest.")
    commit = commit_of(build.source, build.project_id, commits)
    resolved = getattr(provenance, f"resolved_{kind}")
    resolved.CopyFrom(getattr(build.source, kind))
    setattr(resolved, "commit_sha" if kind == "repo_source" else "revision", commit.sha)


def commit_of(source: Message, project: str, commits: CommitStore) -> Commit:
    """Find the commit that a source in a repository names.

    Raises:
        InvalidArgument: it names no repository or no revision.
        Unimplemented: the commit is not here, and nothing can fetch it.

    """
    kind = source.WhichOneof("source")
    said = getattr(source, kind)
    folder = PurePosixPath(said.dir_)
    if folder.is_absolute() or ".." in folder.parts:
        _refuse(f"{kind}.dir", f"{said.dir_!r} must be a relative path")
    if kind == "git_source":
        repository, revision = said.url, said.revision or "refs/heads/main"
    elif kind == "connected_repository":
        repository, revision = said.repository, said.revision
    else:
        chosen = said.WhichOneof("revision")
        revision = getattr(said, chosen) if chosen else ""
        owner = said.project_id or project
        repository = f"projects/{owner}/repos/{said.repo_name}" if said.repo_name else ""
    if not repository or not revision:
        _refuse(kind, "a repository and a revision are required")
    try:
        return commits.find(repository, revision)
    except NotFound as error:
        raise Unimplemented(error.message) from None


def fetch(build: Message, room: Room, shop: Workshop, log: BuildLog) -> Path:
    """Unpack a build's source into its workspace; give the folder that steps are relative to.

    Raises:
        BuildFailedError: it has gone, or is no archive.

    """
    kind = build.source.WhichOneof("source")
    if kind is None:
        return room.workspace
    log.say("FETCHSOURCE")
    try:
        if kind == "storage_source":
            archive = _download(build.source_provenance.resolved_storage_source, room, shop, log)
            unpack(archive, room.workspace)
            return room.workspace
        resolved = getattr(build.source_provenance, f"resolved_{kind}")
        commit = commit_of(build.source, build.project_id, shop.commits)
        sha = resolved.commit_sha if kind == "repo_source" else resolved.revision
        log.say(f"Fetching commit {sha} of {commit.repository}")
        unpack(shop.commits.find(commit.repository, sha).tar, room.workspace)
    except (UnreadableError, ApiError) as error:
        message = f"error fetching source: {error}"
        raise BuildFailedError(message, FailureType.FETCH_SOURCE_FAILED) from None
    log.say(f"HEAD is now at {sha[:7]}")
    folder: Path = room.workspace / getattr(build.source, kind).dir_
    if not folder.is_dir():
        message = f"error fetching source: there is no folder {folder.name!r} in the source"
        raise BuildFailedError(message, FailureType.FETCH_SOURCE_FAILED)
    return folder


def _generation(said: Message, objects: ObjectStore) -> int:
    if not said.bucket or not said.object_:
        _refuse("storage_source", "bucket and object are required")
    if said.generation < 0:
        _refuse("storage_source.generation", "value must not be negative")
    try:
        found = objects.get(said.bucket, said.object_, generation=said.generation or None)
    except NotFound as error:
        raise InvalidArgument.of_field(
            "build.source",
            f"could not resolve source: googleapi: Error 404: {error.message}, notFound",
        ) from None
    return found.generation


def _hash(build: Message, bucket: str, name: str, generation: int, objects: ObjectStore) -> None:
    """Note the hashes that were asked for; a build that is to be verified has SHA256."""
    wanted = list(build.options.source_provenance_hash)
    if build.options.requested_verify_option == Verify.VERIFIED and not wanted:
        wanted = [HashType.SHA256]
    key = f"gs://{bucket}/{name}#{generation}"
    for kind in dict.fromkeys(wanted):
        if kind not in _HASHES:
            continue
        _, file = objects.open(bucket, name, generation=generation)
        digest = hashlib.new(_HASHES[kind])
        with file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        entry = build.source_provenance.file_hashes[key].file_hash.add()
        entry.type_, entry.value = kind, digest.digest()


def _download(said: Message, room: Room, shop: Workshop, log: BuildLog) -> Path:
    uri = f"gs://{said.bucket}/{said.object_}#{said.generation}"
    log.say(f"Fetching storage object: {uri}", f"Copying {uri}...")
    _, file = shop.objects.open(said.bucket, said.object_, generation=said.generation)
    target = room.folder / "source"
    with file, target.open("wb") as copy:
        shutil.copyfileobj(file, copy)
    log.say("Operation completed over 1 objects.")
    return target


def _refuse(field: str, message: str) -> None:
    where = f"build.source.{field}"
    raise InvalidArgument.of_field(where, f"invalid value for '{where}': {message}")
