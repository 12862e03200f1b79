"""How many run at a time: a place for each, and the others wait for their turn."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gcp_local.containers.processes import StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(eq=False)
class _Waiting:
    stopping: threading.Event
    called: threading.Event = field(default_factory=threading.Event)
    has_place: bool = False


class Slots:
    """So many places; who finds none waits, first come first served, unless it is stopped."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: deque[_Waiting] = deque()
        self._lock = threading.Lock()

    @contextmanager
    def one(self, stopping: threading.Event) -> Iterator[None]:
        """Hold a place. Who sets `stopping` calls `wake` then.

        Raises:
            StoppedError: it was stopped before it had a place.

        """
        self._take(stopping)
        try:
            yield
        finally:
            self._give_back()

    def wake(self) -> None:
        """Send away all who wait and were stopped."""
        with self._lock:
            for each in [each for each in self._waiting if each.stopping.is_set()]:
                self._waiting.remove(each)
                each.called.set()

    def waiting(self) -> int:
        """Count those who wait."""
        with self._lock:
            return len(self._waiting)

    def _take(self, stopping: threading.Event) -> None:
        with self._lock:
            if stopping.is_set():
                raise StoppedError
            if self._free:
                self._free -= 1
                return
            waiting = _Waiting(stopping)
            self._waiting.append(waiting)
        waiting.called.wait()
        if not waiting.has_place:
            raise StoppedError
        if stopping.is_set():
            self._give_back()
            raise StoppedError

    def _give_back(self) -> None:
        with self._lock:
            if self._waiting:
                first = self._waiting.popleft()
                first.has_place = True
                first.called.set()
            else:
                self._free += 1
