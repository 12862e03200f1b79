"""Gates that a team writes in Python, found by entry point.

A package names its gates in the group `ecluse.gates`; each is called with a `Context` and returns
a `Verdict`, or several. It runs where the promotion runs, under the deployer's identity, so
it is code to be trusted like the engine itself: it comes with the tool image, not with a release.
"""

import copy
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.metadata import entry_points
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias, get_args

from ecluse.errors import BrokenGate
from ecluse.promotion.gates.findings import Findings, Metrics, TaskOutcome
from ecluse.promotion.gates.verdict import Verdict
from ecluse.repository.gate_settings import CustomGate, Severity

GROUP: Final = "ecluse.gates"
"""The entry points' group."""

_SHOWN = 5


@dataclass(frozen=True)
class Context:
    """What a gate written in Python may look at. Nothing in it can be changed.

    Attributes:
        pipeline: the pipeline's name.
        environment: the environment's name, such as `nonprod`.
        metrics: the run's metrics, by `task.name`; those of which a loop has several are left out.
        champion: the same of what is live; none where nothing is.
        tasks: how the run's tasks ended, and how long each took.
        elapsed: how long the run took; none if the service does not say.
        cost: what the run is estimated to have cost, in `currency`; none where the environment
            declares no prices, or a task's cost is unknown.
        currency: of `cost`, such as `EUR`; empty where the environment declares no prices.
        options: `options` of the gate in pipeline.yaml.

    """

    pipeline: str
    environment: str
    metrics: Metrics
    champion: Metrics | None
    tasks: tuple[TaskOutcome, ...]
    elapsed: timedelta | None
    cost: float | None
    currency: str
    options: Mapping[str, Any]


GateFunction: TypeAlias = Callable[[Context], Verdict | Sequence[Verdict]]


def context_of(
    gate: CustomGate,
    findings: Findings,
    champion: Metrics | None,
    *,
    pipeline: str,
    environment: str,
) -> Context:
    """Return what a gate is called with."""
    costs = findings.costs
    return Context(
        pipeline=pipeline,
        environment=environment,
        metrics=MappingProxyType(dict(findings.metrics)),
        champion=None if champion is None else MappingProxyType(dict(champion)),
        tasks=findings.tasks,
        elapsed=findings.elapsed,
        cost=costs.run if costs is not None and not costs.unknown else None,
        currency=costs.currency if costs is not None else "",
        options=MappingProxyType(copy.deepcopy(gate.options)),
    )


def load(name: str, *, where: str) -> GateFunction:
    """Return the function behind an entry point.

    Args:
        name: the entry point's name.
        where: the field that names it, for errors.

    Raises:
        BrokenGate: there is none, there are two, or it cannot be imported.

    """
    found = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if not found:
        known = sorted({point.name for point in entry_points(group=GROUP)})
        there = f"installed are: {', '.join(known[:_SHOWN])}; " if known else ""
        raise BrokenGate(
            f"no installed package has a gate `{name}`",
            where=where,
            fix=f"{there}install the package whose entry points, group `{GROUP}`, name it",
        )
    if len(found) > 1:
        raise BrokenGate(
            f"several packages have a gate `{name}`: {', '.join(sorted(found))}",
            where=where,
            fix="keep one of them installed",
        )
    ((value, point),) = found.items()
    try:
        function = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 importing runs whatever is in there
        raise BrokenGate(
            f"the gate `{name}` cannot be loaded from {value}: {_told(error)}",
            where=where,
            fix="mend the package, or install another version of it",
        ) from None
    if not callable(function):
        raise BrokenGate(
            f"the gate `{name}`, {value}, is {type(function).__name__}: nothing that can be called",
            where=where,
            fix="let the entry point name a function that takes a `Context`",
        )
    gate: GateFunction = function
    return gate


def ask(gate: CustomGate, context: Context, *, where: str) -> tuple[Verdict, ...]:
    """Call a gate, and return what it says.

    A gate that pipeline.yaml calls a warning refuses nothing, whatever its verdicts say.

    Raises:
        BrokenGate: it is missing, raises, or returns something else than verdicts.

    """
    function = load(gate.custom, where=where)
    try:
        answer = function(context)
    except (Exception, SystemExit) as error:  # noqa: BLE001 somebody else's code
        raise BrokenGate(
            f"the gate `{gate.custom}` ended with {_told(error)}",
            where=where,
            fix="mend it, then promote again: the run that there is will be judged",
        ) from None
    verdicts = [answer] if isinstance(answer, Verdict) else answer
    if not isinstance(verdicts, list | tuple) or not verdicts:
        raise _nonsense(gate, where, f"returned {_shown(answer)}, not a `Verdict` or several")
    return tuple(_checked(verdict, gate, where) for verdict in verdicts)


def _checked(verdict: Any, gate: CustomGate, where: str) -> Verdict:
    if not isinstance(verdict, Verdict):
        raise _nonsense(gate, where, f"returned {_shown(verdict)} among its verdicts")
    passed: Any = verdict.passed
    if passed is not True and passed is not False:
        shown = _shown(passed)
        raise _nonsense(gate, where, f"its verdict's `passed` is {shown}, not True or False")
    for name in ("metric", "rule", "note", "unit"):
        text: Any = getattr(verdict, name)
        if not isinstance(text, str) or (not text and name in ("metric", "rule")):
            raise _nonsense(gate, where, f"its verdict's `{name}` is {_shown(text)}, no text")
    if verdict.severity not in get_args(Severity):
        shown = _shown(verdict.severity)
        raise _nonsense(gate, where, f"its verdict's `severity` is {shown}")
    severity: Severity = "warning" if gate.severity == "warning" else verdict.severity
    return replace(
        verdict,
        severity=severity,
        value=_number(verdict, "value", gate, where),
        limit=_number(verdict, "limit", gate, where),
        champion=_number(verdict, "champion", gate, where),
    )


def _number(verdict: Verdict, name: str, gate: CustomGate, where: str) -> float | None:
    number: Any = getattr(verdict, name)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, Real | int | float):
        raise _nonsense(gate, where, f"its verdict's `{name}` is {_shown(number)}, no number")
    return float(number)


def _nonsense(gate: CustomGate, where: str, what: str) -> BrokenGate:
    return BrokenGate(
        f"the gate `{gate.custom}` makes no sense: {what}",
        where=where,
        fix="return `Verdict(metric=…, rule=…, passed=True or False)`, or a list of them",
    )


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{type(value).__name__} {text[:50]}…"


def _told(error: BaseException) -> str:
    """Say an exception in one line, with the place in the gate's own code."""
    said = " ".join(str(error).split())[:200]
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if len(frames) > 1 else ""
    return f"{type(error).__name__}{f': {said}' if said else ''}{place}"
