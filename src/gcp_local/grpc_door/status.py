"""Errors as gRPC tells them: a code, a message, and details as `google.rpc` has them.

Source: https://google.aip.dev/193.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import any_pb2, json_format
from google.rpc import (  # type: ignore[import-untyped]
    code_pb2,
    error_details_pb2,
    status_pb2,
)
from grpc_status import rpc_status  # type: ignore[import-untyped]

from gcp_local.rpc.protos import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gcp_local.errors import ApiError

_ENUM = 14
_RETRY = error_details_pb2.RetryInfo.DESCRIPTOR.full_name


def status_of(error: ApiError, *, retry_after: int | None = None) -> Any:
    """Give the status with which a call is ended.

    Args:
        error: what was refused.
        retry_after: after how many seconds the client may try again, if it is told.

    """
    told = status_pb2.Status(code=code_pb2.Code.Value(error.status), message=error.message)
    details = [dict(detail) for detail in error.details]
    if retry_after is not None:
        details.append({"@type": f"type.googleapis.com/{_RETRY}", "retryDelay": f"{retry_after}s"})
    for detail in details:
        told.details.append(json_format.ParseDict(detail, any_pb2.Any()))
    return rpc_status.to_status(told)


def nameless_enum(message: Message, at: str = "") -> str | None:
    """Find a field whose enum has no name for its value: JSON could not have said it."""
    for field, value in message.ListFields():
        path = f"{at}.{field.name}" if at else field.name
        if field.type == _ENUM:
            known = field.enum_type.values_by_number
            if any(number not in known for number in (value if field.is_repeated else [value])):
                return path
        for part in _messages(field, value):
            if (found := nameless_enum(part, path)) is not None:
                return found
    return None


def _messages(field: Any, value: Any) -> Iterable[Message]:
    if field.message_type is None:
        return ()
    if not field.is_repeated:
        return (value,)
    if not field.message_type.GetOptions().map_entry:
        return value  # type: ignore[no-any-return]
    if field.message_type.fields_by_name["value"].message_type is None:
        return ()
    return value.values()  # type: ignore[no-any-return]
