"""How many containers run at a time, over all jobs."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gcp_local.containers.processes import StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Slots:
    """So many places; who finds none waits, the first the shortest, unless its run is stopped."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._changed = threading.Condition()

    @contextmanager
    def one(self, stopping: threading.Event) -> Iterator[None]:
        """Hold a place. `stopping` is the run's, who calls `wake` when it has set it.

        Raises:
            StoppedError: the run was stopped.

        """
        with self._changed:
            self._changed.wait_for(lambda: self._free or stopping.is_set())
            if stopping.is_set():
                self._changed.notify()  # the place, if that was what woke this one, is another's
                raise StoppedError
            self._free -= 1
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify()

    def wake(self) -> None:
        """Have all who wait look whether their run was stopped."""
        with self._changed:
            self._changed.notify_all()
