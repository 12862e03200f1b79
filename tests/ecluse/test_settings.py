"""Settings: every mistake is one line with file, line, field and what to do."""

from pathlib import Path

import pytest

from ecluse.errors import InvalidInput, SettingsError, UnknownEnvironment, UnknownPipeline
from ecluse.repository.catalog import Catalog
from ecluse.repository.settings import Parameter
from tests.ecluse.repositories import Repository, make_repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "repository", "settings")


def read_everything(repository: Repository) -> None:
    catalog = Catalog(repository.root)
    catalog.environments()
    catalog.pipelines()


def refused(repository: Repository) -> str:
    """Return what reading everything complains of."""
    with pytest.raises(InvalidInput) as error:
        read_everything(repository)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "location: europe-west1",
            "locaton: europe-west1",
            "environments/nonprod.yaml:2: `locaton`: there is no such field → "
            "did you mean `location`?",
        ),
        (
            "templates: pipelines",
            "templates: pipelines\ntemplate: x",
            "environments/nonprod.yaml:7: `template`: there is no such field → "
            "did you mean `templates`?",
        ),
        (
            "location: europe-west1\n",
            "",
            "environments/nonprod.yaml:1: `location`: this field is missing",
        ),
        (
            "templates: pipelines",
            "templates: 7",
            "environments/nonprod.yaml:6: `templates`: input should be a valid string, found `7`",
        ),
        (
            "templates: pipelines",
            "templates: pipelines\nbudget: {calls: 0}",
            "environments/nonprod.yaml:7: `budget.calls`: input should be greater than or equal "
            "to 1, found `0`",
        ),
        (
            "templates: pipelines",
            "templates: pipelines\nbudget: {run: 3}",
            "environments/nonprod.yaml:7: `budget.run`: there is no such field → "
            "did you mean `runs`?",
        ),
        (
            "project: test-nonprod-settings",
            "project: NonProd",
            "environments/nonprod.yaml:1: `project`: `NonProd` does not look like one "
            "(^[a-z][a-z0-9-]{4,28}[a-z0-9]$)",
        ),
        (
            "templates: pipelines",
            "templates: pipelines\ntemplates: other",
            "environments/nonprod.yaml:7: `templates` stands here a second time → "
            "keep one of the two",
        ),
        (
            "templates: pipelines",
            "templates: [pipelines",
            "environments/nonprod.yaml:7: not valid YAML",
        ),
        (
            "templates: pipelines",
            "templates: pipelines\nname: other",
            "environments/nonprod.yaml:7: `name` is not written in the file",
        ),
        (
            "templates: pipelines",
            "templates: pipelines\nrequires: staging",
            "environments/nonprod.yaml: `requires`: `staging` is no other environment",
        ),
        (
            "templates: pipelines",
            "templates: pipelines\nrequires: prod",
            "`requires` goes round in a circle",
        ),
    ],
)
def test_a_mistake_in_an_environment_is_named(
    repository: Repository, old: str, new: str, expected: str
) -> None:
    repository.replace("environments/nonprod.yaml", old, new)
    assert expected in refused(repository)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "gate: []",
            "pipelines/alpha/pipeline.yaml:6: `gate`: there is no such field → "
            "did you mean `gates`?",
        ),
        (
            "schedule: {corn: '0 6 * * 1'}",
            "pipelines/alpha/pipeline.yaml:6: `schedule.corn`: there is no such field → "
            "did you mean `cron`?",
        ),
        (
            "schedule: {cron: daily}",
            "pipelines/alpha/pipeline.yaml:6: `schedule.cron`: `daily` is no cron expression",
        ),
        (
            "schedule: {cron: '0 6 * * 1', time_zone: Europe/Pariss}",
            "alpha/pipeline.yaml:6: `schedule.time_zone`: `Europe/Pariss` is no time zone",
        ),
        (
            'parameters: {data: "{buckett}/x"}',
            "pipelines/alpha/pipeline.yaml:6: `{buckett}` is no placeholder → "
            "did you mean `{bucket}`?",
        ),
        (
            'environments: {prod: {parameters: {data: "{nothing}"}}}',
            "pipelines/alpha/pipeline.yaml:6: `{nothing}` is no placeholder → the placeholders are",
        ),
        (
            "environments: {staging: {}}",
            "pipelines/alpha/pipeline.yaml: `environments.staging`: there is no environment",
        ),
        (
            "requalify: smoke",
            "pipelines/alpha/pipeline.yaml:1: `the file`: `requalify: smoke` needs "
            "`smoke: {parameters: {…}}` beside it",
        ),
        (
            "requalify: quick",
            "pipelines/alpha/pipeline.yaml:6: `requalify`: input should be 'full' or 'smoke'",
        ),
        ("smoke: {parameters: {}}", "pipelines/alpha/pipeline.yaml:6: `smoke.parameters`: "),
        (
            'smoke: {parameters: {data: "{buckett}/x"}}',
            "pipelines/alpha/pipeline.yaml:6: `{buckett}` is no placeholder",
        ),
        (
            "sample_data: {parameter: data, generate: [make]}",
            "pipelines/alpha/pipeline.yaml:6: `sample_data`: the command needs a `{path}` argument",
        ),
    ],
)
def test_a_mistake_in_a_pipelines_settings_is_named(
    repository: Repository, line: str, expected: str
) -> None:
    file = repository.root / "pipelines/alpha/pipeline.yaml"
    file.write_text(file.read_text() + line + "\n")
    assert expected in refused(repository)


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (
            "{metric: measure.accuracy}",
            "exactly one of `min`, `max`, `no_worse_than` and `improves`",
        ),
        ("{metric: measure.accuracy, min: 1, max: 2}", "exactly one of"),
        ("{metric: measure.accuracy, min: high}", "input should be a valid number, found `high`"),
        ("{metric: accuracy, min: 1}", "`accuracy` does not look like one"),
        (
            "{metric: measure.accuracy, min: 1, tolerance: 0.1}",
            "`tolerance` goes with `no_worse_than` only",
        ),
        ("{metric: measure.accuracy, no_worse_than: champoin}", "`gates.2.no_worse_than`"),
        ("{metric: measure.accuracy, mn: 1}", "did you mean `min`?"),
    ],
)
def test_a_mistake_in_a_gate_is_named(repository: Repository, gate: str, expected: str) -> None:
    file = repository.root / "pipelines/alpha/pipeline.yaml"
    file.write_text(file.read_text() + f"  - {gate}\n")
    complaint = refused(repository)
    assert complaint.startswith("pipelines/alpha/pipeline.yaml:6: `gates.2")
    assert expected in complaint


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (".nan", "`parameters.x` is not a finite number"),
        ("[1, {a: -.inf}]", "`parameters.x.1.a` is not a finite number"),
        ("1" * 400, "`parameters.x` is too large a number"),
        ('"\\ud83d"', "`parameters.x` holds half of a character"),
        ("&a {b: *a}", "it is nested too deeply, or holds itself"),
        ("[" * 3000 + "]" * 3000, "it is nested too deeply, or holds itself"),
        ("\0", "not valid YAML"),
    ],
)
def test_what_no_run_could_be_given_is_refused(
    repository: Repository, value: str, expected: str
) -> None:
    file = repository.root / "pipelines/alpha/pipeline.yaml"
    file.write_text(f"{file.read_text()}parameters:\n  x: {value}\n")
    complaint = refused(repository)
    assert complaint.startswith("pipelines/alpha/pipeline.yaml")
    assert expected in complaint


@pytest.mark.parametrize("rule", ["min: .nan", "no_worse_than: champion, tolerance: .inf"])
def test_a_gate_without_a_limit_is_refused(repository: Repository, rule: str) -> None:
    file = repository.root / "pipelines/alpha/pipeline.yaml"
    file.write_text(file.read_text() + f"  - {{metric: measure.accuracy, {rule}}}\n")
    assert "pipelines/alpha/pipeline.yaml:6: `gates.2." in refused(repository)


def test_a_label_that_vertex_would_refuse_is_refused(repository: Repository) -> None:
    repository.replace("environments/nonprod.yaml", "templates:", "labels: {cost: A.B}\ntemplates:")
    assert "environments/nonprod.yaml:6: `labels.cost`" in refused(repository)


@pytest.mark.parametrize("content", [b"\xff", b"tool = 3\n", b"[tool.ecluse]\nimages = 3\n"])
def test_a_pyproject_that_cannot_be_read_is_one_line(
    repository: Repository, content: bytes
) -> None:
    (repository.root / "pyproject.toml").write_bytes(content)
    project = Catalog(repository.root)
    if content.startswith(b"tool"):
        assert project.project.images == {}
    else:
        with pytest.raises(SettingsError, match=r"pyproject\.toml"):
            _ = project.project


def test_an_unknown_environment_is_met_with_the_nearest_one(repository: Repository) -> None:
    with pytest.raises(UnknownEnvironment, match="did you mean `nonprod`"):
        Catalog(repository.root).environment("nonprd")


def test_an_unknown_pipeline_is_met_with_the_nearest_one(repository: Repository) -> None:
    with pytest.raises(UnknownPipeline, match="did you mean `alpha`"):
        Catalog(repository.root).pipeline("alhpa")


def test_environments_come_after_the_one_they_require(repository: Repository) -> None:
    repository.replace("environments/dev.yaml", "templates:", "requires: prod\ntemplates:")
    names = [environment.name for environment in Catalog(repository.root).environments()]
    assert names == ["nonprod", "prod", "dev"]


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no écluse repository"):
        Catalog.find(tmp_path)


def test_placeholders_are_filled_wherever_they_stand(repository: Repository) -> None:
    repository.write(
        "pipelines/alpha/pipeline.yaml",
        """
        description: d
        owner: o
        parameters:
          data: "{bucket}/data/{environment}.csv"
          nested: {list: ["{project}", 3, "{commit}"]}
        environments:
          prod: {parameters: {data: other}}
        """,
    )
    catalog = Catalog(repository.root)
    settings = catalog.pipeline("alpha").settings

    def given(environment: str) -> dict[str, Parameter]:
        return settings.parameters_in(
            catalog.environment(environment),
            ("data", "nested"),
            runtime_image="image",
            commit="abc",
        )

    assert given("nonprod") == {
        "data": "gs://nonprod-settings-pipelines/data/nonprod.csv",
        "nested": {"list": ["test-nonprod-settings", 3, "abc"]},
    }
    assert given("prod")["data"] == "other"


def test_an_environments_parameters_reach_only_pipelines_that_declare_them(
    repository: Repository,
) -> None:
    repository.replace("environments/dev.yaml", "templates:", "parameters: {rounds: 3}\ntemplates:")
    catalog = Catalog(repository.root)
    settings, dev = catalog.pipeline("alpha").settings, catalog.environment("dev")
    assert settings.parameters_in(dev, ("rounds",), runtime_image="", commit="") == {"rounds": 3}
    assert settings.parameters_in(dev, ("other",), runtime_image="", commit="") == {}


def test_what_only_a_laptop_uses_is_not_delivered(repository: Repository) -> None:
    before = Catalog(repository.root).pipeline("alpha").settings.delivered()
    repository.replace("pipelines/alpha/pipeline.yaml", "A pipeline for", "Another text for")
    assert Catalog(repository.root).pipeline("alpha").settings.delivered() == before
    repository.replace("pipelines/alpha/pipeline.yaml", "min: 0.8", "min: 0.7")
    assert Catalog(repository.root).pipeline("alpha").settings.delivered() != before


def test_a_smoke_runs_values_come_before_all_others(repository: Repository) -> None:
    repository.replace(
        "pipelines/alpha/pipeline.yaml",
        "gates:",
        "parameters: {rounds: 600, data: '{bucket}/all'}\n"
        "environments: {nonprod: {parameters: {rounds: 300}}}\n"
        "requalify: smoke\n"
        "smoke: {parameters: {rounds: 5, data: '{bucket}/sample'}}\ngates:",
    )
    catalog = Catalog(repository.root)
    settings = catalog.pipeline("alpha").settings
    nonprod = catalog.environment("nonprod")

    def given(*, smoke: bool) -> dict[str, Parameter]:
        return settings.parameters_in(
            nonprod, ("rounds", "data"), runtime_image="", commit="", smoke=smoke
        )

    assert given(smoke=False) == {"rounds": 300, "data": f"{nonprod.bucket}/all"}
    assert given(smoke=True) == {"rounds": 5, "data": f"{nonprod.bucket}/sample"}
    assert settings.delivered()["requalify"] == "smoke"
    thawed = type(settings).model_validate({"description": "", **settings.delivered()})
    assert thawed.delivered() == settings.delivered()


def test_settings_that_are_not_used_move_no_digest(repository: Repository) -> None:
    before = Catalog(repository.root).pipeline("alpha").settings.delivered()
    assert not {"requalify", "smoke"} & before.keys()
    repository.replace("pipelines/alpha/pipeline.yaml", "gates:", "requalify: full\ngates:")
    assert Catalog(repository.root).pipeline("alpha").settings.delivered() == before


def test_settings_survive_being_frozen_in_a_release(repository: Repository) -> None:
    repository.replace(
        "pipelines/alpha/pipeline.yaml",
        "owner:",
        "parameters: {nothing: null, list: [1, null, 2.5], text: '1e3'}\nowner:",
    )
    settings = Catalog(repository.root).pipeline("alpha").settings
    thawed = type(settings).model_validate({"description": "", **settings.delivered()})
    assert thawed.delivered() == settings.delivered()
    assert thawed.parameters == {"nothing": None, "list": [1, None, 2.5], "text": "1e3"}


def test_a_missing_pipeline_yaml_is_named(repository: Repository) -> None:
    (repository.root / "pipelines/alpha/pipeline.yaml").unlink()
    with pytest.raises(SettingsError, match=r"pipelines/alpha/pipeline.yaml: the file is missing"):
        Catalog(repository.root).pipelines()
