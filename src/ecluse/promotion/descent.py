"""Never backwards by accident: a release must descend from what it replaces."""

from collections.abc import Callable

from ecluse.errors import NotDescendant
from ecluse.ledger.records import Head
from ecluse.promotion.plan import Plan
from ecluse.release.manifest import Release


def refuse_backwards(
    release: Release, head: Head, plan: Plan, *, knows: Callable[[str, str], bool]
) -> None:
    """Check that a release descends from whatever its plan would replace or retire.

    Args:
        release: what is to go live; names the commits before its own.
        head: what is live, and what was.
        plan: what would happen.
        knows: whether a commit is known by other means, such as git, to be before another one.

    Raises:
        NotDescendant: naming the first pipeline whose last entry is of a newer or another line.

    """
    before = {release.commit, *release.ancestry}
    for action in plan.changes:
        last = head.pipelines.get(action.pipeline)
        if last is None or last.commit in before:
            continue
        if knows(last.commit, release.commit):
            before.add(last.commit)
            continue
        version = f" ({last.version})" if last.version else ""
        raise NotDescendant(
            f"`{action.pipeline}` was last changed here by commit {last.commit[:12]}{version}, "
            f"which {release.commit[:12]} does not descend from",
            where=f"{head.environment}, {action.pipeline}",
            fix=f"to go back: `ecluse rollback {head.environment} {action.pipeline}`; else merge "
            "that commit in, and promote the merge",
        )
