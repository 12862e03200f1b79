"""What is known of a finished run, as far as gates need it. Values only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ecluse.cloud.run import Run
from ecluse.promotion.gates.cost import Costs, estimate
from ecluse.release.resources import TaskResources
from ecluse.repository.gate_settings import Prices

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class TaskOutcome:
    """How a task ended. A task in a loop has several.

    Attributes:
        name: the task's name in the compiled pipeline.
        ended: `succeeded`, `skipped` (taken from the cache), `not triggered` (its condition was
            false), or another state in plain words.
        elapsed: how long it took, from its start to its end with retries and waiting between them;
            none if it never started.

    """

    name: str
    ended: str
    elapsed: timedelta | None = None


@dataclass(frozen=True)
class Findings:
    """What is known of a finished run.

    Attributes:
        metrics: the run's metrics, by `task.name`.
        tasks: how its tasks ended.
        ambiguous: metrics of which there are several values.
        elapsed: how long the run took; none if the service does not say.
        began: when it started.
        costs: what it is estimated to have cost; none where the environment declares no prices.

    """

    metrics: Metrics
    tasks: tuple[TaskOutcome, ...]
    ambiguous: frozenset[str] = field(default_factory=frozenset)
    elapsed: timedelta | None = None
    began: datetime | None = None
    costs: Costs | None = None

    def ended(self, task: str) -> str:
        """Return how a task ended; `succeeded` if it did once, in a loop."""
        states = [outcome.ended for outcome in self.tasks if outcome.name == task]
        if "succeeded" in states:
            return "succeeded"
        return states[-1] if states else "not triggered"

    def times(self, task: str) -> list[timedelta]:
        """Return how long a task took, each time that it really ran."""
        return [
            outcome.elapsed
            for outcome in self.tasks
            if outcome.name == task and outcome.ended == "succeeded" and outcome.elapsed is not None
        ]


def findings_of(
    run: Run, *, prices: Prices | None, resources: Callable[[], TaskResources]
) -> Findings:
    """Return what gates need to know of a run.

    Args:
        run: the run, finished.
        prices: the environment's prices, if it declares any.
        resources: tells what the compiled pipeline's tasks ask for; asked only if there are prices.

    """
    return Findings(
        metrics=run.metrics,
        tasks=tuple(TaskOutcome(task.name, task.state, task.elapsed) for task in run.tasks),
        ambiguous=run.ambiguous_metrics,
        elapsed=run.elapsed,
        began=run.started or run.created,
        costs=estimate(run, resources(), prices) if prices is not None else None,
    )
