"""The bell: wakes those who wait for a queue, and only if there are any."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gcp_local import clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Bell:
    """Knows which queues are waited for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._awaited: Counter[str] = Counter()

    @contextmanager
    def awaited(self, queue: str) -> Iterator[None]:
        """Have those who wait by the clock woken by what happens to a queue."""
        with self._lock:
            self._awaited[queue] += 1
        try:
            yield
        finally:
            with self._lock:
                self._awaited[queue] -= 1
                if not self._awaited[queue]:
                    del self._awaited[queue]

    def ring(self, queues: Sequence[str]) -> None:
        """Wake those who wait for one of these queues."""
        with self._lock:
            wanted = any(name in self._awaited for name in queues)
        if wanted:
            clock.wake()
