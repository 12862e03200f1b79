"""The pull-request workflow, run job by job as GitHub would, in a repository of its own."""

import html
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflows import strict_yaml
from tests.workflows.act import JobRun, Repository

pytestmark = [
    pytest.mark.skipif("ACT" in os.environ, reason="a run under act does not start another"),
    pytest.mark.skipif(shutil.which("uv") is None, reason="the workflows need uv"),
]

PIPELINE = Path("pipelines/churn_xgboost/pipeline.yaml")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    home = tmp_path_factory.mktemp("act")
    yield Repository.create(home)
    shutil.rmtree(home, ignore_errors=True)  # an environment of a gigabyte


def run(
    repository: Repository, job: str, *, matrix: str | None = None, **environment: str
) -> JobRun:
    return repository.run_job(
        "pull-request", "pull_request", job, matrix=matrix, environment=environment
    )


def test_the_lint_job_succeeds(repository: Repository) -> None:
    # Python code is judged where all else is linted; here it is the way there that counts.
    done = run(repository, "lint", SKIP="ruff,ruff-format,mypy,import-linter")
    assert done.succeeded, done.log
    assert "Cloud Build" in done.log


def test_the_test_job_succeeds(repository: Repository) -> None:
    selection = "tests/workflows/test_builds.py"
    done = run(repository, "test", matrix="python:3.11", PYTEST_ADDOPTS=selection)
    assert done.succeeded, done.log
    assert " passed" in done.log


def test_the_pipelines_job_runs_the_pipeline_and_reports(repository: Repository) -> None:
    done = run(repository, "pipelines")
    assert done.succeeded, done.log
    assert set(done.steps.values()) == {"success"}
    assert "roc_auc" in html.unescape(done.summary)
    kept = repository.artifacts / "pipelines"
    compiled = strict_yaml.load((kept / "pipelines/churn_xgboost.yaml").read_text("utf-8"))
    assert compiled["pipelineInfo"]["name"] == "churn-xgboost"
    assert (kept / "run.md").read_text("utf-8").strip() == done.summary.strip()


def test_a_broken_pipeline_fails_its_job_before_anything_runs(repository: Repository) -> None:
    settings = repository.root / PIPELINE
    sound = settings.read_text(encoding="utf-8")
    settings.write_text(sound.replace("gates:", "gatez:"), encoding="utf-8")
    repository.commit("Misspell a field")
    try:
        done = run(repository, "pipelines")
    finally:
        settings.write_text(sound, encoding="utf-8")
        repository.commit("Spell it right")
    assert not done.succeeded
    assert done.steps["Check the settings"] == "failure"
    assert done.steps.get("Run on sample data", "skipped") == "skipped"
    assert f"{PIPELINE}:" in done.log
    assert "did you mean `gates`?" in done.log
