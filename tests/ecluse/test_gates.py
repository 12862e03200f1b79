"""Gates: pure decisions on what is known of a run."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.errors import SettingsError, UnknownMetric
from ecluse.promotion.gates import Findings, TaskOutcome, Verdict, judge, rule_of, unreached
from ecluse.promotion.gates.cost import Costs
from ecluse.promotion.gates.verdict import refusal, refusing
from ecluse.repository.gate_settings import Gate, MetricGate, PlacedGate

BEGAN = datetime(2026, 11, 22, 6, tzinfo=UTC)
RAN = (
    TaskOutcome("evaluate", "succeeded", timedelta(minutes=3)),
    TaskOutcome("train", "succeeded", timedelta(hours=1)),
)
WHERE = "pipelines/p/pipeline.yaml"
GATE: pydantic.TypeAdapter[Gate] = pydantic.TypeAdapter(Gate)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


def found(metrics: dict[str, float] | None = None, **more: Any) -> Findings:
    return Findings(**{"metrics": metrics or {}, "tasks": RAN, "began": BEGAN, **more})


def verdicts(
    gate: dict[str, Any], findings: Findings, champion: dict[str, float] | None = None
) -> tuple[Verdict, ...]:
    return judge(
        [PlacedGate(GATE.validate_python(gate), ("gates", 0))],
        findings,
        champion,
        pipeline="p",
        environment="nonprod",
        where=WHERE,
    )


def verdict(
    gate: dict[str, Any], findings: Findings, champion: dict[str, float] | None = None
) -> Verdict:
    _, answer = verdicts(gate, findings, champion)
    return answer


def on_auc(rule: dict[str, Any], value: float, champion: float | None) -> Verdict:
    theirs = None if champion is None else {"evaluate.auc": champion}
    return verdict({"metric": "evaluate.auc", **rule}, found({"evaluate.auc": value}), theirs)


# Metrics


@pytest.mark.parametrize(
    ("rule", "value", "champion", "passed"),
    [
        ({"min": 0.9}, 0.9, None, True),
        ({"min": 0.9}, 0.8999, None, False),
        ({"max": 0.2}, 0.2, None, True),
        ({"max": 0.2}, 0.2001, None, False),
        ({"no_worse_than": "champion"}, 0.95, 0.95, True),
        ({"no_worse_than": "champion"}, 0.9499, 0.95, False),
        ({"no_worse_than": "champion", "tolerance": 0.25}, 0.5, 0.75, True),
        ({"no_worse_than": "champion", "tolerance": 0.25}, 0.4999, 0.75, False),
        ({"no_worse_than": "champion", "better": "lower"}, 0.2, 0.2, True),
        ({"no_worse_than": "champion", "better": "lower"}, 0.21, 0.2, False),
        ({"no_worse_than": "champion", "better": "lower", "tolerance": 0.5}, 1.5, 1.0, True),
        ({"no_worse_than": "champion"}, 0.1, None, True),
        ({"improves": "champion"}, 0.95, 0.95, False),
        ({"improves": "champion"}, 0.9501, 0.95, True),
        ({"improves": "champion", "by": 0.25}, 0.75, 0.5, True),
        ({"improves": "champion", "by": 0.25}, 0.7499, 0.5, False),
        ({"improves": "champion", "better": "lower"}, 0.2, 0.2, False),
        ({"improves": "champion", "better": "lower"}, 0.19, 0.2, True),
        ({"improves": "champion", "better": "lower", "by": 0.5}, 0.5, 1.0, True),
        ({"improves": "champion", "better": "lower", "by": 0.5}, 0.51, 1.0, False),
        ({"improves": "champion"}, 0.1, None, True),
    ],
)
def test_a_rule_holds_or_not(
    rule: dict[str, object], value: float, champion: float | None, passed: bool
) -> None:
    assert on_auc(rule, value, champion).passed is passed


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "rule",
    [{"min": 0}, {"max": 1}, {"no_worse_than": "champion"}, {"improves": "champion"}],
)
@pytest.mark.parametrize("champion", [None, 0.5])
def test_what_is_no_finite_number_never_passes(
    rule: dict[str, object], value: float, champion: float | None
) -> None:
    answer = on_auc(rule, value, champion)
    assert not answer.passed
    assert answer.note == "is not a finite number"
    assert "value" not in answer.as_json()


@pytest.mark.parametrize(
    ("champion", "note"),
    [
        (None, "there is no champion yet"),
        ({}, "the champion's run did not measure it"),
        ({"evaluate.auc": math.nan}, "the champion's run did not measure it"),
    ],
)
@pytest.mark.parametrize("rule", ["no_worse_than", "improves"])
def test_where_there_is_nothing_to_compare_with_a_comparison_passes_and_says_so(
    rule: str, champion: dict[str, float] | None, note: str
) -> None:
    gate = {"metric": "evaluate.auc", rule: "champion"}
    answer = verdict(gate, found({"evaluate.auc": 0.5}), champion)
    assert (answer.passed, answer.note, answer.limit) == (True, note, None)


def test_a_verdict_tells_the_rule_the_value_the_limit_and_the_champion() -> None:
    answer = on_auc({"no_worse_than": "champion", "tolerance": 0.25}, 0.5, 1.0)
    assert answer == Verdict(
        metric="evaluate.auc",
        rule="no worse than the champion, within 0.25",
        passed=False,
        value=0.5,
        limit=0.75,
        champion=1.0,
    )
    assert Verdict.from_json(answer.as_json()) == answer


def test_a_slice_is_a_metric_like_any_other() -> None:
    gate = {"metric": "evaluate.auc.Gender.F", "min": 0.9}
    assert not verdict(gate, found({"evaluate.auc.Gender.F": 0.8, "evaluate.auc": 1.0})).passed


@pytest.mark.parametrize(
    ("gate", "rule"),
    [
        ({"metric": "e.auc", "min": 0.999999999}, "at least 0.999999999"),
        ({"metric": "e.auc", "max": 1e-7}, "at most 1e-07"),
        ({"metric": "e.auc", "improves": "champion"}, "better than the champion"),
        (
            {"metric": "e.auc", "improves": "champion", "by": 0.02},
            "better than the champion by 0.02",
        ),
        ({"duration": "run", "max": "90m"}, "takes at most 1 h 30 min"),
        ({"duration": "train", "min": "45s"}, "takes at least 45 s"),
        ({"cost": "run", "max": "3.5 EUR"}, "costs at most 3.5 EUR, estimated"),
        ({"freshness": "v.newest", "max_age": "7d"}, "newest row at most 7 d old"),
        ({"custom": "fairness"}, "the custom gate `fairness`"),
    ],
)
def test_a_rule_is_told_in_words(gate: dict[str, object], rule: str) -> None:
    assert rule_of(GATE.validate_python(gate)) == rule


def test_a_task_that_came_from_the_cache_is_refused() -> None:
    tasks = (*RAN, TaskOutcome("train", "skipped"))
    run, _ = verdicts({"metric": "evaluate.auc", "min": 0}, found({"evaluate.auc": 1}, tasks=tasks))
    assert run.refuses
    assert run.note == "taken from the cache: train"


def test_one_cached_task_among_several_of_its_name_is_found() -> None:
    tasks = (TaskOutcome("evaluate", "skipped"), TaskOutcome("evaluate", "succeeded"))
    (run,) = judge([], found(tasks=tasks), None, pipeline="p", environment="nonprod", where=WHERE)
    assert not run.passed


def test_a_metric_that_the_run_did_not_produce_is_an_error_that_names_what_there_is() -> None:
    with pytest.raises(UnknownMetric) as refused:
        verdict({"metric": "evaluate.acu", "min": 0.5}, found({"evaluate.auc": 0.9}))
    assert str(refused.value) == (
        "pipelines/p/pipeline.yaml: `gates.0.metric`: the run has no metric `evaluate.acu` "
        "→ it has: evaluate.auc"
    )


def test_a_gate_on_a_metric_with_several_values_is_an_error() -> None:
    findings = found(ambiguous=frozenset({"evaluate.auc"}))
    with pytest.raises(UnknownMetric, match=r"the run has several values of `evaluate\.auc`"):
        verdict({"metric": "evaluate.auc", "min": 0.5}, findings)


@pytest.mark.parametrize(
    "gate",
    [
        {"metric": "look.auc", "min": 0.5},
        {"freshness": "look.newest", "max_age": "1d"},
        {"duration": "look", "max": "1h"},
        {"cost": "look", "max": "1 EUR"},
    ],
)
@pytest.mark.parametrize("tasks", [(), (TaskOutcome("look", "not triggered"),)])
def test_a_gate_on_a_task_that_did_not_run_says_no(
    gate: dict[str, object], tasks: tuple[TaskOutcome, ...]
) -> None:
    findings = found(tasks=tasks, costs=Costs("EUR", 1.0, {}, {}))
    answer = verdict(gate, findings)
    assert answer.refuses
    assert answer.note == "`look` did not run: not triggered"
    placed = PlacedGate(GATE.validate_python(gate), ("gates", 0))
    assert unreached([placed], findings)
    warning = PlacedGate(GATE.validate_python({**gate, "severity": "warning"}), ("gates", 0))
    assert not unreached([warning], findings)


# Warnings


def test_a_warning_is_told_and_refuses_nothing() -> None:
    gate = {"metric": "evaluate.auc", "min": 0.9, "severity": "warning"}
    answer = verdict(gate, found({"evaluate.auc": 0.5}))
    assert (answer.passed, answer.refuses, answer.warns) == (False, False, True)
    assert refusing([answer]) == []
    assert answer.as_json()["severity"] == "warning"
    assert Verdict.from_json(answer.as_json()) == answer


@pytest.mark.parametrize(
    ("gate", "note"),
    [
        ({"metric": "evaluate.acu", "min": 0.5}, "has no metric `evaluate.acu`; it has: evaluate."),
        ({"metric": "evaluate.twice", "min": 0.5}, "several values of `evaluate.twice`"),
        ({"cost": "run", "max": "1 EUR"}, "environments/nonprod.yaml declares no prices"),
        ({"custom": "nowhere-to-be-found"}, "no installed package has a gate"),
    ],
)
def test_a_warning_that_cannot_be_judged_is_told_and_refuses_nothing(
    gate: dict[str, object], note: str
) -> None:
    findings = found({"evaluate.auc": 0.9}, ambiguous=frozenset({"evaluate.twice"}))
    answer = verdict({**gate, "severity": "warning"}, findings)
    assert answer.warns
    assert note in answer.note


# Durations, costs, freshness


@pytest.mark.parametrize(
    ("gate", "passed", "value"),
    [
        ({"duration": "run", "max": "2h"}, True, 5400),
        ({"duration": "run", "max": "1h29m59s"}, False, 5400),
        ({"duration": "run", "min": "90m"}, True, 5400),
        ({"duration": "train", "max": "1h"}, True, 3600),
        ({"duration": "train", "max": "30m"}, False, 3600),
        ({"duration": "evaluate", "min": "5m"}, False, 180),
    ],
)
def test_a_duration_is_held_against_its_limit(
    gate: dict[str, object], passed: bool, value: float
) -> None:
    answer = verdict(gate, found(elapsed=timedelta(minutes=90)))
    assert (answer.passed, answer.value, answer.unit) == (passed, value, "s")


def test_each_turn_of_a_task_in_a_loop_has_to_keep_to_a_duration() -> None:
    tasks = tuple(TaskOutcome("fit", "succeeded", timedelta(minutes=n)) for n in (5, 20, 10))
    longest = verdict({"duration": "fit", "max": "15m"}, found(tasks=tasks))
    assert (longest.passed, longest.value, longest.note) == (False, 1200, "the longest of 3")
    shortest = verdict({"duration": "fit", "min": "6m"}, found(tasks=tasks))
    assert (shortest.passed, shortest.value, shortest.note) == (False, 300, "the shortest of 3")


def test_a_duration_that_the_service_does_not_tell_does_not_pass() -> None:
    answer = verdict({"duration": "run", "max": "2h"}, found(elapsed=None))
    assert not answer.passed
    assert answer.note == "the service does not say how long it took"


@pytest.mark.parametrize(
    ("gate", "passed", "value"),
    [
        ({"cost": "run", "max": "1.25 EUR"}, True, 1.25),
        ({"cost": "run", "max": "1.24 EUR"}, False, 1.25),
        ({"cost": "train", "max": "1 EUR"}, True, 1.0),
        ({"cost": "train", "max": "0.99 EUR"}, False, 1.0),
    ],
)
def test_a_cost_is_held_against_its_limit(
    gate: dict[str, object], passed: bool, value: float
) -> None:
    costs = Costs("EUR", 1.25, {"train": 1.0, "evaluate": 0.2}, {})
    answer = verdict(gate, found(costs=costs))
    assert (answer.passed, answer.value, answer.unit) == (passed, value, "EUR")


def test_a_cost_that_is_not_known_whole_does_not_pass() -> None:
    costs = Costs("EUR", 0.25, {"evaluate": 0.2}, {"train": "no price"})
    for gate in ({"cost": "run", "max": "9 EUR"}, {"cost": "train", "max": "9 EUR"}):
        answer = verdict(gate, found(costs=costs))
        assert not answer.passed
        assert answer.note == "unknown: `train`, no price"
    assert verdict({"cost": "evaluate", "max": "9 EUR"}, found(costs=costs)).passed


@pytest.mark.parametrize(
    ("costs", "complaint"),
    [
        (None, "`gates.0.cost`: environments/nonprod.yaml declares no prices → add `prices:` to"),
        (Costs("USD", 1, {}, {}), "the limit is in EUR, the prices of .* are in USD → write"),
    ],
)
def test_a_cost_without_prices_in_its_currency_is_an_error(
    costs: Costs | None, complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint):
        verdict({"cost": "run", "max": "1 EUR"}, found(costs=costs))


@pytest.mark.parametrize(
    ("age", "passed", "note"),
    [
        (timedelta(days=3), True, ""),
        (timedelta(days=7), True, ""),
        (timedelta(days=7, seconds=1), False, ""),
        (timedelta(hours=-5), True, ""),  # a time zone's worth of future happens
        (timedelta(days=-2), False, "the metric must be in seconds since 1970: this is in the f"),
    ],
)
def test_data_are_as_old_as_their_newest_row_when_the_run_began(
    age: timedelta, passed: bool, note: str
) -> None:
    gate = {"freshness": "evaluate.newest", "max_age": "7d"}
    answer = verdict(gate, found({"evaluate.newest": (BEGAN - age).timestamp()}))
    assert (answer.passed, answer.value, answer.unit) == (passed, age.total_seconds(), "s")
    assert answer.note.startswith(note)


@pytest.mark.parametrize(
    ("newest", "note"),
    [
        (BEGAN.timestamp() * 1000, "this is in the future"),  # milliseconds
        (BEGAN.timestamp() / 86_400, "this is before 1973"),  # days
        (20261122.0, "this is before 1973"),
        (1e300, "this is in the future"),
        (math.nan, "is not a finite number"),
    ],
)
def test_a_time_in_another_unit_is_found_out(newest: float, note: str) -> None:
    gate = {"freshness": "evaluate.newest", "max_age": "9999d"}
    answer = verdict(gate, found({"evaluate.newest": newest}))
    assert not answer.passed
    assert answer.note.endswith(note)
    assert all(answer.numbers[:1])


# How numbers are read


@pytest.mark.parametrize(
    ("value", "limit", "unit", "said"),
    [
        (0.9909, 0.96, "", ("0.9909", "0.9600")),
        (0.95999, 0.96, "", ("0.95999", "0.96000")),
        (0.1 + 0.2, 0.3, "", ("0.30000000000000004", "0.3")),
        (3.3e-7, 1e-6, "", ("3.3e-07", "1e-06")),
        (12_345_678.9, 10_000, "", ("12,345,679", "10,000")),
        (3723, 7200, "s", ("1 h 02 min", "2 h 00 min")),
        (7200.4, 7200, "s", ("7,200.4 s", "7,200.0 s")),
        (700_000, 604_800, "s", ("8 d 2 h", "7 d")),
        (-18_000, 604_800, "s", ("-5 h 00 min", "7 d")),
        (0.0012, 3.5, "EUR", ("0.0012 EUR", "3.50 EUR")),
        (3.5001, 3.5, "EUR", ("3.5001 EUR", "3.5000 EUR")),
        (math.nan, None, "", ("NaN", "")),
    ],
)
def test_a_value_is_told_from_its_limit(
    value: float, limit: float | None, unit: str, said: tuple[str, str]
) -> None:
    answer = Verdict("m", "r", passed=False, value=value, limit=limit, unit=unit)
    assert answer.numbers[:2] == said


def test_a_refusal_says_what_was_asked_and_what_was_found() -> None:
    answers = [
        Verdict("e.auc", "at least 0.96", passed=False, value=0.95999, limit=0.96),
        Verdict("cost of run", "costs at most 1 EUR", passed=False, note="unknown: `t`"),
    ]
    assert refusal(answers) == (
        "e.auc is 0.95999, at least 0.96 was asked; "
        "cost of run is no value, costs at most 1 EUR was asked (unknown: `t`)"
    )


# What holds for all numbers

RULES = st.one_of(
    st.builds(lambda limit: {"min": limit}, NUMBERS),
    st.builds(lambda limit: {"max": limit}, NUMBERS),
    st.builds(
        lambda tolerance, better: {
            "no_worse_than": "champion",
            "tolerance": tolerance,
            "better": better,
        },
        st.floats(0, 1e6),
        st.sampled_from(["higher", "lower"]),
    ),
    st.builds(
        lambda by, better: {"improves": "champion", "better": better, **({"by": by} if by else {})},
        st.none() | st.floats(1e-9, 1e6),
        st.sampled_from(["higher", "lower"]),
    ),
)


def is_lower_better(rule: dict[str, Any]) -> bool:
    return "max" in rule or rule.get("better") == "lower"


@given(RULES, NUMBERS, NUMBERS, NUMBERS)
def test_a_better_value_never_fails_where_a_worse_one_passed(
    rule: dict[str, Any], one: float, other: float, champion: float
) -> None:
    worse, better = sorted((one, other), reverse=is_lower_better(rule))
    if on_auc(rule, worse, champion).passed:
        assert on_auc(rule, better, champion).passed


@given(RULES, NUMBERS, NUMBERS)
def test_what_passed_keeps_to_the_limit_that_the_verdict_shows(
    rule: dict[str, Any], value: float, champion: float
) -> None:
    answer = on_auc(rule, value, champion)
    assert answer.limit is not None
    if answer.passed:
        low, high = sorted((value, answer.limit))
        assert (high if is_lower_better(rule) else low) == answer.limit
    assert Verdict.from_json(answer.as_json()) == answer
    shown = answer.numbers
    assert value == answer.limit or shown[0] != shown[1]


@given(NUMBERS, st.floats(0, 1e6), st.sampled_from(["higher", "lower"]))
def test_the_champion_is_no_worse_than_itself_and_never_better(
    value: float, amount: float, better: str
) -> None:
    same = {"no_worse_than": "champion", "tolerance": amount, "better": better}
    assert on_auc(same, value, value).passed
    gain = {"improves": "champion", "better": better, **({"by": amount} if amount else {})}
    assert not on_auc(gain, value, value).passed


@given(st.one_of(st.just(math.nan), st.sampled_from([math.inf, -math.inf])), RULES, NUMBERS)
def test_no_rule_lets_pass_what_is_no_number(
    value: float, rule: dict[str, Any], champion: float
) -> None:
    assert not on_auc(rule, value, champion).passed


@given(NUMBERS, NUMBERS)
def test_severity_changes_nothing_but_whether_it_refuses(value: float, limit: float) -> None:
    blocker = on_auc({"min": limit}, value, None)
    warning = on_auc({"min": limit, "severity": "warning"}, value, None)
    assert blocker.passed == warning.passed
    assert blocker.refuses == (not blocker.passed)
    assert not warning.refuses


def test_a_gate_can_be_made_in_python_too() -> None:
    placed = PlacedGate(MetricGate(metric="evaluate.auc", min=0.5), ("gates", 3))
    assert placed.field("metric") == "gates.3.metric"
    assert GATE.validate_python(placed.gate) == placed.gate
