"""Schedules, driven by the clock of a server of their own, through Google's typed client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api_core import exceptions
from google.cloud import aiplatform_v1, artifactregistry_v1
from google.protobuf import field_mask_pb2
from kfp.registry import ApiAuth, RegistryClient

from gcp_local import clock
from gcp_local.cloud import Cloud
from gcp_local.errors import InvalidArgument
from gcp_local.resources.collection import Resources
from gcp_local.resources.database import Database
from gcp_local.rpc.protos import raw
from gcp_local.vertex.schedules import cron
from gcp_local.vertex.schedules.timetable import Step, next_step
from tests.gcp_local.emulators import Emulator, start
from tests.gcp_local.pipelines import compiled

Schedule: Any = aiplatform_v1.Schedule
DAY = 86400.0


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A server whose clock these tests drive."""
    emulator = start(tmp_path_factory.mktemp("driven"))
    emulator.call("POST", "/storage/v1/b?project=my-project", json={"name": "scheduled"})
    yield emulator
    emulator.end()


def now(emulator: Emulator) -> datetime:
    return datetime.fromisoformat(emulator.call("GET", "/gcp-local/clock").json()["now"])


def advance(emulator: Emulator, seconds: float) -> None:
    said = {"advance": f"{seconds:.3f}s"}
    assert emulator.call("POST", "/gcp-local/clock", json=said).status_code == 200


def advance_past(emulator: Emulator, moment: datetime) -> None:
    advance(emulator, (moment - now(emulator)).total_seconds() + 1)


class Place:
    """A project of a server: its schedules and jobs."""

    def __init__(self, emulator: Emulator, project: str) -> None:
        self.emulator = emulator
        self.parent = f"projects/{project}/locations/europe-west1"
        self.schedules: Any = aiplatform_v1.ScheduleServiceClient(**emulator.gapic)
        self.jobs: Any = aiplatform_v1.PipelineServiceClient(**emulator.gapic)

    def request(self, pipeline: str = "doubling", **values: float) -> dict[str, Any]:
        return {
            "parent": self.parent,
            "pipeline_job": {
                "display_name": "scheduled",
                "labels": {"marked": "yes"},
                "pipeline_spec": yaml.safe_load(compiled(pipeline)),
                "runtime_config": {
                    "gcs_output_directory": "gs://scheduled/runs",
                    "parameter_values": values,
                },
            },
        }

    def create(self, **fields: Any) -> Any:
        said = {
            "display_name": "nightly",
            "cron": "0 3 * * *",
            "max_concurrent_run_count": 1,
            "create_pipeline_job_request": self.request(),
            **fields,
        }
        return self.schedules.create_schedule(parent=self.parent, schedule=said)

    def get(self, schedule: Any) -> Any:
        return self.schedules.get_schedule(name=schedule.name)

    def until(self, schedule: Any, holds: Callable[[Any], bool]) -> Any:
        for _ in range(750):
            found = self.get(schedule)
            if holds(found):
                return found
            time.sleep(0.02)
        raise AssertionError(f"this did not come: {found}")

    def runs(self, schedule: Any) -> list[Any]:
        request = {"parent": self.parent, "filter": f"schedule_name={schedule.name}"}
        return list(self.jobs.list_pipeline_jobs(request=request))

    def update(self, schedule: Any, *paths: str, **fields: Any) -> Any:
        return self.schedules.update_schedule(
            schedule=Schedule(name=schedule.name, **fields),
            update_mask=field_mask_pb2.FieldMask(paths=paths or list(fields)),
        )


@pytest.fixture
def place(driven: Emulator, project: str) -> Place:
    return Place(driven, project)


def started(count: int) -> Callable[[Any], bool]:
    return lambda schedule: schedule.started_run_count >= count


def test_a_month_passes_in_a_moment_and_every_run_is_there(place: Place) -> None:
    schedule = place.create(cron="TZ=Europe/Paris 30 2 * * *", max_run_count=30)
    assert schedule.state == Schedule.State.ACTIVE
    assert schedule.start_time == schedule.create_time
    assert not schedule.started_run_count
    assert "last_scheduled_run_response" not in schedule
    first = schedule.next_run_time
    advance(place.emulator, 31 * DAY)
    done = place.until(schedule, lambda found: found.state == Schedule.State.COMPLETED)
    assert done.started_run_count == 30
    assert "next_run_time" not in done
    assert done.last_scheduled_run_response.run_response == "OK"
    last = done.last_scheduled_run_response.scheduled_run_time
    assert timedelta(days=28, hours=22) < last - first < timedelta(days=29, hours=2)
    runs = place.runs(schedule)
    assert len({run.name for run in runs}) == 30
    assert all(run.name.rpartition("/")[2].startswith("doubling-20") for run in runs)
    assert {run.schedule_name for run in runs} == {schedule.name}
    assert {(run.display_name, run.labels["marked"]) for run in runs} == {("scheduled", "yes")}


def test_a_run_is_told_for_when_it_was_scheduled(place: Place, driven: Emulator) -> None:
    driven.call(
        "POST", f"/storage/v1/b?project={place.parent.split('/')[1]}", json={"name": "told"}
    )
    request = place.request("telling")
    request["pipeline_job"]["runtime_config"]["gcs_output_directory"] = "gs://told/runs"
    schedule = place.create(create_pipeline_job_request=request, max_run_count=1)
    due = schedule.next_run_time
    advance_past(driven, due + timedelta(hours=1))
    place.until(schedule, started(1))
    (listed,) = place.runs(schedule)
    for _ in range(750):
        run = place.jobs.get_pipeline_job(name=listed.name)
        if run.state.name not in ("PIPELINE_STATE_PENDING", "PIPELINE_STATE_RUNNING"):
            break
        time.sleep(0.02)
    assert run.state.name == "PIPELINE_STATE_SUCCEEDED", run.error
    assert run.create_time > due + timedelta(minutes=59)
    whole = place.jobs.get_pipeline_job(name=run.name)  # lists do not tell of tasks
    (task,) = [task for task in whole.job_detail.task_details if task.task_name == "tell"]
    assert task.execution.metadata["output:Output"] == f"{due:%Y-%m-%dT%H:%M:%SZ}"


def test_a_run_whose_template_has_gone_is_not_started_and_says_so(
    place: Place, driven: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "pipeline.yaml").write_bytes(compiled("doubling"))
    registry: Any = artifactregistry_v1.ArtifactRegistryClient(**driven.gapic)
    registry.create_repository(
        parent=place.parent, repository_id="templates", repository={"format_": "KFP"}
    ).result()
    host = f"europe-west1-kfp.pkg.dev/{place.parent.split('/')[1]}/templates"
    uploads = RegistryClient(host=f"{driven.endpoint}/{host}", auth=ApiAuth("any"))
    package, version = uploads.upload_pipeline(str(tmp_path / "pipeline.yaml"))
    request = place.request()
    del request["pipeline_job"]["pipeline_spec"]
    request["pipeline_job"]["template_uri"] = f"https://{host}/{package}/{version}"
    schedule = place.create(create_pipeline_job_request=request)
    assert not schedule.create_pipeline_job_request.pipeline_job.pipeline_spec
    advance_past(driven, schedule.next_run_time)
    place.until(schedule, started(1))
    (run,) = place.runs(schedule)
    assert run.template_metadata.version == version
    uploads.delete_version(package, version)
    advance(driven, DAY)
    failed = place.until(
        schedule, lambda found: found.last_scheduled_run_response.run_response != "OK"
    )
    assert failed.last_scheduled_run_response.run_response.startswith("NOT_FOUND: ")
    assert failed.started_run_count == 1 == len(place.runs(schedule))
    assert failed.next_run_time > failed.last_scheduled_run_response.scheduled_run_time
    with pytest.raises(exceptions.NotFound):
        place.create(create_pipeline_job_request=request)


def test_runs_over_the_limit_of_active_ones_are_skipped_or_wait(place: Place) -> None:
    long = place.request("sleeping", seconds=60.0)
    limits = {"max_concurrent_active_run_count": 1, "create_pipeline_job_request": long}
    skipping = place.create(cron="0 * * * *", **limits)
    queueing = place.create(cron="0 * * * *", allow_queueing=True, **limits)
    advance(place.emulator, 3 * 3600)
    skipped = place.until(
        skipping, lambda found: found.next_run_time.timestamp() > now(place.emulator).timestamp()
    )
    assert skipped.started_run_count == 1
    assert skipped.last_scheduled_run_response.run_response.startswith("RESOURCE_EXHAUSTED")
    queued = place.until(queueing, started(1))
    time.sleep(0.1)
    assert place.get(queueing).started_run_count == 1
    assert queued.next_run_time.timestamp() < now(place.emulator).timestamp()
    place.jobs.cancel_pipeline_job(name=place.runs(queueing)[0].name)
    later = place.until(queueing, started(2))
    assert later.last_scheduled_run_response.scheduled_run_time == queued.next_run_time
    for schedule in (skipping, queueing):
        place.schedules.delete_schedule(name=schedule.name).result()
        for run in place.runs(schedule):
            if run.state.name in ("PIPELINE_STATE_PENDING", "PIPELINE_STATE_RUNNING"):
                place.jobs.cancel_pipeline_job(name=run.name)


def test_a_paused_schedule_starts_nothing_and_catches_up_only_when_asked_to(place: Place) -> None:
    schedules = [place.create(), place.create()]
    for schedule in schedules:
        place.schedules.pause_schedule(name=schedule.name)
    advance(place.emulator, 3 * DAY)
    for schedule in schedules:
        paused = place.get(schedule)
        assert paused.state == Schedule.State.PAUSED
        assert paused.last_pause_time < paused.next_run_time + timedelta(days=1)
        assert not paused.started_run_count
    forgetting, catching_up = schedules
    place.schedules.resume_schedule(name=forgetting.name)
    place.schedules.resume_schedule(name=catching_up.name, catch_up=True)
    caught_up = place.until(catching_up, started(3))
    assert (caught_up.started_run_count, caught_up.catch_up) == (3, True)
    assert caught_up.last_resume_time > caught_up.last_pause_time
    forgot = place.get(forgetting)
    assert (forgot.started_run_count, forgot.catch_up) == (0, False)
    assert forgot.next_run_time == caught_up.next_run_time
    with pytest.raises(exceptions.BadRequest, match="is ACTIVE; only one that is PAUSED"):
        place.schedules.resume_schedule(name=forgetting.name)


def test_a_schedule_starts_no_run_after_its_end(place: Place) -> None:
    at = now(place.emulator)
    schedule = place.create(
        cron="0 0 * * *",
        start_time=at + timedelta(days=2),
        end_time=at + timedelta(days=4),
    )
    assert schedule.next_run_time > schedule.start_time
    advance(place.emulator, 5 * DAY)
    done = place.until(schedule, lambda found: found.state == Schedule.State.COMPLETED)
    assert done.started_run_count == 2
    for change in ({"display_name": "late"}, {"cron": "* * * * *"}):
        with pytest.raises(exceptions.BadRequest, match="COMPLETED"):
            place.update(schedule, **change)
    with pytest.raises(exceptions.BadRequest, match="COMPLETED"):
        place.schedules.pause_schedule(name=schedule.name)


def test_an_update_replaces_what_its_mask_names_and_skips_what_was_not_started(
    place: Place,
) -> None:
    schedule = place.create(max_run_count=5)
    changed = place.update(
        schedule,
        *("cron", "max_run_count", "create_pipeline_job_request", "started_run_count"),
        cron="0 4 1 * *",
        max_run_count=7,
        started_run_count=99,
        display_name="not in the mask",
        create_pipeline_job_request=place.request(number=8),
    )
    assert (changed.cron, changed.max_run_count) == ("0 4 1 * *", 7)
    assert (changed.started_run_count, changed.display_name) == (0, "nightly")
    assert (changed.next_run_time.day, changed.next_run_time.hour) == (1, 4)
    assert changed.update_time > schedule.update_time
    assert place.get(schedule) == changed
    refused: list[tuple[str, tuple[str, ...], dict[str, Any]]] = [
        ("cannot be unset", ("max_run_count",), {}),
        ("cannot be unset", ("create_pipeline_job_request",), {}),
        ("cannot be unset", ("cron",), {}),
        ("Invalid update mask path", ("create_pipeline_job_request.parent",), {}),
        ("end_time must be after", ("end_time",), {"end_time": datetime(2020, 1, 1, tzinfo=UTC)}),
        ("type of a schedule's request", ("cron",), {"create_notebook_execution_job_request": {}}),
        ("no parameter", (), {"create_pipeline_job_request": place.request(unknown=1)}),
    ]
    for message, paths, fields in refused:
        with pytest.raises(exceptions.BadRequest, match=message):
            place.update(schedule, *paths, **fields)
    with pytest.raises(exceptions.BadRequest, match="update_mask is required"):
        place.schedules.update_schedule(schedule=Schedule(name=schedule.name), update_mask={})
    assert place.get(schedule) == changed


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"display_name": ""}, "display_name is required"),
        ({"display_name": "n" * 129}, "more than 128"),
        ({"cron": ""}, "cron is required"),
        ({"cron": "61 * * * *"}, "Invalid cron"),
        ({"max_concurrent_run_count": 0}, "max_concurrent_run_count must be at least 1"),
        ({"max_run_count": -1}, "max_run_count must be at least 1"),
        ({"start_time": datetime(2020, 1, 1, tzinfo=UTC)}, "in the past"),
        ({"end_time": datetime(2020, 1, 1, tzinfo=UTC)}, "in the past|after start_time"),
        ({"create_pipeline_job_request": None}, "create_pipeline_job_request is required"),
    ],
)
def test_a_schedule_that_google_would_refuse_is_refused(
    place: Place, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(exceptions.BadRequest, match=message):
        place.create(**fields)
    assert not list(place.schedules.list_schedules(parent=place.parent))


def test_the_run_of_a_schedule_is_checked_when_the_schedule_is_made(place: Place) -> None:
    named, elsewhere, labelled, bare = (place.request() for _ in range(4))
    named["pipeline_job_id"] = "mine"
    elsewhere["parent"] = elsewhere["parent"].replace("europe-west1", "us-central1")
    labelled["pipeline_job"]["labels"] = {"Upper": "case"}
    del bare["pipeline_job"]["pipeline_spec"]
    for request, message in (
        (named, "pipeline_job_id must be left empty"),
        (elsewhere, "is not where the schedule is"),
        (labelled, "Invalid label key"),
        (bare, "Either pipeline_spec or template_uri"),
        (place.request(unknown=1), "no parameter"),
    ):
        with pytest.raises(exceptions.BadRequest, match=message):
            place.create(create_pipeline_job_request=request)
    with pytest.raises(exceptions.MethodNotImplemented, match="notebook executions"):
        place.schedules.create_schedule(
            parent=place.parent,
            schedule={
                "display_name": "notebook",
                "cron": "* * * * *",
                "max_concurrent_run_count": 1,
                "create_notebook_execution_job_request": {"parent": place.parent},
            },
        )


def test_schedules_are_listed_by_filter_order_and_page(place: Place) -> None:
    first = place.create(display_name="first of two")
    second = place.create(
        display_name="second of two", end_time=now(place.emulator) + timedelta(days=9)
    )
    place.schedules.pause_schedule(name=second.name)

    def listed(**asked: str | int) -> list[str]:
        pages = place.schedules.list_schedules(request={"parent": place.parent, **asked})
        return [schedule.name for schedule in pages]

    assert listed() == [second.name, first.name]
    assert listed(order_by="create_time", page_size=1) == [first.name, second.name]
    assert listed(filter='display_name="first of two"') == [first.name]
    assert listed(filter='display_name:"* of two" AND state=PAUSED') == [second.name]
    assert listed(filter="create_pipeline_job_request:* AND NOT end_time:*") == [first.name]
    assert listed(filter="create_notebook_execution_job_request:*") == []
    other = place.parent.replace("europe-west1", "us-central1")
    assert not list(place.schedules.list_schedules(parent=other))
    with pytest.raises(exceptions.BadRequest, match="one can filter by"):
        listed(filter="cron=*")
    place.schedules.delete_schedule(name=first.name).result()
    assert listed() == [second.name]
    with pytest.raises(exceptions.NotFound):
        place.get(first)


def test_a_kill_starts_nothing_twice_and_what_was_missed_is_made_up_for_only_if_asked(
    tmp_path: Path, project: str
) -> None:
    emulator = start(tmp_path)
    place = Place(emulator, project)
    catching_up, forgetting = place.create(), place.create(allow_queueing=False)
    place.schedules.pause_schedule(name=catching_up.name)
    place.schedules.resume_schedule(name=catching_up.name, catch_up=True)
    advance_past(emulator, forgetting.next_run_time + timedelta(days=1))
    for schedule in (catching_up, forgetting):
        place.until(schedule, started(2))
    emulator.kill()

    due_two_days_ago(tmp_path, catching_up.name, forgetting.name)
    emulator = start(tmp_path)
    place = Place(emulator, project)
    try:
        made_up = place.until(catching_up, lambda found: found.next_run_time > now(emulator))
        assert made_up.started_run_count in (4, 5)
        assert made_up.started_run_count == len(place.runs(catching_up))
        forgot = place.get(forgetting)
        assert forgot.next_run_time == made_up.next_run_time
        assert forgot.started_run_count == 2 == len(place.runs(forgetting))
        advance_past(emulator, forgot.next_run_time)
        place.until(forgetting, started(3))
        assert len(place.runs(forgetting)) == 3
    finally:
        emulator.end()


def due_two_days_ago(state: Path, *names: str) -> None:
    """Make it, while no server runs, as if none had run for two days."""
    database = Database(state / "state.db")
    resources = Resources(database)
    for name in names:
        schedule = resources.get(name, raw(Schedule))
        schedule.start_time.FromDatetime(datetime.now(UTC) - timedelta(days=9))
        schedule.next_run_time.FromDatetime(datetime.now(UTC) - timedelta(days=2))
        resources.replace(name, schedule)
    database.close()


def test_what_comes_due_while_a_thousand_others_are_looked_at_is_started(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, "http://127.0.0.1:1")
    collection = "projects/1/locations/europe-west1/schedules"

    def add(number: int, due: timedelta) -> str:
        name, moment = f"{collection}/{number}", datetime.now(UTC) + due
        schedule = Schedule(name=name, cron="0 3 1 1 *", state="ACTIVE", next_run_time=moment)
        cloud.resources.add(name, Schedule.pb(schedule))
        return name

    try:
        with cloud.database.transaction():
            for number in range(1000):
                add(number, timedelta(days=30))
            near = add(1000, timedelta(seconds=0.3))
        clock.wake()
        for _ in range(100):
            time.sleep(0.05)
            if cloud.resources.get(near, raw(Schedule)).HasField("last_scheduled_run_response"):
                break
        else:
            pytest.fail("nothing came of the run")
    finally:
        cloud.close()


NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SOON, AGO = NOON + timedelta(hours=1), NOON - timedelta(hours=1)


@pytest.mark.parametrize(
    ("fields", "active", "expected"),
    [
        ({"next_run_time": SOON}, 0, Step.WAIT),
        ({"next_run_time": NOON}, 0, Step.START),
        ({"next_run_time": AGO}, 99, Step.START),
        ({"next_run_time": AGO, "state": "PAUSED"}, 0, Step.WAIT),
        ({"next_run_time": AGO, "max_concurrent_active_run_count": 2}, 1, Step.START),
        ({"next_run_time": AGO, "max_concurrent_active_run_count": 2}, 2, Step.SKIP),
        (
            {"next_run_time": AGO, "max_concurrent_active_run_count": 2, "allow_queueing": True},
            *(2, Step.QUEUE),
        ),
        ({"next_run_time": AGO, "max_run_count": 3, "started_run_count": 2}, 0, Step.START),
        ({"next_run_time": AGO, "max_run_count": 3, "started_run_count": 3}, 0, Step.COMPLETE),
        ({"end_time": SOON}, 0, Step.WAIT),
        ({"end_time": NOON}, 0, Step.COMPLETE),
        # What was scheduled before the end is still started.
        ({"next_run_time": AGO, "end_time": AGO}, 0, Step.START),
        ({"end_time": AGO, "state": "PAUSED"}, 0, Step.WAIT),
        ({}, 0, Step.WAIT),
    ],
)
def test_the_next_step_follows_from_state_limits_and_times(
    fields: dict[str, Any], active: int, expected: Step
) -> None:
    schedule = Schedule(**{"state": "ACTIVE", **fields})
    assert next_step(Schedule.pb(schedule), NOON, active) == expected


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 3 * * *", "2026-01-01T03:00:00+00:00", "2026-01-02T03:00:00+00:00"),
        # The hour that Paris skips in spring, and the one that it has twice in autumn.
        ("TZ=Europe/Paris 30 2 * * *", "2026-03-28T12:00:00+00:00", "2026-03-29T01:00:00+00:00"),
        ("TZ=Europe/Paris 30 2 * * *", "2026-03-29T01:00:00+00:00", "2026-03-30T00:30:00+00:00"),
        ("TZ=Europe/Paris 30 2 * * *", "2026-10-24T12:00:00+00:00", "2026-10-25T00:30:00+00:00"),
        ("TZ=Europe/Paris 30 2 * * *", "2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"),
        ("TZ=Europe/Paris 30 2 * * *", "2026-10-25T01:10:00+00:00", "2026-10-26T01:30:00+00:00"),
        ("CRON_TZ=US/Eastern 0 9 * * MON-FRI", "2026-10-30T13:00+00:00", "2026-11-02T14:00+00:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00+00:00", "2028-02-29T00:00:00+00:00"),
    ],
)  # fmt: skip
def test_cron_goes_by_its_time_zone(text: str, after: str, expected: str) -> None:
    found = cron.parse(text).after(datetime.fromisoformat(after))
    assert found == datetime.fromisoformat(expected)


def test_cron_ends_with_the_last_year_that_there_is() -> None:
    assert cron.parse("0 0 29 2 *").after(datetime(9999, 12, 31, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    "text",
    [
        *("* * * *", "* * * * * *", "60 * * * *", "0 0 30 2 *", "0 0 * * 8", "*/0 * * * *"),
        *("@daily", "0 0 L * *", "0 0 * * 5#2", "0 0 ? * *", "0 0 * * 5-1"),
        *("TZ=Mars/Base * * * * *", "TZ=../etc/passwd * * * * *", "TZ=Europe * * * * *"),
        *("TZ=localtime * * * * *", "TZ=UTC", "tz=UTC * * * * *"),
    ],
)
def test_what_is_no_cron_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="Invalid cron"):
        cron.parse(text)
