"""Operations that take their time, as the services begin them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1.types import operation as operation_types
from google.longrunning import operations_pb2  # type: ignore[import-untyped]

from gcp_local.errors import FailedPrecondition
from gcp_local.resources.collection import Resources
from gcp_local.resources.database import Database
from gcp_local.resources.operations import Operation, Operations
from gcp_local.resources.projects import Projects
from gcp_local.rpc.protos import Empty, Message, raw

PARENT = "projects/my-project/locations/europe-west1/models/1"
Metadata = raw(operation_types.DeleteOperationMetadata)


class Floor:
    """Operations over a database of their own."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self.resources = Resources(self.database)
        self.projects = Projects(self.database)
        self.operations = Operations(self.resources, self.projects)
        self.parent = self.projects.numbered(PARENT)

    def wait(self, name: str, seconds: int = 20) -> Message:
        request = operations_pb2.WaitOperationRequest(name=name)
        request.timeout.FromSeconds(seconds)
        return self.operations.wait_operation(request)

    def get(self, name: str) -> Message:
        return self.operations.get_operation(operations_pb2.GetOperationRequest(name=name))


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    floor = Floor(tmp_path / "state.db")
    yield floor
    floor.operations.close()
    floor.database.close()


def test_an_operation_is_under_way_until_its_work_is_done(floor: Floor) -> None:
    go = threading.Event()

    def work() -> Message:
        assert go.wait(20)
        return Empty()

    begun = floor.operations.begin(floor.parent, Metadata(), work)
    assert not begun.done
    assert floor.operations.busy()
    assert not floor.wait(begun.name, seconds=0).done
    go.set()
    ended = floor.wait(begun.name)
    assert ended.done
    assert ended.response.Is(Empty.DESCRIPTOR)
    assert not floor.operations.busy()
    metadata = Metadata()
    assert ended.metadata.Unpack(metadata)
    times = metadata.generic_metadata
    assert times.update_time.ToDatetime() > times.create_time.ToDatetime()


def test_what_the_work_refuses_is_the_operations_error(floor: Floor) -> None:
    def refuse() -> Message:
        raise FailedPrecondition("the server did not become healthy")

    ended = floor.wait(floor.operations.begin(floor.parent, Metadata(), refuse).name)
    assert ended.done
    assert (ended.error.code, ended.error.message) == (9, "the server did not become healthy")
    assert not ended.HasField("response")


def test_a_fault_ends_the_operation_too(floor: Floor) -> None:
    def fail() -> Message:
        raise ZeroDivisionError

    ended = floor.wait(floor.operations.begin(floor.parent, Metadata(), fail).name)
    assert (ended.done, ended.error.code) == (True, 13)
    assert "ZeroDivisionError" in ended.error.message


def test_a_cancel_asks_the_work_to_end(floor: Floor) -> None:
    asked = threading.Event()

    def work() -> Message:
        assert asked.wait(20)
        raise FailedPrecondition("cancelled")

    begun = floor.operations.begin(floor.parent, Metadata(), work, cancel=asked.set)
    floor.operations.cancel_operation(operations_pb2.CancelOperationRequest(name=begun.name))
    assert floor.wait(begun.name).error.message == "cancelled"


def test_closing_asks_everything_to_end_and_waits_for_it(floor: Floor) -> None:
    asked = threading.Event()

    def work() -> Message:
        assert asked.wait(20)
        return Empty()

    begun = floor.operations.begin(floor.parent, Metadata(), work, cancel=asked.set)
    floor.operations.close()
    assert floor.get(begun.name).done


def test_what_was_under_way_when_a_server_was_killed_has_failed(floor: Floor) -> None:
    killed = Operation(name=f"{floor.parent}/operations/7")
    floor.resources.add(killed.name, killed)
    done = floor.operations.done(floor.parent, Empty(), Metadata())
    Operations(floor.resources, floor.projects).recover()
    failed = floor.get(killed.name)
    assert (failed.done, failed.error.code) == (True, 10)
    assert "stopped" in failed.error.message
    assert not floor.get(done.name).HasField("error")
