"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gcp_local.testing import LocalCloud, RefusedError, StartError
from tests.gcp_local.emulators import start

pytest_plugins = ["pytester"]

SUITE = """
import os

import google.auth
import pytest
from google.api_core import exceptions
from google.auth.transport.requests import Request
from google.cloud import aiplatform_v1, storage

from gcp_local.testing import LocalCloud, RefusedError

seen = []


def bucket_of(cloud: LocalCloud) -> storage.Bucket:
    client = storage.Client(cloud.project, cloud.credentials, client_options=cloud.client_options)
    return client.bucket("kept")


@pytest.mark.parametrize("turn", [1, 2])
def test_one_server_is_there_for_all(gcp_local, turn):
    seen.append(gcp_local.pid)
    assert len(set(seen)) == 1
    jobs = aiplatform_v1.PipelineServiceClient(**gcp_local.gapic)
    parent = f"projects/{gcp_local.new_project()}/locations/europe-west1"
    assert not list(jobs.list_pipeline_jobs(parent=parent))
    assert gcp_local.project == "project-of-mine"


def test_clients_made_elsewhere_find_it(gcp_local_environment):
    assert os.environ["STORAGE_EMULATOR_HOST"] == gcp_local_environment.endpoint
    client = storage.Client(credentials=gcp_local_environment.credentials)
    assert client.project == "project-of-mine"
    client.create_bucket("found")


def test_clients_made_elsewhere_have_nobodys_credentials(gcp_local_environment):
    credentials, project = google.auth.default()
    credentials.refresh(Request())
    assert (credentials.token, project) == ("gcp-local-dummy-token", "project-of-mine")


def test_the_environment_is_as_it_was(gcp_local):
    assert "STORAGE_EMULATOR_HOST" not in os.environ


def test_a_server_of_ones_own_can_be_killed_and_comes_back(gcp_local_fresh, gcp_local):
    assert gcp_local_fresh.pid != gcp_local.pid
    endpoint = gcp_local_fresh.endpoint
    bucket = bucket_of(gcp_local_fresh)
    bucket.create(location="europe-west1")
    gcp_local_fresh.kill()
    assert not gcp_local_fresh.running
    gcp_local_fresh.restart()
    assert gcp_local_fresh.endpoint == endpoint
    assert bucket.exists()
    before = gcp_local_fresh.clock.now()
    assert (gcp_local_fresh.clock.advance(3600) - before).total_seconds() >= 3600
    reference = gcp_local_fresh.images.put("europe-docker.pkg.dev/p/r/image", IMAGE)
    assert reference.startswith("europe-docker.pkg.dev/p/r/image@sha256:")
    with pytest.raises(RefusedError, match="rate"):
        gcp_local_fresh.faults.add(path="/*", error=500, rate=2)
    with gcp_local_fresh.faults.ordered(path="/storage/*", error=503, nth=1):
        with pytest.raises(exceptions.ServiceUnavailable):
            bucket.reload(retry=None)
        bucket.reload(retry=None)
        assert [rule["fired"] for rule in gcp_local_fresh.faults.rules] == [1]
    assert gcp_local_fresh.faults.rules == []
    assert gcp_local_fresh.faults.calls[-1]["path"] == "/storage/v1/b/kept"
    gcp_local_fresh.faults.add(path="/storage/*", stop=True)
    with pytest.raises(OSError):
        bucket.reload(retry=None)
    assert gcp_local_fresh.wait() == -9
"""
INI = """
[pytest]
gcp_local_project = project-of-mine
gcp_local_arguments = --idle-timeout 600
"""


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").exists() or " Z " not in Path(
        f"/proc/{pid}/stat"
    ).read_text(errors="replace")


def until_gone(pid: int) -> None:
    for _ in range(500):
        if not is_there(pid):
            return
        time.sleep(0.02)
    raise AssertionError(f"{pid} is still there")


def test_anyones_tests_can_use_the_fixtures(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "of-the-user.json"))
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "module.py").write_text("x = 1\n")
    head = f"from pathlib import Path\n\nIMAGE = Path({str(tmp_path / 'image')!r})\n"
    pytester.makeini(INI)
    pytester.makepyfile(head + SUITE)
    # The plugin is found by its entry point: an installation that is older has none (make setup).
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=6)


def test_a_killed_pytest_leaves_no_server(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import time
        from pathlib import Path

        def test_nothing_that_ends(gcp_local):
            Path("pid.part").write_text(str(gcp_local.pid))
            Path("pid.part").rename("pid")
            time.sleep(60)
    """)
    known = pytester.path / "pid"
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q"], cwd=pytester.path, stdout=subprocess.DEVNULL
    ) as running:
        while not known.exists():
            assert running.poll() is None
            time.sleep(0.02)
        server = int(known.read_text())
        assert is_there(server)
        running.send_signal(signal.SIGKILL)
    until_gone(server)


def test_a_session_that_does_not_ask_for_it_starts_nothing_and_loads_nothing(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("""
        import sys

        def test_without():
            assert "gcp_local.pytest_plugin" in sys.modules
            for name in ("gcp_local.testing", "google.auth", "uvicorn", "google.protobuf"):
                assert name not in sys.modules
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_server_is_asked_past_any_proxy_and_its_folder_is_for_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with LocalCloud(tmp_path / "state") as cloud:
        assert cloud.clock.now().tzinfo is not None
        assert not cloud.state.stat().st_mode & 0o077


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    first = start(tmp_path)
    with pytest.raises(StartError, match="is served already"):
        LocalCloud(tmp_path).start()
    with pytest.raises(RefusedError, match="must be like"):
        first.clock.advance(-1)
    assert first.stop() == 0
    assert not first.running
