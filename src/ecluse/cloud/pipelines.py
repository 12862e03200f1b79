"""Vertex AI Pipelines: creates runs from the registry's bytes and tells how they do."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import islice
from threading import Event
from typing import Any, Final

from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.protobuf import json_format

from ecluse import clock
from ecluse.cloud import Addresses
from ecluse.cloud.calls import ONCE, Calls
from ecluse.cloud.failures import translated
from ecluse.cloud.job import pipeline_job
from ecluse.cloud.run import Artifact, Run, RunRequest, State, Task
from ecluse.errors import Interrupted, Refused
from ecluse.repository.settings import Environment

_JOB_STATES: Final[Mapping[str, State]] = {
    "PIPELINE_STATE_RUNNING": "running",
    "PIPELINE_STATE_CANCELLING": "running",
    "PIPELINE_STATE_SUCCEEDED": "succeeded",
    "PIPELINE_STATE_FAILED": "failed",
    "PIPELINE_STATE_CANCELLED": "cancelled",
}
_TASK_STATES: Final[Mapping[str, State]] = {
    "RUNNING": "running",
    "CANCEL_PENDING": "running",
    "CANCELLING": "running",
    "SUCCEEDED": "succeeded",
    "CANCELLED": "cancelled",
    "FAILED": "failed",
    "SKIPPED": "skipped",
    "NOT_TRIGGERED": "not triggered",
}
# What a list tells of a run: all but its compiled pipeline, which is by far the most of it.
_LISTED: Final = (
    "name",
    "state",
    "error",
    "labels",
    "create_time",
    "start_time",
    "end_time",
    "schedule_name",
    "runtime_config",
    "template_metadata.version",
)
_PAGE_SIZE: Final = 100
_UNDER_WAY: Final = (
    "PIPELINE_STATE_QUEUED",
    "PIPELINE_STATE_PENDING",
    "PIPELINE_STATE_RUNNING",
    "PIPELINE_STATE_CANCELLING",
    "PIPELINE_STATE_PAUSED",
)


class Pipelines:
    """The runs of one environment."""

    def __init__(
        self, environment: Environment, client: Any, calls: Calls, poll_seconds: float
    ) -> None:
        self._environment = environment
        self._client = client
        self._calls = calls
        self._poll_seconds = poll_seconds
        self._parent = f"projects/{environment.project}/locations/{environment.location}"

    @classmethod
    def connect(cls, addresses: Addresses) -> "Pipelines":
        """Connect to the environment's Vertex AI."""
        with translated("Vertex AI"):
            client = addresses.typed(
                aiplatform_v1.PipelineServiceClient, "aiplatform", regional=True
            )
        poll_seconds = 10.0 if addresses.local is None else 0.2
        return cls(addresses.environment, client, addresses.calls, poll_seconds)

    def resource_name(self, run_id: str) -> str:
        """Return a run's resource name."""
        return f"{self._parent}/pipelineJobs/{run_id}"

    def create(self, request: RunRequest) -> Run:
        """Create a run, or join the one that has its id, if that runs the very same thing.

        Raises:
            Refused: the id is taken by a run of something else.

        """
        job = pipeline_job(self._environment, request)
        name = self.resource_name(request.run_id)
        try:
            # Safe to repeat: the id is ours, and a second create finds the first one's job.
            created = self._calls.call(
                name,
                lambda: self._client.create_pipeline_job(
                    parent=self._parent, pipeline_job=job, pipeline_job_id=request.run_id, **ONCE
                ),
                expecting=exceptions.Conflict,
            )
        except exceptions.Conflict:
            created = self._calls.call(name, partial(self._job, name))
            _refuse_other(created, job)
        return _run(created)

    def get(self, run_id: str) -> Run | None:
        """Return a run, or none if there is none of that id."""
        name = self.resource_name(run_id)
        try:
            found = self._calls.call(name, partial(self._job, name), expecting=exceptions.NotFound)
        except exceptions.NotFound:
            return None
        return _run(found)

    def list(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        since: datetime | None = None,
        under_way: bool = False,
        oldest_first: bool = False,
        limit: int = 1000,
    ) -> Iterator[Run]:
        """Yield runs, the newest first, without their tasks; whoever has seen enough stops.

        Args:
            labels: only runs with these labels, as they are in the cloud.
            since: only runs created at this time or later.
            under_way: only runs that have not ended.
            oldest_first: the other way round.
            limit: no more than so many.

        """
        conditions = [f'labels.{key}="{value}"' for key, value in (labels or {}).items()]
        if since is not None:
            conditions.append(f'create_time>="{clock.rfc3339(since)}"')
        if under_way:
            states = " OR ".join(f'state="{state}"' for state in _UNDER_WAY)
            conditions.append(f"({states})")
        request = {
            "parent": self._parent,
            "filter": " AND ".join(conditions),
            "order_by": "create_time" if oldest_first else "create_time desc",
            "page_size": min(limit, _PAGE_SIZE),
            "read_mask": {"paths": _LISTED},
        }
        pages = self._calls.pages(
            f"{self._parent}/pipelineJobs",
            lambda token: self._client.list_pipeline_jobs({**request, "page_token": token}, **ONCE),
        )
        jobs = (job for page in pages for job in page.pipeline_jobs)
        yield from (_run(job) for job in islice(jobs, limit))

    def wait_for_room(self, most: int, labels: Mapping[str, str], stop: Event) -> None:
        """Return once fewer than so many runs with some labels are under way.

        Runs that a schedule started do not count.

        Raises:
            Interrupted: `stop` was set first.

        """
        while not self.has_room(most, labels):
            if stop.wait(self._poll_seconds):
                raise Interrupted("stopped while it waited for other runs to end")

    def has_room(self, most: int, labels: Mapping[str, str]) -> bool:
        """Whether fewer than so many runs with some labels are under way, whoever started them."""
        found = self.list(labels=labels, under_way=True)
        return sum(1 for run in islice((r for r in found if not r.schedule), most)) < most

    def wait(self, run: Run, seen: Callable[[Run], None], stop: Event) -> Run:
        """Follow a run to its end, showing it each time it was looked at.

        Raises:
            Interrupted: `stop` was set first.

        """
        while True:
            seen(run)
            if run.finished:
                return run
            if stop.wait(self._poll_seconds):
                raise Interrupted("no longer followed; it goes on", where=run.name)
            run = _run(self._calls.call(run.name, partial(self._job, run.name)))

    def _job(self, name: str) -> Any:
        return self._client.get_pipeline_job(name=name, **ONCE)


def _refuse_other(found: Any, wanted: Any) -> None:
    """Check that a run is the one that was asked for, and not somebody else's under its id."""
    if _asked(found) != _asked(wanted):
        raise Refused(
            "a run of this id exists, and it runs something else",
            where=found.name,
            fix="promote with --rerun for a new attempt",
        )


def _asked(job: Any) -> tuple[Any, ...]:
    parameters = _plain(job).get("runtimeConfig", {}).get("parameterValues")
    return job.template_uri, job.service_account, parameters


def _plain(message: Any) -> dict[str, Any]:
    values: dict[str, Any] = json_format.MessageToDict(type(message).pb(message))
    return values


def _run(job: Any) -> Run:
    details = sorted(
        job.job_detail.task_details,
        key=lambda detail: (
            detail.start_time or detail.create_time or job.create_time,
            detail.task_id,
        ),
    )
    parents = {detail.parent_task_id for detail in details}
    keys = _keys_by_display_name(_plain(job).get("pipelineSpec", {}))
    version = job.template_metadata.version
    return Run(
        name=job.name,
        state=_JOB_STATES.get(job.state.name, "pending"),
        tasks=tuple(
            _task(
                detail,
                name=keys.get(detail.task_name, detail.task_name),
                group=detail.task_id in parents,
            )
            for detail in details
        ),
        error=job.error.message,
        created=job.create_time,
        started=job.start_time,
        ended=job.end_time,
        template=version,
        parameters=_plain(job).get("runtimeConfig", {}).get("parameterValues", {}),
        labels=dict(job.labels),
        schedule=job.schedule_name,
    )


def _keys_by_display_name(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the key of each task in the spec by its display name, where that names one task.

    The service's documentation leaves open which of the two a task's detail is called by.
    """
    dags = [spec.get("root", {}).get("dag", {})]
    dags += [component.get("dag", {}) for component in spec.get("components", {}).values()]
    tasks = [(key, task) for dag in dags for key, task in dag.get("tasks", {}).items()]
    keys = {key for key, _ in tasks}
    found: dict[str, list[str]] = {}
    for key, task in tasks:
        found.setdefault(task.get("taskInfo", {}).get("name", key), []).append(key)
    return {
        name: matches[0]
        for name, matches in found.items()
        if len(matches) == 1 and name not in keys
    }


def _task(detail: Any, *, name: str, group: bool) -> Task:
    return Task(
        name=name,
        state=_TASK_STATES.get(detail.state.name, "pending"),
        started=detail.start_time,
        ended=detail.end_time,
        error=detail.error.message,
        artifacts=tuple(
            Artifact(
                name=name,
                type=artifact.schema_title,
                uri=artifact.uri,
                metadata=_plain(artifact).get("metadata", {}),
            )
            for name, artifacts in detail.outputs.items()
            for artifact in artifacts.artifacts
        ),
        group=group,
        id=str(detail.task_id),
    )
