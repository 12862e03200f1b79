"""Starts what is due: one thread, which sleeps until the clock says so.

A run's job and the schedule's next time are kept in one transaction, so no run is started twice,
whenever the server is killed.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.errors import ApiError, Internal, ResourceExhausted, Unavailable
from gcp_local.rpc.protos import Message, timestamp
from gcp_local.vertex.schedules.service import Schedule
from gcp_local.vertex.schedules.timetable import (
    State,
    Step,
    due_time,
    move_on,
    next_step,
    skips_missed_runs,
    wakes_at,
)

if TYPE_CHECKING:
    from datetime import datetime

    from gcp_local.vertex.pipelines import PipelineService
    from gcp_local.vertex.platform import Platform

log = logging.getLogger(__name__)
_AFTER_A_FAULT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(minutes=5)


class ScheduleRunner:
    """The worker that makes schedules fire."""

    def __init__(self, platform: Platform, pipelines: PipelineService) -> None:
        self._resources = platform.resources
        self._database = platform.database
        self._pipelines = pipelines
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)

    def recover(self) -> None:
        """Skip what came due while no server ran, unless the schedule makes up for it; begin."""
        now = clock.now()
        for schedule in self._active():
            due = due_time(schedule)
            if due is not None and due <= now and skips_missed_runs(schedule):
                move_on(schedule, now)
                self._resources.replace(schedule.name, schedule)
        self._thread.start()

    def busy(self) -> bool:
        """Tell whether a run is due now. One that is due later does not keep the server up."""
        now = clock.now()
        dues = (due_time(schedule) for schedule in self._active())
        return any(due is not None and due <= now for due in dues)

    def close(self) -> None:
        """Start no more runs."""
        self._closed.set()
        clock.wake()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            seen = clock.wakings()
            # What comes due after this moment is what the next look is for: so nothing is missed
            # that comes due while the others are started.
            now = clock.now()
            try:
                self._start_what_is_due(now)
                until = self._next_look(now)
            except Unavailable:
                until = None
            except Exception:
                log.exception("a fault in the schedules")
                until = clock.now() + _AFTER_A_FAULT
            clock.wait(until, seen)

    def _next_look(self, now: datetime) -> datetime | None:
        """Tell when to look again at the latest, None if only a change can bring anything."""
        # The wait of a machine that is suspended meanwhile gets longer by that: hence no long one.
        until = wakes_at(self._active(), now)
        return None if until is None else min(until, now + _LONGEST_WAIT)

    def _start_what_is_due(self, now: datetime) -> None:
        """Take one step after the other, the earliest run first, until all schedules wait."""
        due = {
            schedule.name: schedule
            for schedule in self._active()
            if next_step(schedule, now, active=0) is not Step.WAIT
        }
        while due and not self._closed.is_set():
            name = min(due, key=lambda name: _order(due[name]))
            schedule = self._step(name, now)
            if schedule is None:
                del due[name]
            else:
                due[name] = schedule

    def _step(self, name: str, now: datetime) -> Message | None:
        """Do what comes next for a schedule; give it as it is then, None if it has to wait."""
        with self._database.transaction():
            schedule = self._resources.find(name, Schedule)
            if schedule is None:
                return None
            active = self._pipelines.active_of(name)
            step = next_step(schedule, now, active)
            if step in (Step.WAIT, Step.QUEUE):
                return None
            if step is Step.COMPLETE:
                schedule.state = State.COMPLETED
                schedule.ClearField("next_run_time")
                schedule.update_time.CopyFrom(timestamp(clock.now()))
            else:
                self._fire(schedule, step, active)
            self._resources.replace(name, schedule)
            return schedule

    def _fire(self, schedule: Message, step: Step, active: int) -> None:
        """Start the run that is due, or say why not; set the time of the next one."""
        due = due_time(schedule)
        assert due is not None
        response = schedule.last_scheduled_run_response
        response.scheduled_run_time.CopyFrom(schedule.next_run_time)
        try:
            if step is Step.SKIP:
                limit = schedule.max_concurrent_active_run_count
                raise ResourceExhausted(  # noqa: TRY301  (one place writes what came of a run)
                    f"The run was skipped: {active} runs are active, and"
                    f" max_concurrent_active_run_count is {limit}."
                )
            self._pipelines.start_scheduled(
                schedule.create_pipeline_job_request, schedule.name, schedule.next_run_time
            )
        except Unavailable:
            raise  # the server is stopping: nothing of this has happened
        except ApiError as error:
            response.run_response = f"{error.status}: {error.message}"
        except Exception:
            log.exception("a fault in a run of %s", schedule.name)
            fault = Internal("A fault of the embedded cloud; its log has the traceback.")
            response.run_response = f"{fault.status}: {fault.message}"
        else:
            response.run_response = "OK"
            schedule.started_run_count += 1
        move_on(schedule, due)

    def _active(self) -> list[Message]:
        return [
            schedule
            for schedule in self._resources.everywhere(Schedule)
            if schedule.state == State.ACTIVE
        ]


def _order(schedule: Message) -> int:
    return int(schedule.next_run_time.ToNanoseconds())
