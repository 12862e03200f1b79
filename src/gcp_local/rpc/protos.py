"""Protocol buffers as this package handles them: raw messages, read from JSON strictly.

The proto-plus classes that Google's clients show wrap every access in Python, at a cost that a
server feels; here the messages underneath are used. They carry no types for a checker, so
`Message` stands for all of them, and its fields are `Any`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

from google.protobuf import any_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import json_format as _json_format
from google.protobuf import message as _message

from gcp_local.errors import InvalidArgument

if TYPE_CHECKING:
    from datetime import datetime

    class Message:
        """Any protocol buffer message; its fields are whatever its descriptor says."""

        DESCRIPTOR: Any

        def __init__(self, **fields: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

else:
    Message = _message.Message

__all__ = [
    "Any_",
    "Empty",
    "FieldMask",
    "Message",
    "Struct",
    "Timestamp",
    "UnwritableError",
    "Value",
    "copy_of",
    "from_json",
    "raw",
    "timestamp",
    "to_json",
]

M = TypeVar("M", bound=Message)


class UnwritableError(ValueError):
    """A message that has no JSON form."""


Any_ = cast("type[Message]", any_pb2.Any)
Empty = cast("type[Message]", empty_pb2.Empty)
FieldMask = cast("type[Message]", field_mask_pb2.FieldMask)
Struct = cast("type[Message]", struct_pb2.Struct)
Timestamp = cast("type[Message]", timestamp_pb2.Timestamp)
Value = cast("type[Message]", struct_pb2.Value)

_FIELD = _descriptor.FieldDescriptor
_INTEGERS = {
    _FIELD.TYPE_INT32, _FIELD.TYPE_INT64, _FIELD.TYPE_UINT32, _FIELD.TYPE_UINT64,
    _FIELD.TYPE_SINT32, _FIELD.TYPE_SINT64, _FIELD.TYPE_FIXED32, _FIELD.TYPE_FIXED64,
    _FIELD.TYPE_SFIXED32, _FIELD.TYPE_SFIXED64,
}  # fmt: skip
_NUMBER = re.compile(r"-?[0-9]{1,10}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
# The JSON type that each type with a JSON form of its own takes; None is any.
_WELL_KNOWN: dict[str, type | tuple[type, ...] | None] = {
    "google.protobuf.Timestamp": str,
    "google.protobuf.Duration": str,
    "google.protobuf.FieldMask": str,
    "google.protobuf.Struct": dict,
    "google.protobuf.ListValue": list,
    "google.protobuf.Value": None,
    "google.protobuf.Any": dict,
    "google.protobuf.BoolValue": bool,
    "google.protobuf.StringValue": str,
    "google.protobuf.BytesValue": str,
    "google.protobuf.DoubleValue": (int, float, str),
    "google.protobuf.FloatValue": (int, float, str),
    "google.protobuf.Int32Value": (int, str),
    "google.protobuf.Int64Value": (int, str),
    "google.protobuf.UInt32Value": (int, str),
    "google.protobuf.UInt64Value": (int, str),
}


def raw(wrapper: Any) -> type[Message]:
    """Find the raw message class under a proto-plus class (itself, if raw already)."""
    meta = getattr(wrapper, "meta", None)
    return meta.pb if meta is not None else wrapper  # type: ignore[no-any-return]


def copy_of(message: M) -> M:
    """Make an independent copy."""
    duplicate = type(message)()
    duplicate.CopyFrom(message)
    return duplicate


def timestamp(moment: datetime) -> Message:
    """Make a `google.protobuf.Timestamp` of that moment."""
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def to_json(message: Message, *, numeric_enums: bool = False) -> dict[str, Any]:
    """Write the message in proto3's JSON form, defaults left out as Google leaves them out.

    Raises:
        UnwritableError: it holds what has no JSON form, an infinite number in a `Value` for one.

    """
    source = cast("_message.Message", message)
    try:
        body: dict[str, Any] = _json_format.MessageToDict(
            source, use_integers_for_enums=numeric_enums
        )
    except _json_format.SerializeToJsonError as error:
        raise UnwritableError(str(error)) from error
    return body


def from_json(body: Any, kind: type[M], *, at: str = "") -> M:
    """Read a message from its JSON form, strictly.

    Args:
        body: the parsed JSON.
        kind: the message class to read.
        at: where in the request the body stands, for the error's text.

    Raises:
        InvalidArgument: an unknown name, or a value of the wrong type; the error names the field.

    """
    _check_message(body, kind.DESCRIPTOR, at)
    message = kind()
    try:
        _json_format.ParseDict(body, cast("_message.Message", message))
    except _json_format.ParseError as error:
        field, text = _innermost(str(error), at)
        raise InvalidArgument.of_field(field, f"Invalid value at '{field}': {text}") from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise InvalidArgument(f"Invalid JSON payload received. {error}") from None
    return message


def _innermost(text: str, at: str) -> tuple[str, str]:
    """Find the field's path and the root of a `ParseError`, which nests one sentence in another."""
    path = [at] if at else []
    while text.startswith("Failed to parse ") and " field: " in text:
        name, text = text.removeprefix("Failed to parse ").split(" field: ", 1)
        path.append(name)
    return ".".join(path), text.rstrip(".")


def _check_message(value: Any, descriptor: Any, at: str) -> None:
    if descriptor.full_name in _WELL_KNOWN:
        expected = _WELL_KNOWN[descriptor.full_name]
        wrong_bool = isinstance(value, bool) and expected not in (bool, None)
        if expected is not None and (wrong_bool or not isinstance(value, expected)):
            _refuse(value, descriptor.full_name, at)
        return
    if not isinstance(value, dict):
        _refuse(value, descriptor.full_name, at)
    names = {field.json_name: field for field in descriptor.fields}
    names |= {field.name: field for field in descriptor.fields}
    seen: set[str] = set()
    for name, item in value.items():
        field = names.get(name)
        if field is None:
            where = f" at '{at}'" if at else ""
            message = f'Invalid JSON payload received. Unknown name "{name}"{where}: '
            raise InvalidArgument.of_field(at, message + "Cannot find field.")
        if field.name in seen:
            raise InvalidArgument.of_field(at, f"Field {name!r} is given twice at {at!r}.")
        seen.add(field.name)
        if item is not None:
            _check_field(item, field, f"{at}.{name}" if at else name)


def _check_field(value: Any, field: Any, at: str) -> None:
    if not field.is_repeated:
        _check_single(value, field, at)
        return
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        if not isinstance(value, dict):
            _refuse(value, "map", at)
        for key, item in value.items():
            _check_single(item, entry.fields_by_name["value"], f"{at}.{key}")
        return
    if not isinstance(value, list):
        _refuse(value, "list", at)
    for index, item in enumerate(value):
        _check_single(item, field, f"{at}[{index}]")


def _check_single(value: Any, field: Any, at: str) -> None:
    if field.message_type is not None:
        _check_message(value, field.message_type, at)
        return
    match field.type:
        case _FIELD.TYPE_STRING:
            right = isinstance(value, str)
        case _FIELD.TYPE_BYTES:
            right = isinstance(value, str) and _is_base64(value)
        case _FIELD.TYPE_BOOL:
            right = isinstance(value, bool)
        case _FIELD.TYPE_ENUM:
            right = _is_of_enum(value, field.enum_type)
        case kind if kind in _INTEGERS:
            right = isinstance(value, str | int) and not isinstance(value, bool)
            right = right or (isinstance(value, float) and value.is_integer())
        case _:
            right = isinstance(value, str | int | float) and not isinstance(value, bool)
    if not right:
        _refuse(value, _type_name(field), at)


def _is_of_enum(value: Any, enum: Any) -> bool:
    """Tell whether an enum has that name or number, which may be written as a string, too.

    A number that stands for nothing would be kept, and meant as something by no one.
    """
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return value in enum.values_by_name
    return type(value) in (str, int) and int(value) in enum.values_by_number


def _is_base64(text: str) -> bool:
    """Tell whether a text is bytes in either alphabet; the parser would pass over what is not."""
    return bool(_BASE64.fullmatch(text)) and len(text.rstrip("=")) % 4 != 1


def _type_name(field: Any) -> str:
    types = {number: name for name, number in vars(_FIELD).items() if name.startswith("TYPE_")}
    return str(types.get(field.type, "value"))


def _refuse(value: Any, expected: str, at: str) -> None:
    shown = json.dumps(value, ensure_ascii=False, default=str)[:80]
    raise InvalidArgument.of_field(at, f"Invalid value at '{at}' ({expected}), {shown}")
