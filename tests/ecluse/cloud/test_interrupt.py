"""Leaving while the cloud errs."""

import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from gcp_local.testing import LocalCloud
from tests.ecluse.conftest import Commands
from tests.ecluse.repositories import Repository


def test_ctrl_c_waits_for_no_call_that_is_to_be_tried_again(
    repository: Repository, gcp_local: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECLUSE_LOCAL", gcp_local.endpoint)
    monkeypatch.setenv("ECLUSE_ACTOR", "ann@example.com")
    release = str(Commands(repository).build())
    gcp_local.faults.clear()
    with gcp_local.faults.ordered(path="*/pipelineJobs/*", error=503, retry_after=20):
        stopped = subprocess.Popen(
            [
                *(sys.executable, "-m", "ecluse", "promote", "nonprod", "--release", release),
                *("--repository", str(repository.root)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that runs the tests in the background has them ignore Ctrl-C.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        while not any(call["status"] == 503 for call in gcp_local.faults.calls):
            assert stopped.poll() is None
            time.sleep(0.02)
        began = time.monotonic()
        stopped.send_signal(signal.SIGINT)
        _, complaint = stopped.communicate(timeout=60)
        assert time.monotonic() - began < 15, "nobody waited for the second try"
    assert stopped.returncode == 130
    assert "interrupted: what runs in the cloud goes on" in complaint
