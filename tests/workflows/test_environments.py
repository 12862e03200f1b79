"""environments/*.yaml: readable, apart from each other, and explained."""

from pathlib import Path

import pytest

from ecluse.repository.catalog import Catalog
from ecluse.repository.settings import Environment

ENVIRONMENTS = Path(__file__).parents[2] / "environments"
NAMES = ("dev", "nonprod", "prod")

every_environment = pytest.mark.parametrize("name", NAMES)


def environment(name: str) -> Environment:
    return Catalog.find(ENVIRONMENTS).environment(name)


@every_environment
def test_ecluse_reads_it(name: str) -> None:
    assert environment(name).name == name


@every_environment
def test_every_field_is_explained(name: str) -> None:
    lines = (ENVIRONMENTS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    fields = [field for field in Environment.model_fields if field not in {"name", "requires"}]
    for field in fields:
        (number,) = (
            number
            for number, line in enumerate(lines)
            if line.removeprefix("# ").startswith(f"{field}:")
        )
        assert lines[number - 1].startswith("# "), field


def test_prod_takes_only_what_qualified_in_nonprod() -> None:
    assert environment("prod").requires == "nonprod"
    assert environment("nonprod").requires is None
    assert environment("dev").requires is None


def test_prod_runs_the_images_that_qualified_in_nonprod() -> None:
    assert environment("prod").images == environment("nonprod").images
    assert environment("dev").images != environment("nonprod").images


def test_prod_has_a_project_of_its_own() -> None:
    assert environment("prod").project not in {
        environment("nonprod").project,
        environment("dev").project,
    }


@pytest.mark.parametrize(
    "field", ["bucket", "ledger", "evidence", "signing_key", "service_account"]
)
def test_environments_share_nothing_that_one_of_them_can_change(field: str) -> None:
    values = [getattr(environment(name), field) for name in NAMES]
    assert len(set(values)) == len(values)


@every_environment
def test_what_changes_and_what_must_not_lie_in_different_buckets(name: str) -> None:
    settings = environment(name)
    assert len({settings.bucket, settings.ledger, settings.evidence}) == 3
