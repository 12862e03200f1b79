"""Verdicts on what a run took: its time, and its estimated cost."""

from datetime import timedelta

from ecluse.errors import SettingsError
from ecluse.promotion.gates.findings import Findings
from ecluse.promotion.gates.rules import verdict_on
from ecluse.promotion.gates.verdict import SECONDS, Verdict
from ecluse.repository.gate_settings import CostGate, DurationGate, PlacedGate


def duration_verdict(placed: PlacedGate, gate: DurationGate, findings: Findings) -> Verdict:
    """Hold a duration against its limit."""
    note = ""
    times: list[timedelta]
    if gate.task is None:
        times = [findings.elapsed] if findings.elapsed is not None else []
    else:
        ended = findings.ended(gate.task)
        if ended != "succeeded":
            note = f"`{gate.task}` did not run: {ended}"
            return verdict_on(placed, passed=False, unit=SECONDS, note=note)
        times = findings.times(gate.task)
    if not times:
        note = "the service does not say how long it took"
        return verdict_on(placed, passed=False, unit=SECONDS, note=note)
    # In a loop the task ran several times, and each of them has to keep to the rule.
    if gate.max is not None:
        took, bound = max(times), gate.max
        passed = took <= bound
    else:
        assert gate.min is not None, "a gate on a duration has a limit"
        took, bound = min(times), gate.min
        passed = took >= bound
    if len(times) > 1:
        note = f"the {'longest' if gate.max is not None else 'shortest'} of {len(times)}"
    return verdict_on(
        placed,
        passed=passed,
        value=took.total_seconds(),
        limit=bound.total_seconds(),
        unit=SECONDS,
        note=note,
    )


def cost_verdict(
    placed: PlacedGate, gate: CostGate, findings: Findings, *, environment: str, where: str
) -> Verdict:
    """Hold an estimated cost against its limit; one that is not known whole does not pass.

    Raises:
        SettingsError: the environment declares no prices, or in another currency.

    """
    costs, unit, limit = findings.costs, gate.max.currency, gate.max.amount
    require_prices(
        placed,
        gate,
        costs.currency if costs is not None else None,
        environment=environment,
        where=where,
    )
    assert costs is not None, "there are prices"
    if gate.task is None:
        value, unknown = costs.run, dict(costs.unknown)
    else:
        ended = findings.ended(gate.task)
        if ended != "succeeded":
            note = f"`{gate.task}` did not run: {ended}"
            return verdict_on(placed, passed=False, limit=limit, unit=unit, note=note)
        unknown = {task: why for task, why in costs.unknown.items() if task == gate.task}
        if gate.task not in costs.tasks and not unknown:
            unknown = {gate.task: "which runs no container"}
        value = costs.tasks.get(gate.task, 0.0)
    if unknown:
        note = "unknown: " + "; ".join(f"`{task}`, {why}" for task, why in unknown.items())
        return verdict_on(placed, passed=False, limit=limit, unit=unit, note=note)
    return verdict_on(placed, passed=value <= limit, value=value, limit=limit, unit=unit)


def require_prices(
    placed: PlacedGate, gate: CostGate, currency: str | None, *, environment: str, where: str
) -> None:
    """Refuse a gate on a cost where there are no prices in its currency.

    Raises:
        SettingsError: there are none (`currency` is none), or they are in another one.

    """
    unit, file = gate.max.currency, f"environments/{environment}.yaml"
    if currency is None:
        raise SettingsError(
            f"`{placed.field('cost')}`: {file} declares no prices",
            where=where,
            fix=f"add `prices:` to {file}",
        )
    if currency != unit:
        raise SettingsError(
            f"`{placed.field('max')}`: the limit is in {unit}, the prices of {file} are in "
            f"{currency}",
            where=where,
            fix=f"write the limit in {currency}",
        )
