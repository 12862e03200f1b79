"""What can be known to be wrong about gates before anything runs."""

import difflib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from ecluse.errors import SettingsError
from ecluse.promotion.gates import cost, custom
from ecluse.release.compiler import CompiledPipeline
from ecluse.release.resources import task_resources
from ecluse.repository.catalog import PipelineFolder
from ecluse.repository.gate_settings import (
    WHOLE_RUN,
    CostGate,
    CustomGate,
    DurationGate,
    FreshnessGate,
    MetricGate,
    PlacedGate,
    Prices,
)
from ecluse.repository.settings import Environment


def check_gates(
    folder: PipelineFolder, pipeline: CompiledPipeline, environments: Sequence[Environment]
) -> None:
    """Hold a pipeline's gates against its compiled form and the environments' prices.

    Raises:
        SettingsError: a gate's task, its prices or its currency is not there.
        BrokenGate: a gate in Python is not installed, or cannot be loaded.

    """
    seen = set()
    measuring = _measuring(pipeline.spec)
    for environment in environments:
        for placed in folder.settings.gates_in(environment.name):
            if isinstance(placed.gate, CostGate):
                _check_cost(folder, pipeline, placed, placed.gate, environment)
            if placed.at not in seen:
                seen.add(placed.at)
                _check_gate(folder, pipeline, placed, measuring)


def _check_gate(
    folder: PipelineFolder,
    pipeline: CompiledPipeline,
    placed: PlacedGate,
    measuring: AbstractSet[str],
) -> None:
    match placed.gate:
        case MetricGate():
            _check_task(folder, pipeline, placed, "metric")
            _check_measures(folder, placed, measuring, "metric")
        case FreshnessGate():
            _check_task(folder, pipeline, placed, "freshness")
            _check_measures(folder, placed, measuring, "freshness")
        case DurationGate():
            _check_task(folder, pipeline, placed, "duration")
        case CostGate():
            _check_task(folder, pipeline, placed, "cost")
        case CustomGate() as gate:
            where = f"{folder.where(*placed.at, 'custom')}: `{placed.field('custom')}`"
            custom.load(gate.custom, where=where)


def _check_task(
    folder: PipelineFolder, pipeline: CompiledPipeline, placed: PlacedGate, field: str
) -> None:
    tasks, task = pipeline.task_names, placed.gate.task
    if task is None:
        if WHOLE_RUN in tasks:
            raise SettingsError(
                f"`{placed.field(field)}`: `{WHOLE_RUN}` means the whole run, and the pipeline has "
                "a task of that name",
                where=folder.where(*placed.at, field),
                fix="give the task another name",
            )
        return
    if task not in tasks:
        near = difflib.get_close_matches(task, tasks, n=1)
        raise SettingsError(
            f"`{placed.field(field)}`: the pipeline has no task `{task}`",
            where=folder.where(*placed.at, field),
            fix=f"did you mean `{near[0]}`?" if near else f"it has: {', '.join(sorted(tasks))}",
        )


def _check_measures(
    folder: PipelineFolder, placed: PlacedGate, measuring: AbstractSet[str], field: str
) -> None:
    """Refuse a gate on a task that has no output for metrics, so could never measure anything."""
    if placed.gate.task not in measuring:
        there = f"these do: {', '.join(sorted(measuring))}" if measuring else "no task does"
        raise SettingsError(
            f"`{placed.field(field)}`: the task `{placed.gate.task}` writes no metrics",
            where=folder.where(*placed.at, field),
            fix=f"give its component a `dsl.Output[dsl.Metrics]`; {there}",
        )


def _measuring(spec: Mapping[str, Any]) -> set[str]:
    """Return the tasks that have an output of the type Metrics."""
    components = spec.get("components", {})
    dags = [spec["root"]["dag"], *(c["dag"] for c in components.values() if "dag" in c)]
    return {
        name
        for dag in dags
        for name, task in dag.get("tasks", {}).items()
        for artifact in components.get(task["componentRef"]["name"], {})
        .get("outputDefinitions", {})
        .get("artifacts", {})
        .values()
        if artifact.get("artifactType", {}).get("schemaTitle") == "system.Metrics"
    }


def _check_cost(
    folder: PipelineFolder,
    pipeline: CompiledPipeline,
    placed: PlacedGate,
    gate: CostGate,
    environment: Environment,
) -> None:
    file = f"environments/{environment.name}.yaml"
    prices = environment.prices
    if prices is None:
        raise SettingsError(
            f"`{placed.field('cost')}`: {file} declares no prices, so no cost can be estimated",
            where=folder.where(*placed.at, "cost"),
            fix=f"add `prices: {{currency: {gate.max.currency}, vcpu_hour: …, gib_hour: …}}` to "
            f"{file}, or put the gate under `environments` where there are prices",
        )
    if prices.currency != gate.max.currency:
        raise SettingsError(
            f"`{placed.field('max')}`: the limit is in {gate.max.currency}, the prices of {file} "
            f"are in {prices.currency}",
            where=folder.where(*placed.at, "max"),
            fix=f"write it in {prices.currency}",
        )
    _check_priced(folder, pipeline, placed, prices, file)


def _check_priced(
    folder: PipelineFolder,
    pipeline: CompiledPipeline,
    placed: PlacedGate,
    prices: Prices,
    file: str,
) -> None:
    """Refuse a limit on the cost of tasks that no price can be put on."""
    resources = task_resources(pipeline.spec)
    where = folder.where(*placed.at, "cost")
    task = placed.gate.task
    if task is not None and task in pipeline.task_names and task not in resources:
        raise SettingsError(
            f"`{placed.field('cost')}`: the task `{task}` runs no container, so it has no cost",
            where=where,
            fix=f"these do: {', '.join(sorted(resources))}",
        )
    for name in sorted(resources) if task is None else [task]:
        problem = cost.unpriced(resources[name], prices) if name in resources else ""
        if problem:
            raise SettingsError(
                f"`{placed.field('cost')}`: no price can be put on the task `{name}`: {problem}",
                where=where,
                fix=f"add the price to {file}, or give the task fixed limits",
            )
