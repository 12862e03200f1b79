"""Gates: pure decisions on metrics."""

import pytest

from ecluse.errors import UnknownMetric
from ecluse.promotion.gates import TaskOutcome, Verdict, judge
from ecluse.repository.settings import Gate

RAN = [TaskOutcome("evaluate", "succeeded")]
WHERE = "pipelines/p/pipeline.yaml"


def verdicts(
    gate: Gate, metrics: dict[str, float], champion: dict[str, float] | None = None
) -> tuple[Verdict, ...]:
    return judge([gate], metrics, RAN, champion, where=WHERE)


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
        ({"min": 0.9}, float("nan"), None, False),
        ({"max": 0.9}, float("nan"), None, False),
        ({"no_worse_than": "champion"}, float("nan"), 0.1, False),
    ],
)
def test_a_rule_holds_or_not(
    rule: dict[str, object], value: float, champion: float | None, passed: bool
) -> None:
    gate = Gate.model_validate({"metric": "evaluate.auc", **rule})
    theirs = None if champion is None else {"evaluate.auc": champion}
    assert verdicts(gate, {"evaluate.auc": value}, theirs)[1].passed is passed


def test_a_verdict_tells_the_rule_the_value_the_limit_and_the_champion() -> None:
    gate = Gate(metric="evaluate.auc", no_worse_than="champion", tolerance=0.25)
    verdict = verdicts(gate, {"evaluate.auc": 0.5}, {"evaluate.auc": 1.0})[1]
    assert verdict == Verdict(
        metric="evaluate.auc",
        rule="no worse than the champion, within 0.25",
        passed=False,
        value=0.5,
        limit=0.75,
        champion=1.0,
    )
    assert Verdict.from_json(verdict.as_json()) == verdict


def test_the_first_promotion_has_no_champion_and_says_so() -> None:
    gate = Gate(metric="evaluate.auc", no_worse_than="champion")
    assert verdicts(gate, {"evaluate.auc": 0.5})[1].note == "there is no champion yet"


def test_a_task_that_came_from_the_cache_is_refused() -> None:
    tasks = [TaskOutcome("evaluate", "succeeded"), TaskOutcome("train", "skipped")]
    run, _ = judge(
        [Gate(metric="evaluate.auc", min=0)], {"evaluate.auc": 1.0}, tasks, None, where=WHERE
    )
    assert not run.passed
    assert run.note == "taken from the cache: train"


def test_a_metric_that_the_run_did_not_produce_is_an_error_that_names_what_there_is() -> None:
    gate = Gate(metric="evaluate.acu", min=0.5)
    with pytest.raises(UnknownMetric) as refused:
        verdicts(gate, {"evaluate.auc": 0.9})
    assert str(refused.value) == (
        "pipelines/p/pipeline.yaml: `gates.0.metric`: the run has no metric `evaluate.acu` "
        "→ it has: evaluate.auc"
    )


@pytest.mark.parametrize("tasks", [[], [TaskOutcome("evaluate", "not triggered")]])
def test_a_gate_on_a_task_that_did_not_run_says_no(tasks: list[TaskOutcome]) -> None:
    gate = Gate(metric="evaluate.auc", min=0.5)
    verdict = judge([gate], {}, tasks, None, where=WHERE)[1]
    assert not verdict.passed
    assert verdict.note == "`evaluate` did not run: not triggered"


def test_a_gate_on_a_metric_with_several_values_is_an_error() -> None:
    gate = Gate(metric="evaluate.auc", min=0.5)
    with pytest.raises(UnknownMetric, match=r"the run has several values of `evaluate\.auc`"):
        judge([gate], {}, RAN, None, where=WHERE, ambiguous={"evaluate.auc"})


def test_one_cached_task_among_several_of_its_name_is_found() -> None:
    tasks = [TaskOutcome("evaluate", "skipped"), TaskOutcome("evaluate", "succeeded")]
    (run,) = judge([], {}, tasks, None, where=WHERE)
    assert not run.passed
