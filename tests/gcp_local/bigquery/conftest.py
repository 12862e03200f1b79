from __future__ import annotations

import uuid

import pytest
from google.cloud.bigquery import Client, Dataset

from tests.gcp_local.emulators import Emulator


@pytest.fixture
def client(emulator: Emulator, project: str) -> Client:
    return Client(
        project=project,
        credentials=emulator.gapic["credentials"],
        client_options={"api_endpoint": emulator.endpoint},
    )


@pytest.fixture
def dataset(client: Client) -> Dataset:
    return client.create_dataset(f"dataset_{uuid.uuid4().hex[:8]}")
