"""The warm fork server's process: has KFP and big libraries loaded, and forks a child per task.

Run as a script by `warm.WarmLauncher`, never imported, and made of the standard library alone: a
child must find nothing in `sys.modules` that `python3 -m kfp.dsl.executor_main` would not have
found, except libraries that it could have imported itself. It has one thread.

To fork a process of some hundred megabytes, and to take it apart, takes tens of milliseconds. So
children are forked before they are needed and wait for their task; and they report their exit code
themselves, before the kernel takes them apart. Whatever happens to the server, even a `kill -9`,
is seen here as a connection that closes, and ends them all.

A component's process adopts what its own children leave behind, as the first process of a container
does; when it ends itself this process adopts all that, and ends it, whatever group it is in.

Messages are JSON, with their length before them in four bytes.

    server -> zygote   {"id", "source", "arguments", "environment", "folder", "path", "mount",
                        "watch"}, and the log's file descriptor: start a component
                       {"id", "words", "environment", "folder"}, and the log: start a command
                       {"id", "signal"}: send it to the component's process group
    zygote -> server   {"ready": true}: all is loaded
                       {"id", "pid"}: started, or {"id", "refused": why}
                       {"id", "code", "heavy"}: ended, and all that was left of its group was
                       killed; heavy if it had loaded a module that is watched for
    zygote -> child    the server's request, and the log
    child -> zygote    {"code", "heavy"}: about to exit
"""

# No pathlib here: a child loads it when it wants it.
# ruff: noqa: PTH110, PTH118, PTH123, PTH208

import array
import atexit
import contextlib
import ctypes
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
# Loaded when Python starts. An image that brings its own needs a Python that starts with it.
_AT_START = {"sitecustomize", "usercustomize"}
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_HEADER = 4
_SPARES = 2


class Channel:
    """Messages over a socket, file descriptors with them."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def fileno(self) -> int:
        """Give the socket's file descriptor, for `select`."""
        return self._connection.fileno()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def send(self, message: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
        """Send a message; OSError when the other side has hung up."""
        body = json.dumps(message).encode()
        socket.send_fds(self._connection, [len(body).to_bytes(_HEADER, "big")], descriptors)
        self._connection.sendall(body)

    def receive(self) -> tuple[dict[str, Any], list[int]] | None:
        """Read a message and its descriptors; None when the other side has hung up."""
        header, descriptors = self._read(_HEADER)
        body, _ = self._read(int.from_bytes(header, "big"))
        return (json.loads(body), descriptors) if body else None

    def _read(self, size: int) -> tuple[bytes, list[int]]:
        data = b""
        descriptors: list[int] = []
        while len(data) < size:
            space = socket.CMSG_SPACE(array.array("i").itemsize)
            try:
                part, ancillary, _, _ = self._connection.recvmsg(size - len(data), space)
            except ConnectionResetError:
                part, ancillary = b"", []
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    received = array.array("i")
                    received.frombytes(content[: len(content) - len(content) % received.itemsize])
                    descriptors.extend(received)
            if not part:
                return b"", descriptors
            data += part
        return data, descriptors


class Zygote:
    """Serves one server until it hangs up."""

    def __init__(self, connection: socket.socket, preload: list[str]) -> None:
        self._server = Channel(connection)
        self._preload = preload
        self._loaded: set[str] = set()
        self._spares: list[tuple[int, Channel]] = []
        self._children: dict[int, tuple[int, Channel | None]] = {}
        self._ending: set[int] = set()
        self._listing = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
        self._prctl = ctypes.CDLL(None).prctl
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Load the libraries, say so, answer requests; at the end, end all that came of it."""
        self._adopt()
        for name in (*_BASE, *self._preload):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        self._loaded = {name.partition(".")[0] for name in sys.modules} - {"google"} | _AT_START
        gc.freeze()  # what all children share is never gone through again, and so stays shared
        self._tell({"ready": True})
        while self._turn():
            pass
        for pid, _ in [*self._children.values(), *self._spares]:
            _signal_group(pid, signal.SIGKILL)
        self._children, self._spares, self._ending = {}, [], set()
        with contextlib.suppress(ChildProcessError):
            while True:
                self._end_adopted()
                os.waitpid(-1, 0)

    def _adopt(self) -> None:
        """Become the parent of whatever a child leaves behind. A fork has to ask for itself."""
        if os.path.exists(self._listing):  # some kernels do not tell, and then init adopts
            self._prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def _end_adopted(self) -> None:
        """End the children that this process did not fork itself: what a task left behind."""
        own = {pid for pid, _ in [*self._children.values(), *self._spares]} | self._ending
        adopted: list[int] = []
        with contextlib.suppress(FileNotFoundError), open(self._listing, encoding="ascii") as file:
            adopted = [int(word) for word in file.read().split()]
        for pid in adopted:
            if pid not in own:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)  # or at the signal that tells of its end

    def _turn(self) -> bool:
        """Do what there is to do; False when the server has hung up."""
        open_channels = [(n, channel) for n, (_, channel) in self._children.items() if channel]
        children = {channel.fileno(): number for number, channel in open_channels}
        fixed = [self._server.fileno(), self._wake_read]
        idle = len(self._spares) >= _SPARES
        ready, _, _ = select.select([*fixed, *children], [], [], None if idle else 0)
        for descriptor in ready:
            if descriptor in children:
                self._hear(children[descriptor])
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
            self._reap()
        if self._server.fileno() in ready:
            return self._answer()
        if not ready and not idle:
            self._spares.append(self._fork())
        return True

    def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # a server that hung up is noticed where it is read
            self._server.send(message)

    def _answer(self) -> bool:
        """Answer one request; False when the server has hung up."""
        if not self._spares:  # before the request brings descriptors that no fork should get
            self._spares.append(self._fork())
        received = self._server.receive()
        if received is None:
            return False
        request, descriptors = received
        number = request["id"]
        if "signal" in request:
            if number in self._children:
                _signal_group(self._children[number][0], request["signal"])
            return True
        hidden = self._hidden(request.get("path", []))
        if hidden:
            self._tell({"id": number, "refused": f"{hidden} would be hidden"})
        else:
            child = self._spares.pop(0)
            # A child that has died meanwhile is reaped, and that is reported.
            with contextlib.suppress(OSError):
                child[1].send(request, tuple(descriptors))
            self._children[number] = child
            self._tell({"id": number, "pid": child[0]})
        for descriptor in descriptors:
            os.close(descriptor)
        return True

    def _hidden(self, path: list[str]) -> str:
        """Find a module of the image that a library loaded already would hide."""
        for folder in path:
            with contextlib.suppress(OSError):
                for entry in os.listdir(folder):
                    if entry.partition(".")[0] in self._loaded:
                        return entry
        return ""

    def _hear(self, number: int) -> None:
        """Report the exit code that a child has announced; one that only hung up is reaped."""
        pid, channel = self._children[number]
        received = channel.receive() if channel else None
        if received is not None:
            self._end(number, **received[0])
            self._ending.add(pid)
        else:
            self._children[number] = (pid, None)

    def _reap(self) -> None:
        """Let go of every child that has ended; report it if it did not do so itself."""
        self._end_adopted()
        for pid in list(self._ending):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._ending.remove(pid)
        for number, (pid, _) in list(self._children.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _signal_group(pid, signal.SIGKILL)  # its zombie still holds the group's number
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            self._end(number, code)

    def _end(self, number: int, code: int, *, heavy: bool = False) -> None:
        pid, channel = self._children.pop(number)
        if channel:
            channel.close()
        _signal_group(pid, signal.SIGKILL)
        self._tell({"id": number, "code": code, "heavy": heavy})

    def _fork(self) -> tuple[int, Channel]:
        """Fork a child that waits for its task."""
        ours, theirs = socket.socketpair()
        # OpenBLAS and Arrow have threads by now; both handle a fork, and Python need not warn.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            ours.close()
            self._leave()
            _become(Channel(theirs))
        theirs.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(pid, pid)  # here too, so that the group is there whoever comes first
        return pid, Channel(ours)

    def _leave(self) -> None:
        """Let go, in a child, of everything that is the zygote's."""
        os.setpgid(0, 0)
        self._adopt()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._server.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
        for _, channel in [*self._spares, *self._children.values()]:
            if channel:
                channel.close()


def _become(zygote: Channel) -> NoReturn:
    """Be the component that the zygote names, when it does."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()  # else all children would draw the same numbers
    received = zygote.receive()
    if received is None:
        os._exit(0)
    request, (log,) = received
    for target in (1, 2):
        os.dup2(log, target)
    os.close(log)
    if "words" in request:
        _execute(request)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.path[:0] = [request["folder"], *request["path"]]
    artifact_types = sys.modules["kfp.dsl.types.artifact_types"]
    artifact_types._GCS_LOCAL_MOUNT_PREFIX = request["mount"]  # type: ignore[attr-defined]
    tempfile.tempdir = None
    program = os.path.join(tempfile.mkdtemp(prefix="tmp."), "ephemeral_component.py")
    with open(program, "w", encoding="utf-8") as file:
        file.write(request["source"])
    sys.argv = ["-m", "--component_module_path", program, *request["arguments"]]
    process, own = os.getpid(), os.fstat(zygote.fileno())
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
        code = _finished(code)
        # Children that the component forked come by here too, and speak only for themselves.
        # And whatever it did to its file descriptors, write into this one only.
        with contextlib.suppress(OSError):
            if os.getpid() == process and os.path.samestat(own, os.fstat(zygote.fileno())):
                heavy = any(name in sys.modules for name in request["watch"])
                zygote.send({"code": code, "heavy": heavy})
        os._exit(code)


def _execute(request: dict[str, Any]) -> NoReturn:
    """Become the command, with nothing of Python's left."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.chdir(request["folder"])
        os.execvpe(request["words"][0], request["words"], request["environment"])  # noqa: S606
    except (OSError, ValueError) as error:
        os.write(2, f"{request['words'][0]}: {error}\n".encode())
        os._exit(127)


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return 1


def _finished(code: int) -> int:
    """End as the interpreter does, but without taking the libraries apart."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:  # noqa: BLE001
        sys.excepthook(type(error), error, error.__traceback__)
        return code or 120
    return code


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


if __name__ == "__main__":
    del sys.path[0]  # this script's own folder
    Zygote(socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2])).serve()
