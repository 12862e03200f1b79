"""Gates as people write them: every mistake is found beforehand, with its line and field."""

from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.canonical import digest_of_value
from ecluse.errors import BrokenGate, InvalidInput
from ecluse.release.compiler import CompiledPipeline
from ecluse.release.template import Template
from ecluse.repository.catalog import Catalog
from ecluse.repository.duration import duration_text, parse_duration
from ecluse.repository.gate_check import check_gates
from ecluse.repository.gate_settings import Gate, Money
from ecluse.repository.settings import PipelineSettings
from tests.ecluse.repositories import Repository, make_repository

GATE: pydantic.TypeAdapter[Gate] = pydantic.TypeAdapter(Gate)
PRICES = "prices: {currency: EUR, vcpu_hour: 0.04, gib_hour: 0.005}\n"

MEASURES = {
    "artifacts": {"metrics": {"artifactType": {"schemaTitle": "system.Metrics"}}},
}
SPEC: dict[str, Any] = {
    "pipelineInfo": {"name": "alpha"},
    "root": {
        "dag": {
            "tasks": {
                "look": {"componentRef": {"name": "comp-look"}},
                "measure": {"componentRef": {"name": "comp-measure"}},
                "train": {"componentRef": {"name": "comp-train"}},
                "asked": {"componentRef": {"name": "comp-asked"}},
            }
        }
    },
    "components": {
        "comp-look": {"executorLabel": "look"},
        "comp-measure": {"executorLabel": "measure", "outputDefinitions": MEASURES},
        "comp-train": {"executorLabel": "train"},
        "comp-asked": {"executorLabel": "asked"},
    },
    "deploymentSpec": {
        "executors": {
            "look": {"importer": {}},
            "measure": {"container": {"image": "x"}},
            "train": {
                "container": {
                    "resources": {
                        "accelerator": {"count": "2", "type": "NVIDIA_TESLA_T4"},
                        "cpuLimit": 2.0,
                    }
                }
            },
            "asked": {"container": {"resources": {"resourceCpuLimit": "{{$.inputs.x}}"}}},
        }
    },
}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "repository", "gates")


def add(repository: Repository, gate: str) -> None:
    file = repository.root / "pipelines/alpha/pipeline.yaml"
    file.write_text(f"{file.read_text()}  - {gate}\n")


def check(repository: Repository) -> None:
    catalog = Catalog(repository.root)
    pipeline = CompiledPipeline("alpha", SPEC, Template.of(SPEC), {}, {})
    check_gates(catalog.pipeline("alpha"), pipeline, catalog.environments())


def refused(repository: Repository) -> str:
    with pytest.raises(InvalidInput) as error:
        check(repository)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    return str(error.value)


def declare_prices(repository: Repository, *environments: str) -> None:
    for name in environments:
        file = repository.root / "environments" / f"{name}.yaml"
        file.write_text(file.read_text() + PRICES)


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (
            "{metirc: a.b, min: 1}",
            "`gates.2`: the gate does not say what it is on: did you mean `m",
        ),
        ("{min: 1}", "it has one of: metric, duration, cost, freshness, custom"),
        ("7", "`gates.2`: a gate is a mapping, such as `{metric: evaluate.roc_auc, min: 0.9}`"),
        ("{metric: a.b, duration: run, max: 2h}", "on one thing, found `metric` and `duration`"),
        ("{metric: a.b, min: 1, improves: champion}", "`gates.2`: a gate has exactly one of `min`"),
        ("{metric: a.b, no_worse_than: champion, by: 1}", "`by` goes with `improves` only"),
        ("{metric: a.b, improves: champion, tolerance: 1}", "`tolerance` goes with `no_worse_"),
        ("{metric: a.b, min: 1, better: lower}", "`better` goes with `no_worse_than` and `improve"),
        ("{metric: a.b, improves: champion, by: 0}", "`gates.2.by`: input should be greater than"),
        ("{metric: a.b, min: 1, severity: warn}", "`gates.2.severity`: input should be 'blocker'"),
        ("{metric: a.b, min: 1, serverity: warning}", "did you mean `severity`?"),
        ("{duration: run}", "`gates.2`: a gate on a duration has exactly one of `min` and `max`"),
        ("{duration: run, min: 1m, max: 1h}", "exactly one of `min` and `max`"),
        ("{duration: run, max: 120}", "`gates.2.max`: `120` has no unit: write it as in `45s`"),
        ("{duration: run, max: 1:30:00}", "`5400` has no unit"),
        ("{duration: run, max: 30min}", "`gates.2.max`: `30min` is no length of time"),
        ("{duration: run, max: 0s}", "`0s` is no time at all"),
        ("{duration: run, max: -2h}", "`-2h` is no length of time"),
        ("{duration: run, max: 99999999999d}", "is longer than anything lasts"),
        ("{duration: run, no_worse_than: champion, max: 2h}", "`gates.2.no_worse_than`: there is"),
        ("{duration: train.loss, max: 2h}", "`train.loss` does not look like one"),
        ("{cost: run, max: 3.5}", "`gates.2.max`: `3.5` has no currency: write it as in `3.5 EUR`"),
        ("{cost: run, max: 3 €}", "`3 €` is no amount of money: write it as in `3.50 EUR`"),
        ("{cost: run}", "`gates.2.max`: this field is missing"),
        ("{freshness: v.newest, max: 7d}", "`gates.2.max`: there is no such field → did you mean "),
        ("{freshness: v.newest, max_age: 7}", "`7` has no unit"),
        ("{custom: fairness, option: {}}", "did you mean `options`?"),
    ],
)
def test_a_mistake_in_a_gate_is_named(repository: Repository, gate: str, expected: str) -> None:
    add(repository, gate)
    complaint = refused(repository)
    assert complaint.startswith("pipelines/alpha/pipeline.yaml:6: `gates.2")
    assert expected in complaint


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ("{metric: mesure.b, min: 1}", "`gates.2.metric`: the pipeline has no task `mesure` → did"),
        ("{freshness: mesure.b, max_age: 1d}", "`gates.2.freshness`: the pipeline has no task"),
        ("{duration: mesure, max: 1d}", "`gates.2.duration`: the pipeline has no task `mesure`"),
        ("{cost: mesure, max: 1 EUR}", "`gates.2.cost`: the pipeline has no task `mesure`"),
        ("{metric: train.loss, min: 1}", "the task `train` writes no metrics → give its compo"),
        ("{freshness: train.t, max_age: 1d}", "the task `train` writes no metrics"),
        ("{cost: look, max: 1 EUR}", "the task `look` runs no container, so it has no cost"),
        ("{cost: measure, max: 1 USD}", "`gates.2.max`: the limit is in USD, the prices of env"),
        ("{cost: train, max: 1 EUR}", "`train`: `prices.accelerator_hour` has no `NVIDIA_TESLA_T"),
        ("{cost: asked, max: 1 EUR}", "`asked`: what it asks for is known only when it starts"),
        ("{cost: run, max: 1 EUR}", "no price can be put on the task `asked`"),
        ("{custom: nowhere}", "`gates.2.custom`: no installed package has a gate `nowhere` → "),
    ],
)
def test_what_a_pipeline_cannot_have_is_found_beforehand(
    repository: Repository, gate: str, expected: str
) -> None:
    declare_prices(repository, "dev", "nonprod", "prod")
    add(repository, gate)
    complaint = refused(repository)
    assert complaint.startswith("pipelines/alpha/pipeline.yaml:6: `gates.2")
    assert expected in complaint


@pytest.mark.parametrize(
    "gate",
    [
        "{metric: measure.b, improves: champion, by: 0.1, severity: warning}",
        "{duration: run, max: 2h}",
        "{duration: look, min: 5s}",
        "{cost: measure, max: 1.50 EUR}",
        "{freshness: measure.newest, max_age: 1w}",
    ],
)
def test_a_sound_gate_passes_the_check(repository: Repository, gate: str) -> None:
    declare_prices(repository, "dev", "nonprod", "prod")
    add(repository, gate)
    check(repository)


def test_a_cost_gate_needs_prices_wherever_it_holds(repository: Repository) -> None:
    declare_prices(repository, "dev", "nonprod")
    add(repository, "{cost: measure, max: 1 EUR}")
    assert "environments/prod.yaml declares no prices" in refused(repository)
    declare_prices(repository, "prod")
    check(repository)


def test_an_environments_own_gates_come_on_top_and_are_checked(repository: Repository) -> None:
    file = repository.root / "pipelines/alpha/pipeline.yaml"
    own = "environments:\n  prod:\n    gates:\n      - {duration: mesure, max: 1h}\n"
    file.write_text(file.read_text() + own)
    assert refused(repository).startswith(
        "pipelines/alpha/pipeline.yaml:9: `environments.prod.gates.0.duration`: the pipeline has "
        "no task `mesure` → did you mean `measure`?"
    )
    repository.replace("pipelines/alpha/pipeline.yaml", "mesure, max", "measure, max")
    check(repository)
    settings = Catalog(repository.root).pipeline("alpha").settings
    assert [placed.field() for placed in settings.gates_in("prod")] == [
        "gates.0",
        "gates.1",
        "environments.prod.gates.0",
    ]
    assert len(settings.gates_in("nonprod")) == 2


def test_braces_in_a_gates_options_are_no_placeholders(repository: Repository) -> None:
    file = repository.root / "pipelines/alpha/pipeline.yaml"
    own = "environments: {prod: {gates: [{custom: nowhere, options: {text: '{x}'}}]}}\n"
    file.write_text(file.read_text() + own)
    with pytest.raises(BrokenGate, match="no installed package has a gate `nowhere`"):
        check(repository)


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ("{currency: EUR, vcpu_hour: 0.04}", "`prices.gib_hour`: this field is missing"),
        ("{currency: euro, vcpu_hour: 1, gib_hour: 1}", "`euro` does not look like one"),
        ("{currency: EUR, vcpu_hour: 0, gib_hour: 0}", "`prices.vcpu_hour`: input should be gre"),
        ("{currency: EUR, vcpu_hour: 1, gib_hour: 1, vcpu: 1}", "did you mean `vcpu_hour`?"),
    ],
)
def test_a_mistake_in_prices_is_named(repository: Repository, prices: str, expected: str) -> None:
    file = repository.root / "environments/nonprod.yaml"
    file.write_text(f"{file.read_text()}prices: {prices}\n")
    assert expected in refused(repository)


# What a release freezes


def test_settings_that_were_frozen_before_still_mean_the_same_and_keep_their_digest() -> None:
    """As a release froze them when gates had nothing but metrics."""
    frozen = {
        "owner": "tests@example.com",
        "labels": {},
        "parameters": {},
        "environments": {"prod": {"parameters": {"rounds": 3}}},
        "gates": [
            {"metric": "measure.accuracy", "min": 0.8, "tolerance": 0.0, "better": "higher"},
            {
                "metric": "measure.accuracy",
                "no_worse_than": "champion",
                "tolerance": 0.01,
                "better": "higher",
            },
        ],
    }
    settings = PipelineSettings.model_validate({"description": "", **frozen})
    assert settings.delivered() == frozen
    assert len(settings.gates_in("prod")) == 2


def test_the_same_rule_written_in_two_ways_has_one_digest() -> None:
    def digest(*gates: dict[str, Any]) -> str:
        settings = {"description": "", "owner": "o", "gates": list(gates)}
        return digest_of_value(PipelineSettings.model_validate(settings).delivered())

    assert digest({"duration": "run", "max": "90m"}) == digest({"duration": "run", "max": "1h30m"})
    assert digest({"cost": "run", "max": "3.50 EUR"}) == digest({"cost": "run", "max": "3.5 EUR"})
    plain = {"metric": "a.b", "min": 1}
    assert digest(plain) == digest({**plain, "severity": "blocker"})
    assert digest(plain) != digest({**plain, "severity": "warning"})
    assert digest({"custom": "f"}) == digest({"custom": "f", "options": {}})


LENGTHS = st.timedeltas(min_value=parse_duration("1s"), max_value=parse_duration("9999d")).map(
    lambda length: length - length % parse_duration("1s")
)


@given(LENGTHS)
def test_a_length_of_time_is_written_as_it_is_read(length: Any) -> None:
    assert parse_duration(duration_text(length)) == length


@given(st.integers(0, 10**15 - 1))
def test_an_amount_of_money_is_written_as_it_is_read(millionths: int) -> None:
    money = Money(millionths / 10**6, "EUR")
    assert Money.parse(str(money)) == money


GATES = st.one_of(
    st.fixed_dictionaries({"duration": st.just("run"), "max": LENGTHS.map(duration_text)}),
    st.fixed_dictionaries({"cost": st.just("t"), "max": st.just("1.5 USD")}),
    st.fixed_dictionaries({"metric": st.just("t.m"), "min": st.floats(-1e9, 1e9)}),
    st.fixed_dictionaries(
        {"metric": st.just("t.m"), "improves": st.just("champion"), "by": st.floats(1e-9, 1)}
    ),
    st.fixed_dictionaries({"custom": st.just("g"), "options": st.just({"a": [None, 1, {}]})}),
)


@given(GATES, st.sampled_from(["blocker", "warning"]))
def test_a_gate_survives_being_frozen(gate: dict[str, Any], severity: str) -> None:
    settings = PipelineSettings.model_validate(
        {"description": "", "owner": "o", "gates": [{**gate, "severity": severity}]}
    )
    frozen = settings.delivered()
    thawed = PipelineSettings.model_validate({"description": "", **frozen})
    assert thawed.gates == settings.gates
    assert thawed.delivered() == frozen
