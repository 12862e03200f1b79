"""How often a record that changes often is saved."""

from __future__ import annotations

import threading
import time

from gcp_local.orchestrator.saving import Saver


def test_many_changes_are_saved_together_and_the_last_of_them_too() -> None:
    record, saved = [0], []

    def save() -> None:
        saved.append(record[0])
        time.sleep(0.01)

    saver = Saver(save, "test")
    saver.begin()
    for number in range(1, 301):
        record[0] = number
        saver.changed()
        time.sleep(0.0005)
    saver.flush(10)
    assert saved[-1] == 300
    assert saved == sorted(saved)
    assert len(saved) < 100
    saver.end()


def test_nothing_is_saved_where_nothing_changes_nor_after_the_end() -> None:
    saved = []
    saver = Saver(lambda: saved.append(1), "test")
    saver.begin()
    saver.flush(10)
    time.sleep(0.02)
    assert saved == []
    saver.end()
    saver.changed()
    saver.flush(10)
    assert saved == []


def test_a_save_that_fails_is_tried_again() -> None:
    tries = []
    passed = threading.Event()

    def save() -> None:
        tries.append(1)
        if len(tries) < 2:
            raise OSError("no space left on device")
        passed.set()

    saver = Saver(save, "test")
    saver.begin()
    saver.changed()
    assert passed.wait(10)
    saver.end()
    assert len(tries) == 2
