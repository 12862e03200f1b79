"""The HTTP server: asks the door, reads a request, hands it on, writes the answer."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
import struct
import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect
from starlette.requests import Request as _Incoming
from starlette.responses import Response, StreamingResponse

from gcp_local.bigquery.errors import as_json as as_bigquery_json
from gcp_local.errors import (
    ApiError,
    Internal,
    InvalidArgument,
    NotFound,
    PayloadTooLarge,
)
from gcp_local.registry.rest import HOST as _REGISTRY_HOST
from gcp_local.rpc.bodies import RawAnswer
from gcp_local.rpc.dispatch import Call
from gcp_local.storage import xml_rest
from gcp_local.web.messages import Answer, FileSlice, Request

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from gcp_local.cloud import Cloud
    from gcp_local.faults import Rule
    from gcp_local.rpc.dispatch import Dispatcher
    from gcp_local.web.door import Door

log = logging.getLogger("gcp_local")

_HEADER = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FAULT = "The embedded cloud failed; its log has the traceback."
_MAX_JSON = 16 * 1024 * 1024
_MAX_UPLOAD = 1024 * 1024 * 1024
# "/ui/…" is how the Vertex AI clients ask for operations and locations.
_RPC = ("v1", "v3", "ui")
_STORAGE = ("storage", "upload", "download", "batch")
_LARGE = ("/upload/", "/resumable/", "/gcp-local/")
_BIGQUERY = re.compile(r"/((resumable/)?upload/)?bigquery/.*")
# What takes as long as a model, an operation or a query does, or until there is a message: it must
# not keep the rest waiting.
_PATIENT = re.compile(
    r":(predict|rawPredict|wait|pull)$|^/bigquery/v2/projects/[^/]+/(queries(/|$)|jobs/)"
)
_MOST_PATIENT = 400
_NO_LINGERING = struct.pack("ii", 1, 0)


class _Reset(Exception):
    """The connection is to be reset, as a fault has it."""


class Server:
    """The ASGI application. Every request goes through `_carry_out`, where faults strike."""

    def __init__(self, cloud: Cloud, door: Door) -> None:
        self._cloud = cloud
        self._door = door
        self._patient = CapacityLimiter(_MOST_PATIENT)
        self.last_request = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["type"] != "http":
            return
        self.last_request = started = time.monotonic()
        incoming = _Incoming(scope, receive)
        path = scope.get("raw_path", scope["path"].encode()).decode("ascii", "replace")
        head = incoming.method == "HEAD"
        try:
            answer = await self._reply(incoming, path)
        except ClientDisconnect:
            return
        except _Reset:
            await _reset(receive, send)
            return
        try:
            response = rendered(answer, head=head)
        except Internal as error:
            log.exception("%s %s", incoming.method, path)
            _close(answer)
            answer = _refusal(error, path)
            response = rendered(answer, head=head)
        elapsed = (time.monotonic() - started) * 1000
        log.info("%s %s %d %.0fms", incoming.method, path, answer.status, elapsed)
        try:
            await response(scope, receive, send)
        finally:
            _close(answer)
        self.last_request = time.monotonic()

    async def _reply(self, incoming: _Incoming, path: str) -> Answer:
        """Guard, read, answer; every error, foreseen or not, in Google's form."""
        try:
            self._door.check(incoming.headers)
            body = await _body(incoming, _limit(incoming, path))
            request = _request(incoming, path, body, self._cloud.endpoint)
            return await self._carry_out(request)
        except (ClientDisconnect, _Reset):
            raise
        except ApiError as error:
            return _refusal(error, path)
        except Exception:
            log.exception("%s %s", incoming.method, path)
            return _refusal(Internal(_FAULT), path)

    async def _carry_out(self, request: Request) -> Answer:
        """Answer a request, with the fault that was ordered for it, if one was."""
        call, fault = self._cloud.faults.meet(request.method, request.path)
        answer = None
        if fault is not None and not fault.after:
            answer = await _strike(fault, request)
        if answer is None:
            try:
                limiter = self._patient if _PATIENT.search(request.path) else None
                answer = await to_thread.run_sync(self._answer, request, limiter=limiter)
            except ApiError as error:
                answer = _refusal(error, request.path)
            except Exception:
                call.status = Internal.code
                raise
        if fault is not None and fault.after:
            try:
                instead = await _strike(fault, request)
            except BaseException:
                _close(answer)
                raise
            if instead is not None:
                _close(answer)
                answer = instead
        call.status = answer.status
        return answer

    def _answer(self, request: Request) -> Answer:  # noqa: PLR0911  (one line a service)
        """Hand a request to whom it concerns."""
        cloud = self._cloud
        first = request.segments[0]
        if _BIGQUERY.fullmatch(request.path):
            return cloud.bigquery.endpoint.answer(request)
        if _is_xml(request):
            return cloud.storage.xml.answer(request)
        if first in _RPC:
            return _of_method(cloud.dispatcher, request)
        if first in _STORAGE:
            return cloud.storage.answer(request)
        if _REGISTRY_HOST.fullmatch(first):
            return cloud.registry_host.answer(request)
        if first == "computeMetadata" or _asks_for_metadata(request):
            return cloud.metadata_server.answer(request)
        if first == "page" or request.path == "/":
            return cloud.page.answer(request)
        if first == "gcp-local":
            return cloud.admin.answer(request)
        raise NotFound(f"Not found: {request.path}")


def _asks_for_metadata(request: Request) -> bool:
    """Tell whether google.auth asks if this is a metadata server; others look at the page."""
    return request.path == "/" and "metadata-flavor" in request.headers


def _is_xml(request: Request) -> bool:
    """Tell whether a request is one of Cloud Storage's XML API."""
    others = (*_RPC, *_STORAGE, "gcp-local", "bigquery", "resumable")
    return request.segments[0] not in others and xml_rest.concerns(request)


async def _strike(fault: Rule, request: Request) -> Answer | None:
    """Do what a fault orders; give the answer that it puts in the place of the call's own."""
    await asyncio.sleep(fault.latency)
    if fault.stop:
        os.kill(os.getpid(), signal.SIGKILL)
    if fault.reset:
        raise _Reset
    error = fault.refusal()
    if error is None:
        return None
    refusal = xml_rest.refusal(error) if _is_xml(request) else _refusal(error, request.path)
    if fault.retry_after is None:
        return refusal
    headers = {**refusal.headers, "retry-after": str(fault.retry_after)}
    return Answer(refusal.status, refusal.body, headers)


async def _reset(receive: Receive, send: Send) -> None:
    """Reset the connection that a request came by, and wait until it has gone."""
    # ASGI has no word for this: uvicorn's `send` is a method of what holds the transport.
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _of_method(dispatcher: Dispatcher, request: Request) -> Answer:
    """Answer a request to an RPC."""
    call = Call(request.method, request.path, request.query, request.body, request.headers)
    answer = dispatcher.answer(call)
    if isinstance(answer, RawAnswer):
        return Answer(HTTPStatus.OK, answer.body, answer.headers)
    return Answer.of_json(answer)


def _limit(incoming: _Incoming, path: str) -> int:
    part = incoming.method == "PUT" and b"uploadId=" in incoming.scope["query_string"]
    return _MAX_UPLOAD if part or path.startswith(_LARGE) else _MAX_JSON


async def _body(incoming: _Incoming, limit: int) -> bytes:
    declared = incoming.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise PayloadTooLarge(f"The request is larger than {limit} bytes.")
    body = bytearray()
    async for chunk in incoming.stream():
        body += chunk
        if len(body) > limit:
            raise PayloadTooLarge(f"The request is larger than {limit} bytes.")
    return bytes(body)


def _request(incoming: _Incoming, path: str, body: bytes, endpoint: str) -> Request:
    try:
        query = parse_qsl(
            incoming.scope["query_string"].decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=1000,
        )
    except (UnicodeError, ValueError):
        raise InvalidArgument("The query is not well formed.") from None
    headers = {name.lower(): value for name, value in incoming.headers.items()}
    return Request(incoming.method, path, query, headers, body, endpoint)


def _refusal(error: ApiError, path: str) -> Answer:
    if error.code == HTTPStatus.NOT_MODIFIED:
        return Answer(error.code)
    if _BIGQUERY.fullmatch(path):
        return Answer.of_json(as_bigquery_json(error), error.code)
    storage = path.strip("/").split("/")[0] in _STORAGE
    return Answer.of_json(error.as_storage_json() if storage else error.as_json(), error.code)


def rendered(answer: Answer, *, head: bool) -> Response:
    """Make the response that is sent.

    Raises:
        Internal: no header can carry what one of the answer's says.

    """
    headers = {name: value.strip() for name, value in answer.headers.items()}
    for name, value in headers.items():
        if not _HEADER.fullmatch(value):
            raise Internal(f"The header {name!r} of the answer cannot be sent: {value!a:.200}")
    body = answer.body
    if isinstance(body, FileSlice):
        headers["content-length"] = str(body.length)
        if head:
            return Response(b"", answer.status, headers)
        return StreamingResponse(body.chunks(), answer.status, headers)
    if answer.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        return Response(None, answer.status, headers)
    return Response(body, answer.status, headers)


def _close(answer: Answer) -> None:
    if isinstance(answer.body, FileSlice):
        answer.body.file.close()
