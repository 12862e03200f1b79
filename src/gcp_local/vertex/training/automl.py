"""AutoML for tables, by a stand-in that trains in a process of its own and says what it is."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.cloud.aiplatform_v1.types import explanation as explanation_types
from google.cloud.aiplatform_v1.types import model as model_types
from google.cloud.aiplatform_v1.types import model_evaluation as evaluation_types
from google.cloud.aiplatform_v1.types import model_evaluation_slice as slice_types

import gcp_local
from gcp_local.containers.processes import Command, ProcessGroup, StoppedError
from gcp_local.containers.slots import Slots
from gcp_local.errors import Internal, InvalidArgument
from gcp_local.rpc.protos import Message, Value, copy_of, from_json, raw
from gcp_local.storage.buckets import BucketStore
from gcp_local.vertex.datasets import Source, read_source
from gcp_local.vertex.training.data import lay_out
from gcp_local.vertex.training.inputs import CLASSIFICATION, read_split, read_tabular
from gcp_local.vertex.training.stand_in.names import (
    MODEL_FILE,
    REFUSAL_FILE,
    REPORT_FILE,
    Specification,
)
from gcp_local.vertex.training.task import Produced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gcp_local.vertex.platform import Platform

Model = raw(model_types.Model)
ModelEvaluation = raw(evaluation_types.ModelEvaluation)
ModelEvaluationSlice = raw(slice_types.ModelEvaluationSlice)
Attribution = raw(explanation_types.Attribution)
ModelExplanation = raw(explanation_types.ModelExplanation)

BUCKET = "gcp-local-automl"
"""Where the models' files are kept. On Google Cloud no one sees that place."""
IMAGE = "gcp-local/automl-tabular"
SAYS = (
    "A stand-in of the embedded Google Cloud: gradient boosted trees trained by scikit-learn, not"
    " by AutoML."
)
_SCHEMAS = "gs://google-cloud-aiplatform/schema"
METADATA_SCHEMA = (
    "https://storage.googleapis.com/google-cloud-aiplatform/schema/model/metadata/"
    "automl_tabular_1.0.0.yaml"
)
"""By which a model is known for one of AutoML's."""
_SOURCE = model_types.ModelSourceInfo.ModelSourceType.AUTOML
_FORMATS = ("jsonl", "csv", "bigquery")
_TAIL = 2000
# Each training takes a core; more at a time would only wait for one another.
_slots = Slots(2)
_PACKAGES = Path(gcp_local.__file__).parents[1]


@dataclass(frozen=True)
class TabularTask:
    """The training of one AutoML model: see `prepared`."""

    platform: Platform
    pipeline: Message
    specification: Specification
    source: Source
    group: ProcessGroup
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def model(self) -> Message:
        """The Model, but for its metadata; see `Task.model`."""
        model: Message = copy_of(self.pipeline.model_to_upload)
        if self.pipeline.encryption_spec.kms_key_name and not model.encryption_spec.kms_key_name:
            model.encryption_spec.CopyFrom(self.pipeline.encryption_spec)
        model.artifact_uri = f"gs://{BUCKET}/{self._folder}"
        model.container_spec.image_uri = IMAGE
        kind = self.specification.inputs.prediction_type
        model.predict_schemata.prediction_schema_uri = (
            f"{_SCHEMAS}/predict/prediction/tabular_{kind}_1.0.0.yaml"
        )
        return model

    @property
    def _folder(self) -> str:
        _, project, _, location, _, number = self.pipeline.name.split("/")
        return f"{project}/{location}/{number}"

    def run(self, tell: Callable[[Mapping[str, Any]], None]) -> Produced:
        """Lay out the data, train, and describe the model; see `Task.run`."""
        folder = self.platform.work / "training" / self.pipeline.name.rpartition("/")[2]
        with _slots.one(self.stopped):
            tell({"standIn": SAYS})
            try:
                folder.mkdir(parents=True)
                return self._train(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def stop(self, *, closing: bool = False) -> None:  # noqa: ARG002  (its end is the same)
        """Ask the training's process to end."""
        self.stopped.set()
        _slots.wake()
        self.group.stop()

    def _train(self, folder: Path) -> Produced:
        files = lay_out(self.platform.objects, self.platform.tables, self.source, folder / "data")
        self.specification.with_files(files).save(folder / "specification.json")
        outcome = folder / "outcome"
        outcome.mkdir()
        log = folder / "log.txt"
        words = (
            sys.executable, "-m", "gcp_local.vertex.training.stand_in.train",
            str(folder / "specification.json"), str(outcome),
        )  # fmt: skip
        variables = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "PYTHONPATH": str(_PACKAGES),
            # One thread: the same data give the same model, to the last bit.
            "OMP_NUM_THREADS": "1",
        }
        code = self.group.start(Command(words, variables, folder, log)).wait()
        if self.stopped.is_set():
            raise StoppedError
        if (outcome / REFUSAL_FILE).exists():
            raise InvalidArgument((outcome / REFUSAL_FILE).read_text())
        if code or not (outcome / REPORT_FILE).exists():
            tail = log.read_text(errors="replace")[-_TAIL:].strip() if log.exists() else ""
            raise Internal(f"The stand-in for AutoML ended with code {code}: {tail}")
        report = json.loads((outcome / REPORT_FILE).read_text())
        self._keep(outcome / MODEL_FILE)
        return self._produced(report)

    def _keep(self, file: Path) -> None:
        """Move the model's file into its bucket."""
        buckets = BucketStore(self.platform.database)
        with self.platform.database.transaction():
            if buckets.find(BUCKET) is None:
                buckets.create(BUCKET, "gcp-local")
        name = f"{self._folder}/{MODEL_FILE}"
        self.platform.objects.write(BUCKET, name, file, content_type="application/json", move=True)

    def _produced(self, report: Mapping[str, Any]) -> Produced:
        inputs = self.specification.inputs
        about = {
            "standIn": SAYS,
            "producer": report["producer"],
            "targetColumn": inputs.target,
            "predictionType": inputs.prediction_type,
            "transformations": report["transformations"],
            "rows": report["rows"],
            "rounds": report["rounds"],
        }
        details: Message = Model(
            metadata_schema_uri=METADATA_SCHEMA,
            model_source_info={"source_type": _SOURCE},
            supported_input_storage_formats=_FORMATS,
            supported_output_storage_formats=_FORMATS,
            metadata=from_json(about, Value),
        )
        return Produced(
            self.model,
            details,
            _evaluation(report, inputs.prediction_type),
            _slices(report),
            # In units of a machine that was not there; 64-bit integers are strings in JSON.
            {"standIn": SAYS, "trainCostMilliNodeHours": "0"},
        )


def prepared(platform: Platform, pipeline: Message, dataset: Message | None) -> TabularTask:
    """Check a pipeline that asks for AutoML on a table, and make its task.

    Raises:
        InvalidArgument: inputs, data configuration or model are not as AutoML takes them.
        Unimplemented: they ask for what the stand-in has not got.

    """
    at = "training_pipeline"
    inputs = read_tabular(pipeline.training_task_inputs)
    if dataset is None:
        raise InvalidArgument.of_field(
            f"{at}.input_data_config.dataset_id", "AutoML needs a dataset: dataset_id is required."
        )
    config = pipeline.input_data_config
    if config.WhichOneof("destination"):
        raise InvalidArgument.of_field(
            f"{at}.input_data_config", "AutoML exports no data: a destination cannot be set."
        )
    split = read_split(config)
    if not pipeline.model_to_upload.display_name:
        raise InvalidArgument.of_field(
            f"{at}.model_to_upload.display_name", "model_to_upload.display_name is required."
        )
    own = ("container_spec", "artifact_uri", "predict_schemata", "explanation_spec")
    given = {descriptor.name for descriptor, _ in pipeline.model_to_upload.ListFields()}
    for name in sorted(given.intersection(own)):
        raise InvalidArgument.of_field(
            f"{at}.model_to_upload.{name}", f"AutoML fills {name} of its model itself."
        )
    source = read_source(dataset)
    return TabularTask(
        platform,
        pipeline,
        Specification((), inputs, split),
        source,
        ProcessGroup(platform.host.launcher),
    )


def sweep(platform: Platform) -> None:
    """Delete the files of models that are gone, or never came to be."""
    if BucketStore(platform.database).find(BUCKET) is None:
        return
    used = {model.artifact_uri for model in platform.resources.everywhere(Model)}
    for item in platform.objects.list(BUCKET):
        if f"gs://{BUCKET}/{item.name.rpartition('/')[0]}" not in used:
            platform.objects.delete(BUCKET, item.name)


def _evaluation(report: Mapping[str, Any], kind: str) -> Message:
    name = "classification" if kind == CLASSIFICATION else "regression"
    features = report["attributions"]
    return ModelEvaluation(
        metrics_schema_uri=f"{_SCHEMAS}/modelevaluation/{name}_metrics_1.0.0.yaml",
        metrics=from_json(report["metrics"], Value),
        model_explanation=ModelExplanation(
            mean_attributions=[Attribution(feature_attributions=from_json(features, Value))]
        ),
        metadata=from_json({"standIn": SAYS}, Value),
    )


def _slices(report: Mapping[str, Any]) -> list[Message]:
    """Describe the evaluation of each class against all others."""
    return [
        ModelEvaluationSlice(
            slice_={"dimension": "annotationSpec", "value": name},
            metrics_schema_uri=f"{_SCHEMAS}/modelevaluation/classification_metrics_1.0.0.yaml",
            metrics=from_json(metrics, Value),
        )
        for name, metrics in report["slices"].items()
        if name
    ]
