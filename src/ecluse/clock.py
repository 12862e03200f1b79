"""Time: always UTC, always written as RFC 3339 with whole seconds."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

_SUSPENDED: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)


def steady() -> float:
    """Return the seconds since some moment in the past, by a clock that nobody sets.

    Where the system has one that goes on while the machine is suspended, it is that one: a lease
    runs out meanwhile, too.
    """
    return time.monotonic() if _SUSPENDED is None else time.clock_gettime(_SUSPENDED)


def rfc3339(moment: datetime) -> str:
    """Return `2026-11-22T09:30:00Z` for a moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def age(since: datetime, until: datetime) -> str:
    """Return how long ago something was, in its largest unit: `3 d`, `5 h`, `12 min`, `40 s`."""
    seconds = int((until - since).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(seconds, 0)} s"


def duration(elapsed: timedelta) -> str:
    """Return an elapsed time as people say it: `1 h 05 min`, `2 min 10 s`, `4.2 s`."""
    seconds = elapsed.total_seconds()
    if seconds >= 3_600:
        return f"{int(seconds // 3_600)} h {int(seconds % 3_600 // 60):02d} min"
    if seconds >= 60:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{seconds:.1f} s"
