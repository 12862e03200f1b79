from __future__ import annotations

import pytest
from google.cloud import aiplatform_v1

from tests.gcp_local.emulators import Emulator

LOCATION = "europe-west1"


@pytest.fixture
def metadata(emulator: Emulator) -> aiplatform_v1.MetadataServiceClient:
    return aiplatform_v1.MetadataServiceClient(**emulator.gapic)


@pytest.fixture
def store(project: str) -> str:
    """The name of the default store, with the project's id; it is not there yet."""
    return f"projects/{project}/locations/{LOCATION}/metadataStores/default"
