"""A promotion: takes a release into an environment, its pipelines side by side.

Every step is a create with a derived name, so a promotion that was ended anywhere is simply run
again: each step finds its own work done, or does it. What is live stays live until the ledger's
compare-and-swap, the last step, has made something else live.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from graphlib import TopologicalSorter
from threading import Event

from ecluse import clock
from ecluse.cloud import Cloud
from ecluse.errors import (
    EcluseError,
    Frozen,
    GateRefused,
    HeldBack,
    Interrupted,
    LeaseLost,
    Refused,
)
from ecluse.ledger.alone import alone
from ecluse.ledger.journal import Journal
from ecluse.ledger.lease import Holding
from ecluse.promotion.descent import by_record, refuse_backwards
from ecluse.promotion.freeze import refuse_frozen
from ecluse.promotion.lift import Lift
from ecluse.promotion.order import Order
from ecluse.promotion.outcome import Ending, Outcome, Watcher
from ecluse.promotion.plan import Action, Kind, Plan, make_plan, refuse_other_plan
from ecluse.promotion.proof import refuse_unqualified, unqualified
from ecluse.promotion.tooling import refuse_without_tool_image, settle_tool_image
from ecluse.release.store import publish_release
from ecluse.upkeep.convergence.converging import Unchanged

log = logging.getLogger(__name__)

_WENT_LIVE = frozenset({"activated", "unchanged"})


@dataclass(frozen=True)
class Terms:
    """How a promotion is to be gone about.

    Attributes:
        below: the environment that must have qualified what goes live; none if none must.
        only: restrict it to these pipelines; nothing is retired then.
        expected: the plan that it must be exactly; none for whatever there is to do.
        parallel: how many pipelines side by side.
        fail_fast: whether one that fails stops the others.
        wait: how long to wait for whoever holds the environment's lease.
        knows: whether a commit is known, by git for instance, to be before another one.

    """

    below: Cloud | None
    only: Sequence[str] = ()
    expected: Plan | None = None
    parallel: int = 4
    fail_fast: bool = False
    wait: timedelta | None = None
    knows: Callable[[str, str], bool] = lambda older, newer: False  # noqa: ARG005 by position


def promote(
    order: Order,
    terms: Terms,
    watcher: Watcher,
    *,
    planned: Callable[[Plan], None] = lambda _: None,
    waiting: Callable[[Holding], None] = lambda _: None,
) -> tuple[Outcome, ...]:
    """Take a release into an environment; a pipeline that fails stops no other.

    Args:
        order: what is promoted, and where.
        terms: how.
        watcher: told of what is done.
        planned: told of the plan before anything is done.
        waiting: told of whoever holds the lease meanwhile.

    Raises:
        LeaseHeld: somebody else is at work here; nothing was done.
        PlanMoved: it would not be what was expected; nothing was done.
        NoToolImage: triggers are wanted, and nobody said what they run in; nothing was done.
        NotDescendant: it would go backwards; nothing was done.
        Frozen: nothing may go live here now; nothing was done.
        NotQualified: the environment below did not qualify something; nothing was done.
        Refused: its commit has another release here already; nothing was done.

    """
    cloud = order.cloud
    with alone(
        cloud,
        by=order.by,
        purpose=f"promotes {order.version or order.release.commit[:12]}",
        wait=terms.wait,
        waiting=waiting,
    ) as journal:
        plan = make_plan(
            order.release, journal.head, cloud.environment, only=terms.only, rerun=order.rerun
        )
        if terms.expected is not None:
            refuse_other_plan(terms.expected, plan)
        refuse_backwards(
            order.release, journal.head, plan, descends=partial(_descends, order, terms)
        )
        if plan.changes:
            # Looked at again when something goes live: a run may last until a freeze begins.
            refuse_frozen(cloud.environment, clock.now(), override=order.override)
        found = (
            unqualified(order.release, plan, cloud.environment, terms.below)
            if terms.below is not None
            else {}
        )
        if not order.override:
            refuse_unqualified(found)
        for pipeline, refused in found.items():
            watcher.step(pipeline, f"OVERRIDDEN ({order.override}): {refused.what}")
        refuse_without_tool_image(order, plan, journal.head)
        planned(plan)
        publish_release(cloud, order.release, order.files)
        settle_tool_image(order, plan, journal.head)
        return _Promotion(order, terms, plan, journal, watcher, frozenset(found)).run()


def _descends(order: Order, terms: Terms, older: str) -> bool:
    """Whether the release descends from a commit: by git where it knows both, else by record."""
    return terms.knows(older, order.release.commit) or by_record(
        order.release, terms.below or order.cloud, older
    )


_WAYS: Mapping[Kind, Callable[[Lift], Outcome]] = {
    "create": Lift.promote,
    "update": Lift.promote,
    "unchanged": Lift.converge,
    "retire": Lift.retire,
}


def _ending(error: EcluseError) -> Ending:
    """Return how a pipeline ended that did not go its way to the end."""
    match error:
        case GateRefused():
            return "refused"
        case Interrupted() | HeldBack() | Frozen():
            return "held back"
        case _:
            return "failed"


class _Promotion:
    """A plan on its way: which pipelines are done, which run, which still wait for others."""

    def __init__(
        self,
        order: Order,
        terms: Terms,
        plan: Plan,
        journal: Journal,
        watcher: Watcher,
        unqualified: frozenset[str],
    ) -> None:
        self._order = order
        self._terms = terms
        self._plan = plan
        self._journal = journal
        self._watcher = watcher
        self._unqualified = unqualified
        self._stop = Event()
        self._outcomes: dict[str, Outcome] = {}
        planned = {action.pipeline for action in plan.actions}
        # A promotion that was killed may have retired them in the ledger and not in the cloud.
        self._retired = () if terms.only else tuple(sorted(journal.head.pipelines.keys() - planned))
        unchanged = [action.pipeline for action in plan.actions if action.kind == "unchanged"]
        self._unchanged = Unchanged(
            order.cloud, journal.head, [*unchanged, *self._retired], allowed=journal.check
        )

    def run(self) -> tuple[Outcome, ...]:
        # First, while the cloud is as it was looked at: a pipeline that is to go live may take over
        # the package of one that was retired before.
        for pipeline in self._retired:
            outcome = self._still_retired(pipeline)
            if outcome is not None:
                self._outcomes[pipeline] = outcome
        self._lift([action for action in self._plan.actions if action.kind != "retire"])
        # Old is retired only when all that is new has been proven.
        lifted = [action.pipeline for action in self._plan.actions if action.kind != "retire"]
        proven = all(self._outcomes[name].ending in _WENT_LIVE for name in lifted)
        for action in self._plan.actions:
            if action.kind == "retire":
                if proven:
                    self._outcomes[action.pipeline] = self._done(action)
                else:
                    self._watcher.step(
                        action.pipeline, "not retired: another pipeline did not go live"
                    )
                    self._outcomes[action.pipeline] = Outcome(
                        action.pipeline, "unchanged", action.live, None
                    )
        return tuple(self._outcomes[name] for name in sorted(self._outcomes))

    def _still_retired(self, pipeline: str) -> Outcome | None:
        """Return the outcome of a pipeline that was retired before, if there was anything to do."""
        try:
            mended = self._unchanged.mended(pipeline)
        except EcluseError as error:
            return Outcome(pipeline, "failed", None, None, error=error)
        for each in mended:
            self._watcher.step(pipeline, f"{each.difference.kind}: {each.done}")
        return Outcome(pipeline, "retired", None, None) if mended else None

    def _lift(self, actions: Sequence[Action]) -> None:
        lifted = {action.pipeline: action for action in actions}
        turns = TopologicalSorter({name: self._after(name, lifted) for name in lifted})
        turns.prepare()  # `ecluse check` and the release refuse circles
        running: dict[Future[Outcome], str] = {}
        with ThreadPoolExecutor(max_workers=max(1, self._terms.parallel)) as pool:
            try:
                while turns.is_active():
                    for name in turns.get_ready():
                        held_back = self._held_back(lifted[name], self._after(name, lifted))
                        if held_back is not None:
                            self._outcomes[name] = held_back
                            turns.done(name)
                        else:
                            running[pool.submit(self._done, lifted[name])] = name
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        self._note(running[future], future.result())
                        turns.done(running.pop(future))
            except BaseException:
                # Ctrl-C arrives here: nothing more goes live, and nobody waits for a run's end, or
                # for the second try of a call that fails.
                self._stop.set()
                self._order.cloud.calls.hurry()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _note(self, pipeline: str, outcome: Outcome) -> None:
        self._outcomes[pipeline] = outcome
        # Without the lease nothing can go live any more: what runs is joined by the next one.
        if isinstance(outcome.error, LeaseLost) or (outcome.error and self._terms.fail_fast):
            self._stop.set()

    def _after(self, pipeline: str, lifted: Mapping[str, Action]) -> list[str]:
        """Return the pipelines of this promotion that have to go live before one may be tried."""
        if lifted[pipeline].kind == "unchanged":
            return []  # it is live already, whatever becomes of the others
        after = self._order.release.pipelines[pipeline].parsed_settings().after or ()
        return [name for name in after if name in lifted]

    def _held_back(self, action: Action, after: Sequence[str]) -> Outcome | None:
        """Return the outcome of a pipeline that is not to be tried; none for one that is."""
        undone = next((n for n in after if self._outcomes[n].ending not in _WENT_LIVE), None)
        if undone is not None and self._outcomes[undone].ending == "running":
            why = f"it comes after `{undone}`, which still runs"
        elif undone is not None:
            why = f"it comes after `{undone}`, which did not go live"
        elif self._stop.is_set():
            why = "another pipeline failed, and the promotion was stopped"
        else:
            return None
        error = HeldBack(
            why, where=action.pipeline, fix="run the same command again once that is mended"
        )
        return Outcome(action.pipeline, "held back", action.live, action.target, error=error)

    def _done(self, action: Action) -> Outcome:
        override = self._order.override if action.pipeline in self._unqualified else ""
        lift = Lift(
            self._order,
            action,
            self._journal,
            self._watcher,
            self._stop,
            self._unchanged,
            override=override,
        )
        try:
            return _WAYS[action.kind](lift)
        except EcluseError as error:
            return lift.ended(_ending(error), error)
        except Exception as error:  # one pipeline's surprise must not cost the others' outcomes
            log.exception("an unforeseen error in the promotion of %s", action.pipeline)
            surprise = Refused(
                f"an unforeseen {type(error).__name__}: {error}",
                where=action.pipeline,
                fix="this is a fault of écluse: report it with the traceback above",
            )
            return lift.ended("failed", surprise)
