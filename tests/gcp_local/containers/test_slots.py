"""Who waits for a place gets it in turn."""

from __future__ import annotations

import threading

import pytest

from gcp_local.containers.processes import StoppedError
from gcp_local.containers.slots import Slots


class Guest(threading.Thread):
    """Takes a place, notes its number, and gives the place back."""

    def __init__(self, slots: Slots, number: int, served: list[int]) -> None:
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self._slots, self._number, self._served = slots, number, served

    def run(self) -> None:
        try:
            with self._slots.one(self.stopping):
                self._served.append(self._number)
        except StoppedError:
            self._served.append(-self._number)


def test_the_first_to_come_is_the_first_to_go_and_who_is_stopped_waits_no_more() -> None:
    slots, served = Slots(1), list[int]()
    guests = [Guest(slots, number, served) for number in range(1, 40)]
    with slots.one(threading.Event()):
        for guest in guests:
            guest.start()
            while slots.waiting() <= guests.index(guest):
                guest.join(0.001)
        guests[4].stopping.set()
        slots.wake()
        guests[4].join(10)
        assert served == [-5]
    for guest in guests:
        guest.join(10)
    assert served == [-5, *(number for number in range(1, 40) if number != 5)]
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(StoppedError), slots.one(stopped):
        pass
    with slots.one(threading.Event()):  # nothing was lost on the way
        pass
