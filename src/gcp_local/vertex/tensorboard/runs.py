"""Vertex AI's TensorboardService: an experiment's runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import tensorboard_service as service_types

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import Message, raw
from gcp_local.vertex.tensorboard.kinds import EXPERIMENTS, RUNS
from gcp_local.vertex.tensorboard.shelf import Shelf

if TYPE_CHECKING:
    from gcp_local.vertex.platform import Platform

ListResponse = raw(service_types.ListTensorboardRunsResponse)
BatchCreateResponse = raw(service_types.BatchCreateTensorboardRunsResponse)
LARGEST_BATCH = 1000


class TensorboardRunService:
    """The runs' part of `google.cloud.aiplatform.v1.TensorboardService`."""

    def __init__(self, platform: Platform) -> None:
        self._experiments = Shelf(EXPERIMENTS, platform)
        self._shelf = Shelf(RUNS, platform)
        self._database = platform.database

    def create_tensorboard_run(self, request: Message) -> Message:
        """Make a run, whose display name no other run of the experiment has."""
        own = request.tensorboard_run_id
        if not own:
            message = "tensorboard_run_id is required."
            raise InvalidArgument.of_field("tensorboard_run_id", message)
        with self._database.transaction():
            parent = self._experiments.get(request.parent, "parent").name
            return self._shelf.add(parent, "runs", request.tensorboard_run, own)

    def batch_create_tensorboard_runs(self, request: Message) -> Message:
        """Make several runs of one experiment, or none."""
        check_batch(request)
        for number, single in enumerate(request.requests):
            if single.parent and single.parent != request.parent:
                at = f"requests[{number}].parent"
                raise InvalidArgument.of_field(at, f"{at} must be {request.parent!r}.")
            single.parent = request.parent
        with self._database.transaction():
            made = [self.create_tensorboard_run(single) for single in request.requests]
        return BatchCreateResponse(tensorboard_runs=made)

    def get_tensorboard_run(self, request: Message) -> Message:
        """Answer a run."""
        return self._shelf.get(request.name)

    def list_tensorboard_runs(self, request: Message) -> Message:
        """Answer an experiment's runs."""
        parent = self._experiments.get(request.parent, "parent").name
        page, token = self._shelf.page(parent, request)
        return ListResponse(tensorboard_runs=page, next_page_token=token)

    def update_tensorboard_run(self, request: Message) -> Message:
        """Change a run."""
        return self._shelf.update(request)

    def delete_tensorboard_run(self, request: Message) -> Message:
        """Forget a run with its time series."""
        return self._shelf.delete(request.name)


def check_batch(request: Message) -> None:
    """Refuse an empty batch, and one of more than 1000 requests."""
    if not 1 <= len(request.requests) <= LARGEST_BATCH:
        message = f"A batch has 1 to {LARGEST_BATCH} requests, not {len(request.requests)}."
        raise InvalidArgument.of_field("requests", message)
