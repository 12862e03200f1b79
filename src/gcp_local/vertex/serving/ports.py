"""Ports of this machine for model servers."""

from __future__ import annotations

import socket
import threading

_given_out: set[int] = set()
_lock = threading.Lock()


def free_port() -> int:
    """Find a port of 127.0.0.1 that nobody has, and that was not given out for another server."""
    with _lock:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port: int = probe.getsockname()[1]
            if port not in _given_out:
                _given_out.add(port)
                return port


def give_back(port: int) -> None:
    """Let a port be given out again."""
    with _lock:
        _given_out.discard(port)
