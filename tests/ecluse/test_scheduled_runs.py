"""Schedules through whole promotions: they fire, really run, and follow what is live."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from google.cloud import aiplatform_v1

from ecluse.labels import ACTIVATION
from gcp_local.testing import LocalCloud
from tests.ecluse.conftest import Commands
from tests.ecluse.places import Place
from tests.ecluse.repositories import Repository
from tests.ecluse.test_promotion import cloud_of

SCHEDULE = "schedule: {cron: '0 6 * * 1', time_zone: Europe/Paris}\ngates:"


def place_of(ecluse: Commands, address: str) -> Place:
    cloud = cloud_of(ecluse, "nonprod", address)
    return Place(cloud, address, cloud.ledger.head())


def digest_of_schedule(schedule: Any) -> str:
    uri: str = schedule.create_pipeline_job_request.pipeline_job.template_uri
    return uri.rsplit("/", 1)[1]


def until(found: Callable[[], list[Any]], count: int) -> list[Any]:
    for _ in range(1500):
        runs = found()
        if len(runs) >= count and all(run.end_time for run in runs):
            return runs
        time.sleep(0.02)
    raise AssertionError(f"{len(runs)} runs, not {count}")


def test_every_week_it_really_runs_what_is_live(
    repository: Repository, gcp_local_fresh: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = gcp_local_fresh.endpoint
    monkeypatch.setenv("ECLUSE_LOCAL", address)
    monkeypatch.setenv("ECLUSE_ACTOR", "ann@example.com")
    ecluse = Commands(repository)
    repository.replace("pipelines/alpha/pipeline.yaml", "gates:", SCHEDULE)
    promoted = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert promoted.code == 0, promoted.err
    digest = promoted.json["outcomes"][0]["digest"]
    place = place_of(ecluse, address)
    (schedule,) = place.schedules()
    jobs = place.client(aiplatform_v1.PipelineServiceClient)
    request = {"parent": place.parent, "filter": f'schedule_name="{schedule.name}"'}

    def scheduled() -> list[Any]:
        names = [job.name for job in jobs.list_pipeline_jobs(request=request)]
        return [jobs.get_pipeline_job(name=name) for name in names]

    for week in (1, 2):
        gcp_local_fresh.clock.advance(timedelta(days=7))
        runs = until(scheduled, week)
    assert len(runs) == 2
    for run in runs:
        assert run.state.name == "PIPELINE_STATE_SUCCEEDED", run.error
        assert run.template_metadata.version == digest
        assert run.labels[ACTIVATION] == "1"
        assert run.runtime_config.parameter_values["run_key"] == "schedule-nonprod-1"
        states = {task.task_name: task.state.name for task in run.job_detail.task_details}
        assert states["measure"] == "SUCCEEDED"  # and not SKIPPED
    assert ecluse("drift", "nonprod").code == 0


def test_a_rollback_takes_the_schedule_back(ecluse: Commands, address: str) -> None:
    repository = ecluse.repository
    repository.replace("pipelines/alpha/pipeline.yaml", "gates:", SCHEDULE)
    digests = []
    for accuracy in ("0.91", "0.92"):
        repository.replace("pipelines/alpha/pipeline.py", "float = 0.9", f"float = {accuracy}")
        promoted = ecluse.promote("nonprod", "--release", str(ecluse.build()))
        assert promoted.code == 0, promoted.err
        digests.append(promoted.json["outcomes"][0]["digest"])
        repository.replace("pipelines/alpha/pipeline.py", f"float = {accuracy}", "float = 0.9")
    place = place_of(ecluse, address)
    (schedule,) = place.schedules()
    assert digest_of_schedule(schedule) == digests[1]
    assert ecluse("rollback", "nonprod").code == 0
    (back,) = place.schedules()
    assert (back.name, digest_of_schedule(back)) == (schedule.name, digests[0])
    assert back.create_pipeline_job_request.pipeline_job.labels[ACTIVATION] == "3"
    assert ecluse("drift", "nonprod").code == 0


def test_what_a_killed_promotion_retired_in_the_ledger_alone_is_paused_by_the_next(
    ecluse: Commands, address: str
) -> None:
    ecluse.repository.pipeline("beta")
    ecluse.repository.replace("pipelines/beta/pipeline.yaml", "gates:", SCHEDULE)
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    for file in (ecluse.repository.root / "pipelines/beta").glob("*.*"):
        file.unlink()
    release = str(ecluse.build())
    assert ecluse.promote("nonprod", "--release", release).code == 0
    place = place_of(ecluse, address)
    (schedule,) = place.schedules()
    assert schedule.state.name == "PAUSED"
    # As if it had been killed before it came to the schedule.
    place.by_hand.resume_schedule(name=schedule.name)
    again = ecluse.promote("nonprod", "--release", release)
    assert again.code == 0
    endings = {outcome["pipeline"]: outcome["ending"] for outcome in again.json["outcomes"]}
    assert endings == {"alpha": "unchanged", "beta": "retired"}
    (after,) = place.schedules()
    assert after.state.name == "PAUSED"
    quiet = ecluse.promote("nonprod", "--release", release)
    assert [outcome["pipeline"] for outcome in quiet.json["outcomes"]] == ["alpha"]


def test_a_schedule_changed_by_hand_is_put_right_by_a_promotion_that_changes_nothing(
    ecluse: Commands, address: str
) -> None:
    ecluse.repository.replace("pipelines/alpha/pipeline.yaml", "gates:", SCHEDULE)
    release = str(ecluse.build())
    assert ecluse.promote("nonprod", "--release", release).code == 0
    place = place_of(ecluse, address)
    (schedule,) = place.schedules()
    place.change(schedule, cron="0 1 * * *")
    again = ecluse.promote("nonprod", "--release", release)
    assert [outcome["ending"] for outcome in again.json["outcomes"]] == ["unchanged"]
    assert "schedule: set again: cron, time zone" in again.err
    assert [each.cron for each in place.schedules()] == [schedule.cron]
