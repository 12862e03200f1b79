"""Releases that follow one another, and what an environment must look like after each.

Two releases are built by `ecluse build`; the others are copies of these with another number in the
bytes of every pipeline, another commit, and the ancestry of a line of commits.

Every release has three pipelines, each on a schedule: `alpha`; `beta`, which comes after it; and a
third, `even` or `odd` by the release's number, so that each release retires the one of the release
before. All of them change with every release, and each is one task of no weight.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1
from typer.testing import CliRunner

from ecluse.canonical import digest_of
from ecluse.cli import command_line
from ecluse.cloud import Cloud
from ecluse.ledger.lease import Holding
from ecluse.release.manifest import Release, read_release, write_release
from ecluse.repository.catalog import Catalog
from ecluse.repository.settings import Environment
from tests.ecluse.repositories import ENVIRONMENT, Repository

STEP = """
from kfp import dsl


@dsl.container_component
def step(run_key: str) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(
        image="runtime", command=["true"], args=["NUMBER", run_key]
    )
"""

PIPELINE = """
from kfp import dsl

from pipelines.components.step import step


@dsl.pipeline(name="{name}")
def pipeline(run_key: str) -> None:
    step(run_key=run_key).set_caching_options(False)
"""

SETTINGS = """
description: A test.
owner: tests@example.com
schedule: {cron: "0 0 29 2 *"}
"""


@dataclass
class Fleet:
    """A line of releases.

    Attributes:
        repository: where they are.

    """

    repository: Repository
    _built: dict[bool, tuple[Release, dict[str, bytes]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Build the two releases that all others are copies of."""
        self._built = {odd: self._build(odd=odd) for odd in (False, True)}

    def release(self, number: int) -> Path:
        """Return the folder of a release, counted from 0."""
        folder = self.repository.root / "dist" / str(number)
        if not folder.exists():
            write_release(folder, *self._copy(number))
        return folder

    def manifest(self, number: int) -> Release:
        """Return a release."""
        return self._copy(number)[0]

    def place(self, folder: Path, suffix: str) -> "Place":
        """Return a copy of the repository whose environments nobody else uses."""
        shutil.copytree(self.repository.root, folder, ignore=shutil.ignore_patterns("dist"))
        copy = Repository(folder)
        for name in ("dev", "nonprod", "prod"):
            copy.write(f"environments/{name}.yaml", ENVIRONMENT.format(name=name, suffix=suffix))
        return Place(self, copy)

    def _copy(self, number: int) -> tuple[Release, dict[str, bytes]]:
        release, files = self._built[number % 2 == 1]
        marked = {
            name: content.replace(b"NUMBER", f"number {number}".encode())
            for name, content in files.items()
        }
        pipelines = {
            name: pipeline.model_copy(
                update={
                    "digest": digest_of(marked[pipeline.file]),
                    "code_digest": digest_of(b"code" + marked[pipeline.file]),
                    "sources_digest": digest_of(b"sources" + marked[pipeline.file]),
                }
            )
            for name, pipeline in release.pipelines.items()
        }
        changed = release.model_copy(
            update={
                "commit": commit_of(number),
                "subject": f"Release {number}",
                "ancestry": tuple(commit_of(older)[:12] for older in reversed(range(number))),
                "pipelines": pipelines,
            }
        )
        return changed, marked

    def _build(self, *, odd: bool) -> tuple[Release, dict[str, bytes]]:
        write = self.repository.write
        shutil.rmtree(self.repository.root / "pipelines")
        write("pipelines/__init__.py", "")
        write("pipelines/components/__init__.py", "")
        write("pipelines/components/step.py", STEP)
        for name in ("alpha", "beta", "odd" if odd else "even"):
            after = "after: [alpha]\n" if name == "beta" else ""
            write(f"pipelines/{name}/pipeline.yaml", SETTINGS + after)
            write(f"pipelines/{name}/pipeline.py", PIPELINE.format(name=name))
        self.repository.commit()
        folder = self.repository.root / "dist" / "built"
        words = ["build", "--output", str(folder), "--repository", str(self.repository.root)]
        answer = CliRunner().invoke(command_line(), words, catch_exceptions=False)
        assert answer.exit_code == 0, answer.stderr
        return read_release(folder)


@dataclass(frozen=True)
class Place:
    """A copy of the repository, with environments of its own.

    Attributes:
        fleet: the releases.
        repository: the copy.

    """

    fleet: Fleet
    repository: Repository

    def environment(self, name: str) -> Environment:
        """Return an environment's settings."""
        return Catalog(self.repository.root).environment(name)

    def promotion(self, number: int, *options: str) -> list[str]:
        """Return the words that promote a release to nonprod."""
        words = ["promote", "nonprod", "--release", str(self.fleet.release(number)), "--json"]
        return [*words, "--repository", str(self.repository.root), *options]

    def rollback(self, *options: str) -> list[str]:
        """Return the words that roll nonprod back."""
        root = str(self.repository.root)
        return ["rollback", "nonprod", "--json", "--repository", root, *options]


def commit_of(number: int) -> str:
    """Return the commit of a release."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:40]


@dataclass(frozen=True)
class State:
    """What an environment looks like to any client.

    Attributes:
        live: each live pipeline's digest, by the ledger.
        entries: how many entries each pipeline's history has.
        tags: where each package's `live` tag is.
        schedules: each package's schedules: whether it fires, and the digest that it runs.
        runs: how many runs there are of each compiled pipeline, and how they ended.
        lease_is_free: whether the lease was given back.

    """

    live: dict[str, str]
    entries: dict[str, int]
    tags: dict[str, str | None]
    schedules: dict[str, list[tuple[str, str]]]
    runs: dict[tuple[str, str], int]
    lease_is_free: bool


@cache
def clients_of(address: str) -> tuple[Any, Any]:
    """Return Google's clients of runs and of schedules."""
    options: dict[str, Any] = {
        "credentials": AnonymousCredentials(),
        "transport": "rest",
        "client_options": {"api_endpoint": address},
    }
    return (
        aiplatform_v1.PipelineServiceClient(**options),
        aiplatform_v1.ScheduleServiceClient(**options),
    )


def state_of(cloud: Cloud, address: str, *, commit: str) -> State:
    """Look at an environment, and of its runs at those of one commit.

    A history's end is looked at: its last entry has to name the one before.
    """
    environment = cloud.environment
    pipelines, scheduling = clients_of(address)
    parent = f"projects/{environment.project}/locations/{environment.location}"
    jobs = pipelines.list_pipeline_jobs(
        {"parent": parent, "filter": f'labels.ecluse-commit="{commit}"'}
    )
    schedules: dict[str, list[tuple[str, str]]] = {}
    for each in scheduling.list_schedules(parent=parent):
        template = each.create_pipeline_job_request.pipeline_job.template_uri
        package, digest = template.rsplit("/", 2)[1:]
        schedules.setdefault(package, []).append((each.state.name, digest))
    head = cloud.ledger.head()
    for name, last in head.pipelines.items():
        newest = list(islice(cloud.ledger.history(name, head=head), 2))
        assert [entry.sequence for entry in newest[1:]] == [last.sequence - 1][: last.sequence - 1]
    lease = cloud.storage.read(f"{environment.ledger}/lease.json")
    return State(
        live={name: entry.digest for name, entry in head.all_live.items()},
        entries={name: entry.sequence for name, entry in head.pipelines.items()},
        tags={
            entry.package: cloud.registry.live_digest(entry.package)
            for entry in head.pipelines.values()
        },
        schedules=schedules,
        runs=dict(Counter((job.template_uri.rsplit("/", 1)[1], job.state.name) for job in jobs)),
        lease_is_free=lease is not None and Holding.model_validate_json(lease.content).released,
    )


def promoted(before: State, release: Release) -> State:
    """Return what an environment has to look like after a release was promoted to it."""
    live = {name: pipeline.digest for name, pipeline in release.pipelines.items()}
    retired = before.live.keys() - live.keys()
    return at_rest(before, live, changed=live.keys() | retired, runs=live.values())


def at_rest(
    before: State, live: dict[str, str], *, changed: Collection[str], runs: Collection[str] = ()
) -> State:
    """Return what an environment has to look like with these digests live.

    Args:
        before: how it was.
        live: what is live, by pipeline; a pipeline's package has its name.
        changed: the pipelines whose history has one entry more.
        runs: the digests that were run, once each.

    """
    entries = {name: before.entries.get(name, 0) for name in before.entries.keys() | changed}
    return State(
        live=live,
        entries={name: count + (name in changed) for name, count in entries.items()},
        tags={name: live.get(name) for name in entries},
        schedules={
            name: [("ACTIVE", live[name]) if name in live else ("PAUSED", before_digest)]
            for name in before.schedules.keys() | live.keys()
            for before_digest in [before.schedules.get(name, [("", "")])[0][1]]
        },
        runs={(digest, "PIPELINE_STATE_SUCCEEDED"): 1 for digest in runs},
        lease_is_free=True,
    )
