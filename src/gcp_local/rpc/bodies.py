"""`google.api.HttpBody`: requests and answers whose HTTP body is not the message's JSON.

Google's front ends put the whole HTTP body of such a request into the message, and write the
answer's bytes as they are. The typed REST clients, though, send the message as JSON, as if there
were nothing special about it, and read the answer likewise; who speaks so is answered so.
Headers travel in the body's `extensions`, as a Struct.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.api import httpbody_pb2  # type: ignore[import-untyped]

from gcp_local.rpc.protos import Any_, Message, Struct

HttpBody: type[Message] = httpbody_pb2.HttpBody


@dataclass(frozen=True)
class RawAnswer:
    """An answer whose body is not JSON of a message."""

    body: bytes
    headers: Mapping[str, str]


def raw_field(kind: type[Message]) -> str | None:
    """Name the field of a request that takes the whole HTTP body, if it has one."""
    for field in kind.DESCRIPTOR.fields:
        if field.message_type is not None and field.message_type.full_name == "google.api.HttpBody":
            return str(field.name)
    return None


def is_message(body: bytes, field: str) -> bool:
    """Tell whether a body is a typed client's JSON of the message, its raw field and no more."""
    head, *rest = field.split("_")
    camel = head + "".join(part.title() for part in rest)
    if not any(name.encode() in body for name in (field, camel)):
        return False
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(said, dict) or set(said) not in ({field}, {camel}):
        return False
    (inner,) = said.values()
    return isinstance(inner, dict) and set(inner) <= {"contentType", "content_type", "data"}


def packed(content_type: str, data: bytes, headers: Mapping[str, str]) -> Message:
    """Make an HttpBody."""
    body = HttpBody(content_type=content_type, data=data)
    if headers:
        told = Struct()
        for name, value in headers.items():
            told.fields[name].string_value = value
        extension = Any_()
        extension.Pack(told)
        body.extensions.append(extension)
    return body


def headers_of(body: Message) -> dict[str, str]:
    """Read the headers that travel with an HttpBody."""
    headers: dict[str, str] = {}
    for extension in body.extensions:
        told = Struct()
        if extension.Unpack(told):
            fields: Mapping[str, Any] = told.fields
            headers |= {name: value.string_value for name, value in fields.items()}
    return headers


def unpacked(body: Message) -> RawAnswer:
    """Make the answer of an HttpBody."""
    headers = headers_of(body)
    if body.content_type:
        headers["content-type"] = body.content_type
    return RawAnswer(body.data, headers)
