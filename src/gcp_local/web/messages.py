"""An HTTP request and its answer, as the hand-written transports see them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO
from urllib.parse import unquote

from gcp_local.errors import InvalidArgument


@dataclass(frozen=True)
class Request:
    """A request whose body has arrived.

    Attributes:
        path: still percent-encoded.
        query: decoded pairs, in their order.
        headers: by lower-case names.
        endpoint: how the client reached the server, `http://127.0.0.1:PORT`.

    """

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    endpoint: str

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path's segments, decoded; a name with slashes is one segment of `%2F`."""
        try:
            return tuple(unquote(part, errors="strict") for part in self.path.strip("/").split("/"))
        except UnicodeDecodeError:
            raise InvalidArgument("The path is not UTF-8.") from None

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The query's parameters; of one given twice, the last."""
        return dict(self.query)


@dataclass(frozen=True)
class FileSlice:
    """Bytes of a file, to be sent as they are read.

    The file is open already: its name may be gone by the time the bytes are sent.
    """

    file: BinaryIO
    start: int
    length: int

    def chunks(self) -> Iterator[bytes]:
        """Read the bytes piece by piece."""
        left = self.length
        self.file.seek(self.start)
        while left and (chunk := self.file.read(min(left, 1 << 20))):
            left -= len(chunk)
            yield chunk


@dataclass(frozen=True)
class Answer:
    """What goes back to the client."""

    status: int = 200
    body: bytes | FileSlice = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, body: Any, status: int = 200, **headers: str) -> Answer:
        """Answer with JSON."""
        try:
            content = json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can write
            content = json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, content, {"content-type": "application/json; charset=UTF-8", **named})

    @classmethod
    def of_text(cls, text: str, status: int = 200, **headers: str) -> Answer:
        """Answer with plain text."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, text.encode(), {"content-type": "text/plain; charset=UTF-8", **named})
