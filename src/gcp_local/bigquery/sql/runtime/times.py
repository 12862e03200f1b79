"""Dates and times: read, written, moved, counted.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements,
https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#canonical_format.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from gcp_local.bigquery.sql.runtime.numbers import QueryError, held

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (micros have no zone of their own)
_DAY = 86_400_000_000
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?")
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


# Canonical texts


def _fraction(micros: int) -> str:
    if not micros:
        return ""
    return f".{micros // 1000:03d}" if micros % 1000 == 0 else f".{micros:06d}"


def datetime_text(micros: int) -> str:
    """Write a DATETIME."""
    moment = from_micros(micros)
    return f"{moment:%Y-%m-%d %H:%M:%S}".rjust(19, "0") + _fraction(moment.microsecond)


def timestamp_text(micros: int, zone: str = "UTC") -> str:
    """Write a TIMESTAMP."""
    moment = from_micros(micros).astimezone(zone_of(zone))
    offset = moment.utcoffset() or timedelta()
    minutes = int(offset.total_seconds() // 60)
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    told = f"{sign}{minutes // 60:02d}" + (f":{minutes % 60:02d}" if minutes % 60 else "")
    return datetime_text(micros_of(moment.replace(tzinfo=None))) + told


def time_text(micros: int) -> str:
    """Write a TIME."""
    return datetime_text(micros)[11:]


def interval_text(months: int, days: int, micros: int) -> str:
    """Write an INTERVAL: `1-2 3 4:5:6`."""
    sign = "-" if months < 0 else ""
    years = f"{sign}{abs(months) // 12}-{abs(months) % 12}"
    left, sign = abs(micros), "-" if micros < 0 else ""
    seconds, rest = divmod(left, 1_000_000)
    clock = f"{sign}{seconds // 3600}:{seconds // 60 % 60}:{seconds % 60}{_fraction(rest)}"
    return f"{years} {days} {clock}"


def date_of(text: str) -> date:
    """Read a DATE."""
    found = _DATE.fullmatch(text.strip())
    try:
        if found:
            return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        pass
    raise QueryError(f"Invalid date: '{text}'")


def time_micros(text: str) -> int:
    """Read a TIME."""
    found = _TIME.fullmatch(text.strip())
    value = _clock(found) if found else None
    if value is None:
        raise QueryError(f'Invalid time string "{text}"')
    return value


def _clock(found: re.Match[str]) -> int | None:
    hour, minute, second = int(found[1]), int(found[2]), int(found[3])
    if hour > 23 or minute > 59 or second > 59:
        return None
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + int(
        (found[4] or "").ljust(6, "0")[:6]
    )


def datetime_micros(text: str) -> int:
    """Read a DATETIME."""
    found = re.fullmatch(rf"({_DATE.pattern})(?:[ tT]({_TIME.pattern}))?", text.strip())
    if found:
        try:
            day = date_of(found[1])
            clock = time_micros(found[5]) if found[5] else 0
        except QueryError:
            pass
        else:
            return _midnight(day) + clock
    raise QueryError(f'Invalid datetime string "{text}"')


def timestamp_micros(text: str, zone: str = "UTC") -> int:
    """Read a TIMESTAMP; without a zone of its own it is in the one given."""
    zones = r"[zZ]|[+-]\d{1,2}(?::?\d{2})?|[A-Za-z][\w/+-]*"
    pattern = rf"({_DATE.pattern}(?:[ tT]{_TIME.pattern})?)\s*({zones})?"
    found = re.fullmatch(pattern, text.strip())
    if found:
        named = found.groups()[-1]
        try:
            micros = datetime_micros(found[1])
            return absolute(micros, ("UTC" if named in "zZ" else named) if named else zone)
        except QueryError:
            pass
    raise QueryError(f"Invalid timestamp: '{text}'")


def _midnight(day: date) -> int:
    return (day - _EPOCH.date()).days * _DAY


_SPANS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")


def interval_of(text: str, span: str) -> tuple[int, int, int]:
    """Read an INTERVAL: months, days, microseconds."""
    first, _, last = span.partition(" TO ")
    if first in _SPANS and (last in _SPANS or not last):
        parts = _SPANS[_SPANS.index(first) : _SPANS.index(last or first) + 1]
        wanted = {
            "YEAR": r"(?P<ysign>[+-])?(?P<YEAR>\d+)", "MONTH": r"(?P<MONTH>\d+)",
            "DAY": r"(?P<DAY>[+-]?\d+)", "HOUR": r"(?P<HOUR>\d+)", "MINUTE": r"(?P<MINUTE>\d+)",
            "SECOND": r"(?P<SECOND>\d+)(?:\.(?P<fraction>\d{1,6}))?",
        }  # fmt: skip
        dates = "-".join(wanted[each] for each in parts if each in ("YEAR", "MONTH"))
        if parts[0] == "MONTH":
            dates = r"(?P<ysign>[+-])?" + dates
        clock = ":".join(wanted[each] for each in parts if each in ("HOUR", "MINUTE", "SECOND"))
        clock = r"(?P<csign>[+-])?" + clock if clock else ""
        days = wanted["DAY"] if "DAY" in parts else ""
        found = re.fullmatch(" ".join(each for each in (dates, days, clock) if each), text.strip())
        if found:
            given = {key: value or "" for key, value in found.groupdict().items()}
            months = int(given.get("YEAR") or 0) * 12 + int(given.get("MONTH") or 0)
            seconds = int(given.get("HOUR") or 0) * 3600 + int(given.get("MINUTE") or 0) * 60
            micros = (seconds + int(given.get("SECOND") or 0)) * 1_000_000
            micros += int((given.get("fraction") or "").ljust(6, "0"))
            return (
                -months if given.get("ysign") == "-" else months,
                int(given.get("DAY") or 0),
                -micros if given.get("csign") == "-" else micros,
            )
    raise QueryError(f"Invalid INTERVAL literal '{text}' {span}")


# Parts

_WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_FIXED = {
    "MICROSECOND": 1, "MILLISECOND": 1000, "SECOND": 1_000_000, "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000, "DAY": _DAY,
}  # fmt: skip


def _week_start(part: str) -> int:
    """Give the weekday (0 is Monday) on which a part's weeks begin."""
    if part == "ISOWEEK":
        return 0
    if part == "WEEK":
        return 6
    return _WEEKDAYS.index(part[5:-1])


def truncate(micros: int, part: str, zone: str = "UTC") -> int:
    """Cut a time off at a part, by the clocks of a zone."""
    if zone != "UTC":
        return absolute(truncate(local(micros, zone), part), zone)
    if part in _FIXED:
        return micros - micros % _FIXED[part]
    day = from_micros(micros).date()
    if part == "ISOYEAR":
        return _midnight(date.fromisocalendar(day.isocalendar().year, 1, 1))
    first = {"MONTH": day.month, "QUARTER": (day.month - 1) // 3 * 3 + 1, "YEAR": 1}.get(part)
    if first is not None:
        return _midnight(day.replace(month=first, day=1))
    return _midnight(day - timedelta(days=(day.weekday() - _week_start(part)) % 7))


def truncate_date(day: date, part: str) -> date:
    """Cut a date off at a part."""
    return from_micros(truncate(_midnight(day), part)).date()


def last_day(day: date, part: str = "MONTH") -> date:
    """Give the last day of a date's part."""
    if part == "MONTH":
        return day.replace(day=monthrange(day.year, day.month)[1])
    if part == "YEAR":
        return day.replace(month=12, day=31)
    first = truncate_date(day, part)
    if part == "QUARTER":
        return last_day(first.replace(month=first.month + 2))
    if part == "ISOYEAR":
        return date.fromisocalendar(first.isocalendar().year + 1, 1, 1) - timedelta(days=1)
    return first + timedelta(days=6)


def between(later: int, earlier: int, part: str) -> int:
    """Count the borders of a part between two times."""
    if part in _FIXED and part != "DAY":
        return later // _FIXED[part] - earlier // _FIXED[part]
    one, two = from_micros(later).date(), from_micros(earlier).date()
    return between_dates(one, two, part)


def elapsed(later: int, earlier: int, part: str) -> int:
    """Count the whole parts between two times, as TIMESTAMP_DIFF does."""
    if part not in _FIXED:
        raise QueryError(f"TIMESTAMP_DIFF does not support the {part} date part")
    gap = later - earlier
    return gap // _FIXED[part] if gap >= 0 else -(-gap // _FIXED[part])


def between_dates(one: date, two: date, part: str) -> int:
    """Count the borders of a part between two dates."""
    if part == "DAY":
        return (one - two).days
    if part == "MONTH":
        return (one.year - two.year) * 12 + one.month - two.month
    if part == "QUARTER":
        return (one.year - two.year) * 4 + (one.month - 1) // 3 - (two.month - 1) // 3
    if part == "YEAR":
        return one.year - two.year
    if part == "ISOYEAR":
        return one.isocalendar().year - two.isocalendar().year
    return (truncate_date(one, part) - truncate_date(two, part)).days // 7


def move_date(day: date, count: int, part: str) -> date:
    """Move a date by parts."""
    try:
        if part in ("DAY", "WEEK"):
            return day + timedelta(days=count * (7 if part == "WEEK" else 1))
        months = count * {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[part]
        total = day.year * 12 + day.month - 1 + months
        year, month = total // 12, total % 12 + 1
        return date(year, month, min(day.day, monthrange(year, month)[1]))
    except (ValueError, OverflowError):
        raise QueryError(f"Adding {count} {part}s to date {day} causes overflow") from None


def move(micros: int, count: int, part: str) -> int:
    """Move a time by parts."""
    if part in _FIXED:
        moved = micros + count * _FIXED[part]
        from_micros(moved)
        return moved
    moment = from_micros(micros)
    return _midnight(move_date(moment.date(), count, part)) + micros % _DAY


def move_clock(micros: int, count: int, part: str) -> int:
    """Move a TIME by parts, past midnight if need be."""
    return (micros + count * _FIXED[part]) % _DAY


def extract(micros: int, part: str) -> int:
    """Give a part of a time."""
    moment = from_micros(micros)
    day = moment.date()
    simple = {
        "YEAR": day.year, "MONTH": day.month, "DAY": day.day, "HOUR": moment.hour,
        "MINUTE": moment.minute, "SECOND": moment.second,
        "MILLISECOND": moment.microsecond // 1000, "MICROSECOND": moment.microsecond,
        "QUARTER": (day.month - 1) // 3 + 1, "DAYOFWEEK": day.isoweekday() % 7 + 1,
        "DAYOFYEAR": day.timetuple().tm_yday, "ISOYEAR": day.isocalendar().year,
        "ISOWEEK": day.isocalendar().week,
    }  # fmt: skip
    if part in simple:
        return simple[part]
    start = _week_start(part)
    first = day.replace(month=1, day=1)
    days_before = (start - first.weekday()) % 7
    return (day.timetuple().tm_yday - 1 - days_before) // 7 + 1


def extract_date(day: date, part: str) -> int:
    """Give a part of a date."""
    return extract(_midnight(day), part)


def dates(start: date, end: date, count: int, part: str) -> list[date]:
    """Give dates from one to another."""
    if count == 0:
        raise QueryError("Sequence step cannot be 0.")
    found: list[date] = []
    at, number = start, 0
    while (at <= end) if count > 0 else (at >= end):
        found.append(at)
        number += 1
        at = move_date(start, count * number, part)
    return found


def moments(start: int, end: int, count: int, part: str) -> list[int]:
    """Give times from one to another."""
    if count == 0:
        raise QueryError("Sequence step cannot be 0.")
    step = count * _FIXED[part]
    return list(held(range(start, end + (1 if step > 0 else -1), step)))


def date_from(year: int, month: int, day: int) -> date:
    """Put a date together."""
    try:
        return date(year, month, day)
    except ValueError:
        raise QueryError(f"Input calculates to invalid date: {year}-{month}-{day}") from None


def datetime_from(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Put a DATETIME together."""
    return _midnight(date_from(year, month, day)) + time_from(hour, minute, second)


def time_from(hour: int, minute: int, second: int) -> int:
    """Put a TIME together."""
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        raise QueryError(f"Input calculates to invalid time: {hour}:{minute}:{second}")
    return ((hour * 60 + minute) * 60 + second) * 1_000_000
