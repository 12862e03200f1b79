"""What is to be done about a schedule at a moment: pure decisions over its proto."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import schedule as schedule_types

from gcp_local.rpc.protos import Message, timestamp
from gcp_local.vertex.schedules import cron

if TYPE_CHECKING:
    from collections.abc import Iterable

State = schedule_types.Schedule.State
_MOMENT = timedelta(microseconds=1)


class Step(Enum):
    """What comes next for a schedule."""

    WAIT = auto()  # nothing is due
    START = auto()
    SKIP = auto()  # due, but too many of its runs are under way
    QUEUE = auto()  # likewise, but the schedule's runs may wait for each other
    COMPLETE = auto()


def next_step(schedule: Message, now: datetime, active: int) -> Step:
    """Decide.

    Args:
        schedule: as it stands.
        now: the moment.
        active: how many of its runs have not ended.

    """
    if schedule.state != State.ACTIVE:
        return Step.WAIT
    if schedule.max_run_count and schedule.started_run_count >= schedule.max_run_count:
        return Step.COMPLETE
    due = due_time(schedule)
    if due is None:
        return Step.COMPLETE if now >= _end(schedule) else Step.WAIT
    if now < due:
        return Step.WAIT
    limit = schedule.max_concurrent_active_run_count
    if limit and active >= limit:
        return Step.QUEUE if schedule.allow_queueing else Step.SKIP
    return Step.START


def wakes_at(schedules: Iterable[Message], now: datetime) -> datetime | None:
    """Tell when, of those that are not due yet, the first is to be looked at again."""
    times = []
    for schedule in schedules:
        if schedule.state == State.ACTIVE:
            due = due_time(schedule)
            times.append(_end(schedule) if due is None else due)
    return min((time for time in times if now < time < _NEVER), default=None)


def due_time(schedule: Message) -> datetime | None:
    """Tell for when the next run is scheduled; that may have passed."""
    if not schedule.HasField("next_run_time"):
        return None
    due: datetime = schedule.next_run_time.ToDatetime(tzinfo=UTC)
    return due


def move_on(schedule: Message, after: datetime) -> None:
    """Set the next run to the first time after that one which the schedule allows, if any."""
    first = schedule.start_time.ToDatetime(tzinfo=UTC) - _MOMENT
    found = cron.parse(schedule.cron).after(max(after, first))
    if found is None or found > _end(schedule):
        schedule.ClearField("next_run_time")
    else:
        schedule.next_run_time.CopyFrom(timestamp(found))


def skips_missed_runs(schedule: Message) -> bool:
    """Tell whether what came due while no server ran is left out, not made up for."""
    return not (schedule.catch_up or schedule.allow_queueing)


_NEVER = datetime.max.replace(tzinfo=UTC)


def _end(schedule: Message) -> datetime:
    if not schedule.HasField("end_time"):
        return _NEVER
    end: datetime = schedule.end_time.ToDatetime(tzinfo=UTC)
    return end
