"""A rollback: what was live before is live again, in seconds and without a run.

All pipelines go back together in one compare-and-swap of the ledger. Before it, the evidence of
whatever goes live is verified, and its bytes are downloaded and hashed. After it, the cloud is
converged from the ledger. A rollback that was ended anywhere is simply run again: before the swap
nothing happened, and after it the pipelines are found back, and converged.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from ecluse import clock
from ecluse.canonical import short
from ecluse.cloud import Cloud
from ecluse.errors import EcluseError, LeaseHeld, NoWayBack
from ecluse.ledger.alone import alone
from ecluse.ledger.journal import Journal
from ecluse.ledger.lease import Holding
from ecluse.ledger.records import Entry, Head
from ecluse.promotion.freeze import window_at
from ecluse.promotion.outcome import Watcher
from ecluse.promotion.return_plan import (
    Histories,
    as_of,
    candidates,
    is_release,
    named,
    refuse_shared_packages,
    returned_to,
    undone,
)
from ecluse.promotion.returns import Return, ReturnPlan, label
from ecluse.promotion.serving import take_models_along
from ecluse.promotion.vouching import problem_with
from ecluse.upkeep.convergence.converging import converge


@dataclass(frozen=True)
class Retreat:
    """What is rolled back, and where.

    Attributes:
        cloud: the environment.
        by: who does it.
        names: the pipelines; none for all that the newest promotion changed.
        to: the release to go back to: a version, a commit, a manifest's digest; empty to undo the
            newest promotion.
        commit: the commit that git knows by `to`, if it knows one.
        with_model: whether aliases and endpoints' traffic follow to the model versions of what is
            live again.
        reason: why, for the ledger.
        break_glass: why the lease is taken from whoever has it, if it is.
        wait: how long to wait for whoever has it, if it is not.

    """

    cloud: Cloud
    by: str
    names: Sequence[str] = ()
    to: str = ""
    commit: str | None = None
    with_model: bool = False
    reason: str = ""
    break_glass: str = ""
    wait: timedelta | None = None


def draw_rollback(retreat: Retreat) -> ReturnPlan:
    """Return what a rollback would do now. Reads, verifies, and changes nothing.

    Raises:
        NoWayBack: there is nothing to go back to.
        NotQualified: nothing older can be vouched for.

    """
    return _plan(retreat, retreat.cloud.ledger.head())


def roll_back(
    retreat: Retreat,
    watcher: Watcher,
    *,
    planned: Callable[[ReturnPlan], None] = lambda _: None,
    waiting: Callable[[Holding], None] = lambda _: None,
) -> ReturnPlan:
    """Make what was live before live again.

    Args:
        retreat: what, where, why.
        watcher: told of what is done.
        planned: told of the plan before anything is done.
        waiting: told of whoever holds the lease meanwhile.

    Returns:
        What was done.

    Raises:
        LeaseHeld: somebody else is at work here; nothing was done.
        NoWayBack: there is nothing to go back to; nothing was done.
        NotQualified, ReleaseAltered: what it would go back to cannot be vouched for; nothing was
            done.
        LeaseLost, LedgerMoved: somebody else took over; nothing was done.

    """
    with _alone(retreat, waiting) as journal:
        return go_back(retreat, journal, watcher, planned=planned)


def go_back(
    retreat: Retreat,
    journal: Journal,
    watcher: Watcher,
    *,
    planned: Callable[[ReturnPlan], None] = lambda _: None,
) -> ReturnPlan:
    """Do what `roll_back` does, under a lease that the caller holds already."""
    plan = _plan(retreat, journal.head)
    planned(plan)
    head = journal.head
    if plan.changes:
        head = journal.add({back.pipeline: _entry(retreat, plan, back) for back in plan.changes})
    for back in plan.changes:
        watcher.step(back.pipeline, _done(back, head.environment))
    names = [back.pipeline for back in plan.returns if back.kind != "stays"]
    for each in converge(retreat.cloud, head, names, allowed=journal.check):
        watcher.step(each.difference.pipeline, f"{each.difference.kind}: {each.done}")
    for name in names if retreat.with_model else ():
        live = head.live(name)
        if live is not None:
            journal.check()
            take_models_along(retreat.cloud, live, partial(watcher.step, name))
    return plan


@contextmanager
def _alone(retreat: Retreat, waiting: Callable[[Holding], None]) -> Iterator[Journal]:
    with ExitStack() as stack:
        try:
            journal = stack.enter_context(
                alone(
                    retreat.cloud,
                    by=retreat.by,
                    purpose=f"rolls back {', '.join(retreat.names) or 'the newest promotion'}",
                    wait=retreat.wait,
                    take_over=bool(retreat.break_glass),
                    waiting=waiting,
                )
            )
        except LeaseHeld as held:
            raise LeaseHeld(
                held.what,
                where=held.where,
                fix=f"{held.fix}; in an emergency take it over with --break-glass REASON, which "
                "stops what its holder does",
            ) from None
        yield journal


def _plan(retreat: Retreat, head: Head) -> ReturnPlan:
    histories = Histories(
        lambda name: retreat.cloud.ledger.history(name, head=head),
        retreat.cloud.calls.side_by_side,
    )
    scope = named(head, retreat.names)
    release: Entry | None = None
    if retreat.to:
        means = is_release(retreat.to, retreat.commit)
        release, then = as_of(head, histories, means, retreat.to)
        words = f"back to {label(release)}"
        returns = _to_release(retreat.cloud, scope or head.pipelines, then)
    elif scope:
        words = "back to what was live before"
        returns = _one_step(retreat.cloud, scope, histories)
    else:
        newest, scope = undone(head, histories)
        words = f"undo {label(newest)}"
        returns = _one_step(retreat.cloud, scope, histories)
    plan = ReturnPlan(head.environment, words, release, tuple(returns))
    _refuse_standstill(plan)
    refuse_shared_packages(head, plan)
    return plan


def _one_step(cloud: Cloud, scope: Mapping[str, Entry], histories: Histories) -> list[Return]:
    """Return for each pipeline the nearest older entry that can be vouched for."""

    def one(name: str) -> Return:
        last = scope[name]
        if last.restores is not None:
            return Return(name, "already", last, last if last.is_live else None)
        passed: list[str] = []
        problem: EcluseError | None = None
        for entry in candidates(histories.open(name)):
            problem = problem_with(cloud, name, entry)
            if problem is None:
                return Return(name, "rollback", last, entry, entry.sequence, tuple(passed))
            passed.append(f"{label(entry)}: {problem.what}")
        if problem is not None:
            raise problem
        return Return(name, "stays", last)

    return cloud.calls.side_by_side(one, sorted(scope))


def _to_release(
    cloud: Cloud, scope: Mapping[str, Entry], then: Mapping[str, Entry | None]
) -> list[Return]:
    """Return what makes each pipeline as it was at a time; all of it must be vouched for."""
    found = (returned_to(name, last, then.get(name)) for name, last in sorted(scope.items()))
    returns = [back for back in found if back is not None]
    problems = cloud.calls.side_by_side(
        lambda back: problem_with(cloud, back.pipeline, back.target) if back.changes else None,
        returns,
    )
    for problem in problems:
        if problem is not None:
            raise problem
    return returns


def _refuse_standstill(plan: ReturnPlan) -> None:
    """Check that there is something to return to, or to finish."""
    if plan.returns and all(back.kind == "stays" for back in plan.returns):
        names = ", ".join(f"`{back.pipeline}`" for back in plan.returns)
        raise NoWayBack(
            f"{names}: nothing else was live in {plan.environment} before",
            where=plan.environment,
            fix=f"see `ecluse history {plan.environment} {plan.returns[0].pipeline}`; mend it with "
            f"a new release, or take it out by going back to a release that did not have it: "
            f"`ecluse rollback {plan.environment} --to RELEASE`",
        )


def _entry(retreat: Retreat, plan: ReturnPlan, back: Return) -> Entry:
    """Return the entry that a pipeline gets: what it returns to, done now and for these reasons.

    With what an override had let through, the override goes live again, and goes on standing out.
    """
    # Going back is what one needs in a freeze: it is noted, not refused.
    window = window_at(retreat.cloud.environment.freezes, clock.now())
    content = back.target
    if content is None:
        # What a release did not have is taken out by it, as a promotion of it would.
        assert plan.release is not None, "only who named a release takes out what it did not have"
        of = ("release", "commit", "version")
        content = back.last.model_copy(update={name: getattr(plan.release, name) for name in of})
    return content.model_copy(
        update={
            "action": "rollback" if back.target is not None else "retire",
            "at": clock.now(),
            "by": retreat.by,
            "reason": retreat.reason,
            "override": back.target.override if back.target is not None else "",
            "break_glass": retreat.break_glass,
            "freeze": window.words if window is not None else "",
            "restores": back.restores,
        }
    )


def _done(back: Return, environment: str) -> str:
    if back.target is None:
        return f"no longer live in {environment}"
    return f"{short(back.target.digest)} of {label(back.target)} is live again in {environment}"
