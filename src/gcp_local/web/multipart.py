"""Multipart bodies (RFC 2046), byte for byte: uploads to Cloud Storage and to the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message as _Headers
from email.parser import BytesHeaderParser

from gcp_local.errors import InvalidArgument


@dataclass(frozen=True)
class Part:
    """One part: its headers by their lower-case names, and its bytes as they came."""

    headers: Mapping[str, str]
    content: bytes

    @property
    def name(self) -> str | None:
        """The form field's name, if the part is one."""
        return _parameter(self.headers.get("content-disposition", ""), "name")


def split(content_type: str, body: bytes) -> list[Part]:
    """Take a multipart body apart.

    As Google's servers do, it takes what gcloud sends: a boundary in single quotes, and lines that
    end with a line feed alone.

    Args:
        content_type: the request's Content-Type, with its boundary.
        body: the whole body.

    Raises:
        InvalidArgument: no boundary, or a body that does not follow it.

    """
    boundary = _parameter(content_type, "boundary")
    if not boundary:
        raise InvalidArgument("The multipart content type has no boundary.")
    if boundary.startswith("'") and f"--{boundary}".encode("latin-1") not in body:
        boundary = boundary.strip("'")
    mark = b"--" + boundary.encode("latin-1")
    end = b"\n" if body.startswith(mark + b"\n") else b"\r\n"
    sections = (end + body).split(end + mark)
    if len(sections) < 3 or not sections[-1].startswith(b"--"):
        raise InvalidArgument("The multipart body does not follow its boundary.")
    return [_part(section, end) for section in sections[1:-1]]


def related(content_type: str, body: bytes) -> tuple[Part, Part]:
    """Take an upload apart that is its metadata and its content (`multipart/related`).

    Raises:
        InvalidArgument: it is anything else; or as `split`.

    """
    if not content_type.startswith("multipart/related"):
        raise InvalidArgument("A multipart upload is multipart/related.")
    parts = split(content_type, body)
    if len(parts) != 2:
        raise InvalidArgument("A multipart upload has two parts: metadata and content.")
    return parts[0], parts[1]


def _part(section: bytes, end: bytes) -> Part:
    _, _, rest = section.partition(end)
    if rest.startswith(end):
        return Part({}, rest[len(end) :])
    head, found, content = rest.partition(end + end)
    if not found:
        raise InvalidArgument("A part of the multipart body has no end of headers.")
    parsed = BytesHeaderParser().parsebytes(head + b"\r\n\r\n")
    return Part({name.lower(): str(value) for name, value in parsed.items()}, content)


def _parameter(header: str, name: str) -> str | None:
    message = _Headers()
    message["content-type"] = header if "/" in header.partition(";")[0] else f"x/{header}"
    value = message.get_param(name)
    return value if isinstance(value, str) else None
