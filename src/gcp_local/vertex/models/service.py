"""Vertex AI's ModelService: models, their versions and aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import model_service as service_types
from google.cloud.aiplatform_v1.types import operation as operation_types

from gcp_local.errors import (
    FailedPrecondition,
    InvalidArgument,
)
from gcp_local.resources.etags import check_etag
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import list_page
from gcp_local.resources.masks import copy_field, masked, update_paths
from gcp_local.rpc.protos import Empty, Message, copy_of, raw
from gcp_local.vertex.models.checks import (
    check_alias,
    check_container,
    clear_output_only,
    complete,
)
from gcp_local.vertex.models.registry import DEFAULT, Model
from gcp_local.vertex.naming import check_display_name, location_of
from gcp_local.vertex.settings import check_account, check_encryption, check_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcp_local.vertex.models.registry import ModelRegistry
    from gcp_local.vertex.platform import Platform

UploadModelResponse = raw(service_types.UploadModelResponse)
UploadModelOperationMetadata = raw(service_types.UploadModelOperationMetadata)
ListModelsResponse = raw(service_types.ListModelsResponse)
ListModelVersionsResponse = raw(service_types.ListModelVersionsResponse)
ListModelVersionCheckpointsResponse = raw(service_types.ListModelVersionCheckpointsResponse)
DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)

_OF_MODEL = ("display_name", "description")
_OF_VERSION = ("version_description",)
_FILTERABLE = {
    "model": "name",  # of what is filtered, only the last segment is there: see `list_models`
    "display_name": "display_name",
    "labels": "labels",
}
_VERSION_FILTERABLE = {"labels": "labels"}
_SORTABLE = {name: name for name in ("display_name", "create_time", "update_time")}
_VERSION_SORTABLE = {"create_time": "version_create_time", "update_time": "version_update_time"}


class ModelService:
    """`google.cloud.aiplatform.v1.ModelService`."""

    def __init__(self, platform: Platform, registry: ModelRegistry) -> None:
        self._registry = registry
        self._database = platform.database
        self._operations = platform.operations
        self._projects = platform.projects

    # The RPCs

    def upload_model(self, request: Message) -> Message:
        """Make a model, or with `parent_model` a new version of one."""
        parent = location_of(self._projects, request.parent)
        location = parent.rpartition("/")[2]
        model: Message = copy_of(request.model)
        clear_output_only(model)
        check_account(request.service_account, "upload_model.service_account")
        check_folder(model.artifact_uri, "model.artifact_uri")
        check_encryption(model, location, at="model")
        if model.HasField("container_spec"):
            check_container(model.container_spec, "model.container_spec")
        complete(model)
        added = self._registry.add_version(
            model, parent, parent_model=request.parent_model, model_id=request.model_id
        )
        response = UploadModelResponse(model=added.name, model_version_id=added.version_id)
        return self._operations.done(added.name, response, UploadModelOperationMetadata())

    def get_model(self, request: Message) -> Message:
        """Answer a model's default version, or `@VERSION` or `@ALIAS`."""
        return _named(self._registry.resolve(request.name), request.name)

    def list_models(self, request: Message) -> Message:
        """Answer each model's default version."""
        parent = location_of(self._projects, request.parent)
        found = []
        for model in self._registry.everywhere():
            place, _, own = model.name.rpartition("/models/")
            if place == parent and DEFAULT in model.version_aliases:
                model.name = own
                found.append(model)
        page, token = list_page(
            found, request, Model, filterable=_FILTERABLE, sortable=_SORTABLE, newest_first=True
        )
        for model in page:
            model.name = f"{parent}/models/{model.name}"
        shown = masked(page, request.read_mask, Model)
        return ListModelsResponse(models=shown, next_page_token=token)

    def list_model_versions(self, request: Message) -> Message:
        """Answer a model's versions, the newest first unless an order is asked for."""
        name = self._projects.numbered(request.name).partition("@")[0]
        self._registry.resolve(name)
        page, token = list_page(
            self._registry.versions(name),
            request,
            Model,
            filterable=_VERSION_FILTERABLE,
            sortable=_VERSION_SORTABLE,
            newest_first=True,
        )
        for version in page:
            version.name = f"{version.name}@{version.version_id}"
        shown = masked(page, request.read_mask, Model)
        return ListModelVersionsResponse(models=shown, next_page_token=token)

    def list_model_version_checkpoints(self, request: Message) -> Message:
        """Answer that a version has no checkpoints: only tuned generative models have some."""
        self._registry.resolve(request.name)
        return ListModelVersionCheckpointsResponse()

    def update_model(self, request: Message) -> Message:
        """Change the fields of the mask: by a name with a version those of the version.

        By one without, those of the model, which all of its versions show; its labels are kept
        with the default version.
        """
        wanted = request.model
        paths = update_paths(request.update_mask, (*_OF_MODEL, *_OF_VERSION, "labels"))
        _check_scope(wanted.name, paths)
        with self._database.transaction():
            model = self._registry.resolve(wanted.name)
            check_etag(model, wanted)
            for path in paths:
                copy_field(wanted, model, path)
            check_display_name(model.display_name, required=True)
            check_labels(model.labels)
            self._registry.keep(model)
            shared = [path for path in paths if path in _OF_MODEL]
            for version in self._registry.versions(model.name) if shared else ():
                if version.version_id != model.version_id:
                    for path in shared:
                        copy_field(model, version, path)
                    self._registry.keep(version)
        return _named(model, wanted.name)

    def merge_version_aliases(self, request: Message) -> Message:
        """Give a version aliases, or with a `-` before one take it away; aliases move."""
        with self._database.transaction():
            model = self._registry.resolve(request.name)
            asked = list(request.version_aliases)
            if not asked:
                raise InvalidArgument.of_field("version_aliases", "version_aliases is required.")
            for alias in asked:
                check_alias(alias.removeprefix("-"))
            added = {alias for alias in asked if not alias.startswith("-")}
            removed = {alias[1:] for alias in asked if alias.startswith("-")}
            both = added & removed
            if DEFAULT in removed - both:
                raise InvalidArgument.of_field(
                    "version_aliases", "The default alias cannot be removed, only moved."
                )
            aliases = (set(model.version_aliases) | (added - both)) - (removed - both)
            self._registry.set_aliases(model.name, model.version_id, aliases)
            changed = self._registry.resolve(f"{model.name}@{model.version_id}")
        return _named(changed, request.name)

    def delete_model(self, request: Message) -> Message:
        """Forget a model with all its versions, none of which may be deployed."""
        name = self._projects.numbered(request.name)
        if "@" in name:
            raise InvalidArgument.of_field("name", "DeleteModel takes a name without a version.")
        with self._database.transaction():
            self._registry.resolve(name)
            versions = self._registry.versions(name)
            for version in versions:
                _check_undeployed(version)
            for version in versions:
                self._registry.delete(version)
        return self._operations.done(name, Empty(), DeleteOperationMetadata())

    def delete_model_version(self, request: Message) -> Message:
        """Forget a version that is neither the only one nor the default, and not deployed."""
        if "@" not in request.name:
            raise InvalidArgument.of_field("name", "DeleteModelVersion takes a versioned name.")
        with self._database.transaction():
            model = self._registry.resolve(request.name)
            if DEFAULT in model.version_aliases:
                raise FailedPrecondition(
                    f"Version {model.version_id} is the default version of {model.name!r}; make"
                    " another the default, or delete the model."
                )
            _check_undeployed(model)
            self._registry.delete(model)
        return self._operations.done(model.name, Empty(), DeleteOperationMetadata())


def _version_in(name: str) -> str:
    """Read the version or alias in a model's name; none, or `-`, is that of the model itself."""
    return name.partition("@")[2].removeprefix("-")


def _named(model: Message, asked: str) -> Message:
    """Name a model as it was asked for: with its version, if by a version or an alias.

    The high-level SDK counts on it: `update_version` updates what it got, by the name that it got.
    """
    if _version_in(asked):
        model.name = f"{model.name}@{model.version_id}"
    return model


def _check_scope(name: str, paths: Sequence[str]) -> None:
    """Refuse to change a model by the name of a version, or a version by that of its model."""
    version = _version_in(name)
    for path in paths:
        if path in (_OF_MODEL if version else _OF_VERSION):
            owner, form = ("model", "without") if version else ("version", "with")
            raise FailedPrecondition(
                f"{path} is of the {owner}: update it by a name {form} a version, not by {name!r}."
            )


def _check_undeployed(model: Message) -> None:
    endpoints = sorted({ref.endpoint for ref in model.deployed_models})
    if endpoints:
        raise FailedPrecondition(
            f"The Model {model.name!r} is deployed or being deployed at the following Endpoint(s):"
            f" {', '.join(endpoints)}."
        )
