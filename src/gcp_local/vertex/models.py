"""Vertex AI's ModelService: models, their versions and aliases.

A model's versions are kept one proto each, under `…/models/ID@VERSION`; the one that has the alias
`default` stands for the model where no version is named.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import model as model_types
from google.cloud.aiplatform_v1.types import model_service as service_types
from google.cloud.aiplatform_v1.types import operation as operation_types

from gcp_local import clock
from gcp_local.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import list_page
from gcp_local.rpc.protos import Empty, Message, copy_of, raw, timestamp
from gcp_local.vertex.naming import check_display_name, location_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gcp_local.vertex.platform import Platform

Model = raw(model_types.Model)
UploadModelResponse = raw(service_types.UploadModelResponse)
UploadModelOperationMetadata = raw(service_types.UploadModelOperationMetadata)
ListModelsResponse = raw(service_types.ListModelsResponse)
ListModelVersionsResponse = raw(service_types.ListModelVersionsResponse)
DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)

_ID = re.compile(r"[a-z0-9_][a-z0-9_-]{0,62}")
_ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9-]")
_UPDATABLE = ("display_name", "description", "version_description", "labels")
_FILTERABLE = {"display_name": "display_name", "labels": "labels"}
_VERSION_FILTERABLE = {"labels": "labels"}
_SORTABLE = {name: name for name in ("display_name", "create_time", "update_time")}
_VERSION_SORTABLE = {"create_time": "version_create_time", "update_time": "version_update_time"}
_DEFAULT = "default"


class ModelService:
    """`google.cloud.aiplatform.v1.ModelService`."""

    def __init__(self, platform: Platform) -> None:
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations
        self._projects = platform.projects

    # The RPCs

    def upload_model(self, request: Message) -> Message:
        """Make a model, or with `parent_model` a new version of one."""
        parent = location_of(self._projects, request.parent)
        model: Message = copy_of(request.model)
        check_display_name(model.display_name, required=True)
        check_labels(model.labels)
        for alias in model.version_aliases:
            _check_alias(alias)
        if model.artifact_uri and not re.fullmatch(r"gs://[^/]+(/.*)?", model.artifact_uri):
            raise InvalidArgument.of_field(
                "model.artifact_uri", f"Invalid Cloud Storage path {model.artifact_uri!r}."
            )
        with self._database.transaction():
            self._place(request, parent, model)
            number = self._next_version(model.name)
            now = timestamp(clock.now())
            for name in ("version_create_time", "version_update_time", "update_time"):
                getattr(model, name).CopyFrom(now)
            if not model.HasField("create_time"):
                model.create_time.CopyFrom(now)
            model.version_id = str(number)
            aliases = set(model.version_aliases)
            if number == 1:
                aliases.add(_DEFAULT)
            del model.version_aliases[:]
            model.etag = _etag(model)
            self._resources.add(f"{model.name}@{number}", model, parent=model.name)
            self._set_aliases(model.name, str(number), aliases)
        response = UploadModelResponse(model=model.name, model_version_id=str(number))
        return self._operations.done(model.name, response, UploadModelOperationMetadata())

    def get_model(self, request: Message) -> Message:
        """Answer a model's default version, or `@VERSION` or `@ALIAS`."""
        return self._resolve(request.name)

    def list_models(self, request: Message) -> Message:
        """Answer each model's default version."""
        parent = location_of(self._projects, request.parent)
        versions = self._resources.everywhere(Model)
        found = (
            model
            for model in versions
            if model.name.startswith(f"{parent}/models/") and _DEFAULT in model.version_aliases
        )
        page, token = list_page(
            found, request, Model, filterable=_FILTERABLE, sortable=_SORTABLE, newest_first=True
        )
        return ListModelsResponse(models=page, next_page_token=token)

    def list_model_versions(self, request: Message) -> Message:
        """Answer a model's versions, the newest first unless an order is asked for."""
        name = self._projects.numbered(request.name).partition("@")[0]
        self._resolve(name)
        page, token = list_page(
            self._resources.children(name, Model),
            request,
            Model,
            filterable=_VERSION_FILTERABLE,
            sortable=_VERSION_SORTABLE,
            newest_first=True,
        )
        return ListModelVersionsResponse(models=page, next_page_token=token)

    def update_model(self, request: Message) -> Message:
        """Change the fields of the mask, of the version that the name stands for."""
        paths = [re.sub(r"([A-Z])", r"_\1", path).lower() for path in request.update_mask.paths]
        unknown = [path for path in paths if path not in _UPDATABLE]
        if unknown or not paths:
            allowed = ", ".join(_UPDATABLE)
            raise InvalidArgument.of_field(
                "update_mask", f"The update mask must be of {allowed}, not {unknown}."
            )
        with self._database.transaction():
            model = self._resolve(request.model.name)
            if request.model.etag and request.model.etag != model.etag:
                raise Aborted(f"The etag of {model.name!r} does not match.")
            for path in paths:
                model.ClearField(path)
            for path in paths:
                if path == "labels":
                    check_labels(request.model.labels)
                    model.labels.update(dict(request.model.labels))
                else:
                    setattr(model, path, getattr(request.model, path))
            check_display_name(model.display_name, required=True)
            self._keep(model)
        return model

    def merge_version_aliases(self, request: Message) -> Message:
        """Give a version aliases, or with a `-` before one take it away; aliases move."""
        with self._database.transaction():
            model = self._resolve(request.name)
            asked = list(request.version_aliases)
            if not asked:
                raise InvalidArgument.of_field("version_aliases", "version_aliases is required.")
            for alias in asked:
                _check_alias(alias.removeprefix("-"))
            added = {alias for alias in asked if not alias.startswith("-")}
            removed = {alias[1:] for alias in asked if alias.startswith("-")}
            both = added & removed
            if _DEFAULT in removed - both:
                raise InvalidArgument.of_field(
                    "version_aliases", "The default alias cannot be removed, only moved."
                )
            aliases = (set(model.version_aliases) | (added - both)) - (removed - both)
            self._set_aliases(model.name, model.version_id, aliases)
            return self._resolve(f"{model.name}@{model.version_id}")

    def delete_model(self, request: Message) -> Message:
        """Forget a model with all its versions."""
        name = self._projects.numbered(request.name)
        if "@" in name:
            raise InvalidArgument.of_field("name", "DeleteModel takes a name without a version.")
        with self._database.transaction():
            self._resolve(name)
            for version in list(self._resources.children(name, Model)):
                self._resources.delete(f"{name}@{version.version_id}", Model)
        return self._operations.done(name, Empty(), DeleteOperationMetadata())

    def delete_model_version(self, request: Message) -> Message:
        """Forget a version that is neither the only one nor the default."""
        if "@" not in request.name:
            raise InvalidArgument.of_field("name", "DeleteModelVersion takes a versioned name.")
        with self._database.transaction():
            model = self._resolve(request.name)
            if _DEFAULT in model.version_aliases:
                raise FailedPrecondition(
                    f"Version {model.version_id} is the default version of {model.name!r}; make"
                    " another the default, or delete the model."
                )
            self._resources.delete(f"{model.name}@{model.version_id}", Model)
        return self._operations.done(model.name, Empty(), DeleteOperationMetadata())

    # Inside

    def _place(self, request: Message, parent: str, model: Message) -> None:
        """Give the model its name: a new one, or that of the parent model."""
        model.ClearField("create_time")
        if request.parent_model:
            if request.model_id:
                raise InvalidArgument("Only one of parent_model and model_id can be set.")
            name = self._projects.numbered(request.parent_model).partition("@")[0]
            if not name.startswith(f"{parent}/models/"):
                raise InvalidArgument.of_field(
                    "parent_model", f"{request.parent_model!r} is not a model in {parent!r}."
                )
            first = self._resolve(name)
            model.name = name
            model.create_time.CopyFrom(first.create_time)
            return
        if request.model_id and not _ID.fullmatch(request.model_id):
            raise InvalidArgument.of_field("model_id", f"Invalid model id {request.model_id!r}.")
        model.name = f"{parent}/models/{request.model_id or uuid.uuid4().int % 10**19}"
        if next(iter(self._resources.children(model.name, Model)), None) is not None:
            raise AlreadyExists(f"The Model {model.name!r} already exists.")

    def _next_version(self, name: str) -> int:
        """Count versions up; a deleted one's number does not come again."""
        key = f"version of {name}"
        self._database.run(
            "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1",
            key,
        )
        if next(iter(self._resources.children(name, Model)), None) is None:
            self._database.run("UPDATE counters SET value = 1 WHERE name = ?", key)
        row = self._database.row("SELECT value FROM counters WHERE name = ?", key)
        assert row is not None
        return int(row["value"])

    def _resolve(self, name: str) -> Message:
        base, _, version = self._projects.numbered(name).partition("@")
        if version.isdecimal():
            return self._resources.get(f"{base}@{version}", Model)
        wanted = version or _DEFAULT
        for model in self._resources.children(base, Model):
            if wanted in model.version_aliases:
                return model
        raise NotFound(f"The Model {name!r} does not exist.")

    def _set_aliases(self, name: str, version: str, aliases: Iterable[str]) -> None:
        """Give a version exactly these aliases, and take them from all others."""
        wanted = set(aliases)
        for model in list(self._resources.children(name, Model)):
            before = set(model.version_aliases)
            after = wanted if model.version_id == version else before - wanted
            if after != before:
                model.version_aliases[:] = sorted(after)
                self._keep(model)

    def _keep(self, model: Message) -> None:
        now = timestamp(clock.now())
        model.update_time.CopyFrom(now)
        model.version_update_time.CopyFrom(now)
        model.etag = _etag(model)
        self._resources.replace(f"{model.name}@{model.version_id}", model)


def _check_alias(alias: str) -> None:
    if not _ALIAS.fullmatch(alias):
        raise InvalidArgument.of_field(
            "version_aliases", f"Invalid alias {alias!r}: [a-z][a-zA-Z0-9-]{{0,126}}[a-z0-9-]."
        )


def _etag(model: Message) -> str:
    bare = copy_of(model)
    bare.ClearField("etag")
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()[:22]
