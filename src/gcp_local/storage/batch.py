"""Batch requests: many calls of the JSON API in one `multipart/mixed` body.

Source: https://cloud.google.com/storage/docs/batch. Each call is answered for itself; one that is
refused leaves the others alone.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import parse_qsl, urlsplit

from gcp_local.errors import ApiError, InvalidArgument, PayloadTooLarge
from gcp_local.web.messages import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_CALLS = 100
_MAX_BYTES = 10_000_000
_BLANK = re.compile(rb"\r?\n\r?\n")
_LINE = re.compile(r"([A-Z]+) (\S+)(?: HTTP/1\.[01])?")


def answer(request: Request, call: Callable[[Request], Answer]) -> Answer:
    """Answer a batch by what `call` answers to each of its calls.

    Raises:
        InvalidArgument: not a batch, a batch of too many calls, or a call that none may hold.
        PayloadTooLarge: the body is larger than a batch may be.

    """
    if len(request.body) > _MAX_BYTES:
        raise PayloadTooLarge(f"A batch request has at most {_MAX_BYTES} bytes.")
    kind = request.headers.get("content-type", "")
    if request.method != "POST" or not kind.startswith("multipart/mixed"):
        raise InvalidArgument("A batch request is a POST of multipart/mixed.")
    head = f"Content-Type: {kind}\r\nMIME-Version: 1.0\r\n\r\n".encode("latin-1")
    try:
        message = BytesParser().parsebytes(head + request.body)
    except RecursionError:
        raise InvalidArgument("A batch request holds no batch requests.") from None
    parts = message.get_payload()
    if not isinstance(parts, list) or message.defects:
        raise InvalidArgument("The batch request does not follow its boundary.")
    if len(parts) > _MAX_CALLS:
        raise InvalidArgument(f"A batch request holds at most {_MAX_CALLS} calls.")
    calls = [
        (part.get("content-id", ""), _inner(part, request))
        for part in parts
        if isinstance(part, Message)
    ]
    boundary = f"batch_{secrets.token_urlsafe(24)}"
    pieces = [
        _piece(f"--{boundary}", identity, _answered(inner, call)) for identity, inner in calls
    ]
    body = b"".join(pieces) + f"--{boundary}--\r\n".encode()
    return Answer(200, body, {"content-type": f"multipart/mixed; boundary={boundary}"})


def _answered(inner: Request, call: Callable[[Request], Answer]) -> Answer:
    try:
        return call(inner)
    except ApiError as error:
        if error.code == HTTPStatus.NOT_MODIFIED:
            return Answer(error.code)
        return Answer.of_json(error.as_storage_json(), error.code)


def _inner(part: Message, outer: Request) -> Request:
    """Take the nested request out of a part; the outer one's headers hold where it says nothing."""
    content = part.get_payload(decode=True)
    if part.get_content_type() != "application/http" or not isinstance(content, bytes):
        raise InvalidArgument("A part of a batch request is application/http.")
    head, *rest = _BLANK.split(content.lstrip(), maxsplit=1)
    try:
        line, *lines = head.decode("ascii").splitlines()
        match = _LINE.fullmatch(line.strip())
        target = urlsplit(match[2]) if match else _refuse(line)
        query = parse_qsl(target.query, keep_blank_values=True, errors="strict")
    except ValueError:
        _refuse(head[:100].decode("latin-1"))
    headers = dict(outer.headers)
    for each in lines:
        name, colon, value = each.partition(":")
        if not colon:
            _refuse(each)
        headers[name.strip().lower()] = value.strip()
    if not target.path.startswith("/storage/v1/") or ("alt", "media") in query:
        raise InvalidArgument(
            f"A batch request holds no {target.path!r}: uploads, downloads and other APIs are not"
            " batched."
        )
    assert match is not None
    body = rest[0].strip() if rest else b""
    return replace(
        outer, method=match[1], path=target.path, query=query, headers=headers, body=body
    )


def _refuse(line: str) -> NoReturn:
    raise InvalidArgument(f"Failed to parse a call of the batch request: {line!r:.200}.")


def _piece(mark: str, identity: str, answered: Answer) -> bytes:
    assert isinstance(answered.body, bytes)
    inner_identity = identity.strip().removeprefix("<").removesuffix(">")
    lines = [mark, "Content-Type: application/http"]
    if re.fullmatch(r"[\x21-\x7e ]{1,200}", inner_identity):
        lines.append(f"Content-ID: <response-{inner_identity}>")
    status = HTTPStatus(answered.status)
    lines += ["", f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in answered.headers.items()]
    lines += [f"Content-Length: {len(answered.body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + answered.body + b"\r\n"
