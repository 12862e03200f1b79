from __future__ import annotations

import pytest
from google.cloud.aiplatform_v1 import JobServiceClient

from tests.gcp_local.emulators import Emulator


@pytest.fixture
def jobs(emulator: Emulator) -> JobServiceClient:
    return JobServiceClient(**emulator.gapic)
