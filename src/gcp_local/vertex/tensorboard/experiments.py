"""Vertex AI's TensorboardService: a tensorboard's experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import tensorboard_service as service_types

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import Message, raw
from gcp_local.vertex.tensorboard.kinds import EXPERIMENTS, TENSORBOARDS
from gcp_local.vertex.tensorboard.shelf import Shelf

if TYPE_CHECKING:
    from gcp_local.vertex.platform import Platform

ListResponse = raw(service_types.ListTensorboardExperimentsResponse)


class TensorboardExperimentService:
    """The experiments' part of `google.cloud.aiplatform.v1.TensorboardService`."""

    def __init__(self, platform: Platform) -> None:
        self._tensorboards = Shelf(TENSORBOARDS, platform)
        self._shelf = Shelf(EXPERIMENTS, platform)
        self._database = platform.database

    def create_tensorboard_experiment(self, request: Message) -> Message:
        """Make an experiment."""
        own = request.tensorboard_experiment_id
        if not own:
            message = "tensorboard_experiment_id is required."
            raise InvalidArgument.of_field("tensorboard_experiment_id", message)
        with self._database.transaction():
            parent = self._tensorboards.get(request.parent, "parent").name
            return self._shelf.add(parent, "experiments", request.tensorboard_experiment, own)

    def get_tensorboard_experiment(self, request: Message) -> Message:
        """Answer an experiment."""
        return self._shelf.get(request.name)

    def list_tensorboard_experiments(self, request: Message) -> Message:
        """Answer a tensorboard's experiments."""
        parent = self._tensorboards.get(request.parent, "parent").name
        page, token = self._shelf.page(parent, request)
        return ListResponse(tensorboard_experiments=page, next_page_token=token)

    def update_tensorboard_experiment(self, request: Message) -> Message:
        """Change an experiment."""
        return self._shelf.update(request)

    def delete_tensorboard_experiment(self, request: Message) -> Message:
        """Forget an experiment with its runs."""
        return self._shelf.delete(request.name)
