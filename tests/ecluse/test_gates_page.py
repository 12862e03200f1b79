"""docs/gates.md: what it shows works."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecluse.promotion.gates import Context, Verdict
from ecluse.repository.gate_settings import CustomGate, Prices
from ecluse.repository.settings import PipelineSettings

PAGE = (Path(__file__).parents[2] / "docs" / "gates.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


SETTINGS = [yaml.safe_load(block) for block in blocks("yaml")]


@pytest.mark.parametrize("shown", [one for one in SETTINGS if "prices" not in one])
def test_its_settings_are_sound(shown: dict[str, Any]) -> None:
    settings = PipelineSettings.model_validate({"description": "d", "owner": "o", **shown})
    assert settings.gates_in("prod")


def test_its_prices_are_sound() -> None:
    (shown,) = [one["prices"] for one in SETTINGS if "prices" in one]
    assert Prices.model_validate(shown).currency == "EUR"


def test_it_shows_every_kind_of_gate_and_every_rule() -> None:
    fields = {field for one in SETTINGS for gate in one.get("gates", []) for field in gate}
    assert fields == {
        *("metric", "min", "max", "no_worse_than", "tolerance", "improves", "by"),
        *("severity", "duration", "freshness", "max_age", "cost", "custom", "options"),
    }


@pytest.mark.parametrize(("women", "passed"), [(0.95, True), (0.90, False)])
def test_its_gate_in_python_works_with_the_options_that_it_shows(
    women: float, passed: bool
) -> None:
    (source,) = blocks("python")
    (points,) = [tomllib.loads(block) for block in blocks("toml")]
    ((name, value),) = points["project"]["entry-points"]["ecluse.gates"].items()
    settings = PipelineSettings.model_validate({"description": "d", "owner": "o", **SETTINGS[0]})
    (gate,) = [gate for gate in settings.gates if isinstance(gate, CustomGate)]
    assert gate.custom == name
    made: dict[str, Any] = {}
    exec(compile(source, "docs/gates.md", "exec"), made)
    prefix = "evaluate-model.roc_auc.Gender"
    verdict = made[value.split(":")[1]](
        Context(
            pipeline="p",
            environment="nonprod",
            metrics={f"{prefix}.F": women, f"{prefix}.M": 0.96, "evaluate-model.roc_auc": 0.5},
            champion=None,
            tasks=(),
            elapsed=None,
            cost=None,
            currency="",
            options=gate.options,
        )
    )
    assert isinstance(verdict, Verdict)
    assert verdict.passed is passed
