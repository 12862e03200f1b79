"""The warm fork server's process: has KFP and big libraries loaded, and forks a child per task.

Run as a script by `warm.WarmLauncher`, never imported, and made of the standard library alone: a
child must find nothing in `sys.modules` that `python3 -m kfp.dsl.executor_main` would not have
found, except libraries that it could have imported itself. It has one thread.

Messages on the socket are JSON, with their length before them in four bytes.

    server -> zygote   {"id", "source", "arguments", "environment", "folder", "path", "mount"}, and
                       the log's file descriptor: start a component
                       {"id", "signal"}: send it to the component's process group
    zygote -> server   {"ready": true}: all is loaded
                       {"id", "pid"}: started, or {"id", "refused": why}
                       {"id", "code"}: ended, and nothing of its group is left
"""

# No pathlib here: a child loads it when it wants it.
# ruff: noqa: PTH118, PTH123, PTH208

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
import threading
import warnings
from typing import Any, NoReturn

_BASE = ("kfp.dsl.executor", "kfp.dsl.kfp_config", "kfp.dsl.utils", "kfp.dsl.types.artifact_types")
_HEADER = 4


class Zygote:
    """Serves one server until it hangs up."""

    def __init__(self, connection: socket.socket, preload: list[str]) -> None:
        self._connection = connection
        self._preload = preload
        self._children: dict[int, int] = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Load the libraries, say so, answer requests; at the end, end all children."""
        for name in _BASE:
            importlib.import_module(name)
        for name in self._preload:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        gc.freeze()  # what all children share is never gone through again, and so stays shared
        self._send({"ready": True})
        while True:
            connection = self._connection.fileno()
            ready, _, _ = select.select([connection, self._wake_read], [], [])
            if self._wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
                self._reap()
            if connection in ready and not self._answer():
                break
        for pid in self._children.values():
            _signal_group(pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Report every child that has ended, after ending what it left behind."""
        for number, pid in list(self._children.items()):
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                continue
            _signal_group(pid, signal.SIGKILL)  # its zombie still holds the group's number
            _, status = os.waitpid(pid, 0)
            del self._children[number]
            code = os.waitstatus_to_exitcode(status)
            # A shell stands between the launcher and Python in the plain way, and says it so.
            self._send({"id": number, "code": code if code >= 0 else 128 - code})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        # A server that hung up is noticed where requests are read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.sendall(len(body).to_bytes(_HEADER, "big") + body)

    def _receive(self, size: int) -> tuple[bytes, list[int]]:
        """Read so many bytes, and the file descriptors that come with them."""
        data = b""
        descriptors: list[int] = []
        while len(data) < size:
            space = socket.CMSG_SPACE(array.array("i").itemsize)
            part, ancillary, _, _ = self._connection.recvmsg(size - len(data), space)
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    received = array.array("i")
                    received.frombytes(content[: len(content) - len(content) % received.itemsize])
                    descriptors.extend(received)
            if not part:
                return b"", descriptors
            data += part
        return data, descriptors

    def _answer(self) -> bool:
        """Answer one request; False when the server has hung up."""
        header, descriptors = self._receive(_HEADER)
        if not header:
            return False
        body, more = self._receive(int.from_bytes(header, "big"))
        if not body:
            return False
        request = json.loads(body)
        number = request["id"]
        if "signal" in request:
            if number in self._children:
                self._signal(self._children[number], request["signal"])
            return True
        (log,) = [*descriptors, *more]
        hidden = _hidden(request["path"])
        if hidden:
            self._send({"id": number, "refused": f"{hidden} would be hidden"})
        else:
            pid = _fork()
            if pid == 0:
                self._become(request, log)
            self._children[number] = pid
            self._send({"id": number, "pid": pid})
        os.close(log)
        return True

    def _signal(self, pid: int, number: int) -> None:
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            os.kill(pid, number)  # forked so recently that it leads no group yet

    def _become(self, request: dict[str, Any], log: int) -> NoReturn:
        """Be the component, in the forked child."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._connection.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.close(null)
        os.close(log)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.path[:0] = [request["folder"], *request["path"]]
        _start_anew(request["mount"])
        program = os.path.join(tempfile.mkdtemp(prefix="tmp."), "ephemeral_component.py")
        with open(program, "w", encoding="utf-8") as file:
            file.write(request["source"])
        sys.argv = ["-m", "--component_module_path", program, *request["arguments"]]
        code = 1
        try:
            runpy.run_module("kfp.dsl.executor_main", run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as error:
            code = _exit_code(error)
        except BaseException as error:  # noqa: BLE001  (the interpreter's own last resort)
            trace = error.__traceback__
            sys.excepthook(type(error), error, trace.tb_next if trace else None)
        finally:
            _finish(code)


def _fork() -> int:
    # OpenBLAS and Arrow have threads by now, and both handle a fork: Python need not warn of it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _start_anew(mount: str) -> None:
    """Undo in a child what loading the libraries beforehand has settled for all of them."""
    artifact_types = sys.modules["kfp.dsl.types.artifact_types"]
    artifact_types._GCS_LOCAL_MOUNT_PREFIX = mount  # type: ignore[attr-defined]
    tempfile.tempdir = None
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()  # else all children would draw the same numbers


def _hidden(path: list[str]) -> str:
    """Find a module of the image that a library loaded already would hide."""
    loaded = {name.partition(".")[0] for name in sys.modules}
    for folder in path:
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        for entry in entries:
            name = entry.partition(".")[0]
            if name in loaded and name != "google":
                return name
    return ""


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return 1


def _finish(code: int) -> NoReturn:
    """End as the interpreter does, but without taking the libraries apart."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:  # noqa: BLE001
        sys.excepthook(type(error), error, error.__traceback__)
        code = code or 120
    finally:
        os._exit(code)


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


if __name__ == "__main__":
    del sys.path[0]  # this script's own folder
    Zygote(socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2])).serve()
