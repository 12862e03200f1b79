"""Vertex AI's schedules: found by their display names, and told as values that can be compared.

A schedule has neither an id of the client's choice nor labels of its own: the display name is what
it is found by, and the marks are on the job inside (see `labels`). What a schedule is set to is one
flat mapping, `cron` and `labels.ecluse-commit` and `parameters.rounds`, the same for what is asked
for and for what is there, whatever forms numbers and time zones took on the way.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.protobuf import json_format

from ecluse import clock
from ecluse.cloud import Addresses
from ecluse.cloud.calls import ONCE, Calls
from ecluse.cloud.failures import translated
from ecluse.cloud.job import JobRequest, pipeline_job
from ecluse.errors import CloudError
from ecluse.repository.settings import Environment

State = Literal["active", "paused", "completed"]
Settings = Mapping[str, Any]

_STATES: Final[Mapping[str, State]] = {
    "ACTIVE": "active",
    "PAUSED": "paused",
    "COMPLETED": "completed",
}
_ZONED: Final = re.compile(r"(?:CRON_)?TZ=(\S+)\s+(.*)")
_UTC: Final = "Etc/UTC"
_PAGE_SIZE: Final = 100
_DELETE_SECONDS: Final = 60.0

# Which field of a schedule holds a setting; all others are settings of the job inside.
_MASKS: Final[Mapping[str, str]] = {
    "cron": "cron",
    "time zone": "cron",
    "starts at once": "max_concurrent_run_count",
    "queueing": "allow_queueing",
}
_THE_JOB: Final = "create_pipeline_job_request"

# What an update cannot take away again once somebody has set it.
_LASTING: Final[Mapping[str, str]] = {
    "endTime": "end time",
    "maxRunCount": "greatest number of runs",
    "maxConcurrentActiveRunCount": "greatest number of runs under way",
}
_JOB_NAMES: Final[Mapping[str, str]] = {
    "displayName": "name of the runs",
    "templateUri": "template",
    "serviceAccount": "service account",
    "network": "network",
    "encryptionSpec": "encryption key",
    "gcsOutputDirectory": "output folder",
}
# What Vertex AI fills in itself.
_NOT_OURS: Final = frozenset(
    {"name", "createTime", "startTime", "endTime", "updateTime", "state", "jobDetail", "error",
     "templateMetadata", "scheduleName", "pipelineSpec", "labels", "runtimeConfig"}
)  # fmt: skip
_GOOGLES_LABELS: Final = ("vertex-ai-", "goog-")
_DEFAULT_POLICY: Final = "PIPELINE_FAILURE_POLICY_FAIL_SLOW"
_STARTED: Final = ("", "OK")
# By default a schedule starts when it is made.
_LATER: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class ScheduleRequest:
    """A schedule as it ought to be.

    Attributes:
        display_name: what it is found by.
        cron: five fields.
        time_zone: of the IANA's database.
        job: what each run is.

    """

    display_name: str
    cron: str
    time_zone: str
    job: JobRequest


@dataclass(frozen=True)
class FoundSchedule:
    """A schedule as it is.

    Attributes:
        name: its resource name.
        display_name: what it is found by.
        state: whether it fires.
        created: when it was made.
        settings: what it is set to, flat.
        lasting: what it is set to besides that no update can take away, flat; none of it is ours.
        specification: the copy of the pipeline that it carries beside the template's address, if
            any. Ours carry none.
        next_run: when it fires next.
        fired: when it last fired.
        not_started: why no run came of its last time, in the service's words; empty if one did,
            or if it never fired.

    """

    name: str
    display_name: str
    state: State
    created: datetime
    settings: Settings
    lasting: Settings
    specification: Mapping[str, Any] | None
    next_run: datetime | None
    fired: datetime | None = None
    not_started: str = ""


class Schedules:
    """The schedules of one environment."""

    def __init__(self, environment: Environment, client: Any, calls: Calls) -> None:
        self._environment = environment
        self._client = client
        self._calls = calls
        self._parent = f"projects/{environment.project}/locations/{environment.location}"

    @classmethod
    def connect(cls, addresses: Addresses) -> "Schedules":
        """Connect to the environment's Vertex AI."""
        with translated("Vertex AI"):
            client = addresses.typed(
                aiplatform_v1.ScheduleServiceClient, "aiplatform", regional=True
            )
        return cls(addresses.environment, client, addresses.calls)

    def list(self, display_name: str | None = None) -> tuple[FoundSchedule, ...]:
        """Return the schedules, the oldest first; only those of a display name, if one is given."""
        found = [_found(schedule) for schedule in self._pages(display_name)]
        return tuple(sorted(found, key=lambda each: (each.created, each.name)))

    def settings(self, request: ScheduleRequest) -> Settings:
        """Return what a schedule that was asked for would be set to."""
        return _settings(_plain(self._message(request)))

    def create(self, request: ScheduleRequest, *, besides: Collection[str]) -> str:
        """Make a schedule and return its name.

        The service takes no id of ours: where the answer is lost, one that appeared meanwhile
        under the display name is what this call made.

        Args:
            request: the schedule.
            besides: the resource names that the display name had before.

        """

        def look(_: object) -> Any | None:
            appeared = (each for each in self._pages(request.display_name))
            return next((each for each in appeared if each.name not in besides), None)

        made = self._calls.call(
            f"{self._parent}/schedules",
            lambda: self._client.create_schedule(
                parent=self._parent, schedule=self._message(request), **ONCE
            ),
            look=look,
        )
        return str(made.name)

    def update(self, name: str, request: ScheduleRequest, changed: Collection[str]) -> None:
        """Set a schedule to what is asked for, where it is set to something else.

        Args:
            name: its resource name.
            request: the schedule as it ought to be.
            changed: the settings that differ.

        """
        message = self._message(request)
        message.name = name
        paths = sorted({_MASKS.get(setting, _THE_JOB) for setting in changed})
        self._calls.call(
            name,
            lambda: self._client.update_schedule(
                schedule=message, update_mask={"paths": paths}, **ONCE
            ),
        )

    def pause(self, name: str) -> None:
        """Let a schedule start no more runs."""
        self._turn(name, lambda: self._client.pause_schedule(name=name, **ONCE), "paused")

    def resume(self, name: str) -> None:
        """Let a schedule start runs again, from the next one on."""
        request = {"name": name, "catch_up": False}
        self._turn(name, lambda: self._client.resume_schedule(request, **ONCE), "active")

    def delete(self, name: str) -> None:
        """Take a schedule away. Its runs stay."""
        try:
            operation = self._calls.call(
                name,
                lambda: self._client.delete_schedule(name=name, **ONCE),
                expecting=exceptions.NotFound,
            )
        except exceptions.NotFound:
            return
        with translated(name):
            operation.result(timeout=_DELETE_SECONDS)

    def _turn(self, name: str, function: Any, wanted: State) -> None:
        """Pause or resume; a schedule that is so already, by an answer that was lost, is right."""
        try:
            self._calls.call(name, function, expecting=exceptions.BadRequest)
        except exceptions.BadRequest as error:
            now = self._calls.call(name, lambda: self._client.get_schedule(name=name, **ONCE))
            state = _STATES.get(now.state.name)
            if state != wanted and not (wanted == "paused" and state == "completed"):
                raise CloudError(str(error.message), where=name) from error

    def _pages(self, display_name: str | None) -> Iterator[Any]:
        request = {"parent": self._parent, "page_size": _PAGE_SIZE}
        if display_name is not None:
            request["filter"] = f'display_name="{display_name}"'
        pages = self._calls.pages(
            f"{self._parent}/schedules",
            lambda token: self._client.list_schedules({**request, "page_token": token}, **ONCE),
        )
        for page in pages:
            yield from page.schedules

    def _message(self, request: ScheduleRequest) -> Any:
        return aiplatform_v1.Schedule(
            display_name=request.display_name,
            cron=f"TZ={request.time_zone} {' '.join(request.cron.split())}",
            max_concurrent_run_count=1,
            create_pipeline_job_request=aiplatform_v1.CreatePipelineJobRequest(
                parent=self._parent, pipeline_job=pipeline_job(self._environment, request.job)
            ),
        )


def _found(schedule: Any) -> FoundSchedule:
    plain = _plain(schedule)
    job = plain.get("createPipelineJobRequest", {}).get("pipelineJob", {})
    return FoundSchedule(
        name=schedule.name,
        display_name=schedule.display_name,
        state=_STATES.get(schedule.state.name, "paused"),
        created=schedule.create_time,
        settings=_settings(plain),
        lasting=_lasting(schedule, plain),
        specification=job.get("pipelineSpec") or None,
        next_run=schedule.next_run_time,
        fired=schedule.last_scheduled_run_response.scheduled_run_time,
        not_started=_not_started(schedule.last_scheduled_run_response),
    )


def _not_started(last: Any) -> str:
    response = str(last.run_response)
    return "" if response.upper() in _STARTED else response


def _settings(plain: Mapping[str, Any]) -> Settings:
    zoned = _ZONED.fullmatch(plain.get("cron", ""))
    zone, fields = zoned.groups() if zoned else (_UTC, plain.get("cron", ""))
    settings = {
        "cron": " ".join(fields.split()),
        "time zone": zone,
        "starts at once": int(plain.get("maxConcurrentRunCount", 0)),
        "queueing": plain.get("allowQueueing", False),
    }
    job = plain.get("createPipelineJobRequest", {}).get("pipelineJob", {})
    runtime = dict(job.get("runtimeConfig", {}))
    if runtime.get("failurePolicy") == _DEFAULT_POLICY:
        del runtime["failurePolicy"]
    for name, value in runtime.pop("parameterValues", {}).items():
        settings[f"parameters.{name}"] = _whole(value)
    for name, value in job.get("labels", {}).items():
        if not name.startswith(_GOOGLES_LABELS):
            settings[f"labels.{name}"] = value
    others = {name: value for name, value in job.items() if name not in _NOT_OURS}
    for name, value in {**others, **runtime}.items():
        settings[_JOB_NAMES.get(name, name)] = value
    return settings


def _lasting(schedule: Any, plain: Mapping[str, Any]) -> Settings:
    lasting = {_LASTING[name]: value for name, value in plain.items() if name in _LASTING}
    if "createPipelineJobRequest" not in plain:
        lasting["kind"] = "no schedule of pipelines"
    begins = schedule.start_time
    if begins and begins > max(schedule.create_time + _LATER, clock.now()):
        lasting["start time"] = plain["startTime"]
    return lasting


def _whole(value: Any) -> Any:
    """Return a value as people wrote it: numbers travel as 5.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    return value


def _plain(message: Any) -> dict[str, Any]:
    values: dict[str, Any] = json_format.MessageToDict(type(message).pb(message))
    return values
