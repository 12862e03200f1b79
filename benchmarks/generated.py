"""Repositories of N pipelines for the benchmarks: own and shared components, SQL, settings, gates.

Each pipeline has what ours has: a pipeline.py of a dozen parameters, a training component of its
own beside it, a query that is read when it compiles, a pipeline.yaml with gates and a schedule, and
four of the twelve components that all share.
"""

# ruff: noqa: INP001

import subprocess
from pathlib import Path

SHARED = 12
"""How many components all pipelines share."""

_EACH = 4

_ENVIRONMENT = """\
project: bench-{name}
location: europe-west1
bucket: gs://bench-{name}-pipelines
ledger: gs://bench-{name}-ledger
evidence: gs://bench-{name}-evidence
templates: pipelines
images: europe-west1-docker.pkg.dev/bench-images/images
service_account: pipelines@bench-{name}.iam.gserviceaccount.com
signing_key: >-
  projects/bench-{name}/locations/europe-west1/keyRings/ecluse/cryptoKeys/q/cryptoKeyVersions/1
"""

_COMPONENT = '''\
"""{title}."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Output


@dsl.component(base_image="runtime", install_kfp_package=False)
def {function}(
    data: Input[Dataset],
    run_key: str,
    share: float,
    seed: int,
    result: Output[Dataset],
    metrics: Output[Metrics],
) -> float:
    """{title}.

    Args:
        data: The table to work on.
        run_key: A fresh value in every qualifying run, so that nothing comes from the cache.
        share: The share of rows to keep.
        seed: The same seed and data give the same result.
        result: The table after it.
        metrics: How many rows there are, and how good they look.

    Returns:
        A number to decide by.

    """
    from pathlib import Path

    import pandas as pd

    from business import step_{number}

    table = pd.read_parquet(data.path)
    done = step_{number}(table, share=share, seed=seed)
    print(f"run {{run_key}}: {{len(done)}} of {{len(table)}} rows")
    Path(result.path).parent.mkdir(parents=True, exist_ok=True)
    done.to_parquet(result.path, index=False)
    metrics.log_metric("rows", len(done))
    metrics.log_metric("quality", {number} / 100)
    return len(done) / max(1, len(table))
'''

_PIPELINE = '''\
"""Pipeline {number}: from a query to a model."""

from pathlib import Path

from kfp import dsl

{imports}
from pipelines.{name}.train import train_{number}

QUERY = (Path(__file__).parent / "sql" / "features.sql").read_text(encoding="utf-8")


@dsl.pipeline(name="{package}", description="Pipeline {number} of a large repository.")
def {name}(
    run_key: str,
    project: str,
    data_uri: str,
    query: str = QUERY,
    share: float = 0.8,
    seed: int = {number},
    rounds: int = 600,
    learning_rate: float = 0.1,
    max_depth: int = 5,
    threshold: float = 0.5,
    sanity: float = 0.7,
) -> None:
    """Prepare in four steps, train, and stop where the model makes no sense."""
    raw = dsl.importer(artifact_uri=data_uri, artifact_class=dsl.Dataset, reimport=True)
    raw.set_display_name("Import the data")
    table = raw.output
{steps}
    with dsl.If({last}.outputs["Output"] >= sanity, name="The data make sense"):
        trained = train_{number}(data=table, run_key=run_key, share=share, seed=seed)
        trained.set_display_name("Train")
        trained.set_retry(num_retries=2, backoff_duration="10s")
'''

_STEP = """\
    {variable} = {function}(data=table, run_key=run_key, share=share, seed=seed)
    {variable}.set_display_name("Step {position}")
    table = {variable}.outputs["result"]
"""

_SETTINGS = """\
description: Pipeline {number} of a large repository.
owner: team-{team}@example.com
labels: {{domain: bench, team: team-{team}}}

parameters:
  project: "{{project}}"
  data_uri: "{{bucket}}/data/{name}.parquet"
  rounds: {rounds}

environments:
  nonprod:
    parameters: {{rounds: 50}}
  prod:
    schedule: {{cron: "{minute} 6 * * 1", time_zone: Europe/Paris}}

schedule: {{cron: "{minute} 4 * * *", time_zone: Europe/Paris}}

# A run's metrics must hold to all of these before its version goes live.
gates:
  - {{metric: train-{number}.quality, min: 0.0}}
  - {{metric: train-{number}.rows, min: 1}}
  - {{metric: train-{number}.quality, no_worse_than: champion, tolerance: 0.01}}
"""

_QUERY = """\
-- The features of pipeline {number}.
SELECT customer_id, amount_{number}, COUNT(*) AS visits
FROM `events`
WHERE day BETWEEN '2026-01-01' AND '2026-06-30'
GROUP BY customer_id, amount_{number}
"""

_PYPROJECT = """\
[tool.ecluse.images.runtime]
target = "runtime"
sources = ["src/business"]
"""

_DOCKERFILE = """\
FROM python:3.11-slim AS runtime
COPY src/business /app/business
"""


def name_of(number: int) -> str:
    """Return the name of the pipeline of a number."""
    return f"generated_{number:03}"


def generate(root: Path, pipelines: int) -> None:
    """Write a repository of so many pipelines, and commit it."""
    for environment in ("dev", "nonprod", "prod"):
        below = "requires: nonprod\n" if environment == "prod" else ""
        content = _ENVIRONMENT.format(name=environment) + below
        _write(root / "environments" / f"{environment}.yaml", content)
    _write(root / "pyproject.toml", _PYPROJECT)
    _write(root / "Dockerfile", _DOCKERFILE)
    _write(root / ".gitignore", ".ecluse/\n__pycache__/\ndist/\n")
    steps = "".join(
        f"\n\ndef step_{n}(table, share, seed):\n    return table.sample(frac=share)\n"
        for n in range(pipelines + SHARED)
    )
    _write(root / "src/business/__init__.py", f'"""The business code."""\n{steps}')
    _write(root / "pipelines/__init__.py", "")
    _write(root / "pipelines/components/__init__.py", "")
    for number in range(SHARED):
        component = _COMPONENT.format(
            title=f"Shared step {number}", function=f"shared_{number}", number=number
        )
        _write(root / f"pipelines/components/shared_{number}.py", component)
    for number in range(pipelines):
        _pipeline(root / "pipelines" / name_of(number), number)
    commit(root)


def change(root: Path, number: int, to: str) -> None:
    """Change one pipeline's own code."""
    file = root / "pipelines" / name_of(number) / "train.py"
    first, _, _ = file.read_text().partition("# ")
    file.write_text(f"{first.rstrip()}\n# {to}\n    # end\n".replace("\n# ", "\n    # "))


def commit(root: Path) -> None:
    """Commit everything."""
    git = ["git", "-C", str(root), "-c", "user.name=Bench", "-c", "user.email=b@example.com"]
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "-c", "commit.gpgsign=false", "commit", "-qm", "A change"], check=True)


def _pipeline(folder: Path, number: int) -> None:
    name = folder.name
    shared = [(number * 5 + step * 7) % SHARED for step in range(_EACH)]
    shared = list(dict.fromkeys(shared))
    _write(folder / "__init__.py", f'"""Pipeline {number}."""\n')
    _write(
        folder / "pipeline.py",
        _PIPELINE.format(
            number=number,
            name=name,
            package=name.replace("_", "-"),
            imports="\n".join(
                f"from pipelines.components.shared_{n} import shared_{n}" for n in sorted(shared)
            ),
            steps="".join(
                _STEP.format(variable=f"step_{position}", function=f"shared_{n}", position=position)
                for position, n in enumerate(shared, 1)
            ),
            last=f"step_{len(shared)}",
        ),
    )
    component = _COMPONENT.format(title="Train", function=f"train_{number}", number=number)
    _write(folder / "train.py", component)
    _write(folder / "sql" / "features.sql", _QUERY.format(number=number))
    _write(
        folder / "pipeline.yaml",
        _SETTINGS.format(
            number=number, name=name, team=number % 9, rounds=100 + number, minute=number % 60
        ),
    )


def _write(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
