"""Fixtures of the proofs."""

import pytest

from ecluse import clock
from ecluse.cloud import Cloud, calls, connect
from ecluse.repository.catalog import Catalog
from tests.ecluse.repositories import Repository
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
