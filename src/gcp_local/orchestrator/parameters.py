"""Parameter values and the types they must keep.

Every number travels as a double in `google.protobuf.Value`, so that only a parameter's declared
type tells 3 from 3.0. Inside lists and structs nothing tells them apart: there a whole number is
read as an int, which is what Vertex AI hands to a component. Values that a component itself wrote
never went through a double and stay exactly what they were.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from gcp_local.rpc.protos import Message, Value

Json: TypeAlias = Any
"""A value of JSON: None, bool, int, float, str, list, or a dict with str keys."""

_LARGEST_EXACT = 2.0**53
_LARGEST_INTEGER = 2**63 - 1
# Protobuf reads messages back that are nested 100 deep, no deeper. Those around a value in a
# PipelineJob take 9 of them, those around a whole pipeline 2; the rest is a margin.
_DEEPEST, _DEEPEST_PIPELINE = 64, 96
_LIST_LEVELS, _STRUCT_LEVELS = 2, 3


class ParameterType(StrEnum):
    """The types a parameter can have in a PipelineSpec."""

    NUMBER_DOUBLE = "NUMBER_DOUBLE"
    NUMBER_INTEGER = "NUMBER_INTEGER"
    STRING = "STRING"
    BOOLEAN = "BOOLEAN"
    LIST = "LIST"
    STRUCT = "STRUCT"
    TASK_FINAL_STATUS = "TASK_FINAL_STATUS"


_PYTHON: Mapping[ParameterType, type] = {
    ParameterType.STRING: str,
    ParameterType.BOOLEAN: bool,
    ParameterType.LIST: list,
    ParameterType.STRUCT: dict,
    ParameterType.TASK_FINAL_STATUS: dict,
}


class MistypedValueError(ValueError):
    """A value that is not of its parameter's type, or that no `google.protobuf.Value` can hold."""


def storable(value: Json, *, pipeline: bool = False) -> Json:
    """Give the value itself, if a PipelineJob can hold it and be read back.

    Args:
        value: a parameter's value, or an artifact's metadata.
        pipeline: it is a whole `pipeline_spec`, which may be deeper.

    Raises:
        MistypedValueError: it has a number that no double is near, text that UTF-8 cannot write,
            or too many lists and structs in one another.

    """
    _check(value, _DEEPEST_PIPELINE if pipeline else _DEEPEST)
    return value


def _check(value: Json, levels: int) -> None:
    if levels < 0:
        raise MistypedValueError(
            f"lists and structs are nested too deeply: at most {_DEEPEST // _LIST_LEVELS} lists,"
            f" or {_DEEPEST // _STRUCT_LEVELS} structs, can be in one another"
        )
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise MistypedValueError(f"{_shown(value)} is not Unicode text") from None
        case int() | float():
            _double(value)
        case list():
            for item in value:
                _check(item, levels - _LIST_LEVELS)
        case dict():
            for name, item in value.items():
                _check(name, levels)
                _check(item, levels - _STRUCT_LEVELS)


def _double(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise MistypedValueError("an integer is too large for a number of JSON") from None
    if not math.isfinite(number):
        raise MistypedValueError(f"{number} is not a JSON number")
    return number


def _shown(value: Json) -> str:
    """Show a value in a message, cut short; whatever the value, UTF-8 can write it."""
    shown = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()
    return shown if len(shown) <= 80 else shown[:77] + "..."


def of_type(value: Json, kind: ParameterType) -> Json:
    """Give the value in its declared type; null stays null.

    Raises:
        MistypedValueError: the value is of another type, and the message shows it; or as
            `storable`.

    """
    if value is None:
        return None
    storable(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if kind is ParameterType.NUMBER_DOUBLE:
            return float(value)
        if kind is ParameterType.NUMBER_INTEGER and float(value).is_integer():
            if not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
                raise MistypedValueError(f"{_shown(value)} does not fit into 64 bits")
            return int(value)
    elif isinstance(value, _PYTHON.get(kind, ())):
        return value
    raise MistypedValueError(f"{_shown(value)} is not of type {kind}")


def parsed(text: str, kind: ParameterType) -> Json:
    """Read a value that a component wrote into its output parameter's file.

    Raises:
        MistypedValueError: the text does not spell a value of that type.

    """
    if kind is ParameterType.STRING:
        return text
    try:
        value = strict_json(text)
    except ValueError:
        spelled = text.strip().lower()
        if kind is not ParameterType.BOOLEAN or spelled not in {"true", "false"}:
            raise MistypedValueError(f"{text[:80]!r} is not of type {kind}") from None
        value = spelled == "true"
    return of_type(value, kind)


def as_text(value: Json) -> str:
    """Write a value where a text is wanted: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def strict_json(text: str) -> Json:
    """Read JSON as the standard has it: no NaN, no Infinity, which Google's Struct cannot hold.

    What else a Struct cannot hold is refused by `storable`.

    Raises:
        ValueError: it is not JSON; the message says where.

    """

    def refuse(constant: str) -> Json:
        raise ValueError(f"{constant} is not a JSON value, and Vertex AI cannot hold it")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply to be read") from None


def from_proto(value: Message) -> Json:
    """Read a `google.protobuf.Value`, whole numbers as ints.

    Raises:
        MistypedValueError: as `storable`.

    """
    return storable(_read(value))


def _read(value: Message) -> Json:
    match value.WhichOneof("kind"):
        case "number_value":
            number: float = value.number_value
            exact = number.is_integer() and abs(number) <= _LARGEST_EXACT
            return int(number) if exact else number
        case "string_value":
            return str(value.string_value)
        case "bool_value":
            return bool(value.bool_value)
        case "struct_value":
            fields = sorted(value.struct_value.fields.items())  # a map has no order of its own
            return {name: _read(item) for name, item in fields}
        case "list_value":
            return [_read(item) for item in value.list_value.values]
        case _:
            return None


def to_proto(value: Json) -> Message:
    """Write a `google.protobuf.Value`; the value is `storable`."""
    message = Value()
    match value:
        case None:
            message.null_value = 0
        case bool():
            message.bool_value = value
        case int() | float():
            message.number_value = value
        case str():
            message.string_value = value
        case list():
            message.list_value.SetInParent()
            message.list_value.values.extend(to_proto(item) for item in value)
        case dict():
            message.struct_value.SetInParent()
            for name, item in value.items():
                message.struct_value.fields[name].CopyFrom(to_proto(item))
        case _:
            raise TypeError(f"{type(value).__name__} is not a value of JSON")
    return message
