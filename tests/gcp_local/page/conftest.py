from __future__ import annotations

import pytest
from google.cloud import aiplatform_v1
from google.cloud.storage import Bucket

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.page.runs import Runs


@pytest.fixture
def runs(emulator: Emulator, project: str, bucket: Bucket) -> Runs:
    return Runs(aiplatform_v1.PipelineServiceClient(**emulator.gapic), project, bucket.name)
