"""What a run is estimated to have cost: what its tasks ask for × how long they took × prices."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecluse.cloud.run import Run, State, Task
from ecluse.promotion.gates.cost import estimate
from ecluse.release.resources import DEFAULT_GIB, DEFAULT_VCPUS, Resources, task_resources
from ecluse.repository.gate_settings import Prices

START = datetime(2026, 11, 22, 6, tzinfo=UTC)
PRICES = Prices(
    currency="EUR", vcpu_hour=0.5, gib_hour=0.25, accelerator_hour={"T4": 2.0}, run=0.125
)


def spec(**asked: dict[str, Any]) -> dict[str, Any]:
    """Return a PipelineSpec with a task for each name, and an importer."""
    tasks = {name: {"componentRef": {"name": f"comp-{name}"}} for name in (*asked, "importer")}
    executors: dict[str, Any] = {
        name: {"container": {"resources": resources} if resources else {}}
        for name, resources in asked.items()
    }
    return {
        "root": {"dag": {"tasks": tasks}},
        "components": {f"comp-{name}": {"executorLabel": name} for name in tasks},
        "deploymentSpec": {"executors": {**executors, "importer": {"importer": {}}}},
    }


def task(name: str, hours: float | None, state: State = "succeeded") -> Task:
    ended = START + timedelta(hours=hours) if hours is not None else None
    return Task(name, state, START if hours is not None else None, ended)


def run(*tasks: Task) -> Run:
    return Run("projects/p/locations/l/pipelineJobs/r", "succeeded", tasks)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, Resources(DEFAULT_VCPUS, DEFAULT_GIB)),
        ({"cpuLimit": 2.0, "resourceCpuLimit": "2"}, Resources(2.0, DEFAULT_GIB)),
        ({"cpuRequest": 0.5, "cpuLimit": 2.0}, Resources(2.0, DEFAULT_GIB)),
        ({"cpuRequest": 0.5}, Resources(0.5, DEFAULT_GIB)),
        ({"memoryLimit": 4.294967296}, Resources(DEFAULT_VCPUS, 4.0)),
        (
            {"accelerator": {"type": "T4", "count": "2", "resourceType": "T4"}},
            Resources(accelerators=2, accelerator_type="T4"),
        ),
        ({"accelerator": {"type": "T4", "count": "0"}}, Resources()),
        ({"resourceCpuLimit": "{{$.inputs.parameters['cpu']}}"}, None),
        ({"resourceMemoryRequest": "{{$.inputs.parameters['m']}}"}, None),
        ({"accelerator": {"resourceType": "T4", "resourceCount": "{{$.x}}"}}, None),
    ],
)
def test_what_a_task_asks_for_is_read_from_the_compiled_pipeline(
    asked: dict[str, Any], expected: Resources | None
) -> None:
    assert task_resources(spec(train=asked)) == {"train": expected}


def test_two_tasks_of_one_name_that_ask_for_different_things_are_unknown() -> None:
    nested = spec(train={"cpuLimit": 8.0})
    nested["components"]["comp-sub"] = {
        "dag": {"tasks": {"train": {"componentRef": {"name": "comp-small"}}}}
    }
    nested["components"]["comp-small"] = {"executorLabel": "small"}
    nested["deploymentSpec"]["executors"]["small"] = {"container": {}}
    assert task_resources(nested) == {"train": None}


def test_a_run_costs_what_its_tasks_asked_for_as_long_as_they_took_and_the_price_of_a_run() -> None:
    asked = spec(
        train={
            "cpuLimit": 8.0,
            "memoryLimit": 4.294967296,
            "accelerator": {"type": "T4", "count": "2"},
        },
        fit={"cpuLimit": 2.0, "memoryLimit": 4.294967296},
        look={},
    )
    costs = estimate(
        run(
            task("importer", 9.0),
            task("train", 0.5),  # 0.5 h × (8 × 0.5 + 4 × 0.25 + 2 × 2.0) = 4.5
            task("fit", 1.0),  # twice, in a loop: (1 + 2) h × (2 × 0.5 + 4 × 0.25) = 6
            task("fit", 2.0),
            task("look", 0.25),  # 0.25 h × (4 × 0.5 + 16 × 0.25) = 1.5
        ),
        task_resources(asked),
        PRICES,
    )
    assert costs.tasks == {"train": 4.5, "fit": 6.0, "look": 1.5}
    assert (costs.run, costs.currency, costs.unknown) == (12.125, "EUR", {})


@pytest.mark.parametrize("state", ["skipped", "not triggered"])
def test_a_task_that_did_not_run_cost_nothing(state: State) -> None:
    costs = estimate(run(task("train", 1.0, state)), task_resources(spec(train={})), PRICES)
    assert (costs.run, costs.tasks, costs.unknown) == (0.125, {}, {})


@pytest.mark.parametrize(
    ("asked", "hours", "why"),
    [
        ({"accelerator": {"type": "A100", "count": "1"}}, 1.0, "has no `A100`"),
        ({"resourceCpuLimit": "{{$.x}}"}, 1.0, "known only when it starts"),
        ({}, None, "does not say how long it took"),
    ],
)
def test_a_cost_that_cannot_be_told_is_told_to_be_unknown(
    asked: dict[str, Any], hours: float | None, why: str
) -> None:
    costs = estimate(run(task("train", hours)), task_resources(spec(train=asked)), PRICES)
    assert why in costs.unknown["train"]
    assert "train" not in costs.tasks
