"""Small repositories for the tests: real pipelines, real settings, real commits."""

import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path

PINNED = "docker.io/library/python@sha256:" + "a" * 64
"""An image by digest that is not the runtime image; nothing runs in it."""

ENVIRONMENT = """
project: test-{name}-{suffix}
location: europe-west1
bucket: gs://{name}-{suffix}-pipelines
ledger: gs://{name}-{suffix}-ledger
evidence: gs://{name}-{suffix}-evidence
templates: pipelines
images: europe-west1-docker.pkg.dev/test-images/images
service_account: pipelines@test-{name}.iam.gserviceaccount.com
signing_key: >-
  projects/test-{name}-{suffix}/locations/europe-west1/keyRings/ecluse/cryptoKeys/q/cryptoKeyVersions/1
"""

PYPROJECT = """
[tool.ecluse.images.runtime]
target = "runtime"
sources = ["src/business"]
"""

DOCKERFILE = """
FROM python:3.11-slim AS base
FROM base AS runtime
COPY src/business /app/business
FROM base AS tool
RUN echo tool
"""

BUSINESS = """
def accuracy(value: float) -> float:
    return value
"""

PIPELINE = """
from kfp import dsl

from pipelines.components.measure import measure


@dsl.pipeline(name="{package}")
def pipeline(run_key: str, accuracy: float = 0.9, fail: bool = False) -> None:
    measured = measure(run_key=run_key, accuracy=accuracy, fail=fail)
    measured.set_display_name("Measure").set_caching_options(False)
"""

MEASURE = """
from kfp import dsl


@dsl.component(base_image="{image}", install_kfp_package=False)
def measure(run_key: str, accuracy: float, fail: bool, metrics: dsl.Output[dsl.Metrics]) -> None:
    {imports}
    if fail:
        raise ValueError("the data smell")
    metrics.log_metric("accuracy", {value})
"""

SETTINGS = """
description: A pipeline for the tests.
owner: tests@example.com
gates:
  - {metric: measure.accuracy, min: 0.8}
  - {metric: measure.accuracy, no_worse_than: champion, tolerance: 0.01}
"""


@dataclass(frozen=True)
class Repository:
    """A repository on disk, with git underneath."""

    root: Path

    def write(self, path: str, content: str) -> Path:
        """Write a file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(content).lstrip("\n"), encoding="utf-8")
        return file

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace a text in a file that holds it."""
        file = self.root / path
        content = file.read_text(encoding="utf-8")
        assert old in content
        file.write_text(content.replace(old, new), encoding="utf-8")

    def pipeline(self, name: str, *, package: str | None = None, settings: str = SETTINGS) -> None:
        """Add a pipeline."""
        self.write(
            f"pipelines/{name}/pipeline.py",
            PIPELINE.format(package=package or name.replace("_", "-")),
        )
        self.write(f"pipelines/{name}/pipeline.yaml", settings)

    def commit(self, message: str = "A change") -> str:
        """Commit everything and return the commit's sha."""
        git = ["git", "-C", str(self.root), "-c", "user.name=T", "-c", "user.email=t@example.com"]
        subprocess.run([*git, "add", "--all"], check=True)
        subprocess.run(
            [*git, "-c", "commit.gpgsign=false", "commit", "--allow-empty", "-qm", message],
            check=True,
        )
        done = subprocess.run(
            [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()


def make_repository(root: Path, suffix: str, *, runtime_image: bool = False) -> Repository:
    """Make a repository with the environments dev, nonprod and prod and one pipeline, `alpha`.

    Args:
        root: its folder.
        suffix: makes its projects and buckets its own.
        runtime_image: whether its component runs in the runtime image and uses business code.
    """
    repository = Repository(root)
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    for name in ("dev", "nonprod", "prod"):
        requires = "requires: nonprod\n" if name == "prod" else ""
        content = ENVIRONMENT.format(name=name, suffix=suffix) + requires
        repository.write(f"environments/{name}.yaml", content)
    repository.write("pyproject.toml", PYPROJECT)
    repository.write("Dockerfile", DOCKERFILE)
    repository.write("src/business/__init__.py", BUSINESS)
    repository.write(".gitignore", ".ecluse/\n__pycache__/\ndist/\n")
    repository.write("pipelines/__init__.py", "")
    repository.write("pipelines/components/__init__.py", "")
    repository.write(
        "pipelines/components/measure.py",
        MEASURE.format(
            image="runtime" if runtime_image else PINNED,
            imports="from business import accuracy as measured" if runtime_image else "",
            value="measured(accuracy)" if runtime_image else "accuracy",
        ),
    )
    repository.pipeline("alpha")
    repository.commit("First")
    return repository
