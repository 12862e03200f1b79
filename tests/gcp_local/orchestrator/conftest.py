from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gcp_local.containers.processes import PlainLauncher
from gcp_local.containers.warm import WarmLauncher
from tests.gcp_local.orchestrator.harness import Cloud


@pytest.fixture(params=["plain", "warm"])
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cloud]:
    """Give an orchestrator that starts components in the plain way, and one with a fork server."""
    cloud = Cloud(tmp_path, PlainLauncher() if request.param == "plain" else WarmLauncher(()))
    yield cloud
    cloud.close()
    assert list(cloud.work.iterdir()) == []


@pytest.fixture
def plain_cloud(tmp_path: Path) -> Iterator[Cloud]:
    """For what has nothing to do with how components start."""
    cloud = Cloud(tmp_path, PlainLauncher())
    yield cloud
    cloud.close()
    assert list(cloud.work.iterdir()) == []
