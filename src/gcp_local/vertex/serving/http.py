"""HTTP to a model server on this machine."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of one connection (RFC 9110, 7.6.1), or made anew by who sends.
_HOP_BY_HOP = frozenset(
    {
        "connection", "content-length", "date", "expect", "host", "keep-alive",
        "proxy-authenticate", "proxy-authorization", "server", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip


LARGEST_REPLY_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


class ReplyTooLargeError(Exception):
    """The container's answer does not end within the bytes that it may have."""


@dataclass(frozen=True)
class Reply:
    """What the container answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The body's media type, as the container names it."""
        return self.headers.get("content-type", "")


def ask(
    port: int,
    method: str,
    path: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    timeout: float,
    largest: int = LARGEST_REPLY_BYTES,
) -> Reply:
    """Send one request to 127.0.0.1.

    Raises:
        TimeoutError: no whole answer in time.
        ReplyTooLargeError: the body is larger than `largest` bytes.
        OSError: nobody listens, or the connection broke, or what came was no HTTP.

    """
    deadline = time.monotonic() + timeout
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.connect()
        wire = connection.sock  # which the connection lets go of when the answer is its last
        connection.request(method, path, body or None, dict(headers or {}))
        answer = connection.getresponse()
        content = bytearray()
        while chunk := answer.read1(_CHUNK_BYTES):
            content += chunk
            if len(content) > largest:
                raise ReplyTooLargeError
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if not answer.isclosed():  # since Python 3.13 it closes itself with its last byte
                wire.settimeout(left)
        if answer.length:
            raise http.client.IncompleteRead(bytes(content), answer.length)
    except http.client.HTTPException as error:
        raise ConnectionError(f"not an HTTP answer: {error!r}") from error
    finally:
        connection.close()
    told = {name.lower(): value for name, value in answer.getheaders()}
    return Reply(answer.status, end_to_end(told), bytes(content))


def end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    """Leave only the headers that are meant for who is at the other end, by lower-case names."""
    named = {name.lower(): value for name, value in headers.items()}
    listed = {name.strip().lower() for name in named.get("connection", "").split(",")}
    return {name: value for name, value in named.items() if name not in _HOP_BY_HOP | listed}
