from __future__ import annotations

import pytest
from google.cloud import aiplatform_v1
from google.cloud.storage import Bucket

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.vertex.metadata.runs import Runner

LOCATION = "europe-west1"


@pytest.fixture
def metadata(emulator: Emulator) -> aiplatform_v1.MetadataServiceClient:
    return aiplatform_v1.MetadataServiceClient(**emulator.gapic)


@pytest.fixture
def store(project: str) -> str:
    """The name of the default store, with the project's id; it is not there yet."""
    return f"projects/{project}/locations/{LOCATION}/metadataStores/default"


@pytest.fixture
def runner(emulator: Emulator, store: str, bucket: Bucket) -> Runner:
    jobs = aiplatform_v1.PipelineServiceClient(**emulator.gapic)
    return Runner(jobs, store.partition("/metadataStores/")[0], bucket)
