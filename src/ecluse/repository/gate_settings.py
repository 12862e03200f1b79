"""Gates as people write them (`gates` of a pipeline.yaml), and the prices that cost gates need.

A gate is on one thing, which a field of that name says: a metric, a duration, a cost, the data's
freshness, or whatever a team's own Python looks at. docs/gates.md has an example of each.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

import pydantic
from pydantic import BeforeValidator, Field, JsonValue, PlainSerializer, StringConstraints

from ecluse.repository.duration import duration_text, parse_duration
from ecluse.repository.strict import Strict

WHOLE_RUN: Final = "run"
"""What duration and cost gates call the whole run, where they could name a task."""

Severity = Literal["blocker", "warning"]
MetricName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+\.[^\s]+$")]
TaskName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


def _time_limit(text: Any) -> timedelta:
    """Read `1h30m`; a number without a unit could mean anything."""
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str):
        # YAML reads `30:00` as a number, too.
        problem = f"`{text}` has no unit: write it as in `45s`, `30m`, `2h` or `7d`"
        raise ValueError(problem)  # noqa: TRY004 pydantic takes no TypeError
    length = parse_duration(text)
    if not length:
        raise ValueError(f"`{text}` is no time at all")
    return length


TimeLimit = Annotated[
    timedelta, BeforeValidator(_time_limit), PlainSerializer(duration_text, return_type=str)
]
"""A length of time: `90m` and `1h30m` are frozen as one text, and so have one digest."""

_MONEY = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ([A-Z]{3})")


class _Gate(Strict):
    """What every gate has.

    Attributes:
        severity: a blocker refuses the run; a warning is told and kept, and refuses nothing.

    """

    severity: Severity = Field(default="blocker", exclude_if=lambda value: value == "blocker")

    @property
    def task(self) -> str | None:
        """The task that must have run for the gate to mean anything; none for the whole run."""
        return None


class MetricGate(_Gate):
    """A rule on one metric of a run.

    Attributes:
        metric: `task-name.metric_name`, as the compiled pipeline and the task's Metrics call them.
        min: the least acceptable value.
        max: the greatest acceptable value.
        no_worse_than: compare with the live pipeline's last qualifying run.
        tolerance: by how much the champion may be missed, in the metric's own unit.
        improves: be better than the live pipeline's last qualifying run.
        by: by how much at least, in the metric's own unit; any gain will do if nothing is said.
        better: which direction is better, for either comparison with the champion.

    """

    metric: MetricName
    min: float | None = None
    max: float | None = None
    no_worse_than: Literal["champion"] | None = None
    # These two are always written, used or not: so they stand in releases from before there were
    # other fields, and a digest does not move without need.
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    better: Literal["higher", "lower"] = "higher"
    improves: Literal["champion"] | None = None
    by: Annotated[float, Field(gt=0)] | None = None

    @property
    def task(self) -> str:
        """The task that measures it."""
        return self.metric.split(".", 1)[0]

    @pydantic.model_validator(mode="after")
    def _has_one_rule(self) -> Self:
        rules = [
            rule
            for rule in (self.min, self.max, self.no_worse_than, self.improves)
            if rule is not None
        ]
        if len(rules) != 1:
            raise ValueError(
                "a gate has exactly one of `min`, `max`, `no_worse_than` and `improves`"
            )
        if self.tolerance and self.no_worse_than is None:
            raise ValueError("`tolerance` goes with `no_worse_than` only")
        if self.by is not None and self.improves is None:
            raise ValueError("`by` goes with `improves` only")
        if self.better != "higher" and not (self.no_worse_than or self.improves):
            raise ValueError("`better` goes with `no_worse_than` and `improves` only")
        return self


class DurationGate(_Gate):
    """A rule on how long the whole run, or one task of it, took.

    Attributes:
        duration: `run`, or a task's name.
        min: the shortest acceptable time: what is over sooner has not done its work.
        max: the longest acceptable time.

    """

    duration: TaskName
    min: TimeLimit | None = None
    max: TimeLimit | None = None

    @property
    def task(self) -> str | None:
        """The task that is timed; none for the whole run."""
        return None if self.duration == WHOLE_RUN else self.duration

    @pydantic.model_validator(mode="after")
    def _has_one_rule(self) -> Self:
        if (self.min is None) == (self.max is None):
            raise ValueError("a gate on a duration has exactly one of `min` and `max`")
        return self


@dataclass(frozen=True)
class Money:
    """An amount in a currency, written `3.50 EUR`."""

    amount: float
    currency: str

    @classmethod
    def parse(cls, text: Any) -> "Money":
        """Read `3.50 EUR`.

        Raises:
            ValueError: the amount or the currency is missing.

        """
        if isinstance(text, Money):
            return text
        if isinstance(text, int | float) and not isinstance(text, bool):
            problem = f"`{text}` has no currency: write it as in `{text} EUR`"
            raise ValueError(problem)  # noqa: TRY004 pydantic takes no TypeError
        found = _MONEY.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ValueError(f"`{text}` is no amount of money: write it as in `3.50 EUR`")
        return cls(float(found[1]), found[2])

    def __str__(self) -> str:
        """Return the one text of an amount: no zeros that say nothing."""
        return f"{f'{self.amount:.6f}'.rstrip('0').rstrip('.')} {self.currency}"


class CostGate(_Gate):
    """A rule on what the whole run, or one task of it, is estimated to have cost.

    Attributes:
        cost: `run`, or a task's name.
        max: the most it may cost, in the currency of the environment's prices.

    """

    cost: TaskName
    max: Annotated[Money, BeforeValidator(Money.parse), PlainSerializer(str, return_type=str)]

    @property
    def task(self) -> str | None:
        """The task that is paid for; none for the whole run."""
        return None if self.cost == WHOLE_RUN else self.cost


class FreshnessGate(_Gate):
    """A rule on how old the data's newest row was when the run began.

    Attributes:
        freshness: the metric that holds the newest row's time, in seconds since 1970 (UTC).
        max_age: how old it may be.

    """

    freshness: MetricName
    max_age: TimeLimit

    @property
    def task(self) -> str:
        """The task that looked at the data."""
        return self.freshness.split(".", 1)[0]


class CustomGate(_Gate):
    """A rule in Python, found by its entry point.

    Attributes:
        custom: the entry point's name, in the group `ecluse.gates`.
        options: what it is given besides the run.

    """

    custom: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")]
    options: dict[str, JsonValue] = Field(
        default_factory=dict, exclude_if=lambda options: not options
    )


_KINDS: Final[Mapping[str, type[_Gate]]] = {
    "metric": MetricGate,
    "duration": DurationGate,
    "cost": CostGate,
    "freshness": FreshnessGate,
    "custom": CustomGate,
}


def _on_one_thing(value: Any) -> Any:
    """Refuse a gate that does not say what it is on, or says two things."""
    if isinstance(value, _Gate):
        return value
    if not isinstance(value, Mapping):
        problem = "a gate is a mapping, such as `{metric: evaluate.roc_auc, min: 0.9}`"
        raise ValueError(problem)  # noqa: TRY004 pydantic takes no TypeError
    named = [kind for kind in _KINDS if kind in value]
    if len(named) > 1:
        both = " and ".join(f"`{kind}`" for kind in named)
        raise ValueError(f"a gate is on one thing, found {both}: make two gates of it")
    if not named:
        words = [str(key) for key in value]
        near = [kind for kind in _KINDS if difflib.get_close_matches(kind, words, n=1)]
        hint = f"did you mean `{near[0]}`?" if near else f"it has one of: {', '.join(_KINDS)}"
        raise ValueError(f"the gate does not say what it is on: {hint}")
    return value


def _kind(value: Any) -> str:
    if isinstance(value, _Gate):
        return type(value).__name__
    return next(model.__name__ for kind, model in _KINDS.items() if kind in value)


Gate: TypeAlias = Annotated[
    Annotated[MetricGate, pydantic.Tag("MetricGate")]
    | Annotated[DurationGate, pydantic.Tag("DurationGate")]
    | Annotated[CostGate, pydantic.Tag("CostGate")]
    | Annotated[FreshnessGate, pydantic.Tag("FreshnessGate")]
    | Annotated[CustomGate, pydantic.Tag("CustomGate")],
    pydantic.Discriminator(_kind),
    BeforeValidator(_on_one_thing),
]
"""One entry of `gates`."""


@dataclass(frozen=True)
class PlacedGate:
    """A gate, and where in pipeline.yaml it stands.

    Attributes:
        gate: the gate.
        at: its path from the top, such as `("gates", 0)` or `("environments", "prod", "gates", 1)`.

    """

    gate: Gate
    at: tuple[str | int, ...]

    def field(self, name: str = "") -> str:
        """Return the dotted path of one of its fields, as errors show it."""
        return ".".join(str(part) for part in (*self.at, name) if part != "")


class Prices(Strict):
    """What a project pays, for the estimates of cost gates (`prices` of environments/NAME.yaml).

    Attributes:
        currency: of all the prices here.
        vcpu_hour: one virtual processor for an hour.
        gib_hour: one GiB of memory for an hour.
        accelerator_hour: one accelerator for an hour, by its type as components ask for it.
        run: one pipeline run, whatever it does.

    """

    currency: Currency
    vcpu_hour: Annotated[float, Field(gt=0)]
    gib_hour: Annotated[float, Field(ge=0)]
    accelerator_hour: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    run: Annotated[float, Field(ge=0)] = 0.0
