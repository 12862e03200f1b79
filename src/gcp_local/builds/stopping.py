"""Whether a build is to end before its time, and in which state."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gcp_local.builds.messages import Status
from gcp_local.containers.processes import ProcessGroup, StoppedError

if TYPE_CHECKING:
    from gcp_local.containers.processes import Launcher


class Stopper:
    """Ends a build's processes, by whoever says so first.

    Attributes:
        asked: set when the build was asked to end.
        halted: set when its processes were, which is so after a step's failure as well.
        group: the processes.

    """

    def __init__(self, launcher: Launcher) -> None:
        self.asked = threading.Event()
        self.halted = threading.Event()
        self.group = ProcessGroup(launcher)
        self._lock = threading.Lock()
        self._reason = int(Status.STATUS_UNKNOWN)

    @property
    def reason(self) -> int:
        """The state that the build is to end in; STATUS_UNKNOWN if it was not asked to end."""
        return self._reason

    def stop(self, reason: int) -> bool:
        """Ask the build to end in a state; False if it was asked before."""
        with self._lock:
            if self.asked.is_set():
                return False
            self._reason = reason
            self.asked.set()
        self.halt()
        return True

    def halt(self) -> None:
        """End all processes, and start no more. Returns at once."""
        self.halted.set()
        self.group.stop()

    def check(self) -> None:
        """Raise StoppedError if the build was asked to end."""
        if self.asked.is_set():
            raise StoppedError
