"""The one place that asks what time it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """Tell the present time in UTC, to the microsecond."""
    return datetime.now(UTC)


def micros(moment: datetime) -> int:
    """Count microseconds since the epoch, which the database keeps and Cloud Storage numbers by."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    """Undo `micros`."""
    return _EPOCH + timedelta(microseconds=value)


def rfc3339(moment: datetime) -> str:
    """Write a time as Cloud Storage does: `2026-11-22T07:43:00.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
