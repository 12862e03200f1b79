"""One row of the state that cannot be read or written out harms nobody else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gcp_local.cloud import Cloud
from gcp_local.errors import Internal, InvalidArgument
from gcp_local.resources.database import Database
from gcp_local.rpc.dispatch import Call
from gcp_local.vertex.pipelines import PipelineJob, State

PARENT = "projects/my-project/locations/europe-west1"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path, "http://127.0.0.1:9")
    yield cloud
    cloud.close()


def add(cloud: Cloud, job_id: str, state: int = State.PIPELINE_STATE_SUCCEEDED) -> str:
    name = f"{cloud.projects.numbered(PARENT)}/pipelineJobs/{job_id}"
    cloud.resources.add(name, PipelineJob(name=name, state=state))
    return name


def damage(cloud: Cloud, name: str) -> None:
    cloud.database.run("UPDATE resources SET body = ? WHERE name = ?", b"\xff\xff", name)


def infinite(cloud: Cloud, name: str) -> None:
    job = cloud.resources.get(name, PipelineJob)
    job.pipeline_spec.fields["x"].number_value = float("inf")
    cloud.resources.replace(name, job)


def listed(cloud: Cloud) -> list[str]:
    answer = cloud.dispatcher.call(Call("GET", f"/v1/{PARENT}/pipelineJobs", [], b""))
    return [job["name"].rpartition("/")[2] for job in answer.get("pipelineJobs", [])]


@pytest.mark.parametrize("harm", [damage, infinite])
def test_a_list_passes_over_a_job_that_cannot_be_shown(
    cloud: Cloud, caplog: pytest.LogCaptureFixture, harm: object
) -> None:
    add(cloud, "first")
    bad = add(cloud, "bad")
    add(cloud, "last")
    assert callable(harm)
    harm(cloud, bad)
    assert listed(cloud) == ["last", "first"]
    assert bad in caplog.text
    with pytest.raises(Internal, match="bad"):
        cloud.dispatcher.call(Call("GET", f"/v1/{bad}", [], b""))


def test_the_cloud_starts_over_a_row_that_cannot_be_read(tmp_path: Path) -> None:
    first = Cloud(tmp_path, "http://127.0.0.1:9")
    damage(first, add(first, "bad"))
    ran = add(first, "ran", State.PIPELINE_STATE_RUNNING)
    first.close()
    second = Cloud(tmp_path, "http://127.0.0.1:9")
    try:
        assert second.resources.get(ran, PipelineJob).state == State.PIPELINE_STATE_FAILED
    finally:
        second.close()


def test_what_could_not_be_read_again_is_not_kept(cloud: Cloud) -> None:
    name = f"{PARENT}/pipelineJobs/deep"
    job = PipelineJob(name=name)
    inner = job.pipeline_spec
    for _ in range(60):
        inner = inner.fields["a"].struct_value
    inner.fields["a"].bool_value = True
    with pytest.raises(InvalidArgument, match="nested"):
        cloud.resources.add(name, job)
    assert cloud.resources.find(name, PipelineJob) is None


def test_what_does_not_fit_on_the_disk_is_undone_and_said_so(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    database.row("PRAGMA max_page_count = 1")  # which is no less than what there is

    def fill() -> None:
        with database.transaction():
            database.run("INSERT INTO counters VALUES ('some', 1)")
            database.run("INSERT INTO uploads VALUES ('large', ?)", "x" * 100_000)

    with pytest.raises(sqlite3.OperationalError, match="disk is full"):
        fill()
    assert database.rows("SELECT * FROM counters") == []
    with database.transaction():
        database.run("INSERT INTO counters VALUES ('other', 1)")
    assert len(database.rows("SELECT * FROM counters")) == 1
    database.close()
