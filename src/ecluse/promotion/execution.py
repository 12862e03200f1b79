"""A promotion: takes a release into an environment, its pipelines side by side.

Every step is a create with a derived name, so a promotion that was ended anywhere is simply run
again: each step finds its own work done, or does it. What is live stays live until the ledger's
compare-and-swap, the last step, has made something else live.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

from ecluse.cloud import Cloud
from ecluse.errors import EcluseError, GateRefused, Refused
from ecluse.ledger.qualification import Qualifications
from ecluse.ledger.records import Record
from ecluse.promotion.lift import Lift, Order
from ecluse.promotion.outcome import Outcome, Watcher
from ecluse.promotion.plan import Action, Plan, make_plan
from ecluse.release.store import publish_release

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Promotion:
    """An order, with the ledger as it was when its plan was made.

    Attributes:
        order: what is promoted, and where.
        below: the environment that must have qualified it; none if none must.
        records: the environment's ledger: activation fails for what changed since.
        parallel: how many pipelines side by side.

    """

    order: Order
    below: Cloud | None
    records: Mapping[str, Record]
    parallel: int

    def verify(self, plan: Plan) -> None:
        """Check that the environment below qualified all that the plan would make live.

        Raises:
            NotQualified: naming the first pipeline that has no valid evidence.

        """
        if self.below is None:
            return
        qualifications = Qualifications(self.below)
        for action in plan.changes:
            if action.target is not None:
                qualifications.verified(self.order.release.pipelines[action.pipeline])

    def execute(self, plan: Plan, watcher: Watcher) -> tuple[Outcome, ...]:
        """Do what a plan says; a pipeline that fails stops no other.

        Raises:
            NotQualified: the environment below did not qualify something; nothing was done.
            Refused: the release cannot be kept; nothing was done.

        """
        self.verify(plan)
        publish_release(self.order.cloud, self.order.release, self.order.files)
        stop = Event()
        lifted = [action for action in plan.actions if action.kind != "retire"]
        outcomes = self._side_by_side(lifted, watcher, stop)
        # Old is retired only when all that is new has been proven.
        for action in plan.actions:
            if action.kind == "retire":
                if any(outcome.error is not None for outcome in outcomes):
                    watcher.step(action.pipeline, "not retired: another pipeline did not go live")
                    outcomes.append(Outcome(action.pipeline, "unchanged", action.live, None))
                else:
                    outcomes.append(self._done(action, watcher, stop))
        return tuple(sorted(outcomes, key=lambda outcome: outcome.pipeline))

    def _side_by_side(
        self, actions: Sequence[Action], watcher: Watcher, stop: Event
    ) -> list[Outcome]:
        with ThreadPoolExecutor(max_workers=max(1, self.parallel)) as pool:
            futures = [pool.submit(self._done, action, watcher, stop) for action in actions]
            try:
                return [future.result() for future in futures]
            except BaseException:
                # Ctrl-C arrives here: nothing more goes live, and nobody waits for a run's end.
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _done(self, action: Action, watcher: Watcher, stop: Event) -> Outcome:
        lift = Lift(self.order, action, self._record(action.pipeline), watcher, stop)
        try:
            match action.kind:
                case "unchanged":
                    return lift.converge()
                case "retire":
                    return lift.retire()
                case _:
                    return lift.promote()
        except GateRefused as error:
            return lift.ended("refused", error)
        except EcluseError as error:
            return lift.ended("failed", error)
        except Exception as error:  # one pipeline's surprise must not cost the others' outcomes
            log.exception("an unforeseen error in the promotion of %s", action.pipeline)
            surprise = Refused(
                f"an unforeseen {type(error).__name__}: {error}",
                where=action.pipeline,
                fix="this is a fault of écluse: report it with the traceback above",
            )
            return lift.ended("failed", surprise)

    def _record(self, pipeline: str) -> Record:
        found = self.records.get(pipeline)
        if found is not None:
            return found
        return Record(environment=self.order.cloud.environment.name, pipeline=pipeline)


def prepare(
    order: Order, *, below: Cloud | None, parallel: int = 4, only: Sequence[str] = ()
) -> tuple[Promotion, Plan]:
    """Read the ledger once, and return the plan with the promotion that can execute it.

    Args:
        order: what is promoted, and where.
        below: the environment that must have qualified it; none if none must.
        parallel: how many pipelines side by side.
        only: restrict the plan to these pipelines.

    """
    records = order.cloud.ledger.read_all()
    plan = make_plan(order.release, records, order.cloud.environment, only=only, rerun=order.rerun)
    return Promotion(order, below, records, parallel), plan
