"""What becomes of builds when the server is killed, or ended, while they run or wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from google.rpc import code_pb2  # type: ignore[import-untyped]

from gcp_local.resources.collection import Resources
from gcp_local.resources.database import Database
from gcp_local.resources.operations import Operation
from tests.gcp_local.builds.place import Place, shell
from tests.gcp_local.emulators import start


def alive(marker: str) -> bool:
    return any(
        marker.encode() in (process / "cmdline").read_bytes()
        for process in Path("/proc").glob("[0-9]*")
        if (process / "cmdline").exists()
    )


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def forget_the_end(state: Path, operation: str) -> None:
    """Leave an operation as a server does that is killed when its build has just ended."""
    database = Database(state / "state.db")
    resources = Resources(database)
    kept = resources.get(operation, Operation)
    kept.done = False
    kept.ClearField("error")
    resources.replace(operation, kept)
    database.close()


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes in /proc")
def test_after_a_kill_what_ran_is_an_error_and_what_waited_goes_on(tmp_path: Path) -> None:
    emulator = start(tmp_path / "state")
    try:
        place = Place(emulator, "killed-project")
        place.storage.create_bucket("killed-project-logs")
        marker = f"60.{time.time_ns()}"  # of the processes' command lines
        running = [place.start(shell(f"sleep {marker}"), shell("true")) for _ in range(4)]
        for build in running:
            place.wait(build, lambda found: found.status.name == "WORKING")
        wait_until(lambda: alive(marker))
        operation = place.client.transport.operations_client.get_operation
        waiting = place.start(shell("echo it was its turn"))
        place.client.create_build_trigger(
            parent=place.parent,
            trigger={
                "name": "approved",
                "build": {"steps": [shell("echo approved")], "logs_bucket": place.logs},
                "approval_config": {"approval_required": True},
            },
        )
        request = {"name": f"{place.parent}/triggers/approved", "project_id": place.project}
        pending, rejected = (
            place.client.run_build_trigger(request | {"trigger_id": "approved"}) for _ in range(2)
        )
        no = {"name": rejected.metadata.build.name, "approval_result": {"decision": "REJECTED"}}
        place.client.approve_build(no)
        wait_until(lambda: operation(rejected.operation.name).done)
        emulator.kill()
        forget_the_end(emulator.state, rejected.operation.name)
        emulator.restart()
        for build in running:
            ended = place.get(build)
            assert ended.status.name == "INTERNAL_ERROR"
            assert "server stopped" in ended.status_detail
        wait_until(lambda: operation(rejected.operation.name).done)
        assert operation(rejected.operation.name).error.code == code_pb2.CANCELLED
        assert "it was its turn" in place.log(place.ended(waiting))
        pending_build = place.get(pending.metadata.build)
        assert pending_build.status.name == "PENDING"
        said = {"decision": "APPROVED"}
        place.client.approve_build({"name": pending_build.name, "approval_result": said})
        assert place.ended(pending_build).status.name == "SUCCESS"
        wait_until(lambda: operation(pending.operation.name).done)
        assert operation(pending.operation.name).WhichOneof("result") == "response"
        wait_until(lambda: not alive(marker))
        # Times go by the clock that a test can set forward.
        late = place.start(shell("sleep 60"), timeout="1800s")
        place.wait(late, lambda found: found.status.name == "WORKING")
        emulator.clock.advance(1801)
        assert place.ended(late).status.name == "TIMEOUT"
        # And ended as it should be, the server leaves nothing running either.
        last = place.start(shell(f"sleep {marker}"))
        wait_until(lambda: alive(marker))
        assert place.get(last).status.name == "WORKING"
        assert emulator.end() == 0
        assert not alive(marker)
    finally:
        if emulator.running:
            emulator.end()
