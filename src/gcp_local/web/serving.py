"""The server's life: one state folder, one process, an address that others can find."""

from __future__ import annotations

import fcntl
import gc
import json
import logging
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from gcp_local.cli import package_version
from gcp_local.errors import InvalidArgument
from gcp_local.web.door import Door

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gcp_local.cloud import Cloud
    from gcp_local.grpc_door.server import GrpcDoor
    from gcp_local.images.mapping import ImageMappings
    from gcp_local.web.server import Server

log = logging.getLogger("gcp_local")
DOOR = Door()


class StateBusyError(Exception):
    """Another server has this state folder."""


def run(
    state: Path,
    *,
    port: int = 0,
    grpc_port: int = 0,
    door: Door = DOOR,
    idle_timeout: float | None = None,
    verbose: bool = False,
    images: ImageMappings | None = None,
    accelerators_ignored: bool = False,
    faults: Path | None = None,
    ends_with_stdin: bool = False,
    permissive: bool = False,
    components: int | None = None,
) -> None:
    """Serve a state folder until SIGTERM, SIGINT, the idle time or a closed stdin ends it.

    When requests are answered, `server.json` in the folder tells where; it goes at the end.

    Args:
        state: the folder; made if it is missing.
        port: 0 takes a free one.
        grpc_port: the port of gRPC; 0 takes a free one.
        door: where it listens, and to whom.
        idle_timeout: seconds without a request or a running job after which it ends.
        verbose: log every request.
        images: commands that stand for images.
        accelerators_ignored: run without an accelerator what asks for one.
        faults: a file that says what is to go wrong from the start.
        ends_with_stdin: end when stdin is closed.
        permissive: run what is not proved to run on Vertex AI.
        components: how many components of pipelines run at a time; none for as many as fit here.

    Raises:
        StateBusyError: another server has the folder.
        InvalidArgument: the file of faults is not well formed.
        OSError: the port is taken, or the folder, or what is in it, cannot be used.

    """
    _log_to_stderr(logging.INFO if verbose else logging.WARNING)
    state = state.absolute()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _owned(state), socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it; without it each answer waits 40 ms for the client's ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind((str(door.address), port))
        except OSError as error:
            where = f"port {port} of {door.address}" if door.opened else f"port {port}"
            raise OSError(error.errno, error.strerror, where) from None
        port = listener.getsockname()[1]
        endpoint = f"http://{door.reached_at}:{port}"
        sys.stderr.write(door.warning(port))
        # Late, for they take a second: a second server on the folder is refused without the wait.
        with _uncollected():
            from gcp_local.cloud import Cloud
            from gcp_local.grpc_door.server import GrpcDoor
            from gcp_local.rpc.dispatch import parse_json
            from gcp_local.web.server import Server

        grpc_door = GrpcDoor(str(door.address), grpc_port)
        try:
            cloud = Cloud(
                state,
                endpoint,
                grpc_endpoint=f"{door.reached_at}:{grpc_door.port}",
                images=images,
                accelerators_ignored=accelerators_ignored,
                permissive=permissive,
                components=components,
            )
        except sqlite3.DatabaseError as error:
            raise OSError(f"{state / 'state.db'} cannot be used: {error}") from error
        try:
            if ends_with_stdin:
                threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
            if faults is not None:
                try:
                    cloud.faults.replace(parse_json(faults.read_bytes()))
                except InvalidArgument as error:
                    raise InvalidArgument(f"{faults}: {error.message}") from None
            grpc_door.start(cloud.dispatcher, cloud.faults)
            try:
                _serve(
                    cloud,
                    Server(cloud, door),
                    grpc_door,
                    listener,
                    idle_timeout,
                    lambda: _announce(state, cloud),
                )
            finally:
                grpc_door.stop()
        finally:
            (state / "server.json").unlink(missing_ok=True)
            cloud.close()


class _Uvicorn(uvicorn.Server):
    """A server that tells when it answers, and ends when nothing needs it."""

    def __init__(
        self,
        cloud: Cloud,
        application: Server,
        grpc_door: GrpcDoor,
        idle_timeout: float | None,
        ready: Callable[[], None],
    ) -> None:
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        super().__init__(config)
        self._cloud = cloud
        self._application = application
        self._grpc_door = grpc_door
        self._idle_timeout = idle_timeout
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to end; asked ten times a second."""
        last_request = max(self._application.last_request, self._grpc_door.last_call)
        idle = time.monotonic() - last_request
        if self._idle_timeout is not None and idle > self._idle_timeout and not self._cloud.busy():
            return True
        return await super().on_tick(counter)


def _serve(
    cloud: Cloud,
    application: Server,
    grpc_door: GrpcDoor,
    listener: socket.socket,
    idle_timeout: float | None,
    ready: Callable[[], None],
) -> None:
    # uvicorn raises the signals again that ended it; by then there is nothing left to end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    _Uvicorn(cloud, application, grpc_door, idle_timeout, ready).run(sockets=[listener])


def _end_with_stdin() -> None:
    """Wait until whoever holds the other end of stdin has gone; then end as SIGTERM does."""
    while os.read(0, 4096):
        pass
    while True:  # a signal that comes before the server listens to it is lost
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep what is loaded out of the garbage collector's sight, for it stays until the end.

    Going through it, again and again while it grows and once more at the end, would take a third
    of the processor's time that a server needs to start and to end.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _owned(state: Path) -> Iterator[None]:
    """Hold the folder's lock, which the kernel lets go when the process dies, however it dies."""
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateBusyError(f"{state} is served already{_whereabouts(state)}") from None
        yield


def _whereabouts(state: Path) -> str:
    try:
        known = json.loads((state / "server.json").read_text())
    except (OSError, ValueError):
        return ""
    return f" at {known.get('endpoint')} by process {known.get('pid')}"


def _announce(state: Path, cloud: Cloud) -> None:
    known = {
        "endpoint": cloud.endpoint,
        "grpc_endpoint": cloud.grpc_endpoint,
        "pid": os.getpid(),
        "version": package_version(),
    }
    unfinished = state / "server.json.part"
    unfinished.write_text(json.dumps(known) + "\n")
    unfinished.replace(state / "server.json")
    print(  # noqa: T201
        f"gcp-local serves {state} at {cloud.endpoint}\nOpen that in a browser to look into it.",
        flush=True,
    )


def _log_to_stderr(level: int) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name in ("gcp_local", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
