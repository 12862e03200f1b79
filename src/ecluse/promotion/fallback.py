"""The fallback: what failed its first run by schedule goes back, where its settings say so.

Every step may be the last: what ended is noted once, a pipeline goes back only from the very entry
whose run failed, and what went back in the ledger alone is finished by the next time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ecluse.cloud import Cloud
from ecluse.errors import EcluseError
from ecluse.ledger.alone import alone
from ecluse.ledger.journal import Journal
from ecluse.ledger.lease import Holding
from ecluse.ledger.watched import note
from ecluse.promotion.outcome import Watcher
from ecluse.promotion.returns import label
from ecluse.promotion.rollback import Retreat, go_back
from ecluse.upkeep.convergence.converging import converge, unconverged
from ecluse.upkeep.watch import Sight, look


@dataclass(frozen=True)
class Seen:
    """What was seen of a pipeline, and what became of it.

    Attributes:
        sight: what was seen.
        done: what was done, in words; empty if nothing was.
        error: why it could not be done.

    """

    sight: Sight
    done: str = ""
    error: EcluseError | None = None

    def next(self, environment: str) -> str:
        """Return the next command to type; empty where there is nothing to do."""
        if self.error is not None:
            return self.error.fix
        if self.done or not self.sight.is_bad:
            return ""
        return _advice(self.sight, environment)

    def as_json(self, environment: str) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            **self.sight.as_json(),
            "done": self.done,
            "error": self.error.as_json() if self.error is not None else None,
            "next": self.next(environment),
        }


def _advice(sight: Sight, environment: str) -> str:
    if sight.state == "off":
        return f"ecluse drift {environment} --repair"
    if sight.state == "not started":
        return f"ecluse doctor {environment}"
    if sight.goes_back:
        return f"ecluse watch {environment} --act"
    # A pipeline that went back before goes back further only by somebody who says where to.
    further = " --to RELEASE" if sight.live.restores is not None else ""
    return f"ecluse rollback {environment} {sight.pipeline}{further}"


def only_look(cloud: Cloud) -> tuple[Seen, ...]:
    """Return what there is to see. Changes nothing."""
    return tuple(Seen(sight) for sight in look(cloud, cloud.ledger.head()))


def settle(
    cloud: Cloud,
    watcher: Watcher,
    *,
    by: str,
    wait: timedelta | None = None,
    waiting: Callable[[Holding], None] = lambda _: None,
) -> tuple[Seen, ...]:
    """Look, note what has ended, and roll back what failed where its settings say so.

    One pipeline that cannot go back keeps no other from it.

    Args:
        cloud: the environment.
        watcher: told of what is done.
        by: who does it.
        wait: how long to wait for whoever holds the environment's lease.
        waiting: told of whoever holds it.

    Returns:
        What was seen, each with what became of it. A lease that somebody else holds is an error of
        every pipeline that was to go back.

    """
    head = cloud.ledger.head()
    sights = look(cloud, head)
    fresh = [s.watched for s in sights if s.watched is not None and not s.is_noted]
    cloud.calls.side_by_side(lambda watched: note(cloud, watched), fresh)

    # A rollback may have been ended between the ledger and the cloud. Once what it brought back has
    # run by schedule, it was not.
    half_way = [s.pipeline for s in sights if s.fallen is not None and not s.is_noted]
    behind = unconverged(cloud, head, half_way)
    todo = [sight for sight in sights if sight.goes_back or sight.pipeline in behind]
    if not todo:
        return tuple(Seen(sight) for sight in sights)
    seen = {sight.pipeline: Seen(sight) for sight in sights}
    names = ", ".join(sight.pipeline for sight in todo)
    try:
        with alone(
            cloud, by=by, purpose=f"rolls back {names}", wait=wait, waiting=waiting
        ) as journal:
            for sight in todo:
                seen[sight.pipeline] = _settled(cloud, journal, sight, watcher, by)
    except EcluseError as error:
        for sight in todo:
            if not seen[sight.pipeline].done:
                seen[sight.pipeline] = Seen(sight, error=error)
    return tuple(seen.values())


def _settled(cloud: Cloud, journal: Journal, sight: Sight, watcher: Watcher, by: str) -> Seen:
    name = sight.pipeline
    now = journal.head.pipelines[name]
    if now.sequence != sight.live.sequence:
        return Seen(sight, done="was changed meanwhile, and is left as it is")
    try:
        if not sight.goes_back:
            for each in converge(cloud, journal.head, [name], allowed=journal.check):
                watcher.step(name, f"{each.difference.kind}: {each.done}")
            return Seen(sight, done="its rollback is finished")
        assert sight.watched is not None, "what failed has ended"
        reason = f"its first run by schedule failed: {sight.watched.run_id}"
        plan = go_back(Retreat(cloud, by=by, names=(name,), reason=reason), journal, watcher)
    except EcluseError as error:
        return Seen(sight, error=error)
    (target,) = (each.target for each in plan.returns)
    assert target is not None, "whatever could not go back was refused"
    return Seen(sight, done=f"rolled back: {label(target)} is live again")
