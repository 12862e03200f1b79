from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from google.cloud.storage import Bucket, Client

from tests.gcp_local.emulators import Emulator, start


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One server for all tests of a worker; each test has a project of its own."""
    emulator = start(tmp_path_factory.mktemp("state"))
    yield emulator
    assert emulator.end() == 0
    assert not (emulator.state / "server.json").exists()


@pytest.fixture
def project() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def storage_client(emulator: Emulator, project: str) -> Client:
    return Client(
        project=project,
        credentials=emulator.gapic["credentials"],
        client_options={"api_endpoint": emulator.endpoint},
    )


@pytest.fixture
def bucket(storage_client: Client) -> Bucket:
    return storage_client.create_bucket(f"bucket-{uuid.uuid4().hex}")
