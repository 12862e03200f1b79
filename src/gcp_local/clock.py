"""The one place that asks what time it is.

The clock can be driven: `advance` sets it forward, and whoever waits by it wakes. So a test sees a
schedule of a month fire in a moment. A server that starts anew goes by the real time again.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_changed = threading.Condition()
_ahead = timedelta()
_wakings = 0


def now() -> datetime:
    """Tell the present time in UTC, to the microsecond."""
    return datetime.now(UTC) + _ahead


def advance(step: timedelta) -> datetime:
    """Set the clock forward, wake all who wait by it, and tell the time that it is now.

    Raises:
        ValueError: the step leads back, or past the last year that there is.

    """
    global _ahead, _wakings  # noqa: PLW0603  (there is one clock in a process)
    if step < timedelta():
        raise ValueError("the clock goes forward only")
    with _changed:
        try:
            moment = now() + step
        except OverflowError:
            raise ValueError("the clock cannot go that far") from None
        _ahead += step
        _wakings += 1
        _changed.notify_all()
        return moment


def wake() -> None:
    """Wake all who wait by this clock, so that they look again at what they wait for."""
    global _wakings  # noqa: PLW0603
    with _changed:
        _wakings += 1
        _changed.notify_all()


def wakings() -> int:
    """Count the calls of `wake` and `advance` so far."""
    with _changed:
        return _wakings


def wait(until: datetime | None, seen: int | None = None) -> None:
    """Wait until that time by this clock, or until `wake` or `advance`, whichever comes first.

    Args:
        until: the time; None is never.
        seen: what `wakings` gave before the caller looked at what it waits for: if it was woken
            meanwhile, it is not to wait.

    """
    with _changed:
        if seen is not None and seen != _wakings:
            return
        left = None if until is None else (until - now()).total_seconds()
        if left is None or left > 0:
            _changed.wait(None if left is None else min(left, threading.TIMEOUT_MAX))


def micros(moment: datetime) -> int:
    """Count microseconds since the epoch, which the database keeps and Cloud Storage numbers by."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    """Undo `micros`."""
    return _EPOCH + timedelta(microseconds=value)


def rfc3339(moment: datetime) -> str:
    """Write a time as Cloud Storage does: `2026-11-22T07:43:00.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
