"""Vertex AI's ModelService: evaluations of models, and slices of evaluations.

An evaluation belongs to a version: `…/models/MODEL@VERSION/evaluations/ID`.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import evaluated_annotation as annotation_types
from google.cloud.aiplatform_v1.types import model_evaluation as evaluation_types
from google.cloud.aiplatform_v1.types import model_evaluation_slice as slice_types
from google.cloud.aiplatform_v1.types import model_service as service_types

from gcp_local import clock
from gcp_local.errors import InvalidArgument
from gcp_local.resources.listing import list_page
from gcp_local.resources.masks import masked
from gcp_local.rpc.protos import Message, copy_of, raw, timestamp

if TYPE_CHECKING:
    from gcp_local.resources.collection import Resources
    from gcp_local.vertex.models.registry import ModelRegistry
    from gcp_local.vertex.platform import Platform

ModelEvaluation = raw(evaluation_types.ModelEvaluation)
ModelEvaluationSlice = raw(slice_types.ModelEvaluationSlice)
EvaluatedAnnotation = raw(annotation_types.EvaluatedAnnotation)
ListModelEvaluationsResponse = raw(service_types.ListModelEvaluationsResponse)
ListModelEvaluationSlicesResponse = raw(service_types.ListModelEvaluationSlicesResponse)
BatchImportModelEvaluationSlicesResponse = raw(
    service_types.BatchImportModelEvaluationSlicesResponse
)
BatchImportEvaluatedAnnotationsResponse = raw(service_types.BatchImportEvaluatedAnnotationsResponse)

_EVALUATION = re.compile(r"(?P<model>projects/.+/models/[^/]+)/evaluations/(?P<id>[^/]+)")
_SLICE = re.compile(r"(?P<evaluation>.+/evaluations/[^/]+)/slices/(?P<id>[^/]+)")
_SCHEMA = re.compile(r"gs://[^/]+/.+")
MOST_SLICES = 50
_FILTERABLE = {"slice.dimension": "slice_.dimension"}


class EvaluationService:
    """The part of `google.cloud.aiplatform.v1.ModelService` that is about evaluations."""

    def __init__(self, platform: Platform, models: ModelRegistry) -> None:
        self._resources = platform.resources
        self._database = platform.database
        self._models = models

    # The RPCs

    def import_model_evaluation(self, request: Message) -> Message:
        """Keep an evaluation that was made elsewhere."""
        return self.add(request.parent, request.model_evaluation)

    def get_model_evaluation(self, request: Message) -> Message:
        """Answer one evaluation."""
        return self._resources.get(self._evaluation(request.name), ModelEvaluation)

    def list_model_evaluations(self, request: Message) -> Message:
        """Answer the evaluations of a version, oldest first."""
        found = self._resources.children(self._version(request.parent), ModelEvaluation)
        page, token = list_page(found, request, ModelEvaluation)
        shown = masked(page, request.read_mask, ModelEvaluation)
        return ListModelEvaluationsResponse(model_evaluations=shown, next_page_token=token)

    def batch_import_model_evaluation_slices(self, request: Message) -> Message:
        """Keep slices of an evaluation, all or none."""
        given = list(request.model_evaluation_slices)
        if not 0 < len(given) <= MOST_SLICES:
            message = f"From 1 to {MOST_SLICES} model_evaluation_slices are imported at a time."
            raise InvalidArgument.of_field("model_evaluation_slices", message)
        names = []
        with self._database.transaction():
            evaluation = self._resources.get(self._evaluation(request.parent), ModelEvaluation)
            for each in given:
                kept = copy_of(each)
                _check_metrics(kept, "model_evaluation_slices")
                _check_slice(kept)
                kept.name = f"{evaluation.name}/slices/{_new_id()}"
                kept.create_time.CopyFrom(timestamp(clock.now()))
                self._resources.add(kept.name, kept)
                names.append(kept.name)
                dimension = kept.slice_.dimension
                if dimension not in evaluation.slice_dimensions:
                    evaluation.slice_dimensions.append(dimension)
            self._resources.replace(evaluation.name, evaluation)
        return BatchImportModelEvaluationSlicesResponse(imported_model_evaluation_slices=names)

    def get_model_evaluation_slice(self, request: Message) -> Message:
        """Answer one slice."""
        return self._resources.get(self._slice(request.name), ModelEvaluationSlice)

    def list_model_evaluation_slices(self, request: Message) -> Message:
        """Answer the slices of an evaluation, oldest first."""
        evaluation = self._resources.get(self._evaluation(request.parent), ModelEvaluation)
        page, token = list_page(
            self._resources.children(evaluation.name, ModelEvaluationSlice),
            request,
            ModelEvaluationSlice,
            filterable=_FILTERABLE,
        )
        shown = masked(page, request.read_mask, ModelEvaluationSlice)
        return ListModelEvaluationSlicesResponse(
            model_evaluation_slices=shown, next_page_token=token
        )

    def batch_import_evaluated_annotations(self, request: Message) -> Message:
        """Keep annotations of a slice. Vertex AI has no method that reads them again."""
        given = list(request.evaluated_annotations)
        if not given:
            message = "evaluated_annotations is required."
            raise InvalidArgument.of_field("evaluated_annotations", message)
        with self._database.transaction():
            found = self._resources.get(self._slice(request.parent), ModelEvaluationSlice)
            for each in given:
                name = f"{found.name}/annotations/{_new_id()}"
                self._resources.add(name, each, parent=found.name)
        return BatchImportEvaluatedAnnotationsResponse(
            imported_evaluated_annotations_count=len(given)
        )

    # For others

    def add(self, model: str, evaluation: Message) -> Message:
        """Keep an evaluation of the version that a model's name stands for; give it as kept.

        Raises:
            InvalidArgument: no metrics, or no schema of them.
            NotFound: no such model.

        """
        kept: Message = copy_of(evaluation)
        for field in ("create_time", "slice_dimensions"):
            kept.ClearField(field)
        _check_metrics(kept, "model_evaluation")
        with self._database.transaction():
            kept.name = f"{self._version(model)}/evaluations/{_new_id()}"
            kept.create_time.CopyFrom(timestamp(clock.now()))
            self._resources.add(kept.name, kept)
        return kept

    # Inside

    def _version(self, name: str) -> str:
        model = self._models.resolve(name)
        return f"{model.name}@{model.version_id}"

    def _evaluation(self, name: str) -> str:
        match = _EVALUATION.fullmatch(name)
        if match is None:
            raise InvalidArgument.of_field("name", f"Invalid ModelEvaluation name {name!r}.")
        return f"{self._version(match['model'])}/evaluations/{match['id']}"

    def _slice(self, name: str) -> str:
        match = _SLICE.fullmatch(name)
        if match is None:
            raise InvalidArgument.of_field("name", f"Invalid ModelEvaluationSlice name {name!r}.")
        return f"{self._evaluation(match['evaluation'])}/slices/{match['id']}"


def delete_evaluations(resources: Resources, version: str) -> None:
    """Forget all evaluations of a version, with their slices and annotations."""
    for evaluation in list(resources.children(version, ModelEvaluation)):
        for each in list(resources.children(evaluation.name, ModelEvaluationSlice)):
            resources.delete_children(each.name, EvaluatedAnnotation)
            resources.delete(each.name, ModelEvaluationSlice)
        resources.delete(evaluation.name, ModelEvaluation)


def _check_metrics(message: Message, field: str) -> None:
    if not message.HasField("metrics") or message.metrics.WhichOneof("kind") != "struct_value":
        raise InvalidArgument.of_field(f"{field}.metrics", "metrics must be a struct.")
    uri = message.metrics_schema_uri
    if not _SCHEMA.fullmatch(uri):
        text = f"Invalid metrics_schema_uri {uri!r}: a file in Cloud Storage, gs://BUCKET/FILE."
        raise InvalidArgument.of_field(f"{field}.metrics_schema_uri", text)


def _check_slice(message: Message) -> None:
    said = message.slice_
    field = "model_evaluation_slices.slice"
    if said.dimension not in ("annotationSpec", "slice"):
        text = f"Invalid dimension {said.dimension!r}: annotationSpec or slice."
        raise InvalidArgument.of_field(f"{field}.dimension", text)
    if said.dimension == "slice" and not said.slice_spec.configs:
        raise InvalidArgument.of_field(f"{field}.slice_spec", "A slice needs a slice_spec.")
    if said.dimension == "annotationSpec" and not said.value:
        raise InvalidArgument.of_field(f"{field}.value", "An annotationSpec slice needs a value.")


def _new_id() -> str:
    return str(uuid.uuid4().int % 10**19)
