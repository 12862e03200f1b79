"""Vertex AI's JobService, as far as it is about custom jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import custom_job as job_types
from google.cloud.aiplatform_v1.types import job_service as service_types

from gcp_local.resources.labels import check_labels
from gcp_local.resources.masks import masked
from gcp_local.rpc.protos import Message, copy_of, raw
from gcp_local.vertex.jobs.execution import Extra, Reported, execute
from gcp_local.vertex.jobs.experiments import check_experiment
from gcp_local.vertex.jobs.lifecycle import Jobs
from gcp_local.vertex.jobs.worker_pools import checked_spec
from gcp_local.vertex.naming import check_display_name, location_of
from gcp_local.vertex.settings import check_encryption

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.vertex.jobs.lifecycle import Run
    from gcp_local.vertex.metadata.job_experiments import JobExperiments
    from gcp_local.vertex.platform import Platform

CustomJob = raw(job_types.CustomJob)
ListCustomJobsResponse = raw(service_types.ListCustomJobsResponse)
AT_ONCE = 8


class CustomJobs:
    """Custom jobs: of clients, of tuning jobs and of training pipelines."""

    def __init__(self, platform: Platform, experiments: JobExperiments) -> None:
        self._platform = platform
        self._experiments = experiments
        self._projects = platform.projects
        self._jobs = Jobs(platform, CustomJob, "customJobs", at_once=AT_ONCE)

    # The RPCs

    def create_custom_job(self, request: Message) -> Message:
        """Check, keep, start."""
        parent = location_of(self._projects, request.parent)
        sent = request.custom_job
        check_display_name(sent.display_name, required=True)
        check_labels(sent.labels)
        location = parent.rpartition("/")[2]
        check_encryption(sent, location, at="custom_job")
        host = self._platform.host
        spec = checked_spec(copy_of(sent.job_spec), location, host, at="custom_job.job_spec")
        check_experiment(spec, parent, self._platform, at="custom_job.job_spec")
        job = CustomJob(display_name=sent.display_name, job_spec=spec, labels=sent.labels)
        if sent.HasField("encryption_spec"):
            job.encryption_spec.CopyFrom(sent.encryption_spec)
        return self.start(parent, job).first

    def get_custom_job(self, request: Message) -> Message:
        """Answer a job as it stands."""
        return self._jobs.get(request.name)

    def list_custom_jobs(self, request: Message) -> Message:
        """Answer jobs, the newest first."""
        page, token = self._jobs.page(request)
        page = masked(page, request.read_mask, CustomJob)
        return ListCustomJobsResponse(custom_jobs=page, next_page_token=token)

    def cancel_custom_job(self, request: Message) -> Message:
        """Ask a job to end; it is CANCELLED a moment later."""
        return self._jobs.cancel(request.name)

    def delete_custom_job(self, request: Message) -> Message:
        """Forget a job that has ended."""
        return self._jobs.delete(request.name)

    # For other services

    def start(
        self,
        parent: str,
        job: Message,
        extra: Extra | None = None,
        succeeded: Callable[[Reported], object] = lambda _: None,
    ) -> Run:
        """Start a job whose specification is checked already.

        Args:
            parent: `projects/NUMBER/locations/LOCATION`.
            job: the resource; it is given its name.
            extra: what its replicas get that the specification does not say.
            succeeded: is told what the job reported, before the job's last state is kept.

        Returns:
            The job under way: `ended` can be waited for, `stop` cancels it.

        """
        job.name = self._jobs.name(parent)
        with self._platform.database.transaction():
            self._experiments.join(job)
            spec = copy_of(job.job_spec)

            def work(run: Run) -> None:
                succeeded(execute(run, spec, self._platform, extra or Extra()))

            return self._jobs.start(job, work)

    # For the server

    def recover(self) -> None:
        """Fail the jobs that an earlier server left unfinished."""
        self._jobs.recover()

    def busy(self) -> bool:
        """Tell whether a job is under way."""
        return self._jobs.busy()

    def close(self) -> None:
        """End all jobs as failed."""
        self._jobs.close()
