"""Vertex AI's ModelService: models taken elsewhere, to Cloud Storage or to another region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import model_service as service_types

from gcp_local import clock
from gcp_local.errors import FailedPrecondition, InvalidArgument, NotFound, Unimplemented
from gcp_local.rpc.protos import Message, copy_of, raw
from gcp_local.vertex.naming import location_of
from gcp_local.vertex.settings import check_account, check_encryption, check_folder

if TYPE_CHECKING:
    from gcp_local.vertex.models.registry import ModelRegistry
    from gcp_local.vertex.platform import Platform

ExportModelOperationMetadata = raw(service_types.ExportModelOperationMetadata)
ExportModelResponse = raw(service_types.ExportModelResponse)
CopyModelOperationMetadata = raw(service_types.CopyModelOperationMetadata)
CopyModelResponse = raw(service_types.CopyModelResponse)

# What is of the original alone.
_NOT_COPIED = (
    "name", "version_id", "version_aliases", "create_time", "update_time", "etag",
    "version_create_time", "version_update_time", "deployed_models", "encryption_spec",
    "training_pipeline", "pipeline_job", "metadata_artifact", "original_model_info",
)  # fmt: skip


class ModelCopyService:
    """The part of `google.cloud.aiplatform.v1.ModelService` that copies and exports."""

    def __init__(self, platform: Platform, models: ModelRegistry) -> None:
        self._objects = platform.objects
        self._operations = platform.operations
        self._projects = platform.projects
        self._models = models

    # The RPCs

    def export_model(self, request: Message) -> Message:
        """Copy a model's artifacts into a new folder of a bucket."""
        model = self._models.resolve(request.name)
        config = request.output_config
        formats = [each.id for each in model.supported_export_formats]
        if not formats:
            raise FailedPrecondition(f"The Model {model.name!r} cannot be exported.")
        if (config.export_format_id or formats[0]) not in formats:
            message = f"Unsupported export format {config.export_format_id!r}: {formats} are there."
            raise InvalidArgument.of_field("output_config.export_format_id", message)
        if config.HasField("image_destination"):
            raise Unimplemented("output_config.image_destination: images are not exported here.")
        field = "output_config.artifact_destination.output_uri_prefix"
        prefix = config.artifact_destination.output_uri_prefix
        if not prefix:
            raise InvalidArgument.of_field(field, "artifact_destination is required.")
        check_folder(prefix, field)
        now = clock.rfc3339(clock.now())
        folder = f"model-export-{model.display_name.replace('/', '-')}-{now}"
        target = f"{prefix.rstrip('/')}/{folder}"
        self._require_bucket(target)
        metadata = ExportModelOperationMetadata()
        metadata.output_info.artifact_output_uri = target

        def work() -> Message:
            self._copy_objects(model.artifact_uri, target)
            return ExportModelResponse()

        return self._operations.begin(model.name, metadata, work)

    def copy_model(self, request: Message) -> Message:
        """Make a model, or a new version of one, of another model's version."""
        parent = location_of(self._projects, request.parent)
        source = self._models.resolve(request.source_model)
        if source.name.split("/")[1] != parent.split("/")[1]:
            message = f"The source model {source.name!r} must be in the same project."
            raise InvalidArgument.of_field("source_model", message)
        check_account(request.custom_service_account, "copy_model.custom_service_account")
        check_encryption(request, parent.rpartition("/")[2], at="copy_model")
        copied: Message = copy_of(source)
        for name in _NOT_COPIED:
            copied.ClearField(name)
        if request.HasField("encryption_spec"):
            copied.encryption_spec.CopyFrom(request.encryption_spec)
        copied.original_model_info.model = f"{source.name}@{source.version_id}"
        copied.model_source_info.copy = True
        added = self._models.add_version(
            copied, parent, parent_model=request.parent_model, model_id=request.model_id
        )
        response = CopyModelResponse(model=added.name, model_version_id=added.version_id)
        return self._operations.done(added.name, response, CopyModelOperationMetadata())

    # Inside

    def _require_bucket(self, uri: str) -> None:
        bucket = uri.removeprefix("gs://").partition("/")[0]
        try:
            self._objects.list(bucket, uri)  # no object's name begins with gs://BUCKET
        except NotFound:
            raise NotFound(f"The bucket of {uri!r} does not exist.") from None

    def _copy_objects(self, source: str, target: str) -> None:
        bucket, _, folder = source.removeprefix("gs://").partition("/")
        prefix = f"{folder.rstrip('/')}/" if folder else ""
        found = self._objects.list(bucket, prefix)
        if not found:
            raise FailedPrecondition(f"The artifacts of the Model at {source!r} have gone.")
        to_bucket, _, to_folder = target.removeprefix("gs://").partition("/")
        for each in found:
            described, file = self._objects.open(bucket, each.name)
            with file:
                self._objects.write(
                    to_bucket,
                    f"{to_folder}/{each.name.removeprefix(prefix)}",
                    file,
                    content_type=described.content_type,
                )
