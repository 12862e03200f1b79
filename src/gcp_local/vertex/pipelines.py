"""Vertex AI's PipelineService: jobs, as far as they are not the orchestrator's business.

Jobs are kept under their full names, with the project's number, as Vertex AI answers them. A job
that refers to a template keeps its specification with the digest that was taken.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from google.cloud.aiplatform_v1.types import execution as execution_types
from google.cloud.aiplatform_v1.types import operation as operation_types
from google.cloud.aiplatform_v1.types import pipeline_job as job_types
from google.cloud.aiplatform_v1.types import pipeline_service as service_types
from google.cloud.aiplatform_v1.types import pipeline_state as state_types

from gcp_local import clock
from gcp_local.errors import FailedPrecondition, InvalidArgument
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import list_page
from gcp_local.resources.masks import masked
from gcp_local.rpc.protos import Empty, Message, copy_of, raw, timestamp
from gcp_local.vertex.naming import check_display_name, location_of
from gcp_local.vertex.pipeline_ids import FILTERABLE, SORTABLE, billing_id, job_id
from gcp_local.vertex.settings import check_settings

if TYPE_CHECKING:
    from gcp_local.registry.packages import PackageRegistry
    from gcp_local.vertex.metadata.recorder import RunRecorder
    from gcp_local.vertex.platform import Platform

PipelineJob = raw(job_types.PipelineJob)
ListPipelineJobsResponse = raw(service_types.ListPipelineJobsResponse)
DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)
State = state_types.PipelineState
TERMINAL = frozenset(
    {
        State.PIPELINE_STATE_SUCCEEDED,
        State.PIPELINE_STATE_FAILED,
        State.PIPELINE_STATE_CANCELLED,
    }
)
_ABORTED_CODE = 10  # google.rpc.Code.ABORTED


class Engine(Protocol):
    """What runs the jobs: see `gcp_local.orchestrator.Orchestrator`."""

    def validate(self, job: Message) -> None:
        """Refuse what Vertex AI would refuse before the job exists."""

    def describe(self, job: Message) -> None:
        """Write into a new job what is known of its run before it starts."""

    def submit(self, job: Message, scheduled: Message | None = None) -> None:
        """Start a job, maybe one of a schedule for that time, and return at once."""

    def cancel(self, name: str) -> None:
        """Ask a running job to end."""

    def close(self) -> None:
        """End all jobs and wait for their end."""


class PipelineService:
    """`google.cloud.aiplatform.v1.PipelineService`."""

    def __init__(
        self,
        platform: Platform,
        registry: PackageRegistry,
        engine: Engine,
        recorder: RunRecorder,
    ) -> None:
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations
        self._projects = platform.projects
        self._registry = registry
        self._engine = engine
        self._recorder = recorder
        self._active: dict[str, str] = {}  # the jobs under way, and whose schedule's each is
        self._lock = threading.Lock()

    # The RPCs

    def create_pipeline_job(self, request: Message) -> Message:
        """Check, resolve the template, keep, start."""
        job = self.prepare(request)
        self._start(job)
        return job

    def prepare(self, request: Message) -> Message:
        """Make the job that a request asks for, checked and with its template, and not started."""
        parent = location_of(self._projects, request.parent)
        job: Message = copy_of(request.pipeline_job)
        check_display_name(job.display_name, required=False)
        check_labels(job.labels)
        _, number, _, location = parent.split("/")
        check_settings(job, location)
        _clear_output_only(job)
        if job.template_uri:
            self._take_template(job)
        if not job.pipeline_spec.fields:
            raise InvalidArgument.of_field(
                "pipeline_job", "Either pipeline_spec or template_uri must be set."
            )
        job.name = f"{parent}/pipelineJobs/{job_id(request.pipeline_job_id, job)}"
        if not job.service_account:
            job.service_account = f"{number}-compute@developer.gserviceaccount.com"
        job.labels["vertex-ai-pipelines-run-billing-id"] = billing_id(job.name)
        now = timestamp(clock.now())
        job.create_time.CopyFrom(now)
        job.update_time.CopyFrom(now)
        job.state = State.PIPELINE_STATE_PENDING
        self._engine.validate(job)
        # The SDK puts a job into an experiment by its context, and looks for that no more once the
        # job has ended: a run that is taken from the cache has ended before it can look.
        self._engine.describe(job)
        return job

    def get_pipeline_job(self, request: Message) -> Message:
        """Answer a job as it stands."""
        job = self._resources.get(self._name(request.name), PipelineJob)
        return self._recorder.refresh(job)

    def list_pipeline_jobs(self, request: Message) -> Message:
        """Answer jobs, the newest first unless an order is asked for."""
        parent = location_of(self._projects, request.parent)
        page, token = list_page(
            self._resources.children(parent, PipelineJob),
            request,
            PipelineJob,
            filterable=FILTERABLE,
            sortable=SORTABLE,
            newest_first=True,
        )
        for job in page:
            # Lists do not tell of tasks (PipelineJob.job_detail), yet the SDK finds a listed job's
            # experiment by the contexts in it.
            job.job_detail.ClearField("task_details")
            self._recorder.refresh(job)
        shown = masked(page, request.read_mask, PipelineJob)
        return ListPipelineJobsResponse(pipeline_jobs=shown, next_page_token=token)

    def cancel_pipeline_job(self, request: Message) -> Message:
        """Ask a job to end; it is CANCELLED a moment later."""
        job = self._resources.get(self._name(request.name), PipelineJob)
        if job.state in TERMINAL:
            raise FailedPrecondition(
                f"The PipelineJob {job.name!r} is in the terminal state"
                f" {State(job.state).name} and cannot be cancelled."
            )
        self._engine.cancel(job.name)
        return Empty()

    def delete_pipeline_job(self, request: Message) -> Message:
        """Forget a job that has ended."""
        name = self._name(request.name)
        job = self._resources.get(name, PipelineJob)
        if job.state not in TERMINAL:
            raise FailedPrecondition(
                f"The PipelineJob {name!r} is in state {State(job.state).name};"
                " only a job that has ended can be deleted."
            )
        self._resources.delete(name, PipelineJob)
        parent = name.partition("/pipelineJobs/")[0]
        return self._operations.done(parent, Empty(), DeleteOperationMetadata())

    def _take_template(self, job: Message) -> None:
        """Look up a job's template: the specification, and the digest under which it is kept."""
        version, spec = self._registry.template(job.template_uri)
        if job.pipeline_spec.fields and job.pipeline_spec != spec:
            # What runs would not be what template_metadata.version says.
            raise InvalidArgument.of_field(
                "pipeline_job.pipeline_spec",
                f"pipeline_spec differs from the template {job.template_uri!r}; leave one out.",
            )
        job.pipeline_spec.CopyFrom(spec)
        job.template_metadata.version = version

    def _start(self, job: Message, scheduled: Message | None = None) -> None:
        """Keep and start a job as one act.

        So whoever can see it can cancel it, and what does not start does not stay.
        """
        with self._database.transaction():
            self._resources.add(job.name, job)
            self._recorder.record(job, ended=False)
            with self._lock:
                self._active[job.name] = job.schedule_name
            try:
                self._engine.submit(copy_of(job), scheduled)
            except BaseException:
                with self._lock:
                    self._active.pop(job.name, None)
                raise

    # Not RPCs

    def save(self, job: Message) -> None:
        """Keep a job's newer state; called by the orchestrator at each change, from any thread."""
        job.update_time.CopyFrom(timestamp(clock.now()))
        try:
            with self._database.transaction():
                self._resources.replace(job.name, job)
                self._recorder.record(job, ended=job.state in TERMINAL)
        finally:
            if job.state in TERMINAL:
                with self._lock:
                    self._active.pop(job.name, None)
                if job.schedule_name:
                    clock.wake()  # a run of the schedule may have waited for this one's end

    def start_scheduled(self, request: Message, schedule: str, scheduled: Message) -> Message:
        """Create a job for a schedule.

        Args:
            request: the schedule's CreatePipelineJobRequest.
            schedule: the schedule's name.
            scheduled: the time for which the run was scheduled.

        """
        job = self.prepare(request)
        job.schedule_name = schedule
        try:
            self._start(job, scheduled)
        except BaseException:
            # The caller's transaction may go on: what does not start does not stay.
            if self._resources.find(job.name, PipelineJob) is not None:
                self._resources.delete(job.name, PipelineJob)
            raise
        return job

    def active(self) -> list[str]:
        """Name the jobs that have not ended, oldest first."""
        with self._lock:
            return list(self._active)

    def active_of(self, schedule: str) -> int:
        """Count the jobs of a schedule that have not ended."""
        with self._lock:
            return sum(name == schedule for name in self._active.values())

    def busy(self) -> bool:
        """Tell whether any job is still under way."""
        with self._lock:
            return bool(self._active)

    def recover(self) -> None:
        """Fail the jobs that were running when an earlier server stopped."""
        for job in self._resources.everywhere(PipelineJob):
            if job.state in TERMINAL:
                continue
            now = timestamp(clock.now())
            message = "The embedded cloud's server stopped while this job ran."
            job.state = State.PIPELINE_STATE_FAILED
            job.error.code, job.error.message = _ABORTED_CODE, message
            job.end_time.CopyFrom(now)
            job.update_time.CopyFrom(now)
            for task in job.job_detail.task_details:
                _fail_if_unfinished(task, message)
            with self._database.transaction():
                self._resources.replace(job.name, job)
                self._recorder.record(job, ended=True)

    def close(self) -> None:
        """End all jobs that are under way; they end as failed, and say why."""
        self._engine.close()

    def _name(self, name: str) -> str:
        return self._projects.numbered(name)


def _clear_output_only(job: Message) -> None:
    for name in (
        "name", "create_time", "start_time", "end_time", "update_time", "state", "job_detail",
        "error", "schedule_name", "template_metadata", "satisfies_pzs", "satisfies_pzi",
    ):  # fmt: skip
        if name in job.DESCRIPTOR.fields_by_name:
            job.ClearField(name)


def _fail_if_unfinished(task: Message, message: str) -> None:
    states = job_types.PipelineTaskDetail.State
    if task.state not in (states.PENDING, states.RUNNING):
        return
    task.state = states.FAILED
    task.error.code, task.error.message = _ABORTED_CODE, message
    task.end_time.CopyFrom(timestamp(clock.now()))
    if task.HasField("execution"):
        task.execution.state = execution_types.Execution.State.FAILED
