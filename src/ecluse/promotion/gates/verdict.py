"""What a gate said of a run."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from ecluse import clock
from ecluse.repository.gate_settings import Severity

SECONDS: Final = "s"
"""The unit of durations and ages; money has its currency's code for a unit, a metric none."""

_MOST_DIGITS = 12
_LONGEST = 1e11
"""Some 3,000 years, in seconds: longer times are mistakes, and not worth counting in days."""


@dataclass(frozen=True)
class Verdict:
    """What a gate said of a run.

    Attributes:
        metric: what was looked at: a metric's name, `duration of train`, `cost of run`, or `run`
            for the check on the run itself.
        rule: the rule in words, such as `at least 0.95`.
        passed: whether it holds.
        value: the run's value; none if its task did not run.
        limit: the number that the value was held against; none if there was none.
        champion: the live pipeline's value, where it was asked for and is known.
        note: what a reader has to know besides.
        severity: a warning that did not pass refuses nothing.
        unit: of value, limit and champion: `s`, a currency such as `EUR`, or none.

    """

    metric: str
    rule: str
    passed: bool
    value: float | None = None
    limit: float | None = None
    champion: float | None = None
    note: str = ""
    severity: Severity = "blocker"
    unit: str = ""

    @property
    def refuses(self) -> bool:
        """Whether the run may not go live because of it."""
        return not self.passed and self.severity == "blocker"

    @property
    def warns(self) -> bool:
        """Whether it asks for attention without refusing."""
        return not self.passed and self.severity == "warning"

    @property
    def numbers(self) -> tuple[str, str, str]:
        """The value, the limit and the champion's value as people read them.

        With their unit, and with as many digits as it takes to tell a value from its limit.
        """
        said = (self.value, self.limit, self.champion)
        known = {number for number in said if number is not None}
        for digits in range(4, _MOST_DIGITS):
            texts = {number: _said(number, self.unit, digits) for number in known}
            if len(set(texts.values())) == len(known):
                break
        else:
            texts = {number: f"{number!r} {self.unit}".rstrip() for number in known}
        value, limit, champion = ("" if n is None else texts[n] for n in said)
        return value, limit, champion

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as plain values; what is unknown, unused or no number is left out."""
        return {
            name: value
            for name, value in vars(self).items()
            if value not in (None, "")
            and (name, value) != ("severity", "blocker")
            and not (isinstance(value, float) and not math.isfinite(value))
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Verdict":
        """Read what `as_json` wrote."""
        return cls(**values)


def refusing(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts because of which the run may not go live."""
    return [verdict for verdict in verdicts if verdict.refuses]


def refusal(refused: Iterable[Verdict]) -> str:
    """Say which gates refused, and by what."""
    said = []
    for verdict in refused:
        measured = verdict.numbers[0] or "no value"
        note = f" ({verdict.note})" if verdict.note else ""
        said.append(f"{verdict.metric} is {measured}, {verdict.rule} was asked{note}")
    return "; ".join(said)


def _said(number: float, unit: str, digits: int) -> str:
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else f"{number:+}"
    if unit == SECONDS:
        return _time(number, digits)
    if unit:
        decimals = digits - 2 if abs(number) >= 0.1 else digits
        return f"{number:,.{decimals}f} {unit}"
    if number and abs(number) < 10 ** (1 - digits):
        return f"{number:.{digits - 1}g}"
    return f"{number:.{digits}f}" if abs(number) < 1000 else f"{number:,.{digits - 4}f}"


def _time(seconds: float, digits: int) -> str:
    """Say a length of time; two that differ by less than people usually say get their seconds."""
    if abs(seconds) > _LONGEST:
        return f"{seconds:.{digits - 1}g} s"
    if digits > 4:
        return f"{seconds:,.{digits - 4}f} s"
    sign = "-" if seconds < 0 else ""
    if abs(seconds) >= 86_400:
        days, rest = divmod(int(abs(seconds)), 86_400)
        hours = rest // 3_600
        return f"{sign}{days:,} d" + (f" {hours} h" if hours else "")
    return f"{sign}{clock.duration(timedelta(seconds=abs(seconds)))}"
