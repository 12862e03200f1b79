"""The status: what is live, how it runs, what comes next, and who is at work."""

import json
import urllib.request
from pathlib import Path

from ecluse.ledger.lease import Claim, acquire
from tests.ecluse.conftest import Commands
from tests.ecluse.test_promotion import cloud_of, status_rows

SCHEDULE = ("gates:", 'schedule: {cron: "0 6 * * 1", time_zone: Europe/Paris}\ngates:')


def test_a_status_tells_the_last_run_the_next_one_and_drift(
    ecluse: Commands, address: str, tmp_path: Path
) -> None:
    ecluse.repository.replace(
        "pipelines/components/measure.py", "@dsl.component(", "@dsl.component("
    )
    ecluse.repository.replace("pipelines/alpha/pipeline.yaml", *SCHEDULE)
    ecluse.repository.replace(
        "pipelines/alpha/pipeline.py",
        '.set_display_name("Measure")',
        '.set_display_name("Measure").set_caching_options(False)',
    )
    promoted = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert promoted.code == 0, promoted.err
    (row,) = status_rows(ecluse, "nonprod")
    assert promoted.json["outcomes"][0]["run"].endswith(row["last_run"]["id"])
    assert row["last_run"]["state"] == "succeeded"
    assert row["next_run"].endswith(("T04:00:00Z", "T05:00:00Z"))
    assert row["drift"] == 0
    cloud = cloud_of(ecluse, "nonprod", address)
    (schedule,) = cloud.schedules.list()
    cloud.schedules.pause(schedule.name)
    cloud.registry.untag_live("alpha")
    (row,) = status_rows(ecluse, "nonprod")
    assert (row["next_run"], row["drift"]) == (None, 2)
    shown = ecluse("status", "nonprod").out
    assert "succeeded" in shown
    report = tmp_path / "status.md"
    assert ecluse("status", "nonprod", "--markdown", str(report)).code == 0
    assert "⚠️ 2" in report.read_text()
    (row,) = ecluse("status", "nonprod", "--ledger-only", "--json").json[0]["pipelines"]
    assert (row["last_run"], row["drift"]) == (None, None)


def test_a_status_names_whoever_is_at_work(ecluse: Commands, address: str) -> None:
    cloud = cloud_of(ecluse, "nonprod", address)
    ecluse("status")  # lays the environments out
    where = f"{cloud.environment.ledger}/lease.json"
    claim = Claim(holder="bob@example.com", purpose="promotes v7", seconds=60)
    with acquire(cloud.storage, where, claim):
        (status,) = ecluse("status", "nonprod", "--json").json
        assert status["at_work"].startswith("bob@example.com holds the lease since")
        assert "nonprod: bob@example.com holds the lease" in ecluse("status", "nonprod").out
    (status,) = ecluse("status", "nonprod", "--json").json
    assert status["at_work"] == ""


def test_an_environment_that_cannot_be_read_hides_no_other(ecluse: Commands, address: str) -> None:
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    prod = cloud_of(ecluse, "prod", address)
    ecluse("status")  # lays prod out
    prod.storage.write(f"{prod.environment.ledger}/head.json", b"{}")
    answer = ecluse("status", "--json")
    assert answer.code == 1
    assert (
        "the ledger cannot be read: environment: Field required → `gcloud storage ls" in answer.err
    )
    found = {status["environment"]: status for status in answer.json}
    assert len(found["nonprod"]["pipelines"]) == 1
    assert "the ledger cannot be read" in found["prod"]["error"]["what"]
    assert "nonprod" in ecluse("status").out
    doctor = ecluse("doctor", "prod", "--json")
    assert doctor.code == 1
    (wrong,) = [each for each in doctor.json["findings"] if each["verdict"] == "failed"]
    assert (wrong["need"], wrong["said"][:26]) == ("the ledger", "the ledger cannot be read:")
    assert wrong["fix"].endswith("/head.json")
    assert "`ecluse promote dev`" in ecluse("status", "dev").out


def test_who_may_read_only_the_ledger_is_told_what_is_missing(
    ecluse: Commands, address: str
) -> None:
    assert ecluse.promote("nonprod", "--release", str(ecluse.build())).code == 0
    rule = {"method": "*.ListPipelineJobs", "error": 403, "times": 1}
    request = urllib.request.Request(
        f"{address}/gcp-local/faults", data=json.dumps(rule).encode(), method="POST"
    )
    urllib.request.urlopen(request, timeout=10).close()
    answer = ecluse("status", "nonprod")
    assert answer.code == 0
    assert "nonprod: runs and schedules could not be read" in answer.out
    assert "permission denied" in answer.out
    assert "alpha" in answer.out
