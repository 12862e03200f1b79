"""Draws a plan: reads the ledger and the calendar, and none of what only a promotion needs."""

from collections.abc import Callable, Iterator, Sequence

from ecluse import clock
from ecluse.cloud import Cloud
from ecluse.errors import NotDescendant
from ecluse.ledger.records import Head
from ecluse.promotion.freeze import window_at
from ecluse.promotion.plan import Plan, make_plan
from ecluse.release.manifest import Release


def draw_plan(
    release: Release,
    cloud: Cloud,
    *,
    only: Sequence[str] = (),
    below: Cloud | None = None,
    knows: Callable[[str, str], bool] | None = None,
) -> Plan:
    """Return what a promotion would do now, and for what it would be refused. Changes nothing.

    Where nothing would change, one read of the ledger is all.

    Args:
        release: what would be promoted.
        cloud: the environment.
        only: restrict the plan to these pipelines.
        below: the environment whose proofs are looked at; none to look at none.
        knows: whether a commit is known, by git for instance, to be before another one; none not
            to look at the order of commits.

    """
    head = cloud.ledger.head()
    plan = make_plan(release, head, cloud.environment, only=only)
    if not plan.changes:
        return plan
    window = window_at(cloud.environment.freezes, clock.now())
    return plan.model_copy(
        update={
            "freeze": window.words if window is not None else "",
            "obstacles": tuple(_obstacles(release, cloud, head, plan, below, knows)),
        }
    )


def _obstacles(
    release: Release,
    cloud: Cloud,
    head: Head,
    plan: Plan,
    below: Cloud | None,
    knows: Callable[[str, str], bool] | None,
) -> Iterator[str]:
    # Both are imported late: a plan of the working tree must not wait for what it does not need.
    if knows is not None:
        from ecluse.promotion.descent import by_record, refuse_backwards

        def descends(older: str) -> bool:
            return knows(older, release.commit) or by_record(release, below or cloud, older)

        try:
            refuse_backwards(release, head, plan, descends=descends)
        except NotDescendant as refused:
            yield refused.what
    if below is not None:
        from ecluse.promotion.proof import unqualified

        found = unqualified(release, plan, cloud.environment, below)
        yield from (each.what for each in found.values())
