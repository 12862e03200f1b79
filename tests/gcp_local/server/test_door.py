"""Who is let in, and what is said when others may be."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest
import requests

from gcp_local.errors import PermissionDenied
from gcp_local.web.door import Door
from tests.gcp_local.emulators import start

CLOSED = Door()
OPENED = Door(IPv4Address("0.0.0.0"), frozenset({"build-machine"}))


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost", "LocalHost:80", "[::1]:80"])
@pytest.mark.parametrize("door", [CLOSED, OPENED])
def test_this_machine_is_let_in(door: Door, host: str) -> None:
    door.check({"host": host})


@pytest.mark.parametrize(
    "host", ["", "evil.example", "10.0.0.7:80", "127.0.0.1.evil.example", "build-machine", "::1"]
)
def test_a_door_on_loopback_knows_no_other_host(host: str) -> None:
    with pytest.raises(PermissionDenied, match="loopback"):
        CLOSED.check({"host": host})


@pytest.mark.parametrize(
    "host", ["10.0.0.7:80", "[fe80::1]:80", "build-machine", "BUILD-machine:1"]
)
def test_an_opened_door_knows_addresses_and_the_names_it_was_told(host: str) -> None:
    OPENED.check({"host": host})


@pytest.mark.parametrize("host", ["", "evil.example", "10.0.0.7.evil.example", "[evil]", "a:b:c"])
def test_an_opened_door_knows_no_name_that_could_be_rebound(host: str) -> None:
    with pytest.raises(PermissionDenied, match="host"):
        OPENED.check({"host": host})


@pytest.mark.parametrize("door", [CLOSED, OPENED])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:81"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_pages_of_other_origins_are_refused(door: Door, headers: dict[str, str]) -> None:
    with pytest.raises(PermissionDenied):
        door.check({"host": "localhost:80", **headers})


def test_only_an_opened_door_warns_and_loudly() -> None:
    assert CLOSED.warning(8085) == ""
    assert Door(IPv4Address("127.0.0.2")).warning(8085) == ""
    said = OPENED.warning(8085)
    assert said.count("WARNING") == 2
    assert "0.0.0.0" in said
    assert "port 8085 can run any command" in said


def test_a_server_listens_where_it_is_told(tmp_path: Path) -> None:
    emulator = start(tmp_path / "state", "--listen", "127.0.0.2")
    try:
        assert emulator.endpoint.startswith("http://127.0.0.2:")
        assert emulator.call("GET", "/gcp-local/server").status_code == 200
        with pytest.raises(requests.ConnectionError):
            requests.get(
                emulator.endpoint.replace("127.0.0.2", "127.0.0.1") + "/gcp-local/server", timeout=5
            )
    finally:
        assert emulator.end() == 0
