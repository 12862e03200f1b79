"""Where releases are kept: EVIDENCE/releases/COMMIT/, written once by the first environment."""

from collections.abc import Mapping

from ecluse.cloud import Cloud
from ecluse.errors import InvalidInput, Refused, ReleaseAltered
from ecluse.release import MANIFEST, Release, parse_release, verify_release


def publish_release(cloud: Cloud, release: Release, files: Mapping[str, bytes]) -> str:
    """Keep a release in an environment's evidence; the same release again is no error.

    Returns:
        Its address.

    Raises:
        Refused: this commit already has another release.

    """
    folder = _folder(cloud, release.commit)
    manifest = f"{folder}/{MANIFEST}"
    try:
        for name, content in files.items():
            cloud.storage.write_once(f"{folder}/{name}", content, content_type="application/yaml")
        cloud.storage.write_once(manifest, release.content())
    except Refused as error:
        if error.where.startswith(folder):
            raise Refused(
                f"commit {release.commit[:12]} already has a release, and it is not this one",
                where=error.where,
                fix=f"promote that one with --commit {release.commit}, or commit and build anew",
            ) from None
        raise
    return folder


def fetch_release(cloud: Cloud, commit: str) -> tuple[Release, dict[str, bytes]]:
    """Return the release of a commit from an environment's evidence, every byte verified.

    Raises:
        InvalidInput: that commit has no release there.
        ReleaseAltered: what is there is not what was built.

    """
    folder = _folder(cloud, commit)
    manifest = cloud.storage.read(f"{folder}/{MANIFEST}")
    if manifest is None:
        raise InvalidInput(
            f"commit {commit[:12]} has no release in {cloud.environment.name}",
            where=f"{folder}/{MANIFEST}",
            fix=f"promote it to {cloud.environment.name} first",
        )
    release = parse_release(manifest.content, where=f"{folder}/{MANIFEST}")
    if release.commit != commit:
        raise ReleaseAltered(
            f"this is the release of commit {release.commit}", where=f"{folder}/{MANIFEST}"
        )
    files = {}
    for pipeline in release.pipelines.values():
        found = cloud.storage.read(f"{folder}/{pipeline.file}")
        files[pipeline.file] = found.content if found is not None else b""
    verify_release(release, files, where=folder)
    return release, files


def _folder(cloud: Cloud, commit: str) -> str:
    return f"{cloud.environment.evidence}/releases/{commit}"
