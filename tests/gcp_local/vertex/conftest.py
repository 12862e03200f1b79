from __future__ import annotations

import pytest


@pytest.fixture
def parent(project: str) -> str:
    """Where the resources of a test are, unless it is about places."""
    return f"projects/{project}/locations/europe-west1"
