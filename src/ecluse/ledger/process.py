"""Processes by names that no other has on any machine; whether one of this machine's has ended."""

import os
import platform
import socket
import uuid
from pathlib import Path


def this_process() -> str:
    """Return this process's name among all machines': `MACHINE/PID/STARTED`."""
    pid = os.getpid()
    return f"{_machine()}/{pid}/{_started(pid)}"


def is_gone(process: str) -> bool:
    """Whether a process was one of this machine's and is no more; false where that is unknown."""
    machine, _, rest = process.partition("/")
    pid, _, started = rest.partition("/")
    if machine != _machine() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return started != _started(int(pid))


def _machine() -> str:
    """Return what tells this machine, this boot of it and this container from any other."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # Two containers on a machine share its boot, but not their process numbers.
        return f"{boot}.{Path('/proc/self/ns/pid').readlink()}".replace("/", "-")
    except OSError:
        return f"{socket.gethostname()}.{platform.system()}.{uuid.getnode():x}"


def _started(pid: int) -> str:
    """Return when a process started, in the system's unit; empty if it ended or none can tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name in parentheses may hold anything; after it come the state and, 20th, the start.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
