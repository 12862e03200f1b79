"""Vertex AI's ScheduleService: the RPCs. What is due is the runner's business.

Every change ends with `clock.wake()`, so that the runner looks again.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import operation as operation_types
from google.cloud.aiplatform_v1.types import schedule as schedule_types
from google.cloud.aiplatform_v1.types import schedule_service as service_types

from gcp_local import clock
from gcp_local.errors import FailedPrecondition
from gcp_local.resources.listing import list_page
from gcp_local.rpc.protos import Empty, Message, copy_of, raw, timestamp
from gcp_local.vertex.naming import location_of
from gcp_local.vertex.schedules.checks import (
    check_future,
    check_schedule,
    clear_output_only,
    updated,
)
from gcp_local.vertex.schedules.timetable import State, move_on

if TYPE_CHECKING:
    from gcp_local.vertex.pipelines import PipelineService
    from gcp_local.vertex.platform import Platform

Schedule = raw(schedule_types.Schedule)
ListSchedulesResponse = raw(service_types.ListSchedulesResponse)
DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)

_FILTERABLE = {
    name: name
    for name in (
        "display_name", "state", "create_time", "start_time", "end_time", "next_run_time",
        "create_pipeline_job_request", "create_notebook_execution_job_request",
        "end_time:*", "create_pipeline_job_request:*", "create_notebook_execution_job_request:*",
    )
}  # fmt: skip
_SORTABLE = {name: name for name in ("create_time", "start_time", "end_time", "next_run_time")}


class ScheduleService:
    """`google.cloud.aiplatform.v1.ScheduleService`."""

    def __init__(self, platform: Platform, pipelines: PipelineService) -> None:
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations
        self._projects = platform.projects
        self._pipelines = pipelines

    def create_schedule(self, request: Message) -> Message:
        """Check the schedule and a run of it, keep it, active from now on."""
        parent = location_of(self._projects, request.parent)
        schedule: Message = copy_of(request.schedule)
        clear_output_only(schedule)
        check_schedule(schedule, parent, self._projects.numbered)
        now = clock.now()
        check_future(schedule, ("start_time", "end_time"), now)
        self._pipelines.prepare(schedule.create_pipeline_job_request)
        schedule.name = f"{parent}/schedules/{uuid.uuid4().int % 10**19}"
        schedule.create_time.CopyFrom(timestamp(now))
        schedule.update_time.CopyFrom(timestamp(now))
        if not schedule.HasField("start_time"):
            schedule.start_time.CopyFrom(timestamp(now))
        schedule.state = State.ACTIVE
        move_on(schedule, now)
        self._resources.add(schedule.name, schedule)
        clock.wake()
        return schedule

    def get_schedule(self, request: Message) -> Message:
        """Answer a schedule as it stands."""
        return self._get(request.name)

    def list_schedules(self, request: Message) -> Message:
        """Answer schedules, the newest first unless an order is asked for."""
        parent = location_of(self._projects, request.parent)
        page, token = list_page(
            self._resources.children(parent, Schedule),
            request,
            Schedule,
            filterable=_FILTERABLE,
            sortable=_SORTABLE,
            newest_first=True,
        )
        return ListSchedulesResponse(schedules=page, next_page_token=token)

    def update_schedule(self, request: Message) -> Message:
        """Change the fields of the mask; runs that have not been started are skipped."""
        with self._database.transaction():
            schedule = self._get(request.schedule.name)
            if schedule.state == State.COMPLETED:
                raise FailedPrecondition(
                    f"The Schedule {schedule.name!r} is COMPLETED; only an active or paused one"
                    " can be updated."
                )
            wanted, named = updated(schedule, request)
            now = clock.now()
            parent = schedule.name.rpartition("/schedules/")[0]
            check_schedule(wanted, parent, self._projects.numbered)
            times = [name for name in ("start_time", "end_time") if name in named]
            check_future(wanted, [time for time in times if _changes(schedule, wanted, time)], now)
            if "create_pipeline_job_request" in named:
                self._pipelines.prepare(wanted.create_pipeline_job_request)
            move_on(wanted, now)
            self._keep(wanted)
        clock.wake()
        return wanted

    def pause_schedule(self, request: Message) -> Message:
        """Start no more runs; those under way go on."""
        with self._database.transaction():
            schedule = self._get(request.name)
            self._require(schedule, State.ACTIVE, "paused")
            schedule.state = State.PAUSED
            schedule.last_pause_time.CopyFrom(timestamp(clock.now()))
            self._keep(schedule)
        clock.wake()
        return Empty()

    def resume_schedule(self, request: Message) -> Message:
        """Start runs again: the next one, or with `catch_up` first all that were missed."""
        with self._database.transaction():
            schedule = self._get(request.name)
            self._require(schedule, State.PAUSED, "resumed")
            now = clock.now()
            schedule.state = State.ACTIVE
            schedule.catch_up = request.catch_up
            schedule.last_resume_time.CopyFrom(timestamp(now))
            if not request.catch_up:
                move_on(schedule, now)
            self._keep(schedule)
        clock.wake()
        return Empty()

    def delete_schedule(self, request: Message) -> Message:
        """Forget a schedule; its jobs stay."""
        with self._database.transaction():
            name = self._get(request.name).name
            self._resources.delete(name, Schedule)
            done = self._operations.done(
                name.rpartition("/schedules/")[0], Empty(), DeleteOperationMetadata()
            )
        clock.wake()
        return done

    def _get(self, name: str) -> Message:
        return self._resources.get(self._projects.numbered(name), Schedule)

    def _keep(self, schedule: Message) -> None:
        schedule.update_time.CopyFrom(timestamp(clock.now()))
        self._resources.replace(schedule.name, schedule)

    def _require(self, schedule: Message, state: int, done: str) -> None:
        if schedule.state != state:
            raise FailedPrecondition(
                f"The Schedule {schedule.name!r} is {State(schedule.state).name}; only one that is"
                f" {State(state).name} can be {done}."
            )


def _changes(before: Message, after: Message, name: str) -> bool:
    return bool(getattr(before, name) != getattr(after, name))
