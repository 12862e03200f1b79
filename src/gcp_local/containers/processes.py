"""Components as host processes: started in a group of their own, ended with all they started."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

GRACE_SECONDS = 5.0
"""How long a process may take to end after SIGTERM before SIGKILL."""


class StoppedError(Exception):
    """Nothing more is started: whatever the process was for was stopped."""


@dataclass(frozen=True)
class Command:
    """What to run: words, the whole environment, the folder to run in, where output goes."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    log: Path


class Process(Protocol):
    """A running component."""

    def wait(self) -> int:
        """Wait for its end, end what it left behind, and give its exit code (negative: signal)."""
        ...

    def stop(self) -> None:
        """Ask it to end, and after a grace period make it. Returns at once."""
        ...


class Launcher(Protocol):
    """Starts components."""

    def start(self, command: Command) -> Process:
        """Start one; OSError if it cannot be started."""
        ...

    def close(self) -> None:
        """Free what the launcher itself holds; its processes have ended before."""
        ...


class PlainLauncher:
    """Starts each component as a new process, the very command that the pipeline names."""

    def start(self, command: Command) -> Process:
        """Start the command; OSError if there is no such program."""
        with command.log.open("ab") as log:
            return PlainProcess(
                subprocess.Popen(
                    command.words,
                    env=dict(command.environment),
                    cwd=command.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def close(self) -> None:
        """Nothing to free."""


class PlainProcess:
    """A child process that leads a process group."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def wait(self) -> int:
        """Wait for the end of the leader, then end the rest of its group."""
        if hasattr(os, "waitid"):
            # Not reaped yet, the leader's zombie keeps the group's number from being given away.
            os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._popen.wait()  # macOS, before Python 3.13
        self._ended.set()
        with self._lock:
            self._signal(signal.SIGKILL)
            return self._popen.wait()

    def stop(self) -> None:
        """Send SIGTERM to the group, and SIGKILL after the grace period."""
        threading.Thread(target=self._stop, name="stop-component", daemon=True).start()

    def _stop(self) -> None:
        with self._lock:
            if self._popen.returncode is None:
                self._signal(signal.SIGTERM)
        if not self._ended.wait(GRACE_SECONDS):
            with self._lock:
                if self._popen.returncode is None:
                    self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)


class ProcessGroup:
    """The processes of one run or job. After `stop` no more are started."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._running: set[Process] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def start(self, command: Command) -> Process:
        """Start a process.

        Raises:
            StoppedError: the group was stopped.
            OSError: it cannot be started.

        """
        with self._lock:
            if self._stopped:
                raise StoppedError
            process = self._launcher.start(command)
            self._running.add(process)
        return _Tracked(process, self._forget)

    def stop(self) -> None:
        """Ask all processes to end. Returns at once."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.stop()

    def _forget(self, process: Process) -> None:
        with self._lock:
            self._running.discard(process)


@dataclass(frozen=True)
class _Tracked:
    """A process that is forgotten when it has ended."""

    process: Process
    forget: Callable[[Process], None]

    def wait(self) -> int:
        try:
            return self.process.wait()
        finally:
            self.forget(self.process)

    def stop(self) -> None:
        self.process.stop()
