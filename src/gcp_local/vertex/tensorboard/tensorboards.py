"""Vertex AI's TensorboardService: tensorboards, one of which may be a region's default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import tensorboard_service as service_types

from gcp_local.rpc.protos import Message, raw
from gcp_local.vertex.naming import location_of
from gcp_local.vertex.settings import check_encryption
from gcp_local.vertex.tensorboard.kinds import TENSORBOARDS, Experiment, Run, Tensorboard
from gcp_local.vertex.tensorboard.shelf import Shelf

if TYPE_CHECKING:
    from gcp_local.vertex.platform import Platform

ListTensorboardsResponse = raw(service_types.ListTensorboardsResponse)
ReadTensorboardSizeResponse = raw(service_types.ReadTensorboardSizeResponse)
CreateMetadata = raw(service_types.CreateTensorboardOperationMetadata)
UpdateMetadata = raw(service_types.UpdateTensorboardOperationMetadata)


class TensorboardService:
    """The tensorboards' part of `google.cloud.aiplatform.v1.TensorboardService`."""

    def __init__(self, platform: Platform) -> None:
        self._shelf = Shelf(TENSORBOARDS, platform)
        self._projects = platform.projects
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations

    def create_tensorboard(self, request: Message) -> Message:
        """Make a tensorboard; if it is the default, the others are that no longer."""
        parent = location_of(self._projects, request.parent)
        check_encryption(request.tensorboard, parent.rpartition("/")[2], at="tensorboard")
        with self._database.transaction():
            made = self._shelf.add(parent, "tensorboards", request.tensorboard, "")
            self._only_default(parent, made)
            return self._operations.done(made.name, made, CreateMetadata())

    def get_tensorboard(self, request: Message) -> Message:
        """Answer a tensorboard."""
        return self._counted(self._shelf.get(request.name))

    def list_tensorboards(self, request: Message) -> Message:
        """Answer a location's tensorboards."""
        parent = location_of(self._projects, request.parent)
        page, token = self._shelf.page(parent, request)
        return ListTensorboardsResponse(tensorboards=page, next_page_token=token)

    def update_tensorboard(self, request: Message) -> Message:
        """Change a tensorboard."""
        with self._database.transaction():
            changed = self._shelf.update(request)
            self._only_default(changed.name.partition("/tensorboards/")[0], changed)
            return self._operations.done(changed.name, changed, UpdateMetadata())

    def delete_tensorboard(self, request: Message) -> Message:
        """Forget a tensorboard with all that is in it."""
        return self._shelf.delete(request.name)

    def read_tensorboard_size(self, request: Message) -> Message:
        """Answer how many bytes the data points of a tensorboard take."""
        name = self._shelf.get(request.tensorboard, "tensorboard").name
        row = self._database.row(
            "SELECT sum(length(body)) AS bytes FROM tensorboard_points"
            " WHERE series > ? AND series < ?",
            f"{name}/",
            f"{name}0",  # "0" comes after "/"
        )
        size = row["bytes"] if row is not None else None
        return ReadTensorboardSizeResponse(storage_size_byte=size or 0)

    def _counted(self, tensorboard: Message) -> Message:
        tensorboard.run_count = sum(
            1
            for experiment in self._resources.children(tensorboard.name, Experiment)
            for _ in self._resources.children(experiment.name, Run)
        )
        return tensorboard

    def _only_default(self, location: str, tensorboard: Message) -> None:
        if not tensorboard.is_default:
            return
        for other in list(self._resources.children(location, Tensorboard)):
            if other.is_default and other.name != tensorboard.name:
                other.is_default = False
                self._shelf.keep(other)
