"""Vertex AI's TensorboardService, through Google's typed client."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.protobuf.field_mask_pb2 import FieldMask

from tests.gcp_local.emulators import Emulator

Client = aiplatform_v1.TensorboardServiceClient
SCALAR = aiplatform_v1.TensorboardTimeSeries.ValueType.SCALAR
TENSOR = aiplatform_v1.TensorboardTimeSeries.ValueType.TENSOR


@pytest.fixture
def boards(emulator: Emulator) -> Client:
    return Client(**emulator.gapic)


def board(boards: Client, parent: str, **said: Any) -> str:
    tensorboard = aiplatform_v1.Tensorboard(**{"display_name": "board", **said})
    operation: Any = boards.create_tensorboard(parent=parent, tensorboard=tensorboard)
    return str(operation.result(timeout=5).name)


def experiment(boards: Client, tensorboard: str, own: str) -> str:
    made = boards.create_tensorboard_experiment(
        parent=tensorboard,
        tensorboard_experiment_id=own,
        tensorboard_experiment=aiplatform_v1.TensorboardExperiment(),
    )
    return made.name


def run(boards: Client, parent: str, own: str, display_name: str = "") -> str:
    made = boards.create_tensorboard_run(
        parent=parent,
        tensorboard_run_id=own,
        tensorboard_run=aiplatform_v1.TensorboardRun(display_name=display_name or own),
    )
    return made.name


def series(boards: Client, parent: str, display_name: str, **said: Any) -> str:
    wanted = {"display_name": display_name, "value_type": SCALAR, **said}
    made = boards.create_tensorboard_time_series(
        parent=parent, tensorboard_time_series=aiplatform_v1.TensorboardTimeSeries(**wanted)
    )
    return made.name


def scalars(name: str, *points: tuple[int, float]) -> aiplatform_v1.TimeSeriesData:
    return aiplatform_v1.TimeSeriesData(
        tensorboard_time_series_id=name.rpartition("/")[2],
        value_type=SCALAR,
        values=[
            aiplatform_v1.TimeSeriesDataPoint(
                step=step, scalar=aiplatform_v1.Scalar(value=value), wall_time={"seconds": step}
            )
            for step, value in points
        ],
    )


def told(data: aiplatform_v1.TimeSeriesData) -> list[tuple[int, float]]:
    return [(point.step, point.scalar.value) for point in data.values]


def test_a_location_has_one_default_tensorboard(boards: Client, parent: str) -> None:
    first = board(boards, parent, is_default=True)
    second = board(boards, parent, is_default=True)

    def defaults() -> list[str]:
        request: Any = {"parent": parent, "filter": "is_default=true"}
        return [each.name for each in boards.list_tensorboards(request=request)]

    assert defaults() == [second]
    changed: Any = boards.update_tensorboard(
        tensorboard=aiplatform_v1.Tensorboard(name=first, is_default=True),
        update_mask=FieldMask(paths=["is_default"]),
    )
    assert changed.result(timeout=5).is_default
    assert defaults() == [first]
    assert not boards.get_tensorboard(name=second).is_default


def test_a_runs_display_name_is_its_own_as_a_whole(boards: Client, parent: str) -> None:
    kept = experiment(boards, board(boards, parent), "an-experiment")
    run(boards, kept, "long", "essai n° 10")
    run(boards, kept, "short", "essai n° 1")
    with pytest.raises(exceptions.Conflict, match="display name"):
        run(boards, kept, "another", "essai n° 10")


def test_runs_are_counted_and_go_with_their_tensorboard(boards: Client, parent: str) -> None:
    name = board(boards, parent)
    own = experiment(boards, name, "an-experiment")
    first = run(boards, own, "first")
    run(boards, own, "second")
    loss = series(boards, first, "loss")
    boards.write_tensorboard_run_data(
        tensorboard_run=first, time_series_data=[scalars(loss, (1, 0.5))]
    )
    assert boards.get_tensorboard(name=name).run_count == 2
    assert boards.read_tensorboard_size(tensorboard=name).storage_size_byte > 0
    assert [each.display_name for each in boards.list_tensorboard_runs(parent=own)] == [
        "first",
        "second",
    ]
    deleted: Any = boards.delete_tensorboard(name=name)
    deleted.result(timeout=5)
    for get, gone in (
        (boards.get_tensorboard_experiment, own),
        (boards.get_tensorboard_run, first),
        (boards.get_tensorboard_time_series, loss),
    ):
        with pytest.raises(exceptions.NotFound):
            get(name=gone)


def test_a_point_is_overwritten_by_a_later_one_of_its_step(boards: Client, parent: str) -> None:
    own = run(boards, experiment(boards, board(boards, parent), "exp"), "run")
    loss, auc = series(boards, own, "loss"), series(boards, own, "auc")
    for data in (
        [scalars(loss, (2, 0.5), (1, 0.9)), scalars(auc, (1, 0.7))],
        [scalars(loss, (2, 0.4))],
    ):
        boards.write_tensorboard_run_data(tensorboard_run=own, time_series_data=data)
    tensorboard = own.partition("/experiments/")[0]
    read = boards.batch_read_tensorboard_time_series_data(
        request={"tensorboard": tensorboard, "time_series": [loss, auc]}
    )
    assert [told(data) for data in read.time_series_data] == [[(1, 0.9), (2, 0.4)], [(1, 0.7)]]
    metadata = boards.get_tensorboard_time_series(name=loss).metadata
    assert metadata.max_step == 2
    pages = boards.export_tensorboard_time_series_data(
        request={"tensorboard_time_series": loss, "page_size": 1}
    ).pages
    assert [[p.step for p in page.time_series_data_points] for page in pages] == [[1], [2]]


def test_a_long_series_is_shown_thinned(boards: Client, parent: str) -> None:
    own = run(boards, experiment(boards, board(boards, parent), "exp"), "run")
    loss = series(boards, own, "loss")
    points = [(step, float(step)) for step in range(1, 1501)]
    boards.write_tensorboard_run_data(
        tensorboard_run=own, time_series_data=[scalars(loss, *points)]
    )

    def read(most: int) -> list[tuple[int, float]]:
        request: Any = {"tensorboard_time_series": loss, "max_data_points": most}
        answer = boards.read_tensorboard_time_series_data(request=request)
        return told(answer.time_series_data)

    assert len(read(0)) == 1000
    assert read(0)[-1] == (1500, 1500.0)
    assert read(3) == [(500, 500.0), (1000, 1000.0), (1500, 1500.0)]
    assert read(-1) == points
    with pytest.raises(exceptions.BadRequest, match="max_data_points"):
        read(10_001)


def test_data_is_written_all_or_none(boards: Client, parent: str) -> None:
    own = run(boards, experiment(boards, board(boards, parent), "exp"), "run")
    loss = series(boards, own, "loss")
    wrong_type = scalars(loss, (2, 1.0))
    wrong_type.value_type = aiplatform_v1.TensorboardTimeSeries.ValueType(2)
    no_value = scalars(loss)
    no_value.values.append(aiplatform_v1.TimeSeriesDataPoint(step=3))
    for bad in (wrong_type, no_value, scalars("x/unknown", (1, 1.0)), scalars("", (1, 1.0))):
        with pytest.raises(exceptions.ClientError):
            boards.write_tensorboard_run_data(
                tensorboard_run=own, time_series_data=[scalars(loss, (1, 1.0)), bad]
            )
    many = [(step, 1.0) for step in range(5001)]
    with pytest.raises(exceptions.BadRequest, match="5000"):
        boards.write_tensorboard_run_data(
            tensorboard_run=own, time_series_data=[scalars(loss, *many)]
        )
    answer = boards.read_tensorboard_time_series_data(tensorboard_time_series=loss)
    assert not answer.time_series_data.values


def test_batches_are_made_all_or_none(boards: Client, parent: str) -> None:
    own = experiment(boards, board(boards, parent), "exp")

    def wanted(*names: str) -> list[aiplatform_v1.CreateTensorboardRunRequest]:
        return [
            aiplatform_v1.CreateTensorboardRunRequest(
                parent=own, tensorboard_run_id=name, tensorboard_run={"display_name": name}
            )
            for name in names
        ]

    made = boards.batch_create_tensorboard_runs(parent=own, requests=wanted("a", "b"))
    assert [each.display_name for each in made.tensorboard_runs] == ["a", "b"]
    with pytest.raises(exceptions.Conflict):
        boards.batch_create_tensorboard_runs(parent=own, requests=wanted("c", "a"))
    assert len(list(boards.list_tensorboard_runs(parent=own))) == 2
    batch = boards.batch_create_tensorboard_time_series(
        parent=own,
        requests=[
            aiplatform_v1.CreateTensorboardTimeSeriesRequest(
                parent=each.name,
                tensorboard_time_series={"display_name": "loss", "value_type": SCALAR},
            )
            for each in made.tensorboard_runs
        ],
    )
    data = [
        aiplatform_v1.WriteTensorboardRunDataRequest(
            tensorboard_run=each.name.partition("/timeSeries/")[0],
            time_series_data=[scalars(each.name, (1, 2.0))],
        )
        for each in batch.tensorboard_time_series
    ]
    boards.write_tensorboard_experiment_data(
        tensorboard_experiment=own, write_run_data_requests=data
    )
    for each in batch.tensorboard_time_series:
        read = boards.read_tensorboard_time_series_data(tensorboard_time_series=each.name)
        assert told(read.time_series_data) == [(1, 2.0)]


def test_what_vertex_would_refuse_is_refused(boards: Client, parent: str) -> None:
    tensorboard = board(boards, parent)
    own = experiment(boards, tensorboard, "exp")
    first = run(boards, own, "first")
    loss = series(boards, first, "loss")
    with pytest.raises(exceptions.BadRequest, match="display_name"):
        board(boards, parent, display_name="")
    with pytest.raises(exceptions.BadRequest, match="tensorboard_experiment_id"):
        experiment(boards, tensorboard, "With Spaces")
    with pytest.raises(exceptions.Conflict):
        run(boards, own, "second", "first")
    with pytest.raises(exceptions.Conflict):
        series(boards, first, "loss")
    with pytest.raises(exceptions.BadRequest, match="value_type"):
        series(boards, first, "other", value_type=0)
    with pytest.raises(exceptions.MethodNotImplemented, match="blobs"):
        series(boards, first, "images", value_type=3)
    with pytest.raises(exceptions.BadRequest, match="value_type"):
        boards.update_tensorboard_time_series(
            tensorboard_time_series=aiplatform_v1.TensorboardTimeSeries(name=loss),
            update_mask=FieldMask(paths=["value_type"]),
        )
    with pytest.raises(exceptions.NotFound):
        boards.list_tensorboard_runs(parent=own.replace("europe-west1", "us-central1"))
