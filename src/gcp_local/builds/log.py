"""A build's log: an object in a bucket, written anew about once a second while it grows.

Cloud Storage's objects cannot be appended to, so whoever follows a log reads it again and again.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gcp_local.containers.mount import UnwritableError, write

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.storage.objects import ObjectStore

_SECONDS_BETWEEN = 1.0


class BuildLog:
    """The log of one build.

    Args:
        path: the file that holds all of it.
        objects: where the bucket is.
        uri: the object; empty if the log is kept nowhere.
        streamed: whether the object is written before the end.

    Attributes:
        failure: why the object could not be written, if it could not.

    """

    def __init__(self, path: Path, objects: ObjectStore, uri: str, *, streamed: bool) -> None:
        self.failure = ""
        self._path = path
        self._objects = objects
        self._uri = uri
        self._lock = threading.Lock()
        self._grown = threading.Event()
        self._closing = threading.Event()
        self._writer: threading.Thread | None = None
        path.write_bytes(b"")
        if uri and streamed:
            self._writer = threading.Thread(target=self._follow, name="build-log", daemon=True)
            self._writer.start()

    def say(self, *lines: str) -> None:
        """Write lines."""
        self.write("".join(f"{line}\n" for line in lines).encode())

    def write(self, content: bytes) -> None:
        """Write whole lines as they are. Who writes after the end is not heard."""
        if self._closing.is_set():
            return
        with self._lock, self._path.open("ab") as file:
            file.write(content)
        self._grown.set()

    def close(self) -> None:
        """Write the object for the last time."""
        self._closing.set()
        self._grown.set()
        if self._writer is not None:
            self._writer.join()
        self._put()

    def _follow(self) -> None:
        while not self._closing.is_set():
            self._grown.wait()
            self._grown.clear()
            if not self._closing.is_set():
                self._put()
            self._closing.wait(_SECONDS_BETWEEN)

    def _put(self) -> None:
        if not self._uri:
            return
        try:
            write(self._objects, self._uri, self._path, content_type="text/plain", move=False)
        except (UnwritableError, OSError) as error:
            self.failure = str(error)
        else:
            self.failure = ""


class StepLog:
    """What one step says: each line with the step before it.

    Args:
        log: the build's.
        prefix: `Step #0 - "build": `.

    """

    def __init__(self, log: BuildLog, prefix: str) -> None:
        self._log = log
        self._prefix = prefix.encode()

    def say(self, line: str) -> None:
        """Write a line of Cloud Build's own."""
        self._log.write(self._prefix + line.encode() + b"\n")

    def copy(self, descriptor: int) -> None:
        """Write what comes by a pipe, line by line, until nobody can write into it any more."""
        with open(descriptor, "rb", buffering=0) as pipe:
            rest = b""
            while chunk := pipe.read(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > 1_000_000:
                    lines, rest = [*lines, rest], b""
                if lines:
                    self._log.write(b"".join(self._prefix + line + b"\n" for line in lines))
            if rest:
                self._log.write(self._prefix + rest + b"\n")
