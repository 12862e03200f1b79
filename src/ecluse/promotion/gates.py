"""Gates: may this run's pipeline go live? Pure decisions on metrics.

A metric is called `task.name`, as the compiled pipeline names the task and the task's Metrics
artifact names the value. The champion's metrics are those of the run that qualified what is live.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecluse.errors import UnknownMetric
from ecluse.repository.settings import Gate

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Verdict:
    """What a gate said of a run.

    Attributes:
        metric: the metric's name, or the task's for a check on the run itself.
        rule: the rule in words, such as `at least 0.95`.
        passed: whether it holds.
        value: the run's value; none if its task did not run.
        limit: the number that the value was held against; none if there was none.
        champion: the live pipeline's value, where it was asked for and is known.
        note: what a reader has to know besides.

    """

    metric: str
    rule: str
    passed: bool
    value: float | None = None
    limit: float | None = None
    champion: float | None = None
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as plain values."""
        return {name: value for name, value in vars(self).items() if value not in (None, "")}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Verdict":
        """Read what `as_json` wrote."""
        return cls(**values)


@dataclass(frozen=True)
class TaskOutcome:
    """What gates need to know of a task: how it ended.

    Attributes:
        name: the task's name in the compiled pipeline.
        ended: `succeeded`, `skipped` (taken from the cache), `not triggered` (its condition was
            false), or another state in plain words.

    """

    name: str
    ended: str


def judge(
    gates: Sequence[Gate],
    metrics: Metrics,
    tasks: Sequence[TaskOutcome],
    champion: Metrics | None,
    *,
    where: str,
    ambiguous: Collection[str] = (),
) -> tuple[Verdict, ...]:
    """Hold a finished run against its gates.

    The first verdict is always the run's own: a task that came from the cache proves nothing.

    Args:
        gates: the rules, in the order of pipeline.yaml.
        metrics: the run's metrics.
        tasks: how the run's tasks ended.
        champion: the metrics of what is live; none where nothing is.
        where: the settings file, for errors.
        ambiguous: metrics of which there are several values.

    Raises:
        UnknownMetric: a gate names a metric that its task, though it ran, did not produce, or
            produced several times.

    """
    ended = {task.name: task.ended for task in tasks}
    verdicts = [_fresh(tasks)]
    for index, gate in enumerate(gates):
        task = gate.metric.split(".", 1)[0]
        if gate.metric in ambiguous:
            raise UnknownMetric(
                f"`gates.{index}.metric`: the run has several values of `{gate.metric}`",
                where=where,
                fix="let one task gather them, and put the gate on that task's metric",
            )
        if gate.metric in metrics:
            verdicts.append(_verdict(gate, metrics[gate.metric], champion))
        elif ended.get(task) == "succeeded":
            raise UnknownMetric(
                f"`gates.{index}.metric`: the run has no metric `{gate.metric}`",
                where=where,
                fix=_known_metrics(task, metrics),
            )
        else:
            note = f"`{task}` did not run: {ended.get(task, 'not triggered')}"
            verdicts.append(Verdict(gate.metric, rule_of(gate), passed=False, note=note))
    return tuple(verdicts)


def rule_of(gate: Gate) -> str:
    """Return a gate's rule in words."""
    if gate.min is not None:
        return f"at least {gate.min:g}"
    if gate.max is not None:
        return f"at most {gate.max:g}"
    tolerance = f", within {gate.tolerance:g}" if gate.tolerance else ""
    return f"no worse than the champion{tolerance}"


def unreached(gates: Sequence[Gate], tasks: Iterable[TaskOutcome]) -> bool:
    """Whether a gate's task did not run, so that the run says nothing of the pipeline."""
    ran = {task.name for task in tasks if task.ended == "succeeded"}
    return any(gate.metric.split(".", 1)[0] not in ran for gate in gates)


def _fresh(tasks: Iterable[TaskOutcome]) -> Verdict:
    cached = sorted({task.name for task in tasks if task.ended == "skipped"})
    return Verdict(
        metric="run",
        rule="every task really ran",
        passed=not cached,
        note=f"taken from the cache: {', '.join(cached)}" if cached else "",
    )


def _verdict(gate: Gate, value: float, champion: Metrics | None) -> Verdict:
    rule = rule_of(gate)
    if gate.min is not None:
        return Verdict(gate.metric, rule, passed=value >= gate.min, value=value, limit=gate.min)
    if gate.max is not None:
        return Verdict(gate.metric, rule, passed=value <= gate.max, value=value, limit=gate.max)
    theirs = None if champion is None else champion.get(gate.metric)
    if theirs is None:
        note = (
            "there is no champion yet"
            if champion is None
            else "the champion's run did not measure it"
        )
        return Verdict(gate.metric, rule, passed=True, value=value, note=note)
    if gate.better == "higher":
        limit = theirs - gate.tolerance
        passed = value >= limit
    else:
        limit = theirs + gate.tolerance
        passed = value <= limit
    return Verdict(gate.metric, rule, passed=passed, value=value, limit=limit, champion=theirs)


def _known_metrics(task: str, metrics: Metrics) -> str:
    of_task = sorted(name for name in metrics if name.startswith(f"{task}."))
    known = of_task or sorted(metrics)
    if not known:
        return "no task of this run produced a metric"
    shown = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
    return f"it has: {shown}"
