"""Gates on the way through a promotion, with real runs against the embedded cloud."""

import json

from ecluse.cloud import connect
from ecluse.repository.catalog import Catalog
from tests.ecluse.conftest import Commands

SETTINGS = "pipelines/alpha/pipeline.yaml"
PRICES = "prices: {currency: EUR, vcpu_hour: 3600, gib_hour: 0, run: 0.25}\n"  # an EUR a second


def add(ecluse: Commands, *gates: str) -> None:
    file = ecluse.repository.root / SETTINGS
    file.write_text(file.read_text() + "".join(f"  - {gate}\n" for gate in gates))


def declare_prices(ecluse: Commands) -> None:
    for name in ("dev", "nonprod", "prod"):
        file = ecluse.repository.root / "environments" / f"{name}.yaml"
        file.write_text(file.read_text() + PRICES)


def test_a_warning_goes_live_is_kept_in_the_evidence_and_does_not_stop_prod(
    ecluse: Commands, address: str
) -> None:
    add(ecluse, "{metric: measure.accuracy, min: 0.99, severity: warning}")
    nonprod = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert nonprod.code == 0, nonprod.err
    (outcome,) = nonprod.json["outcomes"]
    warning = {
        "metric": "measure.accuracy",
        "rule": "at least 0.99",
        "passed": False,
        "value": 0.9,
        "limit": 0.99,
        "severity": "warning",
    }
    assert outcome["verdicts"][-1] == warning
    assert "!  measure.accuracy" in nonprod.err
    assert "· only a warning" in nonprod.err
    cloud = connect(Catalog(ecluse.repository.root).environment("nonprod"), local=address)
    (kept,) = cloud.storage.list(f"{cloud.environment.evidence}/qualifications/alpha/")
    evidence = cloud.storage.read(kept)
    assert evidence is not None
    assert json.loads(evidence.content)["document"]["verdicts"][-1] == warning
    prod = ecluse.promote("prod", "--commit", nonprod.json["commit"])
    assert prod.code == 0, prod.err


def test_durations_and_costs_are_judged_by_the_run_that_was(ecluse: Commands) -> None:
    declare_prices(ecluse)
    add(
        ecluse,
        "{duration: run, max: 2h}",
        "{duration: measure, min: 1h, severity: warning}",
        "{cost: run, max: 900 EUR}",
        "{cost: measure, max: 0.001 EUR}",
    )
    assert ecluse("check").code == 0
    refused = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert refused.code == 1
    (outcome,) = refused.json["outcomes"]
    run, task, whole, measure = outcome["verdicts"][-4:]
    assert (run["passed"], run["unit"], run["limit"]) == (True, "s", 7200)
    assert 0 < task["value"] <= run["value"]
    assert (task["passed"], task["severity"]) == (False, "warning")
    # Four vCPUs, by default, at an EUR a second each.
    assert measure["value"] == task["value"] * 4
    assert whole["value"] == measure["value"] + 0.25
    assert (whole["passed"], measure["passed"], measure["unit"]) == (True, False, "EUR")
    assert "cost of measure is " in outcome["error"]
    assert "EUR, costs at most 0.001 EUR, estimated was asked" in outcome["error"]


def test_an_environment_may_ask_for_more(ecluse: Commands) -> None:
    file = ecluse.repository.root / SETTINGS
    own = "environments: {prod: {gates: [{metric: measure.accuracy, min: 0.95}]}}\n"
    file.write_text(file.read_text() + own)
    nonprod = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert nonprod.code == 0, nonprod.err
    prod = ecluse.promote("prod", "--commit", nonprod.json["commit"])
    assert prod.code == 1
    assert (
        "measure.accuracy is 0.9000, at least 0.95 was asked" in prod.json["outcomes"][0]["error"]
    )


def test_a_gate_that_nobody_could_judge_is_found_before_a_run_is_paid_for(
    ecluse: Commands,
) -> None:
    """A release is built elsewhere, or the prices went away since."""
    declare_prices(ecluse)
    add(ecluse, "{cost: run, max: 9 EUR}")
    release = str(ecluse.build())
    ecluse.repository.replace("environments/nonprod.yaml", PRICES, "")
    answer = ecluse.promote("nonprod", "--release", release)
    assert answer.code == 2
    (outcome,) = answer.json["outcomes"]
    assert outcome["error"] == (
        "pipelines/alpha/pipeline.yaml: `gates.2.cost`: environments/nonprod.yaml declares no "
        "prices → add `prices:` to environments/nonprod.yaml"
    )
    assert outcome["run"] is None
    ecluse.repository.replace(SETTINGS, "{cost: run, max: 9 EUR}", "{custom: not-installed}")
    checked = ecluse("check")
    assert checked.code == 2
    assert "pipeline.yaml:6: `gates.2.custom`: no installed package has a gate" in checked.err


def test_a_run_that_measured_no_number_fails_and_nothing_goes_live(ecluse: Commands) -> None:
    ecluse.repository.replace(
        "pipelines/components/measure.py",
        "measured(accuracy)",
        "measured(accuracy)); metrics.log_metric('loss', float('nan')",
    )
    add(ecluse, "{metric: measure.loss, max: 1, severity: warning}")
    answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert answer.code == 1
    (outcome,) = answer.json["outcomes"]
    assert (outcome["ending"], outcome["digest"]) == ("failed", None)
    assert "NaN is not a JSON value" in outcome["error"]
