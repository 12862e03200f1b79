"""Outlines of messages: read without their large fields, which are passed over, not parsed.

A list of a thousand pipeline jobs needs their names, states and times; what they run and what came
of it is a hundred times as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

_SIZED = 2  # the wire type of what has a length


def without(body: bytes, descriptor: Any, paths: Iterable[str]) -> bytes:
    """Cut fields out of a serialized message.

    Args:
        body: the message.
        descriptor: its kind's.
        paths: the fields, as `job_detail.task_details`.

    Returns:
        The rest; all of it, where the bytes are not those of a message that is well formed.

    """
    gone: set[int] = set()
    deeper: dict[int, tuple[Any, list[str]]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        field = descriptor.fields_by_name[name]
        if rest:
            deeper.setdefault(field.number, (field.message_type, []))[1].append(rest)
        else:
            gone.add(field.number)
    kept = bytearray()
    try:
        for number, start, value, end in _fields(body):
            if number in gone:
                continue
            if number in deeper:
                inner = without(body[value:end], *deeper[number])
                kept += _varint(number << 3 | _SIZED) + _varint(len(inner)) + inner
            else:
                kept += body[start:end]
    except (IndexError, ValueError):
        return body
    return bytes(kept)


def _fields(body: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Go through the fields: number, where it starts, where its value does, where it ends."""
    at = 0
    while at < len(body):
        start = at
        tag, at = _read(body, at)
        value = at
        match tag & 7:
            case 0:
                _, at = _read(body, at)
            case 1:
                at += 8
            case 2:
                length, value = _read(body, at)
                at = value + length
            case 5:
                at += 4
            case kind:
                raise ValueError(kind)
        if at > len(body):
            raise ValueError(at)
        yield tag >> 3, start, value, at


def _read(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
