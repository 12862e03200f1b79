"""Pruning by reachability: deletes what no ledger entry of the last promotions can reach.

Reachable is what an entry names (its template, its image, its release), in this environment and in
every other one that takes its images or its releases from here; what a release names that is kept;
what runs, carries the `live` tag, or is young. So whatever `ecluse rollback` may go back to is
always there. What is decided is a pure function of what was read.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Literal

from ecluse import clock
from ecluse.cloud import Cloud
from ecluse.cloud.packages import Version
from ecluse.cloud.registry import LIVE_TAG
from ecluse.errors import CloudError
from ecluse.ledger.records import Entry
from ecluse.release.manifest import MANIFEST, Release, parse_release
from ecluse.repository.settings import Environment

Kind = Literal["template", "image", "release"]

RUNTIME_PACKAGE = "runtime"
"""The image that releases name by digest. Others stay: nothing here knows who uses them."""


@dataclass(frozen=True)
class Kept:
    """What is kept of releases in an environment's evidence.

    Attributes:
        address: the release's folder.
        release: its manifest.

    """

    address: str
    release: Release

    @property
    def made(self) -> datetime:
        """When its commit was made."""
        return datetime.fromisoformat(self.release.committed_at)


@dataclass(frozen=True)
class Thing:
    """Something that might be pruned.

    Attributes:
        kind: template, image or release.
        name: its resource name or folder.
        shown: what people know it by.
        created: when it was made.
        reason: why it stays; empty if nothing reaches it.

    """

    kind: Kind
    name: str
    shown: str
    created: datetime
    reason: str = ""

    @property
    def goes(self) -> bool:
        """Whether it is to be deleted."""
        return not self.reason

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**asdict(self), "created": clock.rfc3339(self.created), "goes": self.goes}


@dataclass(frozen=True)
class Found:
    """All that was read to decide.

    Attributes:
        entries: the newest entries of every pipeline of this environment.
        elsewhere: the same of the environments that share images or releases with it.
        running: the digests of templates that unfinished runs were made of.
        templates, images: what lies in the repositories; no images if they are another project's.
        releases: what lies in the evidence.

    """

    entries: tuple[Entry, ...]
    elsewhere: tuple[Entry, ...]
    running: frozenset[str]
    templates: tuple[Version, ...]
    images: tuple[Version, ...]
    releases: tuple[Kept, ...]


def decide(found: Found, *, keep: int, older_than: timedelta, now: datetime) -> tuple[Thing, ...]:
    """Say of every template, image and release why it stays, or that it goes.

    Args:
        found: what was read.
        keep: this many of the newest releases stay, promoted or not.
        older_than: what is younger stays.
        now: the present.

    """
    young = now - older_than
    releases = _releases(found, keep, young)
    kept = {thing.name for thing in releases if not thing.goes}
    staying = [each.release for each in found.releases if each.address in kept]
    templates = [_template(version, found, young) for version in found.templates]
    images = [_image(version, found, staying, young) for version in found.images]
    return tuple(
        sorted([*templates, *images, *releases], key=lambda thing: (thing.kind, thing.name))
    )


def _releases(found: Found, keep: int, young: datetime) -> list[Thing]:
    newest = sorted(found.releases, key=lambda each: each.made, reverse=True)[:keep]
    newest_addresses = {each.address for each in newest}
    here = {entry.commit for entry in found.entries}
    elsewhere = {entry.commit for entry in found.elsewhere}
    things = []
    for each in found.releases:
        commit = each.release.commit
        reason = _first(
            (commit in here, "the ledger reaches it"),
            (commit in elsewhere, "another environment's ledger reaches it"),
            (each.address in newest_addresses, f"one of the {keep} newest"),
            (each.made > young, "young"),
        )
        things.append(Thing("release", each.address, commit[:12], each.made, reason))
    return things


def _template(version: Version, found: Found, young: datetime) -> Thing:
    reason = _first(
        (LIVE_TAG in version.tags, "tagged live"),
        (any(_uses(entry, version) for entry in found.entries), "the ledger reaches it"),
        (version.digest in found.running, "a run uses it"),
        (version.created > young, "young"),
    )
    shown = f"{version.package} {version.digest[:19]}"
    return Thing("template", version.name, shown, version.created, reason)


def _uses(entry: Entry, version: Version) -> bool:
    return (entry.package, entry.digest) == (version.package, version.digest)


def _image(version: Version, found: Found, releases: Iterable[Release], young: datetime) -> Thing:
    reason = _first(
        (version.package != RUNTIME_PACKAGE, "who uses it is not known here"),
        (version.digest in _digests(found.entries), "the ledger reaches it"),
        (version.digest in _digests(found.elsewhere), "another environment's ledger reaches it"),
        (
            any(
                _digest(pipeline.runtime_image) == version.digest
                for release in releases
                for pipeline in release.pipelines.values()
            ),
            "a release that is kept names it",
        ),
        (version.created > young, "young"),
    )
    shown = f"{version.package} {version.digest[:19]}"
    return Thing("image", version.name, shown, version.created, reason)


def _digests(entries: Iterable[Entry]) -> Collection[str | None]:
    return {_digest(entry.runtime_image) for entry in entries}


def _digest(reference: str | None) -> str | None:
    return reference.rsplit("@", 1)[1] if reference is not None else None


def _first(*reasons: tuple[bool, str]) -> str:
    return next((why for holds, why in reasons if holds), "")


def look(cloud: Cloud, others: Sequence[Cloud], *, keep: int) -> Found:
    """Read all that is needed to decide; nothing is changed.

    Args:
        cloud: the environment that is to be pruned.
        others: the other environments of the repository.
        keep: how many of the newest entries of each pipeline can reach something.

    Raises:
        CloudError: a ledger cannot be read, so that nothing may be called unreachable.

    """
    environment = cloud.environment
    sharing = [other for other in others if _shares(environment, other.environment)]
    owned = environment.images.split("/")[1] == environment.project
    return Found(
        entries=_entries(cloud, keep),
        elsewhere=tuple(entry for other in sharing for entry in _entries(other, keep)),
        running=frozenset(run.template for run in cloud.pipelines.list() if not run.finished),
        templates=tuple(cloud.packages.versions(_templates(environment))),
        images=tuple(cloud.packages.versions(_images(environment))) if owned else (),
        releases=_kept_releases(cloud),
    )


def _shares(environment: Environment, other: Environment) -> bool:
    """Whether another environment takes its images, or its releases, from here."""
    return other.images == environment.images or other.requires == environment.name


def _entries(cloud: Cloud, keep: int) -> tuple[Entry, ...]:
    head = cloud.ledger.head()
    histories = cloud.calls.side_by_side(
        lambda name: list(islice(cloud.ledger.history(name, head=head), keep)), head.pipelines
    )
    return tuple(entry for history in histories for entry in history)


def _kept_releases(cloud: Cloud) -> tuple[Kept, ...]:
    folder = f"{cloud.environment.evidence}/releases/"
    manifests = [each for each in cloud.storage.list(folder) if each.endswith(f"/{MANIFEST}")]
    found: Mapping[str, Any] = cloud.storage.read_many(manifests)
    return tuple(
        Kept(address.rsplit("/", 1)[0], parse_release(kept.content, where=address))
        for address, kept in found.items()
        if kept is not None
    )


def _templates(environment: Environment) -> str:
    return (
        f"projects/{environment.project}/locations/{environment.location}"
        f"/repositories/{environment.templates}"
    )


def _images(environment: Environment) -> str:
    host, project, repository = environment.images.split("/")
    location = host.removesuffix("-docker.pkg.dev")
    return f"projects/{project}/locations/{location}/repositories/{repository}"


def delete(cloud: Cloud, found: Found, things: Iterable[Thing]) -> dict[str, str]:
    """Delete what goes; what is gone already is no error.

    Returns:
        Why something could not be deleted, by its name: under a retention policy, say.

    """
    versions = {version.name: version for version in (*found.templates, *found.images)}

    def remove(thing: Thing) -> str:
        try:
            if thing.kind == "release":
                _delete_release(cloud, thing.name)
            else:
                cloud.packages.delete([versions[thing.name]])
        except CloudError as error:
            return error.what
        return ""

    going = [thing for thing in things if thing.goes]
    answers = cloud.calls.side_by_side(remove, going)
    return {thing.name: why for thing, why in zip(going, answers, strict=True) if why}


def _delete_release(cloud: Cloud, folder: str) -> None:
    """Delete a release's objects, the manifest last: as long as it is there this is found again."""
    manifest = f"{folder}/{MANIFEST}"
    for address in cloud.storage.list(f"{folder}/"):
        if address != manifest:
            cloud.storage.delete(address)
    cloud.storage.delete(manifest)
