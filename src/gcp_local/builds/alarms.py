"""Alarms: what is to happen at a time of the clock, unless it is called off before."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from gcp_local import clock


@dataclass(order=True)
class Alarm:
    """One alarm."""

    moment: datetime
    number: int
    action: Callable[[], object] = field(compare=False)
    off: bool = field(default=False, compare=False)

    def call_off(self) -> None:
        """Let it not happen."""
        self.off = True
        clock.wake()


class Alarms:
    """Goes by the clock that tests can drive; no thread runs while no alarm is set."""

    def __init__(self) -> None:
        self._waiting: list[Alarm] = []
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._running = False

    def set(self, moment: datetime, action: Callable[[], object]) -> Alarm:
        """Order an action, which returns at once, for a time."""
        alarm = Alarm(moment, next(self._numbers), action)
        with self._lock:
            heapq.heappush(self._waiting, alarm)
            if not self._running:
                self._running = True
                threading.Thread(target=self._watch, name="build-alarms", daemon=True).start()
        clock.wake()
        return alarm

    def _watch(self) -> None:
        while True:
            seen = clock.wakings()
            due: list[Alarm] = []
            with self._lock:
                self._waiting = [alarm for alarm in self._waiting if not alarm.off]
                heapq.heapify(self._waiting)
                while self._waiting and self._waiting[0].moment <= clock.now():
                    due.append(heapq.heappop(self._waiting))
                if not self._waiting and not due:
                    self._running = False
                    return
                first = self._waiting[0].moment if self._waiting else None
            for alarm in due:
                alarm.action()
            if first is not None:
                clock.wait(first, seen)
