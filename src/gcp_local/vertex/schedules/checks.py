"""What Vertex AI refuses of a schedule: pure checks of its own fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.resources.masks import copy_field
from gcp_local.rpc.protos import Message, copy_of
from gcp_local.vertex.naming import check_display_name
from gcp_local.vertex.schedules import cron

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UPDATABLE = (
    "display_name", "cron", "start_time", "end_time", "max_run_count", "max_concurrent_run_count",
    "max_concurrent_active_run_count", "allow_queueing", "create_pipeline_job_request",
)  # fmt: skip
_OUTPUT_ONLY = (
    "name", "started_run_count", "state", "create_time", "update_time", "next_run_time",
    "last_pause_time", "last_resume_time", "catch_up", "last_scheduled_run_response",
)  # fmt: skip
_ON_THE_WAY = timedelta(minutes=1)


def clear_output_only(schedule: Message) -> None:
    """Leave only what a client may say."""
    for name in _OUTPUT_ONLY:
        schedule.ClearField(name)


def check_schedule(schedule: Message, parent: str, numbered: Callable[[str], str]) -> None:
    """Raise InvalidArgument, naming the field, for what can be seen to be wrong without a clock.

    Args:
        schedule: to be created, or as an update would leave it.
        parent: where it is, with the project's number.
        numbered: rewrites a name to the project's number.

    Raises:
        Unimplemented: it is a schedule of notebook executions.

    """
    check_display_name(schedule.display_name, required=True)
    if not schedule.cron:
        raise InvalidArgument.of_field("schedule.cron", "cron is required.")
    cron.parse(schedule.cron)
    if schedule.HasField("create_notebook_execution_job_request"):
        raise Unimplemented(
            "Schedules of notebook executions (create_notebook_execution_job_request) are not"
            " implemented by the embedded cloud."
        )
    if not schedule.HasField("create_pipeline_job_request"):
        field = "create_pipeline_job_request"
        raise InvalidArgument.of_field(f"schedule.{field}", f"{field} is required.")
    _check_request(schedule.create_pipeline_job_request, parent, numbered)
    for name, least in (
        ("max_run_count", 0),
        ("max_concurrent_run_count", 1),
        ("max_concurrent_active_run_count", 0),
    ):
        if getattr(schedule, name) < least:
            message = f"{name} must be at least {least or 1}."
            raise InvalidArgument.of_field(f"schedule.{name}", message)
    if (
        schedule.HasField("start_time")
        and schedule.HasField("end_time")
        and schedule.end_time.ToNanoseconds() <= schedule.start_time.ToNanoseconds()
    ):
        raise InvalidArgument.of_field("schedule.end_time", "end_time must be after start_time.")


def check_future(schedule: Message, names: Sequence[str], now: datetime) -> None:
    """Refuse a time, of these that are set, which has passed.

    A start is given a minute, for the request's way; what Vertex AI does about runs before the
    schedule's own creation is not documented.
    """
    for name in names:
        if not schedule.HasField(name):
            continue
        try:
            moment = getattr(schedule, name).ToDatetime(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise InvalidArgument.of_field(f"schedule.{name}", f"Invalid {name}.") from None
        if moment <= now - (_ON_THE_WAY if name == "start_time" else timedelta()):
            message = f"{name} {moment.isoformat()} is in the past."
            raise InvalidArgument.of_field(f"schedule.{name}", message)


def updated(schedule: Message, request: Message) -> tuple[Message, list[str]]:
    """Give the schedule as an UpdateScheduleRequest wants it, and the fields that it names.

    Raises:
        InvalidArgument: a mask that is empty or names what cannot be changed, or a field that was
            set and would be unset.

    """
    said = request.schedule
    paths = list(request.update_mask.paths)
    if not paths:
        raise InvalidArgument.of_field("update_mask", "update_mask is required.")
    if paths == ["*"]:
        paths = list(UPDATABLE)
    for path in paths:
        if path not in UPDATABLE and path not in _OUTPUT_ONLY:
            known = ", ".join(UPDATABLE)
            raise InvalidArgument.of_field(
                "update_mask", f"Invalid update mask path {path!r}: it must be one of {known}."
            )
    wanted = copy_of(schedule)
    if said.HasField("create_notebook_execution_job_request"):
        message = "The type of a schedule's request cannot be changed."
        raise InvalidArgument.of_field("schedule.request", message)
    named = [path for path in paths if path in UPDATABLE]
    for path in named:
        if _is_set(schedule, path) and not _is_set(said, path) and path != "allow_queueing":
            message = f"{path} is set and cannot be unset."
            raise InvalidArgument.of_field(f"schedule.{path}", message)
        copy_field(said, wanted, path)
    return wanted, named


def _is_set(schedule: Message, path: str) -> bool:
    field = schedule.DESCRIPTOR.fields_by_name[path]
    if field.has_presence:
        return bool(schedule.HasField(path))
    return bool(getattr(schedule, path))


def _check_request(asked: Message, parent: str, numbered: Callable[[str], str]) -> None:
    field = "schedule.create_pipeline_job_request"
    if not asked.parent:
        raise InvalidArgument.of_field(f"{field}.parent", "parent is required.")
    if numbered(asked.parent) != parent:
        message = f"The parent {asked.parent!r} is not where the schedule is, {parent!r}."
        raise InvalidArgument.of_field(f"{field}.parent", message)
    if asked.pipeline_job_id:
        raise InvalidArgument.of_field(
            f"{field}.pipeline_job_id",
            "pipeline_job_id must be left empty: each run gets an id of its own.",
        )
