"""Trigger conditions and input selectors, which KFP writes in CEL (https://cel.dev).

Values come in as `google.protobuf.Value` has them, every number a double: that is why the
compiler writes `int(…)` around an integer, and why a condition without it would fail here just as
it fails on Vertex AI.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gcp_local import cel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.orchestrator.parameters import Json


class ConditionError(ValueError):
    """An expression that does not parse, or that cannot be evaluated on these values."""


def _program(expression: str) -> Any:
    try:
        return cel.program(expression, {"parseJson": _parse_json})
    except cel.CelError as error:
        raise ConditionError(str(error)) from None


def _parse_json(text: Any) -> Any:
    celpy, _ = cel.library()
    # What a loop hands out may be the struct itself or, as Vertex AI has it, its JSON text.
    return celpy.json_to_cel(json.loads(text)) if isinstance(text, str) else text


def check(expression: str) -> None:
    """Check that the expression parses.

    Raises:
        ConditionError: it does not.

    """
    _program(expression)


def holds(condition: str, parameter_values: Mapping[str, Json]) -> bool:
    """Evaluate a trigger condition over the task's input parameters.

    Raises:
        ConditionError: it does not evaluate, or not to a truth value.

    """
    result = _evaluate(condition, {"inputs": {"parameter_values": dict(parameter_values)}})
    if not cel.is_truth(result):
        raise ConditionError(f"the condition {condition!r} gives {result!r}, not true or false")
    return bool(result)


def selected(selector: str, value: Json) -> Json:
    """Pick a part of a value: KFP writes `parseJson(string_value)["key"]`.

    Raises:
        ConditionError: the value has no such part.

    """
    result = _evaluate(selector, {"string_value": value})
    return _plain(result)


def _evaluate(expression: str, variables: Mapping[str, Json]) -> Any:
    values = {name: _doubled(value) for name, value in variables.items()}
    try:
        return cel.evaluated(_program(expression), expression, values)
    except cel.CelError as error:
        raise ConditionError(str(error)) from None


def _doubled(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _doubled(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_doubled(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _plain(value: Any) -> Json:
    """Turn CEL's values back into JSON's."""
    kind = type(value).__name__
    if kind == "ListType":
        return [_plain(item) for item in value]
    if kind == "MapType":
        return {str(name): _plain(item) for name, item in value.items()}
    if kind == "DoubleType":
        number = float(value)
        return int(number) if number.is_integer() else number
    convert = {"BoolType": bool, "IntType": int, "UintType": int, "StringType": str}.get(kind)
    return convert(value) if convert else None
