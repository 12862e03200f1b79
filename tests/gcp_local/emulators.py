"""Starts and ends servers for the tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from google.auth.credentials import AnonymousCredentials


@dataclass(frozen=True)
class Emulator:
    """A running server."""

    endpoint: str
    state: Path
    process: subprocess.Popen[str]

    @property
    def gapic(self) -> dict[str, Any]:
        """What every GAPIC client is made with."""
        return {
            "credentials": AnonymousCredentials(),
            "client_options": {"api_endpoint": self.endpoint},
            "transport": "rest",
        }

    def call(self, method: str, path: str, **said: Any) -> requests.Response:
        return requests.request(method, self.endpoint + path, timeout=20, **said)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


def start(state: Path, *arguments: str, **environment: str) -> Emulator:
    process = subprocess.Popen(
        [sys.executable, "-m", "gcp_local", "serve", "--state", str(state), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    known = state / "server.json"
    for _ in range(1500):
        if process.poll() is not None:
            assert process.stdout is not None
            raise AssertionError(f"the server ended: {process.stdout.read()}")
        if known.exists():
            told = json.loads(known.read_text())
            if told["pid"] == process.pid:
                return Emulator(told["endpoint"], state, process)
        time.sleep(0.02)
    process.kill()
    raise AssertionError("the server did not start")
