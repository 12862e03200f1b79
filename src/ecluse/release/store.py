"""Where releases are kept: EVIDENCE/releases/COMMIT/, written once.

Beside the manifest lies its signature, by the environment that keeps it, so that what another
environment takes from there is what this one kept.
"""

from collections.abc import Mapping, Sequence

from ecluse.cloud import Cloud
from ecluse.errors import InvalidInput, Refused, ReleaseAltered
from ecluse.ledger.signing import opened, signed
from ecluse.release.manifest import MANIFEST, Release, parse_release, verify_release
from ecluse.repository.commit import ABBREVIATED

_SIGNATURE = "signature.json"


def publish_release(cloud: Cloud, release: Release, files: Mapping[str, bytes]) -> str:
    """Keep a release in an environment's evidence; the same release again is no error.

    Returns:
        Its address.

    Raises:
        Refused: this commit already has another release.

    """
    folder = _folder(cloud, release.commit)

    def keep(name: str, content: bytes) -> None:
        kind = "application/json" if name == MANIFEST else "application/yaml"
        address = f"{folder}/{name}"
        if cloud.storage.write_once(address, content, content_type=kind) != content:
            raise Refused(
                f"commit {release.commit[:12]} already has a release, and it is not this one",
                where=address,
                fix=f"promote that one with --commit {release.commit}, or commit and build anew",
            )

    cloud.calls.side_by_side(lambda file: keep(*file), files.items())
    keep(MANIFEST, release.content())  # last: a folder with a manifest is whole
    signature = f"{folder}/{_SIGNATURE}"
    if not cloud.storage.exists(signature):
        cloud.storage.write_json_once(signature, signed(cloud, {"release": release.digest}))
    return folder


def fetch_release(cloud: Cloud, commit: str) -> tuple[Release, dict[str, bytes]]:
    """Return the release of a commit from an environment's evidence, every byte verified.

    Raises:
        InvalidInput: that commit has no release there.
        ReleaseAltered: what is there is not what was built.
        NotQualified: the signature does not fit.

    """
    folder = _folder(cloud, commit)
    manifest = cloud.storage.read(f"{folder}/{MANIFEST}")
    if manifest is None:
        raise InvalidInput(
            f"commit {commit[:12]} has no release in {cloud.environment.name}",
            where=f"{folder}/{MANIFEST}",
            fix=(
                "check it out, `ecluse build`, then "
                f"`ecluse promote {cloud.environment.name} --release dist/release`"
            ),
        )
    release = parse_release(manifest.content, where=f"{folder}/{MANIFEST}")
    signature = cloud.storage.read(f"{folder}/{_SIGNATURE}")
    if signature is None:
        raise ReleaseAltered(
            f"{cloud.environment.name} did not sign this release", where=f"{folder}/{MANIFEST}"
        )
    document = opened(cloud, signature.content, f"{folder}/{_SIGNATURE}")
    if document != {"release": release.digest}:
        raise ReleaseAltered("the signature is for another release", where=f"{folder}/{_SIGNATURE}")
    if release.commit != commit:
        raise ReleaseAltered(
            f"this is the release of commit {release.commit}", where=f"{folder}/{MANIFEST}"
        )
    names = [pipeline.file for pipeline in release.pipelines.values()]
    kept = cloud.storage.read_many(f"{folder}/{name}" for name in names)
    files = {
        name: found.content if (found := kept[f"{folder}/{name}"]) is not None else b""
        for name in names
    }
    verify_release(release, files, where=folder)
    return release, files


def refuse_other_release(cloud: Cloud, release: Release) -> None:
    """Check that a release is the very one that an environment keeps for its commit.

    Raises:
        InvalidInput: that commit has no release there.
        ReleaseAltered: it has another one.

    """
    kept, _ = fetch_release(cloud, release.commit)
    if kept != release:
        raise ReleaseAltered(
            f"this is not the release that {cloud.environment.name} keeps for commit "
            f"{release.commit[:12]}",
            where=_folder(cloud, release.commit),
            fix=f"promote that one with --commit {release.commit}",
        )


def recorded_ancestry(cloud: Cloud, commits: Sequence[str]) -> tuple[str, ...]:
    """Return the ancestry of the oldest of some commits that an environment keeps a release of.

    Args:
        cloud: the environment.
        commits: the first digits of their shas, the newest first.

    Returns:
        The first digits of the commits before that one; empty where none of them has a release.

    """
    folder = f"{cloud.environment.evidence}/releases/"
    kept = {
        address.removeprefix(folder).split("/", 1)[0][:ABBREVIATED]: address
        for address in cloud.storage.list(folder)
        if address.endswith(f"/{MANIFEST}")
    }
    for commit in reversed(commits):
        if commit in kept:
            found = cloud.storage.read(kept[commit])
            if found is not None:
                return parse_release(found.content, where=kept[commit]).ancestry
    return ()


def _folder(cloud: Cloud, commit: str) -> str:
    return f"{cloud.environment.evidence}/releases/{commit}"
