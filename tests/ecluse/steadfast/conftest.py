"""Fixtures of the proofs."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ecluse import clock
from ecluse.cloud import Cloud, calls, connect
from ecluse.repository.catalog import Catalog
from tests.ecluse.repositories import Repository, make_repository
from tests.ecluse.steadfast.commands import WarmParent, warm_parent
from tests.ecluse.steadfast.fleet import Fleet, Place
from tests.ecluse.steadfast.instruments import Faults, Time


@pytest.fixture
def faults(address: str) -> Faults:
    """The faults of the embedded cloud that all tests of a worker share."""
    return Faults(address)


@pytest.fixture
def nonprod(repository: Repository, address: str) -> Cloud:
    """An environment with its buckets, and nothing in them."""
    environment = Catalog(repository.root).environment("nonprod")
    cloud = connect(environment, local=address)
    cloud.storage.ensure_bucket(environment.ledger, environment.location)
    cloud.storage.ensure_bucket(environment.evidence, environment.location)
    return cloud


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """A clock that stands still until it is moved."""
    made = Time()
    monkeypatch.setattr(clock, "now", made.now)
    monkeypatch.setattr(clock, "steady", made.steady)
    return made


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat soon what failed in passing: nobody shares this cloud's quota."""
    monkeypatch.setattr(calls, "PATIENCE", calls.Patience(deadline=20, first=0.01, longest=0.05))


@pytest.fixture(scope="session")
def fleet(address: str, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A line of releases."""
    root = tmp_path_factory.mktemp("fleet") / "repository"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ECLUSE_LOCAL", address)
        return Fleet(make_repository(root, uuid.uuid4().hex[:8], runtime_image=True))


@pytest.fixture
def place(fleet: Fleet, tmp_path: Path) -> Place:
    """A repository with those releases, and environments of its own."""
    return fleet.place(tmp_path / "place", uuid.uuid4().hex[:8])


@pytest.fixture(scope="session")
def commands(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmParent]:
    """Where commands start as processes of their own, at the price of a fork."""
    with warm_parent(tmp_path_factory.mktemp("commands"), address) as parent:
        yield parent


@pytest.fixture
def kill_points(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Take note of how many kill points a test has tried, for the summary."""

    def note(what: str, count: int) -> None:
        assert count > 0, "nothing was killed"
        record_property("kill_points", [what, count])

    return note
