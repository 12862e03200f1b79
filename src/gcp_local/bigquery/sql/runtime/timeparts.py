"""Parts of dates and times: cut off, counted, moved by, taken out, put together.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions and its like.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from gcp_local.bigquery.sql.runtime.numbers import QueryError, held
from gcp_local.bigquery.sql.runtime.times import (
    DAY,
    absolute,
    from_micros,
    local,
    midnight,
)

_WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_FIXED = {
    "MICROSECOND": 1, "MILLISECOND": 1000, "SECOND": 1_000_000, "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000, "DAY": DAY,
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
        return midnight(date.fromisocalendar(day.isocalendar().year, 1, 1))
    first = {"MONTH": day.month, "QUARTER": (day.month - 1) // 3 * 3 + 1, "YEAR": 1}.get(part)
    if first is not None:
        return midnight(day.replace(month=first, day=1))
    return midnight(day - timedelta(days=(day.weekday() - _week_start(part)) % 7))


def truncate_date(day: date, part: str) -> date:
    """Cut a date off at a part."""
    return from_micros(truncate(midnight(day), part)).date()


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
    return midnight(move_date(moment.date(), count, part)) + micros % DAY


def move_clock(micros: int, count: int, part: str) -> int:
    """Move a TIME by parts, past midnight if need be."""
    return (micros + count * _FIXED[part]) % DAY


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
    return extract(midnight(day), part)


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
    return midnight(date_from(year, month, day)) + time_from(hour, minute, second)


def time_from(hour: int, minute: int, second: int) -> int:
    """Put a TIME together."""
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        raise QueryError(f"Input calculates to invalid time: {hour}:{minute}:{second}")
    return ((hour * 60 + minute) * 60 + second) * 1_000_000
