"""Servers for the tests: what `gcp_local.testing` gives anyone, and a little more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from gcp_local.testing import LocalCloud


class Emulator(LocalCloud):
    """A running server."""

    def call(self, method: str, path: str, **said: Any) -> requests.Response:
        return requests.request(method, self.endpoint + path, timeout=20, **said)

    def end(self) -> int:
        return self.stop()


def start(state: Path, *arguments: str, **environment: str) -> Emulator:
    return Emulator(state, arguments=arguments, environment=environment).start()
