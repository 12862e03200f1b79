"""A gate's rule, and what it looks at, in words."""

from datetime import timedelta

from ecluse.promotion.gates.verdict import Verdict
from ecluse.repository.gate_settings import (
    CostGate,
    CustomGate,
    DurationGate,
    FreshnessGate,
    Gate,
    MetricGate,
    PlacedGate,
)


def rule_of(gate: Gate) -> str:
    """Return a gate's rule in words, such as `no worse than the champion, within 0.01`."""
    match gate:
        case MetricGate():
            return _metric_rule(gate)
        case DurationGate(min=timedelta() as least):
            return f"takes at least {_time(least)}"
        case DurationGate():
            assert gate.max is not None, "a gate on a duration has a limit"
            return f"takes at most {_time(gate.max)}"
        case CostGate():
            return f"costs at most {gate.max}, estimated"
        case FreshnessGate():
            return f"newest row at most {_time(gate.max_age)} old"
        case CustomGate():
            return f"the custom gate `{gate.custom}`"


def subject_of(gate: Gate) -> str:
    """Return what a gate looks at: `evaluate.roc_auc`, `duration of train`, `cost of run`."""
    match gate:
        case MetricGate():
            return gate.metric
        case DurationGate():
            return f"duration of {gate.duration}"
        case CostGate():
            return f"cost of {gate.cost}"
        case FreshnessGate():
            return gate.freshness
        case CustomGate():
            return gate.custom


def verdict_on(
    placed: PlacedGate,
    *,
    passed: bool,
    value: float | None = None,
    limit: float | None = None,
    champion: float | None = None,
    note: str = "",
    unit: str = "",
) -> Verdict:
    """Return a verdict on a gate, with its rule in words."""
    return Verdict(
        metric=subject_of(placed.gate),
        rule=rule_of(placed.gate),
        passed=passed,
        value=value,
        limit=limit,
        champion=champion,
        note=note,
        severity=placed.gate.severity,
        unit=unit,
    )


def _metric_rule(gate: MetricGate) -> str:
    if gate.min is not None:
        return f"at least {_number(gate.min)}"
    if gate.max is not None:
        return f"at most {_number(gate.max)}"
    if gate.improves is not None:
        return "better than the champion" + (f" by {_number(gate.by)}" if gate.by else "")
    tolerance = f", within {_number(gate.tolerance)}" if gate.tolerance else ""
    return f"no worse than the champion{tolerance}"


def _number(number: float) -> str:
    """Return a number as its author wrote it, never rounded to another one."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def _time(length: timedelta) -> str:
    """Return a limit as its author meant it: no unit is dropped, no decimal is added."""
    seconds = int(length.total_seconds())
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)
