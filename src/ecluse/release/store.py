"""Where releases are kept: EVIDENCE/releases/COMMIT/, written once.

Beside the manifest lies its signature, by the environment that keeps it, so that what another
environment takes from there is what this one kept.
"""

from collections.abc import Mapping

from ecluse.cloud import Cloud
from ecluse.cloud.signing import opened, signed
from ecluse.errors import InvalidInput, Refused, ReleaseAltered
from ecluse.release.manifest import MANIFEST, Release, parse_release, verify_release
from ecluse.repository.commit import ABBREVIATED

_SIGNATURE = "signature.json"


def publish_release(cloud: Cloud, release: Release, files: Mapping[str, bytes]) -> str:
    """Keep a release in an environment's evidence; the same release again is no error.

    Returns:
        Its address.

    Raises:
        Refused: this commit already has another release.
        ReleaseAltered, NotQualified: what lies in the place of its signature is none.

    """
    folder = _folder(cloud, release.commit)
    there = set(cloud.storage.list(f"{folder}/"))
    contents = {**files, MANIFEST: release.content()}

    def keep(name: str) -> None:
        kind = "application/json" if name == MANIFEST else "application/yaml"
        address = f"{folder}/{name}"
        if cloud.storage.write_once(address, contents[name], content_type=kind) != contents[name]:
            raise Refused(
                f"commit {release.commit[:12]} already has a release, and it is not this one",
                where=address,
                fix=f"promote that one with --commit {release.commit}, or commit and build anew",
            )

    if f"{folder}/{MANIFEST}" in there:
        # It is whole, then, but for what somebody has taken out of it since.
        keep(MANIFEST)
        cloud.calls.side_by_side(keep, [name for name in files if f"{folder}/{name}" not in there])
    else:
        cloud.calls.side_by_side(keep, files)
        keep(MANIFEST)
    signature = f"{folder}/{_SIGNATURE}"
    found = cloud.storage.read(signature)
    envelope = (
        found.content
        if found is not None
        else cloud.storage.write_json_once(signature, signed(cloud, {"release": release.digest}))
    )
    # Whoever takes the release from here will look at it, too: better to know it now.
    _refuse_other_signature(cloud, release, envelope, signature)
    return folder


def fetch_release(cloud: Cloud, commit: str) -> tuple[Release, dict[str, bytes]]:
    """Return the release of a commit from an environment's evidence, every byte verified.

    Raises:
        InvalidInput: that commit has no release there.
        ReleaseAltered: what is there is not what was built.
        NotQualified: the signature does not fit.

    """
    release = fetch_manifest(cloud, commit)
    folder = _folder(cloud, commit)
    found = cloud.storage.read_many(f"{folder}/{each.file}" for each in release.pipelines.values())
    files = {
        address.removeprefix(f"{folder}/"): kept.content if kept is not None else b""
        for address, kept in found.items()
    }
    verify_release(release, files, where=folder)
    return release, files


def fetch_manifest(cloud: Cloud, commit: str) -> Release:
    """Return a release's manifest alone, as an environment signed it.

    Raises:
        InvalidInput: that commit has no release there.
        ReleaseAltered: what is there is not what was built.
        NotQualified: the signature does not fit.

    """
    manifest, signature = (f"{_folder(cloud, commit)}/{name}" for name in (MANIFEST, _SIGNATURE))
    found = cloud.storage.read_many((manifest, signature))
    written, envelope = found[manifest], found[signature]
    if written is None:
        raise InvalidInput(
            f"commit {commit[:12]} has no release in {cloud.environment.name}",
            where=manifest,
            fix=(
                "check it out, `ecluse build`, then "
                f"`ecluse promote {cloud.environment.name} --release dist/release`"
            ),
        )
    release = parse_release(written.content, where=manifest)
    if envelope is None:
        raise ReleaseAltered(f"{cloud.environment.name} did not sign this release", where=manifest)
    _refuse_other_signature(cloud, release, envelope.content, signature)
    if release.commit != commit:
        raise ReleaseAltered(f"this is the release of commit {release.commit}", where=manifest)
    return release


def _refuse_other_signature(cloud: Cloud, release: Release, envelope: bytes, where: str) -> None:
    if opened(cloud, envelope, where) != {"release": release.digest}:
        raise ReleaseAltered("the signature is for another release", where=where)


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


def kept_commits(cloud: Cloud) -> dict[str, str]:
    """Return the commits that an environment keeps a release of, by their first digits."""
    folder = f"{cloud.environment.evidence}/releases/"
    kept = (
        address.removeprefix(folder).split("/", 1)[0]
        for address in cloud.storage.list(folder)
        if address.endswith(f"/{MANIFEST}")
    )
    return {commit[:ABBREVIATED]: commit for commit in kept}


def _folder(cloud: Cloud, commit: str) -> str:
    return f"{cloud.environment.evidence}/releases/{commit}"
