"""Saves a record that changes often: soon after each change, but not for each.

To save a whole job at each change of each of its tasks would take ever longer the more tasks it
has. So a thread saves whatever the record has come to, and rests nine times as long as that took.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logging.getLogger(__name__)
_REST = 9.0
_LONGEST_REST_SECONDS = 0.5
_RETRY_SECONDS = 0.2


class Saver:
    """Calls `save` in a thread of its own, after changes, one call at a time.

    A save that fails is tried again as long as the record has not ended: what is wrong may pass,
    and if it does not, the end of the record will tell.
    """

    def __init__(self, save: Callable[[], None], name: str) -> None:
        self._save = save
        self._condition = threading.Condition()
        self._changes = self._saved = 0
        self._hurry = self._ended = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def begin(self) -> None:
        """Save from now on, until `end`."""
        self._thread.start()

    def changed(self) -> None:
        """Have the record saved soon. Returns at once."""
        with self._condition:
            self._changes += 1
            self._condition.notify_all()

    def flush(self, timeout: float) -> None:
        """Wait until what has changed is saved, but no longer than that many seconds."""
        with self._condition:
            wanted = self._changes
            self._hurry = True
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._saved >= wanted or self._ended, timeout)

    def end(self) -> None:
        """Save nothing more; returns when the last call has."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()
        self._thread.join()

    def _work(self) -> None:
        rest = 0.0
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._ended or self._hurry, rest)
                self._condition.wait_for(lambda: self._ended or self._changes > self._saved)
                if self._ended:
                    return
                self._hurry = False
                changes = self._changes
            began = time.monotonic()
            try:
                self._save()
            except Exception:  # noqa: BLE001  (whatever it is, the run goes on)
                _LOG.exception("a pipeline job's state could not be saved, and will be again")
                rest = _RETRY_SECONDS
                continue
            rest = min(_REST * (time.monotonic() - began), _LONGEST_REST_SECONDS)
            with self._condition:
                self._saved = max(self._saved, changes)
                self._condition.notify_all()
