"""A study: what is tuned, between which limits, and towards which metrics.

Source: the documentation of `StudySpec` in google.cloud.aiplatform.v1.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import study as study_types

from gcp_local.errors import InvalidArgument, Unimplemented

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gcp_local.rpc.protos import Message

Value = int | float | str
Algorithm = study_types.StudySpec.Algorithm
Scale = study_types.StudySpec.ParameterSpec.ScaleType
Goal = study_types.StudySpec.MetricSpec.GoalType
Selection = study_types.StudySpec.MeasurementSelectionType
_PLAIN_SCALES = (Scale.SCALE_TYPE_UNSPECIFIED, Scale.UNIT_LINEAR_SCALE)
_NOT_HERE = (
    "decay_curve_stopping_spec",
    "median_automated_stopping_spec",
    "convex_automated_stopping_spec",
    "study_stopping_config",
)
_KINDS = (
    "double_value_spec",
    "integer_value_spec",
    "categorical_value_spec",
    "discrete_value_spec",
)
_CONDITIONS = {
    "parent_discrete_values": "discrete_value_spec",
    "parent_int_values": "integer_value_spec",
    "parent_categorical_values": "categorical_value_spec",
}
_MAX_DISCRETE = 1000
_CLOSEST = 1e-10


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        name: its id.
        low, high: the limits of a range; both belong to it.
        whole: whether the range is of whole numbers.
        values: the values of a parameter that is no range.
        scale: how the range is looked at.
        children: parameters there are only for some of this one's values.

    """

    name: str
    low: float = 0
    high: float = 0
    whole: bool = False
    values: tuple[Value, ...] = ()
    scale: int = Scale.SCALE_TYPE_UNSPECIFIED
    children: tuple[Child, ...] = ()


@dataclass(frozen=True)
class Child:
    """A parameter that there is only for some of its parent's values."""

    when: tuple[Value, ...]
    parameter: Parameter


@dataclass(frozen=True)
class Metric:
    """What is measured, and whether more of it is better."""

    name: str
    maximize: bool


@dataclass(frozen=True)
class Study:
    """What is tuned and how."""

    parameters: tuple[Parameter, ...]
    metrics: tuple[Metric, ...]
    algorithm: int
    best_measurement: bool


def study_of(spec: Message, *, at: str) -> Study:
    """Read and check a `StudySpec`.

    Raises:
        InvalidArgument: Vertex AI would refuse it.
        Unimplemented: Vertex AI would take it, and this stand-in cannot do it.

    """
    for name in _NOT_HERE:
        if spec.HasField(name):
            raise Unimplemented(f"{at}.{name} is not implemented: every trial runs to its end.")
    if spec.observation_noise:
        raise InvalidArgument.of_field(
            f"{at}.observation_noise", "HyperparameterTuningJobs do not support observation_noise."
        )
    metrics = tuple(_metric(each, f"{at}.metrics") for each in spec.metrics)
    if not metrics:
        raise InvalidArgument.of_field(f"{at}.metrics", "A study needs a metric.")
    _check_unique([metric.name for metric in metrics], f"{at}.metrics")
    parameters = tuple(_parameter(each, f"{at}.parameters") for each in spec.parameters)
    _check_unique(list(_names(parameters)), f"{at}.parameters")
    if not parameters:
        raise InvalidArgument.of_field(f"{at}.parameters", "A study needs a parameter.")
    if spec.algorithm == Algorithm.GRID_SEARCH:
        _check_grid(parameters, f"{at}.algorithm")
    best = spec.measurement_selection_type == Selection.BEST_MEASUREMENT
    return Study(parameters, metrics, spec.algorithm, best)


def _metric(spec: Message, at: str) -> Metric:
    _check_id(spec.metric_id, f"{at}.metric_id")
    if spec.HasField("safety_config"):
        raise Unimplemented(f"{at}.safety_config is not implemented by the embedded cloud.")
    if not spec.goal:
        raise InvalidArgument.of_field(f"{at}.goal", "goal is required: MAXIMIZE or MINIMIZE.")
    return Metric(spec.metric_id, spec.goal == Goal.MAXIMIZE)


def _names(parameters: Iterable[Parameter]) -> Iterator[str]:
    """Go through the ids of parameters and of those that depend on them."""
    for parameter in parameters:
        yield parameter.name
        yield from _names(child.parameter for child in parameter.children)


def _parameter(spec: Message, at: str) -> Parameter:
    _check_id(spec.parameter_id, f"{at}.parameter_id")
    kind = spec.WhichOneof("parameter_value_spec")
    if kind is None:
        raise InvalidArgument.of_field(
            at, f"The parameter {spec.parameter_id!r} needs one of {', '.join(_KINDS)}."
        )
    at = f"{at}.{kind}"
    given = getattr(spec, kind)
    if given.HasField("default_value"):
        raise InvalidArgument.of_field(
            f"{at}.default_value", "HyperparameterTuningJobs do not support default_value."
        )
    low = high = 0.0
    values: tuple[Value, ...] = ()
    if kind in ("double_value_spec", "integer_value_spec"):
        low, high = given.min_value, given.max_value
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise InvalidArgument.of_field(at, "min_value must not be more than max_value.")
    else:
        values = tuple(given.values)
        if not values or len(set(values)) < len(values):
            raise InvalidArgument.of_field(f"{at}.values", "There must be values, each once.")
    if kind == "discrete_value_spec":
        _check_discrete(values, f"{at}.values")
        low = min(float(value) for value in values)
    if kind == "categorical_value_spec" and spec.scale_type:
        message = "scale_type must be left unset for categorical parameters."
        raise InvalidArgument.of_field(f"{at}.scale_type", message)
    if spec.scale_type not in _PLAIN_SCALES and low <= 0:
        message = f"{Scale(spec.scale_type).name} needs values that are all positive."
        raise InvalidArgument.of_field(f"{at}.scale_type", message)
    whole = kind == "integer_value_spec"
    plain = Parameter(spec.parameter_id, low, high, whole, values, spec.scale_type)
    children = tuple(_child(each, kind, plain, at) for each in spec.conditional_parameter_specs)
    return Parameter(spec.parameter_id, low, high, whole, values, spec.scale_type, children)


def _child(spec: Message, parent_kind: str, parent: Parameter, at: str) -> Child:
    at = f"{at}.conditional_parameter_specs"
    condition = spec.WhichOneof("parent_value_condition")
    if condition is None or _CONDITIONS[condition] != parent_kind:
        message = f"The condition must be on values of {parent.name!r}, which is {parent_kind}."
        raise InvalidArgument.of_field(at, message)
    when = tuple(getattr(spec, condition).values)
    for value in when:
        fits = value in parent.values or (parent.whole and parent.low <= value <= parent.high)
        if not fits:
            message = f"{parent.name!r} has no value {value!r}."
            raise InvalidArgument.of_field(f"{at}.{condition}", message)
    if not when:
        raise InvalidArgument.of_field(f"{at}.{condition}", "values is required.")
    return Child(when, _parameter(spec.parameter_spec, f"{at}.parameter_spec"))


def _check_discrete(values: Sequence[Value], at: str) -> None:
    numbers = [float(value) for value in values]
    near = any(after - before < _CLOSEST for before, after in pairwise(numbers))
    if near or len(numbers) > _MAX_DISCRETE or not all(map(math.isfinite, numbers)):
        message = f"Discrete values must increase, and be at most {_MAX_DISCRETE}."
        raise InvalidArgument.of_field(at, message)


def _check_grid(parameters: Sequence[Parameter], at: str) -> None:
    for parameter in parameters:
        if not parameter.values and not parameter.whole:
            raise InvalidArgument.of_field(
                at, f"A grid search cannot be over {parameter.name!r}, which is a DOUBLE."
            )
        _check_grid([child.parameter for child in parameter.children], at)


def _check_id(name: str, at: str) -> None:
    if not name or re.search(r"\s", name):
        message = f"Invalid id {name!r}: it is required, and must not hold white space."
        raise InvalidArgument.of_field(at, message)


def _check_unique(names: Sequence[str], at: str) -> None:
    if len(set(names)) < len(names):
        raise InvalidArgument.of_field(at, f"The ids must be unique: {', '.join(names)}.")
