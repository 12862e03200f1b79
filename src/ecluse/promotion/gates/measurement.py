"""Verdicts on what a run's tasks measured: metrics, and how fresh the data was."""

import math
from datetime import UTC, datetime

from ecluse.errors import UnknownMetric
from ecluse.promotion.gates.findings import Findings, Metrics
from ecluse.promotion.gates.rules import verdict_on
from ecluse.promotion.gates.verdict import SECONDS, Verdict
from ecluse.repository.gate_settings import FreshnessGate, MetricGate, PlacedGate

_DAY = 86_400.0
_FIRST_PLAUSIBLE = datetime(1973, 3, 3, tzinfo=UTC).timestamp()
"""About 10⁸ seconds: days and years since 1970 are far below it."""


def measured_verdict(
    placed: PlacedGate,
    gate: MetricGate | FreshnessGate,
    findings: Findings,
    champion: Metrics | None,
    *,
    where: str,
) -> Verdict:
    """Hold a metric against its gate.

    Raises:
        UnknownMetric: its task ran, and did not produce it, or produced it several times.

    """
    if isinstance(gate, MetricGate):
        metric, field = gate.metric, "metric"
    else:
        metric, field = gate.freshness, "freshness"
    task = metric.split(".", 1)[0]
    if metric in findings.ambiguous:
        raise UnknownMetric(
            f"`{placed.field(field)}`: the run has several values of `{metric}`",
            where=where,
            fix="let one task gather them, and put the gate on that task's metric",
        )
    value = findings.metrics.get(metric)
    if value is None:
        ended = findings.ended(task)
        if ended == "succeeded":
            raise UnknownMetric(
                f"`{placed.field(field)}`: the run has no metric `{metric}`",
                where=where,
                fix=_known_metrics(task, findings.metrics),
            )
        return verdict_on(placed, passed=False, note=f"`{task}` did not run: {ended}")
    if not math.isfinite(value):
        return verdict_on(placed, passed=False, value=value, note="is not a finite number")
    if isinstance(gate, MetricGate):
        return _metric_verdict(placed, gate, value, champion)
    return _freshness_verdict(placed, gate, value, findings)


def _metric_verdict(
    placed: PlacedGate, gate: MetricGate, value: float, champion: Metrics | None
) -> Verdict:
    if gate.min is not None:
        return verdict_on(placed, passed=value >= gate.min, value=value, limit=gate.min)
    if gate.max is not None:
        return verdict_on(placed, passed=value <= gate.max, value=value, limit=gate.max)
    theirs = None if champion is None else champion.get(gate.metric)
    if theirs is None or not math.isfinite(theirs):
        note = (
            "there is no champion yet"
            if champion is None
            else "the champion's run did not measure it"
        )
        return verdict_on(placed, passed=True, value=value, note=note)
    limit, passed = _against(gate, value, theirs)
    return verdict_on(placed, passed=passed, value=value, limit=limit, champion=theirs)


def _against(gate: MetricGate, value: float, theirs: float) -> tuple[float, bool]:
    """Return the limit that a champion sets, and whether a value keeps to it."""
    higher = gate.better == "higher"
    if gate.improves is None:
        limit = theirs - gate.tolerance if higher else theirs + gate.tolerance
        return limit, value >= limit if higher else value <= limit
    if gate.by is None:
        return theirs, value > theirs if higher else value < theirs
    limit = theirs + gate.by if higher else theirs - gate.by
    # A gain too small for the limit's own precision must not let an equal value pass.
    gained = value > theirs if higher else value < theirs
    return limit, gained and (value >= limit if higher else value <= limit)


def _freshness_verdict(
    placed: PlacedGate, gate: FreshnessGate, newest: float, findings: Findings
) -> Verdict:
    """Hold the newest row's age when the run began against its limit.

    The run's beginning, not the present: whoever judges the same run again says the same.
    """
    limit = gate.max_age.total_seconds()
    if findings.began is None:
        note = "the service does not say when the run began"
        return verdict_on(placed, passed=False, limit=limit, unit=SECONDS, note=note)
    age = findings.began.timestamp() - newest
    note = ""
    if newest < _FIRST_PLAUSIBLE:
        note = "the metric must be in seconds since 1970: this is before 1973"
    elif age < -_DAY:
        note = "the metric must be in seconds since 1970: this is in the future"
    passed = not note and age <= limit
    return verdict_on(placed, passed=passed, value=age, limit=limit, unit=SECONDS, note=note)


def _known_metrics(task: str, metrics: Metrics) -> str:
    of_task = sorted(name for name in metrics if name.startswith(f"{task}."))
    known = of_task or sorted(metrics)
    if not known:
        return "no task of this run produced a metric"
    shown = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
    return f"it has: {shown}"
