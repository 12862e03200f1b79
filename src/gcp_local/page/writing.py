"""How times, durations, sizes and numbers are written for people."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gcp_local.page.view import Cell

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_AGO = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def moment_of(message: Message, field: str) -> datetime | None:
    """Read a Timestamp field; None if it is not set."""
    if not message.HasField(field):
        return None
    moment: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    return moment


def at(moment: datetime | None, now: datetime) -> Cell:
    """Write a time: absolute, and how long ago to whoever points at it."""
    if moment is None:
        return Cell("–")
    text = f"{moment:%H:%M:%S}" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M:%S}"
    return Cell(text, title=f"{moment:%Y-%m-%d %H:%M:%S} UTC, {ago(moment, now)}", moment=moment)


def ago(moment: datetime, now: datetime) -> str:
    """Say how long ago a time was, or how far ahead it is."""
    seconds = (now - moment).total_seconds()
    size, unit = next((each for each in _AGO if abs(seconds) >= each[0]), (1, "s"))
    many = f"{int(abs(seconds) / size)} {unit}"
    return f"{many} ago" if seconds >= 0 else f"in {many}"


def duration(start: datetime | None, end: datetime | None) -> str:
    """Write how long something took; nothing if it has not begun."""
    if start is None or end is None:
        return "–"
    seconds = max(0.0, (end - start).total_seconds())
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def size(count: int) -> str:
    """Write a number of bytes."""
    amount = float(count)
    for unit in _UNITS:
        if amount < 1024 or unit == _UNITS[-1]:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError


def number(value: float) -> str:
    """Write a number as short as it is still told from its neighbours."""
    if not math.isfinite(value):
        return str(value)
    if not float(value).is_integer():
        return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e6 else f"{value:.4f}"
    return f"{int(value)}" if abs(value) < 1e15 else f"{value:g}"


def values_of(struct: Message) -> dict[str, Any]:
    """Read a Struct, infinite numbers included, which have no JSON form."""
    return {name: value_of(value) for name, value in sorted(struct.fields.items())}


def value_of(value: Message) -> Any:
    """Read a `Value`."""
    match value.WhichOneof("kind"):
        case "struct_value":
            return values_of(value.struct_value)
        case "list_value":
            return [value_of(item) for item in value.list_value.values]
        case None | "null_value":
            return None
        case kind:
            return getattr(value, kind)


def plain(value: Any) -> str:
    """Write a JSON value in one line; a text as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return f"{int(value)}" if float(value).is_integer() and abs(value) < 1e15 else repr(value)
    return json.dumps(_whole(value), ensure_ascii=False, default=str)


def pretty(value: Any) -> str:
    """Write a JSON value over several lines."""
    return json.dumps(_whole(value), ensure_ascii=False, indent=2, default=str)


def _whole(value: Any) -> Any:
    """Write the whole numbers of a Struct, which holds floats only, as the integers they were."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def shortened(text: str, most: int) -> str:
    """Cut a text that is longer, and show that something is missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
