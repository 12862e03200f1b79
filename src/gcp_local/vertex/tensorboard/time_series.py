"""Vertex AI's TensorboardService: a run's time series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import tensorboard_service as service_types

from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.rpc.protos import Message, raw
from gcp_local.vertex.tensorboard.kinds import EXPERIMENTS, RUNS, TIME_SERIES
from gcp_local.vertex.tensorboard.runs import check_batch
from gcp_local.vertex.tensorboard.shelf import Shelf

if TYPE_CHECKING:
    from gcp_local.vertex.platform import Platform

ListResponse = raw(service_types.ListTensorboardTimeSeriesResponse)
BatchCreateResponse = raw(service_types.BatchCreateTensorboardTimeSeriesResponse)
SCALAR, TENSOR, BLOB_SEQUENCE = 1, 2, 3
_LARGEST_PLUGIN_DATA_BYTES = 65_000


class TensorboardTimeSeriesService:
    """The time series' part of `google.cloud.aiplatform.v1.TensorboardService`."""

    def __init__(self, platform: Platform) -> None:
        self._experiments = Shelf(EXPERIMENTS, platform)
        self._runs = Shelf(RUNS, platform)
        self._shelf = Shelf(TIME_SERIES, platform)
        self._database = platform.database

    def create_tensorboard_time_series(self, request: Message) -> Message:
        """Make a time series of scalars or tensors; blobs are not kept here."""
        series = request.tensorboard_time_series
        if series.value_type == BLOB_SEQUENCE:
            raise Unimplemented("Time series of blobs are not implemented by the embedded cloud.")
        if series.value_type not in (SCALAR, TENSOR):
            message = "value_type must be SCALAR, TENSOR or BLOB_SEQUENCE."
            raise InvalidArgument.of_field("tensorboard_time_series.value_type", message)
        if len(series.plugin_data) > _LARGEST_PLUGIN_DATA_BYTES:
            message = "plugin_data is larger than 65 KB."
            raise InvalidArgument.of_field("tensorboard_time_series.plugin_data", message)
        own = request.tensorboard_time_series_id
        if own.startswith("-"):
            message = f"Invalid tensorboard_time_series_id {own!r}: it begins with a dash."
            raise InvalidArgument.of_field("tensorboard_time_series_id", message)
        with self._database.transaction():
            parent = self._runs.get(request.parent, "parent").name
            return self._shelf.add(parent, "timeSeries", series, own)

    def batch_create_tensorboard_time_series(self, request: Message) -> Message:
        """Make several time series in the runs of one experiment, or none."""
        check_batch(request)
        with self._database.transaction():
            experiment = self._experiments.get(request.parent, "parent").name
            for number, single in enumerate(request.requests):
                at = f"requests[{number}].parent"
                if not self._runs.get(single.parent, at).name.startswith(f"{experiment}/"):
                    message = f"The run {single.parent!r} is not one of {request.parent!r}."
                    raise InvalidArgument.of_field(at, message)
            made = [self.create_tensorboard_time_series(single) for single in request.requests]
        return BatchCreateResponse(tensorboard_time_series=made)

    def get_tensorboard_time_series(self, request: Message) -> Message:
        """Answer a time series, without its data."""
        return self._shelf.get(request.name)

    def list_tensorboard_time_series(self, request: Message) -> Message:
        """Answer a run's time series."""
        parent = self._runs.get(request.parent, "parent").name
        page, token = self._shelf.page(parent, request)
        return ListResponse(tensorboard_time_series=page, next_page_token=token)

    def update_tensorboard_time_series(self, request: Message) -> Message:
        """Change a time series; its type and its plugin stay."""
        return self._shelf.update(request)

    def delete_tensorboard_time_series(self, request: Message) -> Message:
        """Forget a time series with its data."""
        return self._shelf.delete(request.name)
