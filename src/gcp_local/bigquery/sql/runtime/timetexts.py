"""Canonical texts of dates, times and intervals: written and read.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#canonical_format.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from gcp_local.bigquery.sql.runtime.numbers import QueryError
from gcp_local.bigquery.sql.runtime.times import (
    absolute,
    from_micros,
    micros_of,
    midnight,
    zone_of,
)

_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?")


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
            return midnight(day) + clock
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
