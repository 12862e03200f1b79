"""Never backwards by accident: a release must descend from what it replaces."""

from collections.abc import Callable

from ecluse.cloud import Cloud
from ecluse.errors import NotDescendant
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
    from the oldest of them that has a release of its own.

    Args:
        release: the release.
        cloud: the environment that keeps the older releases.
        older: the commit's sha.

    """
    from ecluse.release.store import recorded_ancestry  # a plan that git vouches for needs none

    ancestry = release.ancestry
    for _ in range(_HOPS):
        if older[:ABBREVIATED] in ancestry:
            return True
        farther = recorded_ancestry(cloud, ancestry)
        if not farther:
            return False
        ancestry = farther
    return False
