"""Places that are taken for a while: who has waited longest gets the next free one."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Event

from ecluse.errors import Interrupted

_LOOK_SECONDS = 0.2


class Slots:
    """A fixed number of places, shared by threads.

    Attributes:
        number: how many there are.

    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._free = number
        self._queue: deque[object] = deque()
        self._changed = Condition()

    @contextmanager
    def taken(self, stop: Event | None = None) -> Iterator[None]:
        """Hold a place for as long as a `with` lasts, waiting for it in turn.

        Args:
            stop: whoever waits leaves the queue a moment after this was set.

        Raises:
            Interrupted: `stop` was set before a place was free.

        """
        self._take(stop)
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def keep(self) -> bool:
        """Take a place for good, if one is free and nobody waits for it; tell whether it was."""
        with self._changed:
            if not self._free or self._queue:
                return False
            self._free -= 1
            return True

    def _take(self, stop: Event | None) -> None:
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while not self._free or self._queue[0] is not ticket:
                    if stop is not None and stop.is_set():
                        raise Interrupted("stopped while it waited for its turn")
                    self._changed.wait(_LOOK_SECONDS if stop is not None else None)
                self._free -= 1
            finally:
                # Whoever is first now may find a place free as well.
                self._queue.remove(ticket)
                self._changed.notify_all()
