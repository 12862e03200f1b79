"""PipelineService's methods on several jobs at once.

Both take at most 32 jobs of one parent, each once. A batch is deleted as one act or not at all;
of a batch to be cancelled the jobs that have ended are passed over.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import operation as operation_types
from google.cloud.aiplatform_v1.types import pipeline_service as service_types

from gcp_local.errors import Aborted, FailedPrecondition, InvalidArgument
from gcp_local.rpc.protos import Message, raw
from gcp_local.vertex.naming import location_of
from gcp_local.vertex.pipelines import TERMINAL, PipelineJob, State

if TYPE_CHECKING:
    from gcp_local.vertex.pipelines import PipelineService
    from gcp_local.vertex.platform import Platform

CancelPipelineJobRequest = raw(service_types.CancelPipelineJobRequest)
BatchCancelPipelineJobsResponse = raw(service_types.BatchCancelPipelineJobsResponse)
BatchDeletePipelineJobsResponse = raw(service_types.BatchDeletePipelineJobsResponse)
BatchCancelMetadata = raw(service_types.BatchCancelPipelineJobsOperationMetadata)
DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)
_MOST = 32
_LOOK_SECONDS = 0.05


class PipelineBatches:
    """The part of `google.cloud.aiplatform.v1.PipelineService` that is about several jobs."""

    def __init__(self, platform: Platform, pipelines: PipelineService) -> None:
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations
        self._projects = platform.projects
        self._pipelines = pipelines

    def batch_delete_pipeline_jobs(self, request: Message) -> Message:
        """Forget jobs that have ended: all of them, or none."""
        parent, names = self._asked(request)
        with self._database.transaction():
            jobs = [self._resources.get(name, PipelineJob) for name in names]
            for job in jobs:
                if job.state not in TERMINAL:
                    raise FailedPrecondition(
                        f"The PipelineJob {job.name!r} is in state {State(job.state).name};"
                        " only jobs that have ended can be deleted. None was."
                    )
            for job in jobs:
                self._resources.delete(job.name, PipelineJob)
            deleted = BatchDeletePipelineJobsResponse(pipeline_jobs=jobs)
            return self._operations.done(parent, deleted, DeleteOperationMetadata())

    def batch_cancel_pipeline_jobs(self, request: Message) -> Message:
        """Ask jobs to end; the operation is done when they all have."""
        parent, names = self._asked(request)
        jobs = [self._resources.get(name, PipelineJob) for name in names]
        open_jobs = [job.name for job in jobs if job.state not in TERMINAL]
        given_up = threading.Event()

        def work() -> Message:
            for name in open_jobs:
                with suppress(FailedPrecondition):  # it ended of itself just now
                    self._pipelines.cancel_pipeline_job(CancelPipelineJobRequest(name=name))
            ended = [self._ended(name, given_up) for name in open_jobs]
            cancelled = [job for job in ended if job.state == State.PIPELINE_STATE_CANCELLED]
            return BatchCancelPipelineJobsResponse(pipeline_jobs=cancelled)

        return self._operations.begin(parent, BatchCancelMetadata(), work, cancel=given_up.set)

    def _ended(self, name: str, given_up: threading.Event) -> Message:
        while True:
            job = self._resources.get(name, PipelineJob)
            if job.state in TERMINAL:
                return job
            if given_up.wait(_LOOK_SECONDS):
                raise Aborted("Waiting for the jobs to end was cancelled; they still will.")

    def _asked(self, request: Message) -> tuple[str, list[str]]:
        """Give the parent and the jobs' names, all with the project's number."""
        parent = location_of(self._projects, request.parent)
        names = [self._projects.numbered(name) for name in request.names]
        if not 1 <= len(names) <= _MOST:
            message = f"There must be 1 to {_MOST} names, not {len(names)}."
            raise InvalidArgument.of_field("names", message)
        if len(set(names)) < len(names):
            raise InvalidArgument.of_field("names", "A name is given twice.")
        for name in names:
            if name.rpartition("/pipelineJobs/")[0] != parent:
                message = f"{name!r} is not a pipeline job in {parent!r}."
                raise InvalidArgument.of_field("names", message)
        return parent, names
