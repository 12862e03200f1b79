"""Freezes: may anything new go live at this moment? Pure decisions.

Weekly windows go by the clock on the wall, so that one from Friday to Monday is an hour longer or
shorter when the clocks change. A time that is there twice on such a night, or not at all, is taken
so that the freeze is the longer one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ecluse import clock
from ecluse.errors import Frozen
from ecluse.repository.freeze_settings import Freeze
from ecluse.repository.settings import Environment

_WEEK = 7


@dataclass(frozen=True)
class Window:
    """One time in which nothing new may go live.

    Attributes:
        begins, ends: from when until when, in UTC; the end is no longer part of it.
        reason: why.

    """

    begins: datetime
    ends: datetime
    reason: str

    @property
    def words(self) -> str:
        """Until when and why, for a message and for the ledger."""
        return f"frozen until {clock.rfc3339(self.ends)}: {self.reason}"


def window_at(freezes: Sequence[Freeze], at: datetime) -> Window | None:
    """Return the freeze that holds at a moment; of several, the one that ends last."""
    found = [window for freeze in freezes if (window := _window(freeze, at)) is not None]
    return max(found, key=lambda window: window.ends, default=None)


def refuse_frozen(environment: Environment, at: datetime, *, override: str) -> Window | None:
    """Check that something new may go live.

    Args:
        environment: where.
        at: when.
        override: the reason for doing it nevertheless; empty if nobody gave one.

    Returns:
        The freeze that holds and was overridden; none if none holds.

    Raises:
        Frozen: one holds.

    """
    window = window_at(environment.freezes, at)
    if window is not None and not override:
        raise Frozen(
            f"{environment.name} is {window.words} (for another {clock.age(at, window.ends)})",
            where=f"environments/{environment.name}.yaml, freezes",
            fix="run the same command again after that; or now, for the ledger and every report to "
            'say so, with --override "why"',
        )
    return window


def _window(freeze: Freeze, at: datetime) -> Window | None:
    span = freeze.span
    if span is None:
        assert freeze.begins is not None, "a freeze without a weekly span is once"
        assert freeze.ends is not None, "a freeze without a weekly span is once"
        return _holding(freeze.begins, freeze.ends, at, freeze.reason)
    zone = ZoneInfo(freeze.time_zone or "Etc/UTC")
    today = at.astimezone(zone).date()
    for back in range(_WEEK + 1):
        day = today - timedelta(days=back)
        if day.weekday() != span.begins_on:
            continue
        begins = min(_moments(day, span.begins_at, zone))
        ends = max(_moments(day + timedelta(days=span.days), span.ends_at, zone))
        window = _holding(begins, ends, at, freeze.reason)
        if window is not None:
            return window
    return None


def _moments(day: date, at: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the moments that a time on the wall may mean, mostly one and the same."""
    first = datetime.combine(day, at, zone)
    # In UTC: moments of one zone would compare by the clock on the wall, which jumps.
    return first.astimezone(UTC), first.replace(fold=1).astimezone(UTC)


def _holding(begins: datetime, ends: datetime, at: datetime, reason: str) -> Window | None:
    return Window(begins, ends, reason) if begins <= at < ends else None
