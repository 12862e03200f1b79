"""Vertex AI's JobService, as far as it is about batch prediction."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import batch_prediction_job as job_types
from google.cloud.aiplatform_v1.types import job_service as service_types
from google.cloud.aiplatform_v1.types import model as model_types

from gcp_local.errors import InvalidArgument, NotFound, Unimplemented
from gcp_local.resources.labels import check_labels
from gcp_local.resources.masks import masked
from gcp_local.rpc.protos import Message, copy_of, raw
from gcp_local.vertex.jobs.instances import conversion_of
from gcp_local.vertex.jobs.lifecycle import FILTERABLE, Jobs
from gcp_local.vertex.jobs.machines import check_machine
from gcp_local.vertex.jobs.places import check_places
from gcp_local.vertex.jobs.prediction import predict
from gcp_local.vertex.naming import check_display_name, location_of
from gcp_local.vertex.settings import check_account, check_encryption, check_folder

if TYPE_CHECKING:
    from gcp_local.vertex.models.registry import ModelRegistry
    from gcp_local.vertex.platform import Platform

BatchPredictionJob = raw(job_types.BatchPredictionJob)
ListBatchPredictionJobsResponse = raw(service_types.ListBatchPredictionJobsResponse)
Model = raw(model_types.Model)
_AUTOMATIC = model_types.Model.DeploymentResourcesType.AUTOMATIC_RESOURCES
_AT_ONCE = 4
_AT = "batch_prediction_job"


class BatchPredictionJobs:
    """Batch prediction jobs from and to Cloud Storage and BigQuery.

    Args:
        platform: the stores and the host.
        models: where the models are found.

    """

    def __init__(self, platform: Platform, models: ModelRegistry) -> None:
        self._platform = platform
        self._projects = platform.projects
        self._models = models
        self._jobs = Jobs(platform, BatchPredictionJob, "batchPredictionJobs", at_once=_AT_ONCE)

    # The RPCs

    def create_batch_prediction_job(self, request: Message) -> Message:
        """Check, keep, start."""
        parent = location_of(self._projects, request.parent)
        job: Message = copy_of(request.batch_prediction_job)
        for field in (
            "name", "model_version_id", "output_info", "state", "error", "partial_failures",
            "resources_consumed", "completion_stats", "start_time", "end_time", "satisfies_pzs",
            "satisfies_pzi",
        ):  # fmt: skip
            job.ClearField(field)
        check_display_name(job.display_name, required=True)
        check_labels(job.labels)
        check_encryption(job, parent.rpartition("/")[2], at=_AT)
        check_account(job.service_account, f"{_AT}.service_account")
        check_places(job, _AT)
        if job.generate_explanation:
            raise Unimplemented(f"{_AT}.generate_explanation is not implemented: no explanations.")
        if job.HasField("explanation_spec"):
            message = "explanation_spec can be set only if generate_explanation is."
            raise InvalidArgument.of_field(f"{_AT}.explanation_spec", message)
        form = job.input_config.instances_format
        conversion = conversion_of(job.instance_config, form, at=_AT)
        model = self._model(job, parent)
        self._check_resources(job, model)
        _check_formats(job, model)
        job.name = self._jobs.name(parent)
        return self._jobs.start(
            job, lambda run: predict(run, model, conversion, self._platform)
        ).first

    def get_batch_prediction_job(self, request: Message) -> Message:
        """Answer a job as it stands."""
        return self._jobs.get(request.name)

    def list_batch_prediction_jobs(self, request: Message) -> Message:
        """Answer jobs, the newest first."""
        by_model = {"model_display_name": self._model_display_name}
        page, token = self._jobs.page(request, {**FILTERABLE, **by_model})
        page = masked(page, request.read_mask, BatchPredictionJob)
        return ListBatchPredictionJobsResponse(batch_prediction_jobs=page, next_page_token=token)

    def cancel_batch_prediction_job(self, request: Message) -> Message:
        """Ask a job to end; it is CANCELLED a moment later."""
        return self._jobs.cancel(request.name)

    def delete_batch_prediction_job(self, request: Message) -> Message:
        """Forget a job that has ended; its outputs stay."""
        return self._jobs.delete(request.name)

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

    # Inside

    def _model(self, job: Message, parent: str) -> Message:
        """Find the model, and note in the job which version it is."""
        unmanaged = job.HasField("unmanaged_container_model")
        if bool(job.model) == unmanaged:
            raise InvalidArgument.of_field(
                f"{_AT}.model", "Exactly one of model and unmanaged_container_model must be set."
            )
        if unmanaged:
            given = job.unmanaged_container_model
            if not given.container_spec.image_uri:
                raise InvalidArgument.of_field(
                    f"{_AT}.unmanaged_container_model.container_spec.image_uri",
                    "image_uri is required.",
                )
            check_folder(given.artifact_uri, f"{_AT}.unmanaged_container_model.artifact_uri")
            model = Model(artifact_uri=given.artifact_uri, container_spec=given.container_spec)
            given.ClearField("container_spec")  # input only
            return model
        if "publishers/" in job.model:
            raise Unimplemented(f"{_AT}.model: there are no publishers' models here.")
        name = self._projects.numbered(job.model)
        if not name.startswith(f"{parent}/models/"):
            raise InvalidArgument.of_field(
                f"{_AT}.model", f"{job.model!r} is not a model in {parent!r}."
            )
        model = self._models.resolve(name)
        if not model.container_spec.image_uri:
            message = f"{job.model!r} cannot predict in batches: it has no serving container."
            raise InvalidArgument.of_field(f"{_AT}.model", message)
        job.model, job.model_version_id = model.name, model.version_id
        return model

    def _model_display_name(self, job: Message) -> str:
        """Give the display name of a job's model; empty if it has none, or is gone."""
        with suppress(NotFound, InvalidArgument):
            return str(self._models.resolve(f"{job.model}@{job.model_version_id}").display_name)
        return ""

    def _check_resources(self, job: Message, model: Message) -> None:
        given = job.dedicated_resources
        if job.HasField("dedicated_resources"):
            check_machine(
                given.machine_spec, f"{_AT}.dedicated_resources.machine_spec", self._platform.host
            )
            least, most = given.starting_replica_count, given.max_replica_count
            if least < 0 or most < 0 or (most and least > most):
                raise InvalidArgument.of_field(
                    f"{_AT}.dedicated_resources.max_replica_count",
                    "max_replica_count must not be less than starting_replica_count.",
                )
        elif _AUTOMATIC not in model.supported_deployment_resources_types:
            raise InvalidArgument.of_field(
                f"{_AT}.dedicated_resources",
                "dedicated_resources is required: the model does not support automatic resources.",
            )
        if job.manual_batch_tuning_parameters.batch_size < 0:
            raise InvalidArgument.of_field(
                f"{_AT}.manual_batch_tuning_parameters.batch_size",
                "batch_size must not be negative.",
            )


def _check_formats(job: Message, model: Message) -> None:
    """Hold the formats against what the model says that it supports, if it says anything."""
    for field, form, supported in (
        (
            "input_config.instances_format",
            job.input_config.instances_format,
            model.supported_input_storage_formats,
        ),
        (
            "output_config.predictions_format",
            job.output_config.predictions_format,
            model.supported_output_storage_formats,
        ),
    ):
        if supported and form not in supported:
            message = f"The model does not support {form!r}, only {', '.join(supported)}."
            raise InvalidArgument.of_field(f"{_AT}.{field}", message)
