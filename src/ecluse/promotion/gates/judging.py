"""Judging: gates and findings → verdicts. Pure, but for the gates that are Python themselves.

What cannot be judged is never waved through: a value that is no finite number, a task that did not
run, a cost that is unknown do not pass. A blocker on something that the finished run cannot have (a
metric that its task does not write) is a mistake in the settings and raises; a warning never does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ecluse.errors import InvalidInput
from ecluse.promotion.gates import custom
from ecluse.promotion.gates.findings import Findings, Metrics
from ecluse.promotion.gates.measurement import measured_verdict
from ecluse.promotion.gates.rules import verdict_on
from ecluse.promotion.gates.spending import cost_verdict, duration_verdict, require_prices
from ecluse.promotion.gates.verdict import Verdict
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
            verdicts.append(verdict_on(placed, passed=False, note=note))
    return tuple(verdicts)


def require_judges(
    gates: Iterable[PlacedGate], prices: Prices | None, *, environment: str, where: str
) -> None:
    """Check before a run is paid for that its blockers can be judged after it.

    Raises:
        SettingsError: one is on a cost, and the environment declares no prices for it.
        BrokenGate: one is in Python, and is not installed here or cannot be loaded.

    """
    currency = prices.currency if prices is not None else None
    for placed in gates:
        match placed.gate:
            case CostGate(severity="blocker") as gate:
                require_prices(placed, gate, currency, environment=environment, where=where)
            case CustomGate(severity="blocker") as gate:
                custom.load(gate.custom, where=f"{where}: `{placed.field('custom')}`")
            case _:
                pass


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
        case MetricGate() | FreshnessGate() as gate:
            return (measured_verdict(placed, gate, case.findings, case.champion, where=case.where),)
        case DurationGate() as gate:
            return (duration_verdict(placed, gate, case.findings),)
        case CostGate() as gate:
            return (
                cost_verdict(
                    placed, gate, case.findings, environment=case.environment, where=case.where
                ),
            )
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
