"""A time by which something must have ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from gcp_local import clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class Deadline:
    """Does something at that time by the clock, unless the `with` block has ended before.

    Attributes:
        passed: whether the time came first.

    """

    def __init__(self, moment: datetime, action: Callable[[], object]) -> None:
        self.passed = False
        self._moment = moment
        self._action = action
        self._done = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        clock.wake()
        self._watching.join()

    def _watch(self) -> None:
        while True:
            seen = clock.wakings()
            if self._done.is_set():
                return
            if clock.now() >= self._moment:
                break
            clock.wait(self._moment, seen)
        self.passed = True
        self._action()
