"""Vertex AI's TensorboardService: the data points of time series, one a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import tensorboard_service as service_types

from gcp_local.errors import InvalidArgument
from gcp_local.resources.listing import page_of
from gcp_local.rpc.protos import Message, raw
from gcp_local.vertex.tensorboard.kinds import (
    EXPERIMENTS,
    RUNS,
    TENSORBOARDS,
    TIME_SERIES,
    Point,
    TimeSeries,
    TimeSeriesData,
)
from gcp_local.vertex.tensorboard.shelf import Shelf
from gcp_local.vertex.tensorboard.time_series import SCALAR, TENSOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcp_local.vertex.platform import Platform

BatchReadResponse = raw(service_types.BatchReadTensorboardTimeSeriesDataResponse)
ReadResponse = raw(service_types.ReadTensorboardTimeSeriesDataResponse)
ExportResponse = raw(service_types.ExportTensorboardTimeSeriesDataResponse)
WriteRunResponse = raw(service_types.WriteTensorboardRunDataResponse)
WriteExperimentResponse = raw(service_types.WriteTensorboardExperimentDataResponse)
_LARGEST_WRITE = 5000
_LARGEST_READ = 10_000
_SHOWN = {SCALAR: 1000, TENSOR: 100}
_VALUES = {SCALAR: "scalar", TENSOR: "tensor"}


class TensorboardDataService:
    """The data's part of `google.cloud.aiplatform.v1.TensorboardService`."""

    def __init__(self, platform: Platform) -> None:
        self._tensorboards = Shelf(TENSORBOARDS, platform)
        self._experiments = Shelf(EXPERIMENTS, platform)
        self._runs = Shelf(RUNS, platform)
        self._series = Shelf(TIME_SERIES, platform)
        self._resources = platform.resources
        self._database = platform.database

    def write_tensorboard_run_data(self, request: Message) -> Message:
        """Write points into a run's time series, all or none; a step's earlier point goes."""
        if sum(len(data.values) for data in request.time_series_data) > _LARGEST_WRITE:
            message = f"More than {_LARGEST_WRITE} data points in a request."
            raise InvalidArgument.of_field("time_series_data", message)
        with self._database.transaction():
            run = self._runs.get(request.tensorboard_run, "tensorboard_run").name
            for number, data in enumerate(request.time_series_data):
                self._write(run, data, f"time_series_data[{number}]")
        return WriteRunResponse()

    def write_tensorboard_experiment_data(self, request: Message) -> Message:
        """Write points into the time series of an experiment's runs, all or none."""
        with self._database.transaction():
            experiment = self._experiments.get(
                request.tensorboard_experiment, "tensorboard_experiment"
            ).name
            for number, single in enumerate(request.write_run_data_requests):
                at = f"write_run_data_requests[{number}].tensorboard_run"
                run = self._runs.get(single.tensorboard_run, at).name
                if not run.startswith(f"{experiment}/"):
                    message = f"The run {run!r} is not one of {experiment!r}."
                    raise InvalidArgument.of_field(at, message)
                self.write_tensorboard_run_data(single)
        return WriteExperimentResponse()

    def _write(self, run: str, data: Message, at: str) -> None:
        own = data.tensorboard_time_series_id
        if not own or "/" in own:
            message = f"Invalid tensorboard_time_series_id {own!r}."
            raise InvalidArgument.of_field(f"{at}.tensorboard_time_series_id", message)
        series = self._resources.get(f"{run}/timeSeries/{own}", TimeSeries)
        if data.value_type != series.value_type:
            message = f"The value_type is not that of {series.name!r}."
            raise InvalidArgument.of_field(f"{at}.value_type", message)
        for number, point in enumerate(data.values):
            if point.WhichOneof("value") != _VALUES[series.value_type]:
                message = f"The value is not a {_VALUES[series.value_type]}."
                raise InvalidArgument.of_field(f"{at}.values[{number}]", message)
            self._database.run(
                "INSERT OR REPLACE INTO tensorboard_points VALUES (?, ?, ?)",
                series.name,
                point.step,
                point.SerializeToString(),
            )
            latest = series.metadata.max_wall_time
            moment = point.wall_time
            if (moment.seconds, moment.nanos) > (latest.seconds, latest.nanos):
                latest.CopyFrom(moment)
            series.metadata.max_step = max(series.metadata.max_step, point.step)
        self._resources.replace(series.name, series)

    def read_tensorboard_time_series_data(self, request: Message) -> Message:
        """Answer a time series' points in the order of their steps."""
        _refuse_filter(request)
        most = request.max_data_points
        if most < -1 or most > _LARGEST_READ:
            message = f"max_data_points must be 1 to {_LARGEST_READ}, or -1 for all."
            raise InvalidArgument.of_field("max_data_points", message)
        series = self._series.get(request.tensorboard_time_series, "tensorboard_time_series")
        data = self._read(series, most or _SHOWN[SCALAR])
        return ReadResponse(time_series_data=data)

    def batch_read_tensorboard_time_series_data(self, request: Message) -> Message:
        """Answer the points of several of a tensorboard's time series."""
        tensorboard = self._tensorboards.get(request.tensorboard, "tensorboard").name
        found = []
        for name in request.time_series:
            series = self._series.get(name, "time_series")
            if not series.name.startswith(f"{tensorboard}/"):
                message = f"The time series {name!r} is not one of {tensorboard!r}."
                raise InvalidArgument.of_field("time_series", message)
            found.append(self._read(series, _SHOWN[series.value_type]))
        return BatchReadResponse(time_series_data=found)

    def export_tensorboard_time_series_data(self, request: Message) -> Message:
        """Answer all points of a time series, page by page, in the order of their steps."""
        _refuse_filter(request)
        if request.order_by not in ("", "step"):
            raise InvalidArgument.of_field("order_by", "One can order by step.")
        series = self._series.get(request.tensorboard_time_series, "tensorboard_time_series")
        page, token = page_of(self._points(series.name), request, query=series.name)
        return ExportResponse(time_series_data_points=page, next_page_token=token)

    def _read(self, series: Message, most: int) -> Message:
        points = self._points(series.name)
        return TimeSeriesData(
            tensorboard_time_series_id=series.name.rsplit("/", 1)[1],
            value_type=series.value_type,
            values=thinned(points, most) if most > 0 else points,
        )

    def _points(self, series: str) -> list[Message]:
        rows = self._database.rows(
            "SELECT body FROM tensorboard_points WHERE series = ? ORDER BY step", series
        )
        points = []
        for row in rows:
            point = Point()
            point.ParseFromString(row["body"])
            points.append(point)
        return points


def thinned(points: Sequence[Message], most: int) -> list[Message]:
    """Take at most so many of the points, evenly, the last one among them.

    Vertex AI takes them at random.
    """
    if len(points) <= most:
        return list(points)
    return [points[(number + 1) * len(points) // most - 1] for number in range(most)]


def _refuse_filter(request: Message) -> None:
    if request.filter:
        raise InvalidArgument.of_field("filter", "Data points cannot be filtered here.")
