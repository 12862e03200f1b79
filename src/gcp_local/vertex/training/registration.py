"""How a training pipeline's model gets into the registry, with its evaluation."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import model as model_types
from google.cloud.aiplatform_v1.types import model_service as service_types

from gcp_local.rpc.protos import Message, raw
from gcp_local.vertex.models.evaluations import MOST_SLICES

if TYPE_CHECKING:
    from gcp_local.vertex.models.evaluations import EvaluationService
    from gcp_local.vertex.models.service import ModelService
    from gcp_local.vertex.platform import Platform
    from gcp_local.vertex.training.task import Produced

Model = raw(model_types.Model)
UploadModelRequest = raw(service_types.UploadModelRequest)
ImportSlicesRequest = raw(service_types.BatchImportModelEvaluationSlicesRequest)
UploadModelResponse = raw(service_types.UploadModelResponse)


class _RehearsedError(Exception):
    """Ends the transaction of a rehearsal, so that nothing of it stays."""


class Registration:
    """Uploads the models that training pipelines produce.

    Args:
        platform: what all services stand on.
        models: the registry's service.
        evaluations: keeps their evaluations.

    """

    def __init__(
        self, platform: Platform, models: ModelService, evaluations: EvaluationService
    ) -> None:
        self._database = platform.database
        self._resources = platform.resources
        self._models = models
        self._evaluations = evaluations

    def rehearse(self, pipeline: Message, model: Message) -> None:
        """Upload a pipeline's model and take it back, to refuse at once what cannot succeed.

        Raises:
            ApiError: as `ModelService.upload_model`.

        """
        with suppress(_RehearsedError), self._database.transaction():
            self._upload(pipeline, model)
            raise _RehearsedError

    def register(self, pipeline: Message, produced: Produced) -> Message:
        """Upload what a pipeline has produced, and give the Model as it is kept now.

        It must be called in a transaction, which makes one act of it and of the pipeline's end.
        """
        assert produced.model is not None
        uploaded = self._upload(pipeline, produced.model)
        name = f"{uploaded.model}@{uploaded.model_version_id}"
        model = self._resources.get(name, Model)
        if produced.details is not None:
            for descriptor, _ in produced.details.ListFields():
                model.ClearField(descriptor.name)
            model.ClearField("supported_export_formats")  # its files are for no one else
            model.MergeFrom(produced.details)
        model.training_pipeline = pipeline.name
        self._resources.replace(name, model)
        if produced.evaluation is not None:
            evaluation = self._evaluations.add(name, produced.evaluation)
            for start in range(0, len(produced.slices), MOST_SLICES):
                part = produced.slices[start : start + MOST_SLICES]
                self._evaluations.batch_import_model_evaluation_slices(
                    ImportSlicesRequest(parent=evaluation.name, model_evaluation_slices=part)
                )
        return model

    def _upload(self, pipeline: Message, model: Message) -> Message:
        request = UploadModelRequest(
            parent=pipeline.name.partition("/trainingPipelines/")[0],
            parent_model=pipeline.parent_model,
            model_id=pipeline.model_id,
            model=model,
        )
        response = UploadModelResponse()
        self._models.upload_model(request).response.Unpack(response)
        return response
