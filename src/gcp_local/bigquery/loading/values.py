"""Single values, from what JSON and text files hold to what Python has for BigQuery's types.

Every function raises UnreadableError, whose message is BigQuery's, for what is no such value.
Source: https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-json#details_of_loading_json_data
and https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical-structure (the forms).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST, _MOST = -(2**63), 2**63 - 1
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_FLOATS = {"nan": math.nan, "inf": math.inf, "infinity": math.inf}
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
_NUMERIC_LIMIT = Decimal(10) ** 29
_WIDE = Context(prec=60)
_DAY = r"(?P<year>[0-9]{4})(?P<mark>[-/])(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})"
_CLOCK = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2})"
    r"(:(?P<second>[0-9]{1,2})(\.(?P<part>[0-9]{0,6}))?)?"
)
_ZONE = r"(?P<zone>[Zz]|\s*[+-][0-9]{1,2}(:?[0-9]{2})?|\s+UTC|\s+[A-Za-z_]+(/[A-Za-z_+-]+)+)"
_DATE = re.compile(_DAY)
_TIME = re.compile(_CLOCK)
_DATETIME = re.compile(rf"{_DAY}(([ Tt]){_CLOCK})?")
_TIMESTAMP = re.compile(rf"{_DAY}(([ Tt]){_CLOCK})?{_ZONE}?")
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>[0-9]{1,2}):?(?P<minutes>[0-9]{2})?")
_INTERVAL = re.compile(
    r"(?P<months>-?[0-9]+-[0-9]+) (?P<days>-?[0-9]+)"
    r" (?P<time>-?[0-9]+:[0-9]+:[0-9]+(\.[0-9]{1,6})?)"
)


class UnreadableError(ValueError):
    """It is no value of the type."""


def integer(value: Any) -> int:
    """Read an INTEGER: a whole number, or text of one."""
    written = isinstance(value, str) and _WHOLE.fullmatch(value.strip())
    if written or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not _LEAST <= value <= _MOST:
        raise UnreadableError("Could not convert value to integer")
    return value


def floating(value: Any) -> float:
    """Read a FLOAT: a number, text of one, `NaN`, `Infinity`, `-inf`, …."""
    if isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text):
            value = float(text)
        else:
            bare = text.lower().lstrip("+-")
            if bare not in _FLOATS or len(text) - len(bare) > 1:
                raise UnreadableError("Could not convert value to double")
            value = -_FLOATS[bare] if text.startswith("-") else _FLOATS[bare]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableError("Could not convert value to double")
    return float(value)


def numeric(value: Any) -> Decimal:
    """Read a NUMERIC: rounded to nine places, halves away from zero."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise UnreadableError("Could not convert value to numeric")
    try:
        exact = Decimal(str(value).strip())
        if not exact.is_finite() or exact.copy_abs() >= _NUMERIC_LIMIT:
            raise UnreadableError("Invalid NUMERIC value")
        digits = exact.quantize(Decimal("1e-9"), rounding=ROUND_HALF_UP, context=_WIDE)
    except InvalidOperation:
        raise UnreadableError("Invalid NUMERIC value") from None
    if digits.copy_abs() >= _NUMERIC_LIMIT:
        raise UnreadableError("Invalid NUMERIC value")
    return digits


def boolean(value: Any) -> bool:
    """Read a BOOLEAN: one, or the text of one."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.strip().lower()
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
    raise UnreadableError("Could not convert value to boolean")


def string(value: Any) -> str:
    """Read a STRING: text, or a number or boolean as JSON writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise UnreadableError("Could not convert value to string")


def bytes_(value: Any) -> bytes:
    """Read BYTES, which are base64."""
    if not isinstance(value, str):
        raise UnreadableError("Could not convert value to bytes")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise UnreadableError("Could not decode base64 string to bytes") from None


def day(value: Any) -> date:
    """Read a DATE: `2026-11-22`."""
    found = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or found["mark"] != "-":
        raise UnreadableError("Invalid date")
    return _day(found)


def clock_time(value: Any) -> time:
    """Read a TIME: `9:30:00.25`."""
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or found["second"] is None:
        raise UnreadableError("Invalid time")
    try:
        return _clock(found)
    except ValueError:
        raise UnreadableError("Invalid time") from None


def civil(value: Any) -> datetime:
    """Read a DATETIME: `2026-11-22T09:30:00`, with or without the time."""
    found = _DATETIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise UnreadableError("Invalid datetime string")
    try:
        return datetime.combine(_day(found), _clock(found))
    except ValueError:
        raise UnreadableError("Invalid datetime string") from None


def instant(value: Any) -> datetime:
    """Read a TIMESTAMP: seconds since the epoch; or a date, a time, a zone (if not, UTC)."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return _instant(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UnreadableError("Could not parse value as a timestamp")
    try:
        micros = int((Decimal(str(value)) * 1_000_000).to_integral_value())
        return _EPOCH + timedelta(microseconds=micros)
    except (OverflowError, InvalidOperation):
        raise UnreadableError("Timestamp field value is out of range") from None


def interval(value: Any) -> tuple[int, int, int]:
    """Read an INTERVAL `1-2 3 4:5:6.5` as months, days and nanoseconds."""
    found = _INTERVAL.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise UnreadableError("Invalid INTERVAL value")
    years, months = found["months"].lstrip("-").split("-")
    hours, minutes, seconds = found["time"].lstrip("-").split(":")
    whole = int(years) * 12 + int(months)
    micros = (int(hours) * 60 + int(minutes)) * 60_000_000
    micros += int(Decimal(seconds) * 1_000_000)
    return (
        -whole if found["months"].startswith("-") else whole,
        int(found["days"]),
        1000 * (-micros if found["time"].startswith("-") else micros),
    )


def json_text(value: Any) -> str:
    """Read a JSON: any value, or the text of one. Gives canonical text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise UnreadableError("Could not parse value as JSON") from None
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


READERS: Mapping[str, Callable[[Any], Any]] = {
    "INTEGER": integer, "FLOAT": floating, "NUMERIC": numeric, "BOOLEAN": boolean,
    "STRING": string, "BYTES": bytes_, "DATE": day, "TIME": clock_time, "DATETIME": civil,
    "TIMESTAMP": instant, "INTERVAL": interval, "JSON": json_text,
}  # fmt: skip


def _day(found: re.Match[str]) -> date:
    try:
        return date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError:
        raise UnreadableError("Invalid date") from None


def _clock(found: re.Match[str]) -> time:
    if found["hour"] is None:
        return time()
    micros = int((found["part"] or "0").ljust(6, "0"))
    return time(int(found["hour"]), int(found["minute"]), int(found["second"] or 0), micros)


def _instant(text: str) -> datetime:
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise UnreadableError("Could not parse value as a timestamp")
    try:
        naive = datetime.combine(_day(found), _clock(found))
        return naive.replace(tzinfo=_zone((found["zone"] or "Z").strip())).astimezone(UTC)
    except (ValueError, OverflowError, OSError):  # OSError: a zone's name that is a folder's
        raise UnreadableError("Could not parse value as a timestamp") from None


def _zone(name: str) -> tzinfo:
    if name in ("Z", "z", "UTC"):
        return UTC
    found = _OFFSET.fullmatch(name)
    if found is None:
        try:
            return ZoneInfo(name)
        except KeyError:
            raise UnreadableError("Invalid time zone") from None
    offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    return timezone(-offset if found["sign"] == "-" else offset)
