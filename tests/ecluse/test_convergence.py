"""Convergence: schedules and tags come to what the ledger says, whatever was there before."""

import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecluse.cloud.schedules import FoundSchedule
from ecluse.errors import LeaseLost
from ecluse.labels import ACTIVATION, run_labels
from ecluse.ledger.live_job import live_job
from ecluse.upkeep.convergence.converging import converge, look, mend
from ecluse.upkeep.convergence.difference import Change
from ecluse.upkeep.convergence.schedules import Wanted, compare
from tests.ecluse.places import CRON, MONDAYS, Place, make_place

NAME = "ecluse nonprod alpha"


@pytest.fixture
def place(address: str) -> Place:
    return make_place(address)


def converged(place: Place) -> list[str]:
    """Converge everything that the head knows; return in words what was done."""
    return [
        f"{mended.difference.pipeline} {mended.difference.kind}: {mended.done}"
        for mended in converge(place.cloud, place.head, place.head.pipelines)
    ]


def calls(address: str, project: str) -> list[str]:
    """Return the writes to a project that the embedded cloud saw."""
    with urllib.request.urlopen(f"{address}/gcp-local/faults", timeout=10) as answer:
        seen = json.load(answer)["calls"]
    return [
        f"{call['verb']} {call['path'].rsplit('/', 1)[-1]}"
        for call in seen
        if f"/{project}/" in call["path"] and call["verb"] != "GET"
    ]


@contextmanager
def faults(address: str, *rules: dict[str, Any]) -> Iterator[None]:
    def send(verb: str, rule: Any = None) -> None:
        request = urllib.request.Request(f"{address}/gcp-local/faults", method=verb)
        if rule is not None:
            request.data = json.dumps(rule).encode()
            request.add_header("Content-Type", "application/json")
        urllib.request.urlopen(request, timeout=10).close()

    send("PUT", {"faults": list(rules)})
    try:
        yield
        with urllib.request.urlopen(f"{address}/gcp-local/faults", timeout=10) as answer:
            assert all(rule["fired"] for rule in json.load(answer)["faults"])
    finally:
        send("DELETE")


# What there is to say, purely

MONDAY = {"cron": CRON, "time zone": "Europe/Paris"}
EARLY = datetime(2026, 1, 1, tzinfo=UTC)


def found(name: str, **changes: Any) -> FoundSchedule:
    values: dict[str, Any] = {
        "name": name,
        "display_name": NAME,
        "state": "active",
        "created": EARLY,
        "settings": MONDAY,
        "lasting": {},
        "specification": None,
        "next_run": None,
    }
    return FoundSchedule(**{**values, **changes})


LATER = EARLY + timedelta(days=1)
OTHER = {**MONDAY, "cron": "0 7 * * 1"}


@pytest.mark.parametrize(
    ("settings", "there", "differences"),
    [
        (None, [], []),
        (None, [found("a", state="paused"), found("b", state="completed")], []),
        (None, [found("a"), found("b", state="paused"), found("c")], [("on", "a"), ("on", "c")]),
        (MONDAY, [], [("missing", "")]),
        (MONDAY, [found("a")], []),
        (MONDAY, [found("a", settings=OTHER)], [("changed", "a")]),
        (MONDAY, [found("a", state="paused")], [("off", "a")]),
        (
            MONDAY,
            [found("a", state="paused", settings=OTHER)],
            [("changed", "a"), ("off", "a")],
        ),
        (MONDAY, [found("a", state="completed")], [("missing", "")]),
        (MONDAY, [found("b", created=LATER), found("a")], [("extra", "b")]),
        (MONDAY, [found("b"), found("a")], [("extra", "b")]),
        (MONDAY, [found("a", lasting={"end time": "2027"})], [("missing", ""), ("extra", "a")]),
        (
            MONDAY,
            [found("a", lasting={"end time": "2027"}), found("b", created=LATER)],
            [("extra", "a")],
        ),
        (MONDAY, [found("a", state="completed"), found("b", created=LATER)], []),
    ],
)
def test_what_is_to_be_done_about_a_pipelines_schedules(
    settings: Any, there: list[FoundSchedule], differences: list[tuple[str, str]]
) -> None:
    said = compare(Wanted("alpha", settings), there)
    assert [(difference.trouble, difference.resource) for difference in said] == differences


def test_a_difference_says_which_setting_from_what_to_what() -> None:
    (difference,) = compare(Wanted("alpha", MONDAY), [found("a", settings=OTHER)])
    assert difference.changes == (Change("cron", "0 7 * * 1", CRON),)
    assert str(difference) == (
        "the schedule is not as the ledger says: cron: `0 6 * * 1` became `0 7 * * 1`"
    )


# Schedules


def test_a_schedule_is_made_with_the_digest_the_parameters_and_the_marks(place: Place) -> None:
    entry = place.live("alpha", schedule=MONDAYS)
    assert converged(place)[1:] == ["alpha schedule: made: 0 6 * * 1 (Europe/Paris)"]
    (made,) = place.schedules()
    environment = place.cloud.environment
    assert (made.display_name, made.state.name) == (NAME, "ACTIVE")
    assert made.cron == "TZ=Europe/Paris 0 6 * * 1"
    assert made.max_concurrent_run_count == 1
    assert made.create_pipeline_job_request.pipeline_job_id == ""
    job = made.create_pipeline_job_request.pipeline_job
    assert job.template_uri == environment.template_uri("alpha", entry.digest)
    assert not job.pipeline_spec
    assert job.service_account == environment.service_account
    assert dict(job.runtime_config.parameter_values) == {
        "rounds": 5.0,
        "run_key": "schedule-nonprod-1",
    }
    assert dict(job.labels) == run_labels(
        environment,
        entry.parsed_settings(),
        pipeline="alpha",
        digest=entry.digest,
        commit=entry.commit,
        activation=1,
    )
    assert job.labels[ACTIVATION] == "1"
    assert place.cloud.registry.live_digest("alpha") == entry.digest


def test_what_is_right_is_listed_and_not_written(place: Place) -> None:
    for name in ("alpha", "beta", "gamma"):
        place.live(name, schedule=MONDAYS)
    assert len(converged(place)) == 6
    writes = calls(place.address, place.cloud.environment.project)
    assert converged(place) == []
    assert calls(place.address, place.cloud.environment.project) == writes


def test_a_new_activation_changes_the_same_schedule_in_place(place: Place) -> None:
    place.live("alpha", schedule=MONDAYS)
    converged(place)
    (before,) = place.schedules()
    entry = place.live(
        "alpha",
        schedule={"cron": "30 2 * * *", "time_zone": "Etc/UTC"},
        word="world",
        settings={"parameters": {"rounds": 7}},
    )
    converged(place)
    (after,) = place.schedules()
    assert (after.name, after.cron) == (before.name, "TZ=Etc/UTC 30 2 * * *")
    job = after.create_pipeline_job_request.pipeline_job
    assert job.template_uri.endswith(entry.digest)
    assert job.runtime_config.parameter_values["rounds"] == 7.0
    assert job.labels[ACTIVATION] == "2"


@pytest.mark.parametrize("gone", ["retired", "unscheduled"])
def test_what_is_not_to_run_any_more_is_paused_and_keeps_its_history(
    place: Place, gone: str
) -> None:
    place.live("alpha", schedule=MONDAYS)
    converged(place)
    (before,) = place.schedules()
    if gone == "retired":
        place.retire("alpha")
    else:
        place.live("alpha")
    assert "alpha schedule: paused" in converged(place)
    (after,) = place.schedules()
    assert (after.name, after.state.name) == (before.name, "PAUSED")
    assert converged(place) == []
    # And back.
    place.live("alpha", schedule=MONDAYS)
    converged(place)
    (again,) = place.schedules()
    assert (again.name, again.state.name) == (before.name, "ACTIVE")


def test_a_schedule_that_somebody_made_by_that_name_is_adopted(place: Place) -> None:
    place.live("alpha", schedule=MONDAYS)
    converged(place)
    (made,) = place.schedules()
    place.by_hand.delete_schedule(name=made.name).result()
    by_hand = place.by_hand.create_schedule(
        parent=place.parent,
        schedule={
            "display_name": NAME,
            "cron": "0 1 * * *",
            "max_concurrent_run_count": 4,
            "allow_queueing": True,
            "create_pipeline_job_request": made.create_pipeline_job_request,
        },
    )
    assert converged(place) == [
        "alpha schedule: set again: cron, queueing, starts at once, time zone"
    ]
    (adopted,) = place.schedules()
    assert adopted.name == by_hand.name
    assert (adopted.cron, adopted.max_concurrent_run_count, adopted.allow_queueing) == (
        made.cron,
        1,
        False,
    )


def test_of_several_schedules_of_one_name_the_oldest_stays(place: Place) -> None:
    place.live("alpha", schedule=MONDAYS)
    converged(place)
    (first,) = place.schedules()
    copy = {
        "display_name": NAME,
        "cron": first.cron,
        "max_concurrent_run_count": 1,
        "create_pipeline_job_request": first.create_pipeline_job_request,
    }
    for _ in range(2):
        place.by_hand.create_schedule(parent=place.parent, schedule=copy)
    assert len(converged(place)) == 2
    (left,) = place.schedules()
    assert left.name == first.name


def test_a_schedule_that_no_update_can_put_right_is_made_anew(place: Place) -> None:
    place.live("alpha", schedule=MONDAYS)
    converged(place)
    (limited,) = place.schedules()
    place.change(limited, max_run_count=3)
    assert [line.split(": ", 1)[1] for line in converged(place)] == [
        "made: 0 6 * * 1 (Europe/Paris)",
        f"taken away: {limited.name.rsplit('/', 1)[1]}",
    ]
    (anew,) = place.schedules()
    assert anew.name != limited.name
    assert not anew.max_run_count
    assert converged(place) == []


def test_a_schedule_of_another_name_is_none_of_ours(place: Place) -> None:
    place.live("alpha", schedule=MONDAYS)
    converged(place)
    (ours,) = place.schedules()
    theirs = place.by_hand.create_schedule(
        parent=place.parent,
        schedule={
            "display_name": "ecluse nonprod alpha 2",
            "cron": "0 1 * * *",
            "max_concurrent_run_count": 1,
            "create_pipeline_job_request": ours.create_pipeline_job_request,
        },
    )
    assert converged(place) == []
    assert {each.name for each in place.schedules()} == {ours.name, theirs.name}


# Faults, kills, and twice at once


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", [{"error": 503}, {"reset": True}])
def test_a_lost_answer_never_makes_a_second_schedule(
    place: Place, when: str, fault: dict[str, Any]
) -> None:
    place.live("alpha", schedule=MONDAYS)
    creating = "google.cloud.aiplatform.v1.ScheduleService.CreateSchedule"
    with faults(place.address, {"method": creating, **fault, "when": when, "nth": 1}):
        converged(place)
    assert len(place.schedules()) == 1
    assert converged(place) == []


@pytest.mark.parametrize("rpc", ["UpdateSchedule", "PauseSchedule", "ResumeSchedule"])
def test_a_lost_answer_to_a_change_is_no_failure(place: Place, rpc: str) -> None:
    place.live("alpha", schedule=MONDAYS)
    converged(place)
    (made,) = place.schedules()
    method = f"google.cloud.aiplatform.v1.ScheduleService.{rpc}"
    match rpc:
        case "UpdateSchedule":
            place.change(made, cron="0 1 * * *")
        case "PauseSchedule":
            place.retire("alpha")
        case _:
            place.by_hand.pause_schedule(name=made.name)
    with faults(place.address, {"method": method, "error": 500, "when": "after", "nth": 1}):
        converged(place)
    assert converged(place) == []


def test_a_lost_answer_to_a_deletion_is_no_failure(place: Place) -> None:
    place.live("alpha", schedule=MONDAYS)
    converged(place)
    (made,) = place.schedules()
    copy = {
        "display_name": NAME,
        "cron": made.cron,
        "max_concurrent_run_count": 1,
        "create_pipeline_job_request": made.create_pipeline_job_request,
    }
    place.by_hand.create_schedule(parent=place.parent, schedule=copy)
    method = "google.cloud.aiplatform.v1.ScheduleService.DeleteSchedule"
    with faults(place.address, {"method": method, "reset": True, "when": "after", "nth": 1}):
        converged(place)
    assert [each.name for each in place.schedules()] == [made.name]


def test_two_at_once_leave_one_schedule(place: Place) -> None:
    for name in ("alpha", "beta"):
        place.live(name, schedule=MONDAYS)
    creating = "google.cloud.aiplatform.v1.ScheduleService.CreateSchedule"
    # Each has looked before any has made one.
    with faults(place.address, {"method": creating, "latency": 0.3}), ThreadPoolExecutor(3) as pool:
        list(pool.map(converged, [place] * 3))
    assert sorted(each.display_name for each in place.schedules()) == [
        "ecluse nonprod alpha",
        "ecluse nonprod beta",
    ]
    assert converged(place) == []


def test_who_has_lost_the_lease_changes_nothing(place: Place) -> None:
    place.live("alpha", schedule=MONDAYS)

    def lost() -> None:
        raise LeaseLost("taken over", where="lease", fix="again")

    with pytest.raises(LeaseLost):
        converge(place.cloud, place.head, ["alpha"], allowed=lost)
    assert place.schedules() == []
    assert place.cloud.registry.live_digest("alpha") is None


def test_one_that_cannot_be_mended_stops_no_other(place: Place) -> None:
    place.live("alpha", schedule=MONDAYS, upload=False)
    place.live("beta", schedule=MONDAYS)
    differences = look(place.cloud, place.head, ["alpha", "beta"], kinds=("schedule",))
    mended = mend(place.cloud, place.head, differences)
    assert [(each.difference.pipeline, bool(each.error)) for each in mended] == [
        ("alpha", True),
        ("beta", False),
    ]
    assert [each.display_name for each in place.schedules()] == ["ecluse nonprod beta"]


# Tags


def test_a_renamed_pipeline_leaves_its_package_to_its_successor(place: Place) -> None:
    place.live("alpha")
    converged(place)
    place.retire("alpha")
    successor = place.live("beta", package="alpha", word="world")
    converged(place)
    assert place.cloud.registry.live_digest("alpha") == successor.digest
    assert converged(place) == []


def test_a_retired_pipelines_tag_is_taken_away(place: Place) -> None:
    place.live("alpha")
    converged(place)
    place.retire("alpha")
    assert converged(place) == ["alpha live tag: taken from alpha"]
    assert place.cloud.registry.live_digest("alpha") is None


# Values


def test_parameters_come_from_the_ledger_and_job_settings_from_the_environment(
    address: str,
) -> None:
    place = make_place(address, parameters={"rounds": 8}, labels={"team": "blue"})
    entry = place.live(
        "alpha",
        schedule=MONDAYS,
        settings={"parameters": {"rounds": 5, "note": "{commit} in {environment}"}},
        declared=("run_key", "rounds", "note"),
        parameters={"rounds": 5, "note": " in nonprod"},
    )
    job = live_job(place.cloud.environment, "alpha", entry)
    assert job.parameters == {"rounds": 5, "note": f"{entry.commit} in nonprod"}
    assert job.labels["team"] == "blue"
    # A value of the environment's that changed since has qualified nowhere.
    older = entry.model_copy(
        update={
            "settings": {**entry.settings, "parameters": {}},
            "parameters": {"rounds": 4},
        }
    )
    assert live_job(place.cloud.environment, "alpha", older).parameters == {"rounds": 4}
