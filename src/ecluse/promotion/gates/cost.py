"""What a run is estimated to have cost.

For each task that ran a container: how long it took × (its vCPUs × the price of a vCPU-hour + its
GiB × the price of a GiB-hour + its accelerators × the price of an accelerator-hour). The run adds
the price of a run. What is asked for is what is counted, at its limit; a task that asks for nothing
gets Vertex AI's default machine (4 vCPUs, 16 GiB).

An estimate, not the bill: Vertex AI takes the next larger machine and bills all of it, and what a
task makes others do (BigQuery, a training job of its own, storage, traffic) is not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ecluse.cloud.run import Run
from ecluse.release.resources import Resources, TaskResources
from ecluse.repository.gate_settings import Prices

_HOUR = 3_600.0


@dataclass(frozen=True)
class Costs:
    """What a run is estimated to have cost.

    Attributes:
        currency: of every amount here.
        run: the whole run, with the price of a run; without the tasks in `unknown`.
        tasks: each task that ran a container, all its turns in a loop together.
        unknown: tasks whose cost cannot be told, and why.

    """

    currency: str
    run: float
    tasks: Mapping[str, float]
    unknown: Mapping[str, str]


def estimate(run: Run, resources: TaskResources, prices: Prices) -> Costs:
    """Return what a finished run is estimated to have cost.

    A task taken from the cache, or whose condition was false, cost nothing.
    """
    tasks: dict[str, float] = {}
    unknown: dict[str, str] = {}
    for task in run.steps:
        if task.name not in resources or task.state in ("skipped", "not triggered"):
            continue
        asked = resources[task.name]
        problem = unpriced(asked, prices)
        if task.elapsed is None:
            problem = "the service does not say how long it took"
        if problem or asked is None or task.elapsed is None:
            unknown[task.name] = problem
            continue
        hours = task.elapsed.total_seconds() / _HOUR
        tasks[task.name] = tasks.get(task.name, 0.0) + hours * price_of_an_hour(asked, prices)
    return Costs(prices.currency, prices.run + sum(tasks.values()), tasks, unknown)


def price_of_an_hour(asked: Resources, prices: Prices) -> float:
    """Return what a task costs in an hour; its accelerator must have a price."""
    accelerator = prices.accelerator_hour[asked.accelerator_type] if asked.accelerators else 0.0
    return (
        asked.vcpus * prices.vcpu_hour
        + asked.gib * prices.gib_hour
        + asked.accelerators * accelerator
    )


def unpriced(asked: Resources | None, prices: Prices) -> str:
    """Return why no price can be put on what a task asks for; empty if one can."""
    if asked is None:
        return "what it asks for is known only when it starts"
    if asked.accelerators and asked.accelerator_type not in prices.accelerator_hour:
        return f"`prices.accelerator_hour` has no `{asked.accelerator_type}`"
    return ""
