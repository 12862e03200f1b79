"""Vertex AI's JobService, as far as it is about monitoring jobs of deployed models.

Such a job is kept, checked, paused and resumed; nothing is computed. So no statistics are ever
found, as on Vertex AI before the first run, and no time of a next run is told.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import dataset as dataset_types
from google.cloud.aiplatform_v1.types import job_service as service_types
from google.cloud.aiplatform_v1.types import job_state as state_types
from google.cloud.aiplatform_v1.types import model_deployment_monitoring_job as job_types
from google.cloud.aiplatform_v1.types import operation as operation_types

from gcp_local import clock
from gcp_local.errors import FailedPrecondition, InvalidArgument, NotFound, Unimplemented
from gcp_local.resources.listing import list_page
from gcp_local.resources.masks import changed_paths, masked
from gcp_local.rpc.protos import Empty, Message, copy_of, raw, timestamp
from gcp_local.vertex.jobs.lifecycle import FILTERABLE
from gcp_local.vertex.jobs.monitoring_checks import AT, check_job
from gcp_local.vertex.naming import location_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcp_local.vertex.endpoints.service import EndpointService
    from gcp_local.vertex.platform import Platform

Dataset = raw(dataset_types.Dataset)
DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)
ModelDeploymentMonitoringJob = raw(job_types.ModelDeploymentMonitoringJob)
ListModelDeploymentMonitoringJobsResponse = raw(
    service_types.ListModelDeploymentMonitoringJobsResponse
)
SearchModelDeploymentMonitoringStatsAnomaliesResponse = raw(
    service_types.SearchModelDeploymentMonitoringStatsAnomaliesResponse
)
UpdateModelDeploymentMonitoringJobOperationMetadata = raw(
    service_types.UpdateModelDeploymentMonitoringJobOperationMetadata
)
State = state_types.JobState
_OFFLINE = job_types.ModelDeploymentMonitoringJob.MonitoringScheduleState.OFFLINE
_OUTPUT_ONLY = (
    "name", "state", "schedule_state", "latest_monitoring_pipeline_metadata", "bigquery_tables",
    "create_time", "update_time", "next_schedule_time", "error", "satisfies_pzs", "satisfies_pzi",
)  # fmt: skip
_OBJECTIVES = "model_deployment_monitoring_objective_configs"
_UPDATABLE = (
    "display_name", "model_deployment_monitoring_schedule_config", "model_monitoring_alert_config",
    "logging_sampling_strategy", "labels", "log_ttl", "enable_monitoring_pipeline_logs",
    _OBJECTIVES,
)  # fmt: skip


class MonitoringJobs:
    """Monitoring jobs of deployed models.

    Args:
        platform: the stores.
        endpoints: what is monitored; an endpoint has one such job at most.

    """

    def __init__(self, platform: Platform, endpoints: EndpointService) -> None:
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations
        self._projects = platform.projects
        self._endpoints = endpoints

    def create_model_deployment_monitoring_job(self, request: Message) -> Message:
        """Check and keep; the job is RUNNING from then on."""
        parent = location_of(self._projects, request.parent)
        job: Message = copy_of(request.model_deployment_monitoring_job)
        for field in _OUTPUT_ONLY:
            job.ClearField(field)
        if not self._projects.numbered(job.endpoint).startswith(f"{parent}/endpoints/"):
            message = f"{job.endpoint!r} is not an endpoint in {parent!r}."
            raise InvalidArgument.of_field(f"{AT}.endpoint", message)
        with self._database.transaction():
            endpoint = self._endpoints.find(job.endpoint)
            job.endpoint = endpoint.name
            self._check(job, endpoint, anew=True)
            if endpoint.model_deployment_monitoring_job:
                raise FailedPrecondition(
                    f"The Endpoint {endpoint.name!r} is monitored already by"
                    f" {endpoint.model_deployment_monitoring_job!r}."
                )
            job.name = f"{parent}/modelDeploymentMonitoringJobs/{uuid.uuid4().int % 10**19}"
            job.state, job.schedule_state = State.JOB_STATE_RUNNING, _OFFLINE
            now = timestamp(clock.now())
            job.create_time.CopyFrom(now)
            job.update_time.CopyFrom(now)
            self._resources.add(job.name, job)
            self._note(endpoint.name, job.name)
        return job

    def get_model_deployment_monitoring_job(self, request: Message) -> Message:
        """Answer a job as it stands."""
        return self._get(request.name)

    def list_model_deployment_monitoring_jobs(self, request: Message) -> Message:
        """Answer jobs, the newest first."""
        kind = ModelDeploymentMonitoringJob
        page, token = list_page(
            self._resources.children(location_of(self._projects, request.parent), kind),
            request,
            kind,
            filterable=FILTERABLE,
            newest_first=True,
        )
        return ListModelDeploymentMonitoringJobsResponse(
            model_deployment_monitoring_jobs=masked(page, request.read_mask, kind),
            next_page_token=token,
        )

    def update_model_deployment_monitoring_job(self, request: Message) -> Message:
        """Change the fields of the mask; without one, those that are set."""
        asked = request.model_deployment_monitoring_job
        with self._database.transaction():
            job = self._get(asked.name)
            paths = _paths(request)
            for path in paths:
                job.ClearField(path)
                part = type(job)()
                part.CopyFrom(asked)
                for field, _ in asked.ListFields():
                    if field.name != path:
                        part.ClearField(field.name)
                job.MergeFrom(part)
            endpoint = self._endpoints.find(job.endpoint)
            self._check(job, endpoint, anew=_OBJECTIVES in paths)
            self._keep(job)
        return self._operations.done(
            job.name, job, UpdateModelDeploymentMonitoringJobOperationMetadata()
        )

    def pause_model_deployment_monitoring_job(self, request: Message) -> Message:
        """Pause a running job."""
        return self._turn(request.name, State.JOB_STATE_RUNNING, State.JOB_STATE_PAUSED)

    def resume_model_deployment_monitoring_job(self, request: Message) -> Message:
        """Resume a paused job."""
        return self._turn(request.name, State.JOB_STATE_PAUSED, State.JOB_STATE_RUNNING)

    def delete_model_deployment_monitoring_job(self, request: Message) -> Message:
        """Forget a job."""
        with self._database.transaction():
            job = self._get(request.name)
            self._resources.delete(job.name, ModelDeploymentMonitoringJob)
            self._note(job.endpoint, "")
        return self._operations.done(job.name, Empty(), DeleteOperationMetadata())

    def search_model_deployment_monitoring_stats_anomalies(self, request: Message) -> Message:
        """Answer that nothing was found: nothing is computed here."""
        job = self._get(request.model_deployment_monitoring_job)
        configured = [
            config.deployed_model_id for config in job.model_deployment_monitoring_objective_configs
        ]
        if request.deployed_model_id not in configured:
            message = f"{request.deployed_model_id!r} is none of {', '.join(configured)}."
            raise InvalidArgument.of_field("deployed_model_id", message)
        if not request.objectives:
            raise InvalidArgument.of_field("objectives", "objectives is required.")
        if request.page_token:
            message = "The page token is not valid for this request."
            raise InvalidArgument.of_field("page_token", message)
        return SearchModelDeploymentMonitoringStatsAnomaliesResponse()

    # Inside

    def _get(self, name: str) -> Message:
        return self._resources.get(self._projects.numbered(name), ModelDeploymentMonitoringJob)

    def _keep(self, job: Message) -> None:
        job.update_time.CopyFrom(timestamp(clock.now()))
        self._resources.replace(job.name, job)

    def _turn(self, name: str, before: int, after: int) -> Message:
        with self._database.transaction():
            job = self._get(name)
            if job.state != before:
                raise FailedPrecondition(
                    f"The ModelDeploymentMonitoringJob {job.name!r} is in state"
                    f" {State(job.state).name}, not {State(before).name}."
                )
            job.state = after
            self._keep(job)
        return Empty()

    def _check(self, job: Message, endpoint: Message, *, anew: bool) -> None:
        check_job(job, endpoint, anew=anew)
        for config in job.model_deployment_monitoring_objective_configs:
            name = config.objective_config.training_dataset.dataset
            if name and self._resources.find(self._projects.numbered(name), Dataset) is None:
                raise NotFound(f"The Dataset {name!r} does not exist.")

    def _note(self, endpoint: str, job: str) -> None:
        """Write into an endpoint which job is about it."""

        def change(message: Message) -> None:
            message.model_deployment_monitoring_job = job

        try:
            self._endpoints.change(endpoint, change)
        except NotFound:
            if job:
                raise  # a job outlives its endpoint, but is not made without one


def _paths(request: Message) -> Sequence[str]:
    """Read the update mask."""
    if any(path.startswith(f"{_OBJECTIVES}.") for path in request.update_mask.paths):
        raise Unimplemented(f"update_mask: name {_OBJECTIVES} as a whole.")
    said = request.model_deployment_monitoring_job
    return changed_paths(request.update_mask, said, _UPDATABLE)
