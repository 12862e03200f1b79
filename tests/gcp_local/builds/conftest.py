from __future__ import annotations

import pytest
from google.cloud.storage import Client

from tests.gcp_local.builds.place import Place
from tests.gcp_local.emulators import Emulator


@pytest.fixture
def place(emulator: Emulator, project: str, storage_client: Client) -> Place:
    """A project's Cloud Build, with a bucket for its logs."""
    storage_client.create_bucket(f"{project}-logs")
    return Place(emulator, project)
