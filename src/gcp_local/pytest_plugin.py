"""The pytest plugin: an embedded Google Cloud for anyone's tests.

`gcp_local`              one for the whole session (with xdist, one for each worker)
`gcp_local_fresh`        one of the test's own, to be killed, broken, or set forward in time
`gcp_local_environment`  the first, with the environment variables set by which clients find it,
                         and the user's own credentials out of their sight

Settings, in pytest's own file:

`gcp_local_arguments`    more options of `gcp-local serve`
`gcp_local_project`      the id of the project, `local-project` unless set
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gcp_local.testing import LocalCloud


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the settings."""
    parser.addini(
        "gcp_local_arguments", "options of `gcp-local serve` for the fixtures", "args", default=[]
    )
    parser.addini(
        "gcp_local_project", "the id of the fixtures' project", "string", default="local-project"
    )


@pytest.fixture(scope="session")
def gcp_local(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalCloud]:
    """Serve an embedded Google Cloud to all tests; `new_project()` keeps them apart."""
    with _cloud(pytestconfig, tmp_path_factory.mktemp("gcp-local")) as cloud:
        yield cloud


@pytest.fixture
def gcp_local_fresh(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalCloud]:
    """Serve an embedded Google Cloud to this test alone; it starts in about a second."""
    with _cloud(pytestconfig, tmp_path_factory.mktemp("gcp-local-fresh")) as cloud:
        yield cloud


@pytest.fixture
def gcp_local_environment(
    gcp_local: LocalCloud,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> LocalCloud:
    """Set, for this test, the variables by which Google's clients find `gcp_local`.

    A client that goes by none of them, and so to Google, goes without the user's credentials.
    """
    for name, value in gcp_local.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path_factory.mktemp("no-credentials")))
    return gcp_local


def _cloud(config: pytest.Config, state: Path) -> LocalCloud:
    # Late: whoever uses none of the fixtures pays nothing at the start of pytest.
    from gcp_local.testing import LocalCloud

    return LocalCloud(
        state,
        arguments=config.getini("gcp_local_arguments"),
        project=config.getini("gcp_local_project"),
    )
