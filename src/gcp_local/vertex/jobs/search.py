"""Which values a trial is to try: pure, and the same each time for the same study and past.

Vertex AI's own algorithm is Bayesian optimization. The stand-in for it tries points at random and
then, every other time, one near the best so far.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from gcp_local.vertex.jobs.study import Algorithm, Scale

if TYPE_CHECKING:
    from gcp_local.vertex.jobs.study import Parameter, Study, Value

_SPREAD = 0.15
_RANDOM_FIRST = 4


@dataclass(frozen=True)
class Point:
    """A point of the space that is searched.

    Attributes:
        values: of each parameter that there is at this point.
        units: where each lies between its limits, from 0 to 1.

    """

    values: Mapping[str, Value]
    units: Mapping[str, float]


@dataclass(frozen=True)
class Tried:
    """A point, and the value of the first metric there."""

    point: Point
    objective: float


def suggestion(study: Study, number: int, past: Sequence[Tried], seed: str) -> Point | None:
    """Give the point of a trial; None if the space is exhausted.

    Args:
        study: what is tuned.
        number: the trial's number, from 1.
        past: the trials that succeeded so far.
        seed: makes the points of one study differ from another's.

    """
    if study.algorithm == Algorithm.GRID_SEARCH:
        values = next(islice(_grid(study.parameters), number - 1, None), None)
        return None if values is None else Point(values, {})
    dice = random.Random(f"{seed} {number}")  # noqa: S311  (nothing secret)
    near: Mapping[str, float] = {}
    exploits = study.algorithm != Algorithm.RANDOM_SEARCH and number % 2 == 0
    if exploits and past and number > _RANDOM_FIRST:
        sign = 1 if study.metrics[0].maximize else -1
        near = max(past, key=lambda tried: sign * tried.objective).point.units
    filled: dict[str, Value] = {}
    units: dict[str, float] = {}
    for parameter in study.parameters:
        _fill(parameter, dice, near, filled, units)
    return Point(filled, units)


def as_argument(value: Value) -> str:
    """Write a value as Vertex AI hands it to a program: a whole number without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def value_at(parameter: Parameter, unit: float) -> Value:
    """Give the value that lies at a point from 0 to 1 between a parameter's limits."""
    if parameter.values:
        return parameter.values[min(int(unit * len(parameter.values)), len(parameter.values) - 1)]
    low, high = parameter.low, parameter.high
    if parameter.scale == Scale.UNIT_LOG_SCALE:
        value = _logarithmic(low, high, unit)
    elif parameter.scale == Scale.UNIT_REVERSE_LOG_SCALE:
        value = low + high - _logarithmic(low, high, 1 - unit)
    elif parameter.whole:
        return int(low) + min(int(unit * (high - low + 1)), int(high - low))
    else:
        value = low + unit * (high - low)
    value = min(max(value, low), high)
    return round(value) if parameter.whole else value


def _logarithmic(low: float, high: float, unit: float) -> float:
    return math.exp(math.log(low) + unit * (math.log(high) - math.log(low)))


def _fill(
    parameter: Parameter,
    dice: random.Random,
    near: Mapping[str, float],
    values: dict[str, Value],
    units: dict[str, float],
) -> None:
    name = parameter.name
    unit = dice.random()
    if name in near:
        unit = min(max(dice.gauss(near[name], _SPREAD), 0.0), 1.0)
    units[name] = unit
    values[name] = value_at(parameter, unit)
    for child in parameter.children:
        if values[name] in child.when:
            _fill(child.parameter, dice, near, values, units)


def _grid(parameters: Sequence[Parameter]) -> Iterator[dict[str, Value]]:
    """Go through all combinations, the last parameter fastest; a range is never written out."""
    if not parameters:
        yield {}
        return
    first, *rest = parameters
    for branch in _branches(first):
        for others in _grid(rest):
            yield {**branch, **others}


def _branches(parameter: Parameter) -> Iterator[dict[str, Value]]:
    """Go through a parameter's values, each with all values of the parameters that depend on it."""
    values: Sequence[Value] = parameter.values or range(int(parameter.low), int(parameter.high) + 1)
    for value in values:
        below = [child.parameter for child in parameter.children if value in child.when]
        for rest in _grid(below):
            yield {parameter.name: value, **rest}
