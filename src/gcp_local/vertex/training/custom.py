"""Custom training: a dataset split and written out, a custom job on it, a model from its folder.

Sources: the documentation of `InputDataConfig.gcs_destination` and
`CustomJobSpec.base_output_directory` in google.cloud.aiplatform.v1, and
https://cloud.google.com/vertex-ai/docs/training/using-managed-datasets.
"""

from __future__ import annotations

import re
import shutil
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.cloud.aiplatform_v1.types import custom_job as job_types
from google.cloud.aiplatform_v1.types import job_state as state_types
from google.rpc import code_pb2  # type: ignore[import-untyped]

from gcp_local import clock
from gcp_local.bigquery.exchange import SCHEME
from gcp_local.containers.processes import StoppedError
from gcp_local.errors import ApiError, FailedPrecondition, InvalidArgument, Unimplemented
from gcp_local.rpc.protos import Message, copy_of, from_json, raw, to_json
from gcp_local.vertex.addresses import check_destination
from gcp_local.vertex.datasets import Source, read_source
from gcp_local.vertex.jobs.execution import Extra
from gcp_local.vertex.jobs.worker_pools import checked_spec
from gcp_local.vertex.settings import check_folder
from gcp_local.vertex.training.data import FORMAT, copy_out, write_out
from gcp_local.vertex.training.inputs import read_split
from gcp_local.vertex.training.splits import TEST, TRAINING, VALIDATION, Split
from gcp_local.vertex.training.task import Produced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gcp_local.vertex.jobs.custom_jobs import CustomJobs
    from gcp_local.vertex.jobs.lifecycle import Run
    from gcp_local.vertex.platform import Platform

CustomJob = raw(job_types.CustomJob)
CustomJobSpec = raw(job_types.CustomJobSpec)
State = state_types.JobState
_AT = "training_pipeline"
_VARIABLES = {
    TRAINING: "AIP_TRAINING_DATA_URI",
    VALIDATION: "AIP_VALIDATION_DATA_URI",
    TEST: "AIP_TEST_DATA_URI",
}


@dataclass(frozen=True)
class Data:
    """The rows that a container is given.

    Attributes:
        destination: `gs://BUCKET/FOLDER`, in which a folder is made for them, or `bq://PROJECT`,
            in which a dataset is.
        dataset: the dataset's id.

    """

    source: Source
    split: Split
    destination: str
    dataset: str


class JobError(ApiError):
    """The backing custom job failed; the pipeline has its error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.status = code_pb2.Code.Name(code)


@dataclass
class CustomTask:
    """The custom training of one pipeline: see `prepared`."""

    platform: Platform
    jobs: CustomJobs
    pipeline: Message
    spec: Message
    data: Data | None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _job: Run | None = None
    _stopped: bool = False
    _closing: bool = False

    @property
    def model(self) -> Message | None:
        """The Model whose files the job leaves in its folder; None: it leaves none."""
        if not self.pipeline.HasField("model_to_upload"):
            return None
        model: Message = copy_of(self.pipeline.model_to_upload)
        if self.pipeline.encryption_spec.kms_key_name and not model.encryption_spec.kms_key_name:
            model.encryption_spec.CopyFrom(self.pipeline.encryption_spec)
        base = self.spec.base_output_directory.output_uri_prefix.rstrip("/")
        model.artifact_uri = f"{base}/model"
        return model

    def run(self, tell: Callable[[Mapping[str, Any]], None]) -> Produced:
        """Write the data out, run the job, describe the model; see `Task.run`."""
        tell({})
        environment = {} if self.data is None else self._write_out(self.data)
        job = CustomJob(
            display_name=f"{self.pipeline.display_name[:117]}-custom-job",
            job_spec=self.spec,
            labels=self.pipeline.labels,
        )
        if self.pipeline.HasField("encryption_spec"):
            job.encryption_spec.CopyFrom(self.pipeline.encryption_spec)
        parent = self.pipeline.name.partition("/trainingPipelines/")[0]
        with self._lock:
            if self._stopped:
                raise StoppedError
            self._job = run = self.jobs.start(parent, job, Extra(environment=environment))
        metadata = {"backingCustomJob": run.first.name}
        tell(metadata)
        run.ended.wait()
        if self._stopped:
            raise StoppedError
        if run.job.state != State.JOB_STATE_SUCCEEDED:
            code = run.job.error.code or code_pb2.CANCELLED
            raise JobError(
                code, f"The backing CustomJob {run.first.name!r} failed: {run.job.error.message}"
            )
        model = self.model
        if model is not None:
            self._check_files(model.artifact_uri)
        return Produced(model=model, metadata=metadata)

    def stop(self, *, closing: bool = False) -> None:
        """Ask the job to end, or not to begin."""
        with self._lock:
            self._stopped = True
            job = self._job
        if job is not None:
            job.stop(closing=closing)

    def _write_out(self, data: Data) -> dict[str, str]:
        """Write the rows of the dataset, and give the variables that say where they are."""
        form, uris = self._to_tables(data) if _in_bigquery(data) else self._to_files(data)
        return {"AIP_DATA_FORMAT": form} | {_VARIABLES[name]: uri for name, uri in uris.items()}

    def _to_files(self, data: Data) -> tuple[str, dict[str, str]]:
        moment = clock.rfc3339(clock.now())
        target = f"{data.destination.rstrip('/')}/dataset-{data.dataset}-tables-{moment}"
        folder = self.platform.work / "training" / self.pipeline.name.rpartition("/")[2]
        objects, tables = self.platform.objects, self.platform.tables
        try:
            return FORMAT, write_out(objects, tables, data.source, data.split, target, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _to_tables(self, data: Data) -> tuple[str, dict[str, str]]:
        tables = self.platform.tables
        moment = clock.now().strftime("%Y_%m_%dT%H_%M_%S_%f")[:-3] + "Z"
        home = tables.dataset(f"{data.destination}.dataset_{data.dataset}_tables_{moment}")
        tables.create_dataset(home, self.pipeline.name.split("/")[3])
        return "bigquery", copy_out(tables, data.source, data.split, home)

    def _check_files(self, uri: str) -> None:
        bucket, _, folder = uri.removeprefix("gs://").partition("/")
        if not self.platform.objects.list(bucket, f"{folder}/"):
            raise FailedPrecondition(
                f"There are no files under {uri!r}: the training has to save its model to"
                " AIP_MODEL_DIR, since model_to_upload is set."
            )


def _in_bigquery(data: Data) -> bool:
    return data.destination.startswith(SCHEME)


def prepared(
    platform: Platform, jobs: CustomJobs, pipeline: Message, dataset: Message | None
) -> CustomTask:
    """Check a pipeline that asks for custom training, and make its task.

    Raises:
        InvalidArgument: inputs, data configuration or model are not as Vertex AI takes them.
        Unimplemented: they ask for what is not done here.

    """
    at = f"{_AT}.training_task_inputs"
    location = pipeline.name.split("/")[3]
    inputs: Any = to_json(pipeline.training_task_inputs)
    spec = checked_spec(from_json(inputs, CustomJobSpec, at=at), location, platform.host, at=at)
    if pipeline.HasField("model_to_upload"):
        _check_model(pipeline.model_to_upload, spec)
    return CustomTask(platform, jobs, pipeline, spec, _data(pipeline, dataset))


def _check_model(model: Message, spec: Message) -> None:
    if not model.container_spec.image_uri:
        raise InvalidArgument.of_field(
            f"{_AT}.model_to_upload.container_spec.image_uri",
            "model_to_upload needs the image that serves it: container_spec.image_uri is required.",
        )
    if model.artifact_uri:
        raise InvalidArgument.of_field(
            f"{_AT}.model_to_upload.artifact_uri",
            "artifact_uri cannot be set: the model is taken from base_output_directory/model.",
        )
    if not spec.base_output_directory.output_uri_prefix:
        raise InvalidArgument.of_field(
            f"{_AT}.training_task_inputs.base_output_directory",
            "base_output_directory is required with model_to_upload: the model is taken from it.",
        )


def _data(pipeline: Message, dataset: Message | None) -> Data | None:
    if dataset is None:
        return None
    config, at = pipeline.input_data_config, f"{_AT}.input_data_config"
    split = read_split(config)
    source = read_source(dataset)
    if config.WhichOneof("destination") == "bigquery_destination":
        uri = config.bigquery_destination.output_uri
        check_destination(uri, f"{at}.bigquery_destination.output_uri")
        if not source.table:
            raise InvalidArgument.of_field(
                f"{at}.bigquery_destination", "Only a dataset of BigQuery can be written there."
            )
        if "." in uri:
            raise InvalidArgument.of_field(
                f"{at}.bigquery_destination.output_uri",
                f"{uri!r} must be a project, bq://PROJECT: the dataset is made.",
            )
        return Data(source, split, uri, config.dataset_id)
    destination = config.gcs_destination.output_uri_prefix
    if not destination:
        raise InvalidArgument.of_field(
            f"{at}.gcs_destination",
            "gcs_destination.output_uri_prefix is required: custom training gets its data there.",
        )
    check_folder(destination, f"{at}.gcs_destination.output_uri_prefix")
    if not re.fullmatch(r"gs://[^/]+/[^/].*", destination):
        raise Unimplemented(f"{destination!r}: data are written to a folder of a bucket only.")
    return Data(source, split, destination, config.dataset_id)
