"""Vertex AI's training pipelines: the other noun of PipelineService.

A pipeline checks what it is asked before it exists, then trains in a thread of its own. What it
produces and its own last state are kept in one transaction: a pipeline that SUCCEEDED has its
model, and no other has.
"""

from __future__ import annotations

import logging
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from google.cloud.aiplatform_v1.types import operation as operation_types
from google.cloud.aiplatform_v1.types import pipeline_service as service_types
from google.cloud.aiplatform_v1.types import training_pipeline as pipeline_types
from google.rpc import code_pb2  # type: ignore[import-untyped]

from gcp_local import clock
from gcp_local.containers.processes import StoppedError
from gcp_local.errors import (
    Aborted,
    ApiError,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    Unimplemented,
)
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import list_page
from gcp_local.resources.masks import masked
from gcp_local.rpc.protos import Empty, Message, Value, copy_of, from_json, raw, timestamp
from gcp_local.vertex.naming import check_display_name, location_of
from gcp_local.vertex.pipelines import TERMINAL, State
from gcp_local.vertex.settings import check_encryption
from gcp_local.vertex.training import automl, custom

if TYPE_CHECKING:
    from gcp_local.vertex.datasets import DatasetService
    from gcp_local.vertex.jobs.custom_jobs import CustomJobs
    from gcp_local.vertex.platform import Platform
    from gcp_local.vertex.training.registration import Registration
    from gcp_local.vertex.training.task import Produced, Task

TrainingPipeline = raw(pipeline_types.TrainingPipeline)
ListTrainingPipelinesResponse = raw(service_types.ListTrainingPipelinesResponse)
DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)
_DEFINITIONS = "gs://google-cloud-aiplatform/schema/trainingjob/definition/"
_KNOWN = re.compile(re.escape(_DEFINITIONS) + r"[a-z_]+_[0-9]+\.[0-9]+\.[0-9]+\.yaml")
_AUTOML_TABULAR = f"{_DEFINITIONS}automl_tabular_1.0.0.yaml"
_CUSTOM = f"{_DEFINITIONS}custom_task_1.0.0.yaml"
_OUTPUT_ONLY = (
    "name", "training_task_metadata", "state", "error", "create_time", "start_time", "end_time",
    "update_time",
)  # fmt: skip
_FILTERABLE = {
    name: name
    for name in ("display_name", "state", "training_task_definition", "create_time", "labels")
}
_STOPPED = "The embedded cloud's server stopped while this pipeline ran."
_LOG = logging.getLogger(__name__)


class _CancelledError(ApiError):
    """What a pipeline that was cancelled has for its error."""

    status = "CANCELLED"


class TrainingPipelineService:
    """The training pipelines of `google.cloud.aiplatform.v1.PipelineService`.

    Args:
        platform: what all services stand on.
        datasets: where the data are described.
        registration: takes the models.
        jobs: run custom training.

    """

    def __init__(
        self,
        platform: Platform,
        datasets: DatasetService,
        registration: Registration,
        jobs: CustomJobs,
    ) -> None:
        self._platform = platform
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations
        self._projects = platform.projects
        self._datasets = datasets
        self._registration = registration
        self._jobs = jobs
        self._lock = threading.Lock()
        self._running: dict[str, Task] = {}
        self._cancelled: set[str] = set()
        self._ended = threading.Condition(self._lock)

    # The RPCs

    def create_training_pipeline(self, request: Message) -> Message:
        """Check, keep, start."""
        parent = location_of(self._projects, request.parent)
        pipeline: Message = copy_of(request.training_pipeline)
        for name in _OUTPUT_ONLY:
            pipeline.ClearField(name)
        _check_names(pipeline)
        location = parent.rpartition("/")[2]
        check_encryption(pipeline, location, at="training_pipeline")
        check_encryption(pipeline.model_to_upload, location, at="training_pipeline.model_to_upload")
        pipeline.name = f"{parent}/trainingPipelines/{uuid.uuid4().int % 10**19}"
        pipeline.state = State.PIPELINE_STATE_PENDING
        now = timestamp(clock.now())
        pipeline.create_time.CopyFrom(now)
        pipeline.update_time.CopyFrom(now)
        task = self._task(pipeline, parent)
        if task.model is not None:
            self._registration.rehearse(pipeline, task.model)
        with self._database.transaction():
            self._resources.add(pipeline.name, pipeline)
            self._database.afterwards(lambda: self._start(copy_of(pipeline), task))
        return pipeline

    def get_training_pipeline(self, request: Message) -> Message:
        """Answer a pipeline as it stands."""
        return self._resources.get(self._projects.numbered(request.name), TrainingPipeline)

    def list_training_pipelines(self, request: Message) -> Message:
        """Answer pipelines, the newest first."""
        parent = location_of(self._projects, request.parent)
        page, token = list_page(
            self._resources.children(parent, TrainingPipeline),
            request,
            TrainingPipeline,
            filterable=_FILTERABLE,
            newest_first=True,
        )
        shown = masked(page, request.read_mask, TrainingPipeline)
        return ListTrainingPipelinesResponse(training_pipelines=shown, next_page_token=token)

    def cancel_training_pipeline(self, request: Message) -> Message:
        """Ask a pipeline to end; it is CANCELLED when its process has ended."""
        with self._database.transaction():
            pipeline = self.get_training_pipeline(request)
            with self._lock:
                task = self._running.get(pipeline.name)
            if pipeline.state in TERMINAL or task is None:
                raise FailedPrecondition(
                    f"The TrainingPipeline {pipeline.name!r} is in the terminal state"
                    f" {State(pipeline.state).name} and cannot be cancelled."
                )
            pipeline.state = State.PIPELINE_STATE_CANCELLING
            self._save(pipeline)
            with self._lock:
                self._cancelled.add(pipeline.name)
        task.stop()
        return Empty()

    def delete_training_pipeline(self, request: Message) -> Message:
        """Forget a pipeline that has ended; its model stays."""
        with self._database.transaction():
            pipeline = self.get_training_pipeline(request)
            if pipeline.state not in TERMINAL:
                raise FailedPrecondition(
                    f"The TrainingPipeline {pipeline.name!r} is in state"
                    f" {State(pipeline.state).name}; only one that has ended can be deleted."
                )
            self._resources.delete(pipeline.name, TrainingPipeline)
            return self._operations.done(pipeline.name, Empty(), DeleteOperationMetadata())

    # For the server

    def recover(self) -> None:
        """Fail the pipelines that were training when an earlier server stopped, and tidy up."""
        for pipeline in self._resources.everywhere(TrainingPipeline):
            if pipeline.state not in TERMINAL:
                error = Aborted(_STOPPED)
                self._end(pipeline, State.PIPELINE_STATE_FAILED, error)
        automl.sweep(self._platform)

    def busy(self) -> bool:
        """Tell whether any pipeline is still under way."""
        with self._lock:
            return bool(self._running)

    def close(self) -> None:
        """End all pipelines that are under way; they end as failed, and say why."""
        with self._lock:
            tasks = list(self._running.values())
        for task in tasks:
            task.stop(closing=True)
        with self._ended:
            self._ended.wait_for(lambda: not self._running, timeout=10)

    # Inside

    def _task(self, pipeline: Message, parent: str) -> Task:
        """Check what a pipeline asks of its definition, and make the task that does it."""
        definition = pipeline.training_task_definition
        dataset = None
        if pipeline.HasField("input_data_config"):
            number = pipeline.input_data_config.dataset_id
            if not re.fullmatch(r"[0-9]+", number):
                raise InvalidArgument.of_field(
                    "training_pipeline.input_data_config.dataset_id",
                    f"Invalid dataset_id {number!r}: it must be a dataset's id, a number.",
                )
            dataset = self._datasets.find(f"{parent}/datasets/{number}")
        if definition == _AUTOML_TABULAR:
            return automl.prepared(self._platform, pipeline, dataset)
        if definition == _CUSTOM:
            return custom.prepared(self._platform, self._jobs, pipeline, dataset)
        if _KNOWN.fullmatch(definition):
            raise Unimplemented(
                f"The training task {definition!r} is not implemented by the embedded cloud."
            )
        raise InvalidArgument.of_field(
            "training_pipeline.training_task_definition",
            f"{definition!r} is no definition of a training task.",
        )

    def _start(self, pipeline: Message, task: Task) -> None:
        with self._lock:
            self._running[pipeline.name] = task
        threading.Thread(
            target=self._carry_out, args=(pipeline, task), name="training", daemon=True
        ).start()

    def _carry_out(self, pipeline: Message, task: Task) -> None:
        """Train, in a thread of the pipeline's own; however it ends, the pipeline says so."""

        def tell(metadata: Mapping[str, Any]) -> None:
            def change(kept: Message) -> None:
                kept.training_task_metadata.CopyFrom(from_json(dict(metadata), Value))
                if kept.state == State.PIPELINE_STATE_PENDING:
                    kept.state = State.PIPELINE_STATE_RUNNING
                    kept.start_time.CopyFrom(timestamp(clock.now()))

            self._change(pipeline.name, change)

        try:
            self._succeed(pipeline, task.run(tell))
        except Exception as error:  # noqa: BLE001  (a pipeline must end, and say how)
            self._fail(pipeline.name, error)
        finally:
            with self._ended:
                self._running.pop(pipeline.name, None)
                self._cancelled.discard(pipeline.name)
                self._ended.notify_all()

    def _succeed(self, pipeline: Message, produced: Produced) -> None:
        """Register the model and end the pipeline, as one act."""
        with self._database.transaction():
            if pipeline.name in self._cancelled:
                raise StoppedError
            kept = self._resources.get(pipeline.name, TrainingPipeline)
            if produced.model is not None:
                model = self._registration.register(pipeline, produced)
                kept.model_to_upload.CopyFrom(model)
            kept.training_task_metadata.CopyFrom(from_json(dict(produced.metadata), Value))
            self._end(kept, State.PIPELINE_STATE_SUCCEEDED)

    def _fail(self, name: str, error: Exception) -> None:
        state, reason = State.PIPELINE_STATE_FAILED, _reason(error)
        if isinstance(error, StoppedError) and name in self._cancelled:
            state, reason = (
                State.PIPELINE_STATE_CANCELLED,
                _CancelledError("The training pipeline was cancelled."),
            )
        elif isinstance(reason, Internal):
            _LOG.error("a fault in %s", name, exc_info=error)
        try:
            self._change(name, lambda kept: self._end(kept, state, reason))
        except Exception:  # noqa: BLE001  (the last resort)
            _LOG.exception("the end of %s cannot be kept", name)

    def _end(self, pipeline: Message, state: int, error: ApiError | None = None) -> None:
        pipeline.state = state
        if error is not None:
            pipeline.error.code = code_pb2.Code.Value(error.status)
            pipeline.error.message = error.message
        pipeline.end_time.CopyFrom(timestamp(clock.now()))
        self._save(pipeline)

    def _change(self, name: str, change: Callable[[Message], object]) -> None:
        with self._database.transaction():
            kept = self._resources.get(name, TrainingPipeline)
            change(kept)
            self._save(kept)

    def _save(self, pipeline: Message) -> None:
        pipeline.update_time.CopyFrom(timestamp(clock.now()))
        self._resources.replace(pipeline.name, pipeline)


def _reason(error: Exception) -> ApiError:
    if isinstance(error, StoppedError):
        return Aborted(_STOPPED)
    if isinstance(error, ApiError):
        return error
    return Internal(f"A fault of the embedded cloud: {type(error).__name__}: {error}")


def _check_names(pipeline: Message) -> None:
    check_display_name(pipeline.display_name, required=True)
    check_labels(pipeline.labels)
    for name in ("training_task_definition", "training_task_inputs"):
        if name not in {descriptor.name for descriptor, _ in pipeline.ListFields()}:
            raise InvalidArgument.of_field(f"training_pipeline.{name}", f"{name} is required.")
    for name in ("model_id", "parent_model"):
        if getattr(pipeline, name) and not pipeline.HasField("model_to_upload"):
            raise InvalidArgument.of_field(
                f"training_pipeline.{name}", f"{name} goes with model_to_upload only."
            )
