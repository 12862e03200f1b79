"""Times as microseconds since 1970, and time zones."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from gcp_local.bigquery.sql.runtime.numbers import QueryError

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (micros have no zone of their own)
DAY = 86_400_000_000
_OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?")


def from_micros(micros: int) -> datetime:
    """Give the time of microseconds since 1970, in UTC."""
    try:
        return (_EPOCH + timedelta(microseconds=micros)).replace(tzinfo=UTC)
    except OverflowError:
        raise QueryError(f"Invalid timestamp: {micros}") from None


def micros_of(moment: datetime) -> int:
    """Undo `from_micros`; a time without a zone is in UTC."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return (moment - _EPOCH) // timedelta(microseconds=1)


@lru_cache(64)
def zone_of(name: str) -> tzinfo:
    """Find a time zone by its name or offset: `America/Los_Angeles`, `+05:30`, `UTC`."""
    if offset := _OFFSET.fullmatch(name.removeprefix("UTC").removeprefix("GMT") or name):
        hours, minutes = int(offset[2]), int(offset[3] or 0)
        if hours <= 14 and minutes < 60:
            from datetime import timezone

            sign = -1 if offset[1] == "-" else 1
            return timezone(sign * timedelta(hours=hours, minutes=minutes))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise QueryError(f"Invalid time zone: {name}") from None


def local(micros: int, zone: str) -> int:
    """Give what clocks in a zone show at a time."""
    moment = from_micros(micros).astimezone(zone_of(zone))
    return micros_of(moment.replace(tzinfo=None))


def absolute(micros: int, zone: str) -> int:
    """Give when clocks in a zone show a time."""
    moment = from_micros(micros).replace(tzinfo=zone_of(zone))
    return micros_of(moment)


def midnight(day: date) -> int:
    """Give the time at which a date begins."""
    return (day - _EPOCH.date()).days * DAY
