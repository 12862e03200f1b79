"""Never backwards by accident: a release must descend from what it replaces."""

from collections.abc import Callable, Mapping, Sequence

from ecluse.cloud import Cloud
from ecluse.errors import InvalidInput, NotDescendant, NotQualified, ReleaseAltered
from ecluse.ledger.records import Head
from ecluse.promotion.plan import Plan
from ecluse.release.manifest import Release
from ecluse.repository.commit import ABBREVIATED

_HOPS = 50  # of 300 commits each: far longer than anything stays live


def refuse_backwards(
    release: Release, head: Head, plan: Plan, *, descends: Callable[[str], bool]
) -> None:
    """Check that a release descends from whatever its plan would replace or retire.

    Args:
        release: what is to go live.
        head: what is live, and what was.
        plan: what would happen.
        descends: whether the release is known to descend from a commit.

    Raises:
        NotDescendant: naming the first pipeline whose last entry is of a newer or another line.

    """
    known = {release.commit}
    for action in plan.changes:
        last = head.pipelines.get(action.pipeline)
        if last is None or last.commit in known:
            continue
        if descends(last.commit):
            known.add(last.commit)
            continue
        version = f" ({last.version})" if last.version else ""
        raise NotDescendant(
            f"`{action.pipeline}` was last changed here by commit {last.commit[:12]}{version}, "
            f"which {release.commit[:12]} does not descend from",
            where=f"{head.environment}, {action.pipeline}",
            fix=f"to go back: `ecluse rollback {head.environment} {action.pipeline}`; else merge "
            "that commit in, and promote the merge",
        )


def by_record(release: Release, cloud: Cloud, older: str) -> bool:
    """Whether a release descends from a commit, by the ancestry that releases record.

    A release names the newest few hundred commits before its own. Farther back the search goes on
    from the oldest of them that has a release of its own, with the environment's signature: what
    somebody merely laid there says nothing.

    Args:
        release: the release.
        cloud: the environment that keeps the older releases.
        older: the commit's sha.

    """
    from ecluse.release.store import kept_commits  # a plan that git vouches for needs none

    ancestry: Sequence[str] = release.ancestry
    kept: Mapping[str, str] | None = None
    for _ in range(_HOPS):
        if older[:ABBREVIATED] in ancestry:
            return True
        kept = kept_commits(cloud) if kept is None else kept
        ancestry = _farther(cloud, [kept[commit] for commit in ancestry if commit in kept])
        if not ancestry:
            break
    return False


def _farther(cloud: Cloud, commits: Sequence[str]) -> Sequence[str]:
    """Return the ancestry of the oldest of some commits, the newest first, that was vouched for."""
    from ecluse.release.store import fetch_manifest

    for commit in reversed(commits):
        try:
            return fetch_manifest(cloud, commit).ancestry
        except (InvalidInput, NotQualified, ReleaseAltered):
            continue
    return ()
