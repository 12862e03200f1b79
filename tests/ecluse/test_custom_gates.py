"""Gates written in Python, found by the entry points of really installed packages."""

import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from ecluse.errors import BrokenGate
from ecluse.promotion.gates import Findings, TaskOutcome, Verdict, judge
from ecluse.promotion.gates.cost import Costs
from ecluse.repository.gate_settings import CustomGate, PlacedGate, Severity

FINDINGS = Findings(
    metrics={"e.auc.Gender.F": 0.90, "e.auc.Gender.M": 0.97},
    tasks=(TaskOutcome("e", "succeeded", timedelta(seconds=4)),),
    elapsed=timedelta(seconds=9),
    costs=Costs("EUR", 1.5, {"e": 1.5}, {}),
)

GATES = """
import math
from ecluse.promotion.gates import Context, Verdict

def fairness(context: Context) -> Verdict:
    prefix = f"e.auc.{context.options['attribute']}."
    values = [v for name, v in context.metrics.items() if name.startswith(prefix)]
    spread = max(values) - min(values)
    limit = context.options["spread"]
    return Verdict(
        metric=f"{prefix}*", rule=f"spread at most {limit}", passed=spread <= limit,
        value=spread, limit=limit,
    )

def everything(context):
    assert (context.pipeline, context.environment) == ("p", "nonprod")
    assert context.champion == {"e.auc": 0.9}
    assert context.tasks[0].elapsed.total_seconds() == 4 and context.elapsed.total_seconds() == 9
    assert (context.cost, context.currency) == (1.5, "EUR")
    return [Verdict("one", "r", passed=True), Verdict("two", "r", passed=False, severity="warning")]

def raises(context):
    return context.metrics["nothing"]

def leaves(context):
    raise SystemExit(0)

def meddles(context):
    context.metrics["e.auc"] = 1.0

def says_true(context): return True
def says_nothing(context): return []
def says_words(context): return [Verdict("m", "r", passed=True), "fine"]
def is_unsure(context): return Verdict("m", "r", passed="yes")
def counts_in_words(context): return Verdict("m", "r", passed=True, value="many")
def has_no_rule(context): return Verdict("m", "", passed=True)
def invents(context): return Verdict("m", "r", passed=False, severity="disaster")
number = 7
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with gates, as an installer leaves it: modules and metadata side by side."""
    names = [line.split("(")[0][4:] for line in GATES.splitlines() if line.startswith("def ")]
    points = [f"{name} = team_gates:{name}" for name in (*names, "number")]
    points += ["unwritten = team_gates:unwritten", "lost = no_such_module_anywhere:gate"]
    lay(tmp_path / "one", "team-gates", points, monkeypatch)
    (tmp_path / "one" / "team_gates.py").write_text(textwrap.dedent(GATES))


def lay(folder: Path, name: str, points: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[ecluse.gates]\n" + "\n".join(points) + "\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(__import__("sys").modules, "team_gates", raising=False)


def ask(name: str, *, severity: Severity = "blocker", **options: object) -> tuple[Verdict, ...]:
    gate = CustomGate.model_validate({"custom": name, "severity": severity, "options": options})
    _, *answers = judge(
        [PlacedGate(gate, ("gates", 0))],
        FINDINGS,
        {"e.auc": 0.9},
        pipeline="p",
        environment="nonprod",
        where="pipelines/p/pipeline.yaml",
    )
    return tuple(answers)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("spread", "passed"), [(0.05, False), (0.08, True)])
def test_a_gate_in_python_says_yes_or_no(spread: float, passed: bool) -> None:
    (answer,) = ask("fairness", attribute="Gender", spread=spread)
    assert answer.passed is passed
    assert answer.value == pytest.approx(0.07)
    assert answer.refuses is not passed


@pytest.mark.usefixtures("installed")
def test_a_gate_in_python_sees_the_run_and_may_give_several_verdicts() -> None:
    one, two = ask("everything")
    assert (one.passed, two.passed) == (True, False)
    assert (two.warns, two.refuses) == (True, False)


@pytest.mark.usefixtures("installed")
def test_a_gate_in_python_that_the_settings_call_a_warning_refuses_nothing() -> None:
    (answer,) = ask("fairness", severity="warning", attribute="Gender", spread=0.01)
    assert answer.warns


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nowhere", "no installed package has a gate `nowhere`"),
        ("lost", "cannot be loaded from no_such_module_anywhere:gate: ModuleNotFoundError"),
        ("unwritten", "cannot be loaded from team_gates:unwritten: AttributeError"),
        ("number", "is int: nothing that can be called"),
        ("raises", "ended with KeyError: 'nothing' (team_gates.py:23)"),
        ("leaves", "ended with SystemExit: 0"),
        ("meddles", "ended with TypeError: 'mappingproxy' object does not support"),
        ("fairness", "ended with KeyError: 'attribute'"),
        ("says_true", "returned True, not a `Verdict` or several"),
        ("says_nothing", "returned [], not a `Verdict` or several"),
        ("says_words", "returned 'fine' among its verdicts"),
        ("is_unsure", "its verdict's `passed` is 'yes', not True or False"),
        ("counts_in_words", "its verdict's `value` is 'many', no number"),
        ("has_no_rule", "its verdict's `rule` is '', no text"),
        ("invents", "its verdict's `severity` is 'disaster'"),
    ],
)
def test_a_gate_in_python_that_is_broken_is_one_clear_error(name: str, complaint: str) -> None:
    with pytest.raises(BrokenGate) as broken:
        ask(name)
    said = str(broken.value)
    assert said.startswith("pipelines/p/pipeline.yaml: `gates.0.custom`: ")
    assert complaint in said
    assert "\n" not in said
    assert broken.value.exit_code == 2
    assert broken.value.fix
    (told,) = ask(name, severity="warning")
    assert told.warns
    assert complaint in told.note


@pytest.mark.usefixtures("installed")
def test_two_packages_with_a_gate_of_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path / "two", "other-gates", ["fairness = other:fairness"], monkeypatch)
    with pytest.raises(BrokenGate, match="several packages have a gate `fairness`: other:fairness"):
        ask("fairness")
