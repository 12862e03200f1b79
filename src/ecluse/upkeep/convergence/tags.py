"""Keeps the `live` tag of each package on the digest that the ledger says is live.

For people: nothing runs by tag. A package belongs to a pipeline, but a pipeline that was renamed
leaves its package to its successor.
"""

import shlex
from collections.abc import Collection, Mapping
from typing import Any

from ecluse.canonical import short
from ecluse.cloud import Cloud
from ecluse.cloud.registry import LIVE_TAG
from ecluse.ledger.records import Head
from ecluse.repository.settings import Environment
from ecluse.upkeep.convergence.difference import Change, Difference, Trouble

KIND = "live tag"


def wanted_tags(head: Head) -> dict[str, tuple[str, str | None]]:
    """Return, for each package that ever was live, whose it is and the digest it ought to be on.

    Where a pipeline was renamed, and its successor went live before it was retired, both are live
    with one package for a while: it is the successor's.
    """
    retired = {
        entry.package: (name, None) for name, entry in head.pipelines.items() if not entry.is_live
    }
    by_time = sorted(head.all_live.items(), key=lambda item: item[1].token)
    live = {entry.package: (name, entry.digest) for name, entry in by_time}
    return {**retired, **live}


def compare(
    wanted: Mapping[str, tuple[str, str | None]], found: Mapping[str, str | None], parent: str
) -> list[Difference]:
    """Compare tags with what they ought to be on. Pure.

    Args:
        wanted: package → whose it is, and the digest.
        found: package → the digest that its tag is on.
        parent: the repository's resource name.

    """
    differences = []
    for package, (pipeline, digest) in sorted(wanted.items()):
        on = found.get(package)
        if on == digest:
            continue
        trouble: Trouble = "missing" if on is None else "changed"
        changes = (Change(package, on, digest),)
        if digest is None:
            trouble, changes = "extra", (Change(package, on, None),)
        resource = f"{parent}/packages/{package}/tags/{LIVE_TAG}"
        differences.append(Difference(KIND, pipeline, trouble, resource, changes))
    return differences


def unknown(environment: Environment, found: Mapping[str, str | None]) -> list[Difference]:
    """Return the tags of packages that the ledger knows nothing of. Pure."""
    return [
        Difference(
            KIND,
            package,
            "unknown",
            f"{environment.template_repository}/packages/{package}/tags/{LIVE_TAG}",
            (Change(package, digest, None),),
            fix=shlex.join(
                ["gcloud", "artifacts", "tags", "delete", LIVE_TAG, f"--package={package}",
                 f"--repository={environment.templates}", f"--location={environment.location}",
                 f"--project={environment.project}"]
            ),
        )
        for package, digest in sorted(found.items())
        if digest is not None
    ]  # fmt: skip


class TagKeeper:
    """The `live` tags of one environment. See `Keeper`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def differences(self, head: Head, pipelines: Collection[str] | None) -> list[Difference]:
        """Compare the tags, one call a package, side by side, with the ledger."""
        registry = self._cloud.registry
        every = wanted_tags(head)
        wanted: dict[str, Any] = every
        if pipelines is not None:
            packages = {
                entry.package for name, entry in head.pipelines.items() if name in pipelines
            }
            wanted = {package: every[package] for package in packages}
        parent = self._cloud.environment.template_repository
        differences = compare(wanted, registry.live_digests(wanted), parent)
        if pipelines is None:
            strangers = set(registry.packages()) - every.keys()
            differences += unknown(self._cloud.environment, registry.live_digests(strangers))
        return differences

    def mend(self, head: Head, difference: Difference) -> str:
        """Put a tag where it ought to be, or take it away."""
        package = difference.changes[0].setting
        _, digest = wanted_tags(head)[package]
        if digest is None:
            self._cloud.registry.untag_live(package)
            return f"taken from {package}"
        self._cloud.registry.tag_live(package, digest)
        return f"put on {short(digest)}"
