"""Drift: each way in which somebody's hand, or a stopped promotion, can leave the cloud."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import artifactregistry_v1

from ecluse.cloud.registry import LIVE_TAG
from ecluse.ledger.lease import Claim, acquire
from ecluse.upkeep.convergence.converging import converge, look, mend
from ecluse.upkeep.drift import check_drift
from tests.ecluse.conftest import Commands
from tests.ecluse.places import MONDAYS, Place, make_place, template
from tests.ecluse.test_promotion import cloud_of

ALPHA = "ecluse nonprod alpha"


@pytest.fixture
def place(address: str) -> Place:
    """An environment where alpha is live on Mondays, and all is as the ledger says."""
    place = make_place(address)
    place.live("alpha", schedule=MONDAYS)
    place.live("beta")
    converge(place.cloud, place.head, place.head.pipelines)
    assert look(place.cloud, place.head) == []
    return place


def only(place: Place) -> Any:
    (schedule,) = place.schedules()
    return schedule


def job_with(place: Place, change: Callable[[Any], None]) -> Any:
    request = only(place).create_pipeline_job_request
    change(request.pipeline_job)
    return request


def edited(place: Place, change: Callable[[Any], None]) -> None:
    request = job_with(place, change)
    place.change(only(place), create_pipeline_job_request=request)


def by_tag(place: Place) -> None:
    def change(job: Any) -> None:
        job.template_uri = f"{place.cloud.environment.template_host}/alpha/{LIVE_TAG}"

    edited(place, change)


def other_rounds(place: Place) -> None:
    def change(job: Any) -> None:
        job.runtime_config.parameter_values["rounds"] = 50

    edited(place, change)


def lost_label(place: Place) -> None:
    def change(job: Any) -> None:
        del job.labels["ecluse-commit"]

    edited(place, change)


def as_somebody_else(place: Place) -> None:
    def change(job: Any) -> None:
        job.service_account = "1234-compute@developer.gserviceaccount.com"

    edited(place, change)


def fails_fast(place: Place) -> None:
    def change(job: Any) -> None:
        job.runtime_config.failure_policy = "PIPELINE_FAILURE_POLICY_FAIL_FAST"

    edited(place, change)


def another_pipeline(place: Place) -> None:
    def change(job: Any) -> None:
        job.template_uri = ""
        job.pipeline_spec = yaml.safe_load(template("alpha", word="mine"))

    edited(place, change)


def other_cron(place: Place) -> None:
    place.change(only(place), cron="TZ=Europe/Paris 0 7 * * 1")


def utc(place: Place) -> None:
    place.change(only(place), cron="0 6 * * 1")


def several_at_once(place: Place) -> None:
    place.change(only(place), max_concurrent_run_count=5)


def paused(place: Place) -> None:
    place.by_hand.pause_schedule(name=only(place).name)


def deleted(place: Place) -> None:
    place.by_hand.delete_schedule(name=only(place).name).result()


def limited(place: Place) -> None:
    place.change(only(place), end_time={"seconds": 4_000_000_000})


def later(place: Place) -> None:
    place.change(only(place), start_time={"seconds": 4_000_000_000})


def copied(place: Place) -> None:
    made = only(place)
    copy = {
        "display_name": ALPHA,
        "cron": made.cron,
        "max_concurrent_run_count": 1,
        "create_pipeline_job_request": made.create_pipeline_job_request,
    }
    place.by_hand.create_schedule(parent=place.parent, schedule=copy)


def tag_moved(place: Place) -> None:
    older = place.head
    entry = place.live("alpha", schedule=MONDAYS, word="older")
    place.head = older
    place.cloud.registry.tag_live("alpha", entry.digest)


def tag_gone(place: Place) -> None:
    place.cloud.registry.untag_live("beta")


def still_scheduled(place: Place) -> None:
    place.retire("alpha")
    place.cloud.registry.untag_live("alpha")


def still_tagged(place: Place) -> None:
    place.retire("beta")


WAYS: dict[Callable[[Place], None], list[str]] = {
    by_tag: ["alpha schedule changed: template"],
    other_rounds: ["alpha schedule changed: parameters.rounds"],
    lost_label: ["alpha schedule changed: labels.ecluse-commit"],
    as_somebody_else: ["alpha schedule changed: service account"],
    fails_fast: ["alpha schedule changed: failurePolicy"],
    another_pipeline: ["alpha schedule changed: copy of the pipeline, template"],
    other_cron: ["alpha schedule changed: cron"],
    utc: ["alpha schedule changed: time zone"],
    several_at_once: ["alpha schedule changed: starts at once"],
    paused: ["alpha schedule off: "],
    deleted: ["alpha schedule missing: "],
    limited: ["alpha schedule missing: ", "alpha schedule extra: end time"],
    later: ["alpha schedule missing: ", "alpha schedule extra: start time"],
    copied: ["alpha schedule extra: "],
    tag_moved: ["alpha live tag changed: alpha"],
    tag_gone: ["beta live tag missing: beta"],
    still_scheduled: ["alpha schedule on: "],
    still_tagged: ["beta live tag extra: beta"],
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_somebody_changed_by_hand_is_told_and_mended(
    place: Place, way: Callable[[Place], None]
) -> None:
    way(place)
    found = look(place.cloud, place.head)
    assert [
        f"{each.pipeline} {each.kind} {each.trouble}: "
        + ", ".join(change.setting for change in each.changes)
        for each in found
    ] == WAYS[way]
    mended = mend(place.cloud, place.head, found)
    assert all(each.done for each in mended), mended
    assert look(place.cloud, place.head) == []


def test_a_start_that_has_come_is_no_difference(place: Place) -> None:
    # As the service has it for a schedule that was made with its start a moment ahead.
    made = only(place)
    assert made.start_time == made.create_time
    assert look(place.cloud, place.head, ["alpha"]) == []


# What the ledger knows nothing of


def test_a_schedule_that_the_ledger_does_not_know_is_told_and_left_alone(place: Place) -> None:
    made = only(place)
    for name in ("ecluse nonprod zeta", "my own"):
        place.by_hand.create_schedule(
            parent=place.parent,
            schedule={
                "display_name": name,
                "cron": "0 1 * * *",
                "max_concurrent_run_count": 1,
                "create_pipeline_job_request": made.create_pipeline_job_request,
            },
        )
    found = look(place.cloud, place.head)
    assert sorted((each.pipeline, each.trouble) for each in found) == [
        ("my own", "unknown"),
        ("zeta", "unknown"),
    ]
    assert all(place.cloud.environment.project in each.fix for each in found)
    assert not any(each.done for each in mend(place.cloud, place.head, found))
    assert len(place.schedules()) == 3


def test_a_package_with_a_live_tag_that_the_ledger_does_not_know_is_told(place: Place) -> None:
    known = place.head
    stranger = place.live("stranger")
    place.cloud.registry.tag_live("stranger", stranger.digest)
    place.head = known
    (found,) = look(place.cloud, place.head)
    assert (found.kind, found.pipeline, found.trouble) == ("live tag", "stranger", "unknown")
    assert found.fix.startswith("gcloud artifacts tags delete live --package=stranger ")
    # A package without the tag is nobody's concern: somebody may try things.
    place.cloud.registry.untag_live("stranger")
    assert look(place.cloud, place.head) == []


# Templates


def delete_template(place: Place, package: str, digest: str) -> None:
    registry = place.client(artifactregistry_v1.ArtifactRegistryClient)
    version = f"{place.cloud.environment.template_repository}/packages/{package}/versions/{digest}"
    registry.delete_version(request={"name": version, "force": True}).result()


def test_a_missing_template_that_no_release_has_is_told_with_the_command(place: Place) -> None:
    entry = place.head.pipelines["beta"]
    delete_template(place, "beta", entry.digest)
    found = look(place.cloud, place.head)
    assert [(each.pipeline, each.kind, each.trouble) for each in found] == [
        ("beta", "template", "missing"),
        ("beta", "live tag", "missing"),
    ]
    first, second = mend(place.cloud, place.head, found)
    assert first.error is not None
    assert "no release kept here has it" in first.error.what
    assert "--rerun --pipeline beta" in first.error.fix
    assert second.error is not None


# As a user meets it


def test_the_whole_way_from_a_promotion_to_drift_and_back(
    ecluse: Commands, address: str, tmp_path: Path
) -> None:
    ecluse.repository.replace(
        "pipelines/alpha/pipeline.yaml",
        "gates:",
        "schedule: {cron: '0 6 * * 1', time_zone: Europe/Paris}\ngates:",
    )
    empty = ecluse("drift", "nonprod")
    assert (empty.code, "is as its ledger says" in empty.out) == (0, True)
    promoted = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert promoted.code == 0, promoted.err
    assert "schedule: made: 0 6 * * 1 (Europe/Paris)" in promoted.err
    assert ecluse("drift", "nonprod").code == 0

    place = Place(cloud_of(ecluse, "nonprod", address), address)
    place.head = place.cloud.ledger.head()
    live = place.head.pipelines["alpha"]
    other_cron(place)
    paused(place)
    delete_template(place, "alpha", live.digest)
    told = ecluse("drift", "nonprod")
    assert told.code == 1
    assert "cron: `0 6 * * 1` became `0 7 * * 1`" in told.out
    assert "ecluse drift nonprod --repair" in told.out
    summary = tmp_path / "summary.md"
    as_json = ecluse("drift", "nonprod", "--json", "--markdown", str(summary))
    assert as_json.code == 1
    assert [(each["kind"], each["trouble"]) for each in as_json.json["differences"]] == [
        ("template", "missing"),
        ("live tag", "missing"),
        ("schedule", "changed"),
        ("schedule", "off"),
    ]
    assert "| alpha | the template is not there |" in summary.read_text()

    repaired = ecluse("drift", "nonprod", "--repair")
    assert repaired.code == 0, repaired.out
    assert "uploaded again from the release of" in repaired.out
    assert check_drift(place.cloud).found == ()
    place.cloud.registry.verify("alpha", live.digest)
    assert only(place).state.name == "ACTIVE"
    # The ledger says the same as before.
    assert place.cloud.ledger.head().pipelines == place.head.pipelines


def test_a_repair_does_not_get_in_the_way_of_a_promotion(ecluse: Commands, address: str) -> None:
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    cloud = cloud_of(ecluse, "nonprod", address)
    cloud.registry.untag_live("alpha")
    claim = Claim(holder="bob", purpose="promotes v1", seconds=60)
    with acquire(cloud.storage, f"{cloud.environment.ledger}/lease.json", claim):
        held = ecluse("drift", "nonprod", "--repair")
        assert held.code == 1
        assert "bob holds the lease" in held.err
        assert cloud.registry.live_digest("alpha") is None
    assert ecluse("drift", "nonprod", "--repair").code == 0
    assert cloud.registry.live_digest("alpha") is not None
