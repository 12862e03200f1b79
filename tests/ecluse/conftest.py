"""An embedded cloud for the tests, and the command line as a user types it."""

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ecluse.cli import command_line
from ecluse.local import embedded_cloud, stop_embedded_cloud
from ecluse.release.compiler import compile_pipelines
from ecluse.repository.catalog import Catalog
from tests.ecluse.repositories import Repository, make_repository


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded cloud that all tests of a worker share."""
    state = tmp_path_factory.mktemp("gcp-local")
    yield embedded_cloud(state)
    stop_embedded_cloud(state)


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Commands:
    """The command line, in one repository."""

    repository: Repository

    def __call__(self, *arguments: str) -> Answer:
        """Run `ecluse …` in this process."""
        words = [*arguments, "--repository", str(self.repository.root)]
        found = CliRunner().invoke(command_line(), words, catch_exceptions=False)
        return Answer(found.exit_code, found.stdout, found.stderr)

    def build(self) -> Path:
        """Commit everything and build a release."""
        self.repository.commit()
        folder = self.repository.root / "dist" / "release"
        answer = self("build", "--output", str(folder))
        assert answer.code == 0, answer.err
        return folder

    def promote(self, environment: str, *arguments: str) -> Answer:
        """Promote, answering in JSON."""
        return self("promote", environment, "--json", *arguments)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the compiler keeps of the repository that every test begins with."""
    root = tmp_path_factory.mktemp("compiled") / "repository"
    catalog = Catalog(make_repository(root, "compiled", runtime_image=True).root)
    compile_pipelines(catalog)
    return root / ".ecluse"


@pytest.fixture
def repository(tmp_path: Path, compiled: Path) -> Repository:
    """A repository whose projects and buckets nobody else uses, compiled as it stands.

    What is kept is valid only for the very same files, so a test that changes them compiles them.
    """
    found = make_repository(tmp_path / "repository", uuid.uuid4().hex[:8], runtime_image=True)
    shutil.copytree(compiled, found.root / ".ecluse")
    return found


@pytest.fixture
def ecluse(repository: Repository, address: str, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The command line in that repository, on the embedded cloud."""
    monkeypatch.setenv("ECLUSE_LOCAL", address)
    monkeypatch.setenv("ECLUSE_ACTOR", "ann@example.com")
    return Commands(repository)
