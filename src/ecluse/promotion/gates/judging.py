"""Judging: gates and findings → verdicts. Pure, but for the gates that are Python themselves.

What cannot be judged is never waved through: a value that is no finite number, a task that did not
run, a cost that is unknown do not pass. A blocker on something that the finished run cannot have (a
metric that its task does not write) is a mistake in the settings and raises; a warning never does.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ecluse.errors import InvalidInput, SettingsError, UnknownMetric
from ecluse.promotion.gates import custom
from ecluse.promotion.gates.findings import Findings, Metrics
from ecluse.promotion.gates.rules import rule_of, subject_of
from ecluse.promotion.gates.verdict import SECONDS, Verdict
from ecluse.repository.gate_settings import (
    WHOLE_RUN,
    CostGate,
    CustomGate,
    DurationGate,
    FreshnessGate,
    MetricGate,
    PlacedGate,
)

_DAY = 86_400.0
_FIRST_PLAUSIBLE = datetime(1973, 3, 3, tzinfo=UTC).timestamp()
"""About 10⁸ seconds: days and years since 1970 are far below it."""


def judge(
    gates: Sequence[PlacedGate],
    findings: Findings,
    champion: Metrics | None,
    *,
    pipeline: str,
    environment: str,
    where: str,
) -> tuple[Verdict, ...]:
    """Hold a finished run against its gates.

    The first verdict is always the run's own: a task that came from the cache proves nothing.

    Args:
        gates: the rules, in the order of pipeline.yaml.
        findings: what is known of the run.
        champion: the metrics of what is live; none where nothing is.
        pipeline: the pipeline's name.
        environment: the environment's name.
        where: the settings file, for errors.

    Raises:
        UnknownMetric: a blocker names a metric that its task, though it ran, did not produce, or
            produced several times.
        SettingsError: a blocker is on a cost, and the environment declares no prices for it.
        BrokenGate: a blocker in Python is missing, raises, or makes no sense.

    """
    case = _Case(findings, champion, pipeline, environment, where)
    verdicts = [_fresh(findings)]
    for placed in gates:
        try:
            verdicts += _judged(placed, case)
        except InvalidInput as problem:
            if placed.gate.severity == "blocker":
                raise
            note = f"cannot be judged: {problem.what}" + (f"; {problem.fix}" * bool(problem.fix))
            verdicts.append(_verdict(placed, passed=False, note=note))
    return tuple(verdicts)


def unreached(gates: Iterable[PlacedGate], findings: Findings) -> bool:
    """Whether a blocker's task did not run, so that the run says nothing of the pipeline."""
    return any(
        placed.gate.severity == "blocker"
        and placed.gate.task is not None
        and findings.ended(placed.gate.task) != "succeeded"
        for placed in gates
    )


@dataclass(frozen=True)
class _Case:
    """What `judge` was given, but for the gates."""

    findings: Findings
    champion: Metrics | None
    pipeline: str
    environment: str
    where: str


def _judged(placed: PlacedGate, case: _Case) -> tuple[Verdict, ...]:
    match placed.gate:
        case MetricGate() as gate:
            return (_measured_verdict(placed, gate, gate.metric, case),)
        case FreshnessGate() as gate:
            return (_measured_verdict(placed, gate, gate.freshness, case),)
        case DurationGate() as gate:
            return (_duration_verdict(placed, gate, case.findings),)
        case CostGate() as gate:
            return (_cost_verdict(placed, gate, case),)
        case CustomGate() as gate:
            context = custom.context_of(
                gate,
                case.findings,
                case.champion,
                pipeline=case.pipeline,
                environment=case.environment,
            )
            return custom.ask(gate, context, where=f"{case.where}: `{placed.field('custom')}`")


def _fresh(findings: Findings) -> Verdict:
    cached = sorted({task.name for task in findings.tasks if task.ended == "skipped"})
    return Verdict(
        metric=WHOLE_RUN,
        rule="every task really ran",
        passed=not cached,
        note=f"taken from the cache: {', '.join(cached)}" if cached else "",
    )


def _measured_verdict(
    placed: PlacedGate, gate: MetricGate | FreshnessGate, metric: str, case: _Case
) -> Verdict:
    field = "metric" if isinstance(gate, MetricGate) else "freshness"
    task = metric.split(".", 1)[0]
    findings, where = case.findings, case.where
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
        return _verdict(placed, passed=False, note=f"`{task}` did not run: {ended}")
    if not math.isfinite(value):
        return _verdict(placed, passed=False, value=value, note="is not a finite number")
    if isinstance(gate, MetricGate):
        return _metric_verdict(placed, gate, value, case.champion)
    return _freshness_verdict(placed, gate, value, findings)


def _metric_verdict(
    placed: PlacedGate, gate: MetricGate, value: float, champion: Metrics | None
) -> Verdict:
    if gate.min is not None:
        return _verdict(placed, passed=value >= gate.min, value=value, limit=gate.min)
    if gate.max is not None:
        return _verdict(placed, passed=value <= gate.max, value=value, limit=gate.max)
    theirs = None if champion is None else champion.get(gate.metric)
    if theirs is None or not math.isfinite(theirs):
        note = (
            "there is no champion yet"
            if champion is None
            else "the champion's run did not measure it"
        )
        return _verdict(placed, passed=True, value=value, note=note)
    limit, passed = _against(gate, value, theirs)
    return _verdict(placed, passed=passed, value=value, limit=limit, champion=theirs)


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
        return _verdict(placed, passed=False, limit=limit, unit=SECONDS, note=note)
    age = findings.began.timestamp() - newest
    note = ""
    if newest < _FIRST_PLAUSIBLE:
        note = "the metric must be in seconds since 1970: this is before 1973"
    elif age < -_DAY:
        note = "the metric must be in seconds since 1970: this is in the future"
    passed = not note and age <= limit
    return _verdict(placed, passed=passed, value=age, limit=limit, unit=SECONDS, note=note)


def _duration_verdict(placed: PlacedGate, gate: DurationGate, findings: Findings) -> Verdict:
    note = ""
    times: list[timedelta]
    if gate.task is None:
        times = [findings.elapsed] if findings.elapsed is not None else []
    else:
        ended = findings.ended(gate.task)
        if ended != "succeeded":
            note = f"`{gate.task}` did not run: {ended}"
            return _verdict(placed, passed=False, unit=SECONDS, note=note)
        times = findings.times(gate.task)
    if not times:
        note = "the service does not say how long it took"
        return _verdict(placed, passed=False, unit=SECONDS, note=note)
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
    return _verdict(
        placed,
        passed=passed,
        value=took.total_seconds(),
        limit=bound.total_seconds(),
        unit=SECONDS,
        note=note,
    )


def _cost_verdict(placed: PlacedGate, gate: CostGate, case: _Case) -> Verdict:
    costs, unit, limit = case.findings.costs, gate.max.currency, gate.max.amount
    where, file = case.where, f"environments/{case.environment}.yaml"
    if costs is None:
        raise SettingsError(
            f"`{placed.field('cost')}`: {file} declares no prices",
            where=where,
            fix=f"add `prices:` to {file}",
        )
    if costs.currency != unit:
        raise SettingsError(
            f"`{placed.field('max')}`: the limit is in {unit}, the prices of {file} are in "
            f"{costs.currency}",
            where=where,
            fix=f"write the limit in {costs.currency}",
        )
    if gate.task is None:
        value, unknown = costs.run, dict(costs.unknown)
    else:
        ended = case.findings.ended(gate.task)
        if ended != "succeeded":
            note = f"`{gate.task}` did not run: {ended}"
            return _verdict(placed, passed=False, limit=limit, unit=unit, note=note)
        unknown = {task: why for task, why in costs.unknown.items() if task == gate.task}
        if gate.task not in costs.tasks and not unknown:
            unknown = {gate.task: "which runs no container"}
        value = costs.tasks.get(gate.task, 0.0)
    if unknown:
        note = "unknown: " + "; ".join(f"`{task}`, {why}" for task, why in unknown.items())
        return _verdict(placed, passed=False, limit=limit, unit=unit, note=note)
    return _verdict(placed, passed=value <= limit, value=value, limit=limit, unit=unit)


def _verdict(
    placed: PlacedGate,
    *,
    passed: bool,
    value: float | None = None,
    limit: float | None = None,
    champion: float | None = None,
    note: str = "",
    unit: str = "",
) -> Verdict:
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


def _known_metrics(task: str, metrics: Metrics) -> str:
    of_task = sorted(name for name in metrics if name.startswith(f"{task}."))
    known = of_task or sorted(metrics)
    if not known:
        return "no task of this run produced a metric"
    shown = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
    return f"it has: {shown}"
