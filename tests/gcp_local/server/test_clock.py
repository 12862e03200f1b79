"""The clock: whoever waits by it wakes when it is set forward, and misses no call."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from gcp_local import clock
from tests.gcp_local.emulators import Emulator

PATH = "/gcp-local/clock"


def test_a_call_between_looking_and_waiting_is_not_missed() -> None:
    seen = clock.wakings()
    clock.wake()
    started = time.monotonic()
    clock.wait(None, seen)
    clock.wait(clock.now() - timedelta(days=1))
    assert time.monotonic() - started < 1


def test_whoever_waits_is_woken() -> None:
    woken = threading.Event()

    def wait() -> None:
        clock.wait(clock.now() + timedelta(days=1))
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    for _ in range(500):
        clock.wake()
        if woken.wait(0.01):
            return
    raise AssertionError("nobody woke it")


def test_a_servers_clock_goes_forward_as_far_as_it_is_told(emulator: Emulator) -> None:
    before = emulator.clock.now()
    assert abs(before - datetime.now(UTC)) < timedelta(seconds=60)
    after = emulator.clock.advance(timedelta(milliseconds=5))
    assert timedelta(milliseconds=4) <= after - before < timedelta(seconds=60)
    assert emulator.clock.now() >= after


@pytest.mark.parametrize(
    "body",
    [
        *('{"advance": "-1s"}', '{"advance": "1"}', '{"advance": 1}', '{"advance": "1e9s"}', "{}"),
        *('{"advance": "999999999999s"}', '{"advance": "1s", "back": "1s"}', "[]", "", "1"),
    ],
)
def test_what_is_no_step_forward_is_refused(emulator: Emulator, body: str) -> None:
    before = emulator.clock.now()
    assert emulator.call("POST", PATH, data=body).status_code == 400
    assert emulator.clock.now() - before < timedelta(seconds=60)
