"""Starts lightweight components by forking a process that has their libraries loaded already.

Starting Python and importing KFP and the usual libraries takes one to three seconds a task; a fork
takes milliseconds. There are two such processes: one has only KFP loaded and serves at once, the
other is started when a component has used one of the big libraries, and takes over when it has
loaded them all, some seconds later; but a component that was seen to use none of them stays with
the first, whose forks are smaller and so quicker. Only the exact
command that the KFP compiler writes for a Python function is run in the fork itself, and only where
the outcome cannot differ; every other command replaces the fork, which then is a plain process.

However a server ends, its fork servers notice and end their children: nothing is left behind.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gcp_local.containers.processes import GRACE_SECONDS, PlainLauncher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcp_local.containers.processes import Command, Launcher, Process

_LOG = logging.getLogger(__name__)
_SCRIPT = Path(__file__).with_name("zygote.py")
_HEADER = 4

PRELOAD = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "scipy.sparse",
    "scipy.linalg",
    "scipy.stats",
    "sklearn.metrics",
    "xgboost",
    "google.auth",
    "google.cloud.aiplatform_v1",
    "matplotlib.figure",
    "google.cloud.storage",
)
"""Loaded in this order, where installed. Third-party libraries only: never a module of an image."""

_LAUNCH = (
    'program_path=$(mktemp -d) printf "%s" "$0" > "$program_path/ephemeral_component.py"'
    " _KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path"
    ' "$program_path/ephemeral_component.py" "$@"'
)
# Read when Python starts or a library is loaded, which for a fork is long past.
_TOO_LATE = re.compile(
    r"PYTHON(?!PATH$)\w*|LD_\w+|OMP_\w+|GOMP_\w+|KMP_\w+|MKL_\w+|OPENBLAS_\w+|BLIS_\w+|NUMEXPR_\w+"
    r"|ARROW_\w+|MALLOC_\w+|NPY_\w+|MPL\w+|GRPC_\w+|PROTOCOL_BUFFERS_\w+|TZ"
)
_INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE")


@dataclass(frozen=True)
class Lightweight:
    """The parts of a lightweight component's command: its source, and the executor's arguments."""

    source: str
    arguments: tuple[str, ...]


def lightweight(words: Sequence[str]) -> Lightweight | None:
    """Recognise the exact command that KFP 2.17 writes for a Python function."""
    if len(words) != 8 or tuple(words[:2]) != ("sh", "-ec"):
        return None
    if " ".join(words[2].split()) != _LAUNCH:
        return None
    if (words[4], words[6]) != ("--executor_input", "--function_to_execute"):
        return None
    return Lightweight(words[3], tuple(words[4:]))


def default_launcher() -> Launcher:
    """Make the quickest launcher that is safe here: macOS's own libraries do not bear a fork."""
    return WarmLauncher() if sys.platform == "linux" else PlainLauncher()


class WarmLauncher:
    """Starts what it can by forking, the rest plainly.

    Args:
        preload: modules to load beforehand; those not installed are passed over.

    """

    def __init__(self, preload: Sequence[str] = PRELOAD) -> None:
        self._preload = tuple(preload)
        self._plain = PlainLauncher()
        self._quick: dict[tuple[str, ...], _Zygote] = {}
        self._loaded: dict[tuple[str, ...], _Zygote] = {}
        self._lock = threading.Lock()

    def start(self, command: Command) -> Process:
        """Start a component; OSError if it cannot be started."""
        if shutil.which(command.words[0], path=command.environment.get("PATH")) is None:
            raise FileNotFoundError(f"there is no program {command.words[0]!r}")
        parts = lightweight(command.words)
        forked = parts is not None and _same_python(command) and not _too_late(command)
        zygote = self._zygote(command, parts if forked else None)
        process = zygote.start(command, parts) if zygote and forked else None
        if process is None and zygote is not None:
            process = zygote.start(command, None)
        return process or self._plain.start(command)

    def _zygote(self, command: Command, parts: Lightweight | None) -> _Zygote | None:
        """Find the best zygote for this command's path and locale, starting what is missing."""
        inherited = {name: command.environment.get(name, "") for name in _INHERITED}
        key = tuple(inherited.values())
        environment = {name: value for name, value in inherited.items() if value}
        with self._lock:
            try:
                if key not in self._quick or self._quick[key].gone:
                    self._quick[key] = _Zygote(environment, (), watch=self._preload)
                loaded = self._loaded.get(key)
                # One that ended while it was loading would do so again.
                missing = loaded is None or (loaded.gone and loaded.ready)
                if parts and missing and self._quick[key].heavy:
                    loaded = self._loaded[key] = _Zygote(environment, self._preload)
            except OSError as error:
                _LOG.warning("no fork server, components start plainly: %s", error)
                return None
            quick = self._quick[key]
            usable = loaded is not None and loaded.ready and not loaded.gone
            return loaded if usable and parts and parts.source not in quick.light else quick

    def close(self) -> None:
        """End the zygotes, and with them whatever they started."""
        with self._lock:
            zygotes = [*self._quick.values(), *self._loaded.values()]
            self._quick, self._loaded = {}, {}
        for zygote in zygotes:
            zygote.close()


def _same_python(command: Command) -> bool:
    """Tell whether the command's `python3` is the Python that runs this server."""
    found = shutil.which("python3", path=command.environment.get("PATH"))
    return found is not None and Path(found).parent == Path(sys.executable).parent


def _too_late(command: Command) -> bool:
    return any(_TOO_LATE.fullmatch(name) for name in command.environment)


class _Zygote:
    """One fork server process, and this server's end of the connection to it."""

    def __init__(
        self, environment: dict[str, str], preload: Sequence[str], *, watch: Sequence[str] = ()
    ) -> None:
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._popen = subprocess.Popen(
                [sys.executable, str(_SCRIPT), str(theirs.fileno()), json.dumps(list(preload))],
                env={**environment, "_KFP_RUNTIME": "true"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.pid = self._popen.pid
        self._lock = threading.Lock()
        self._processes: dict[int, WarmProcess] = {}
        self._count = 0
        self._watch = tuple(watch)
        self._sending = threading.Lock()
        self.heavy = False
        self.light: set[str] = set()
        self.ready = False
        self.gone = False
        self._reader = threading.Thread(target=self._read, name="fork-server", daemon=True)
        self._reader.start()

    def start(self, command: Command, parts: Lightweight | None) -> WarmProcess | None:
        """Fork a component, or a plain command; None if this process cannot."""
        with self._lock:
            self._count += 1
            process = WarmProcess(self._count, self, parts.source if parts else None)
            self._processes[process.number] = process
        request: dict[str, Any] = {
            "id": process.number,
            "environment": dict(command.environment),
            "folder": str(command.folder),
        }
        if parts is None:
            request["words"] = command.words
        else:
            bootstrap, *path = command.environment["PYTHONPATH"].split(":")
            assert bootstrap.endswith("bootstrap")
            request["environment"]["_KFP_RUNTIME"] = "true"
            request["source"] = parts.source
            request["arguments"] = parts.arguments
            request["path"] = path
            request["watch"] = self._watch
            request["mount"] = command.environment["GCP_LOCAL_MOUNT"] + "/"
        with command.log.open("ab") as log:
            self.send(request, log.fileno())
            process.answered.wait()
        return process if process.pid is not None else None

    def send(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        """Send a message; one that can no longer arrive is dropped, its process being gone."""
        body = json.dumps(message).encode()
        header = len(body).to_bytes(_HEADER, "big")
        try:
            with self._sending:
                descriptors = [] if descriptor is None else [descriptor]
                socket.send_fds(self._connection, [header], descriptors)
                self._connection.sendall(body)
        except OSError:
            self._hang_up()

    def _read(self) -> None:
        """Hand answers to the processes they are about, until the zygote ends."""
        with self._connection.makefile("rb") as stream:
            while True:
                try:
                    header = stream.read(_HEADER)
                    body = stream.read(int.from_bytes(header, "big")) if header else b""
                except OSError:
                    body = b""
                if not body:
                    break
                answer = json.loads(body)
                if "ready" in answer:
                    self.ready = True
                    continue
                with self._lock:
                    process = self._processes[answer["id"]]
                    if "code" in answer or "refused" in answer:
                        del self._processes[answer["id"]]
                if answer.get("heavy"):
                    self.heavy = True
                elif answer.get("code") == 0 and process.source is not None:
                    self.light.add(process.source)
                process.hear(answer)
        self._hang_up()

    def _hang_up(self) -> None:
        """Let nobody wait for a zygote that has gone."""
        with self._lock:
            self.gone = True
            left, self._processes = list(self._processes.values()), {}
        for process in left:
            process.lost()

    def close(self) -> None:
        """Hang up, at which the zygote ends its children and itself."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            _LOG.debug("the fork server has gone already: %s", error)
        self._popen.wait()
        self._reader.join()
        self._connection.close()


@dataclass(eq=False)
class WarmProcess:
    """A component that was forked.

    Attributes:
        number: what the zygote knows it by.
        source: the source of its function, if it is one. Then its command was a shell's, which
            reports a signal as 128 and its number.
        pid: its process, once it has started.
        code: its exit code, once it has ended.

    """

    number: int
    zygote: _Zygote
    source: str | None
    pid: int | None = None
    code: int | None = None
    answered: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def hear(self, answer: dict[str, Any]) -> None:
        """Take note of what the zygote says."""
        if "code" in answer:
            code: int = answer["code"]
            self.code = 128 - code if code < 0 and self.source else code
            self._ended.set()
        self.pid = answer.get("pid", self.pid)
        self.answered.set()

    def lost(self) -> None:
        """Take note that the zygote has gone, and end what it can no longer look after."""
        if self.pid is not None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                _LOG.debug("process %d has ended with the fork server", self.pid)
        self.code = 128 + signal.SIGKILL if self.source else -signal.SIGKILL
        self._ended.set()
        self.answered.set()

    def wait(self) -> int:
        """Wait for its end and give its exit code (negative: a signal)."""
        self._ended.wait()
        assert self.code is not None
        return self.code

    def stop(self) -> None:
        """Send SIGTERM to the group, and SIGKILL after the grace period."""
        threading.Thread(target=self._stop, name="stop-component", daemon=True).start()

    def _stop(self) -> None:
        self.zygote.send({"id": self.number, "signal": int(signal.SIGTERM)})
        if not self._ended.wait(GRACE_SECONDS):
            self.zygote.send({"id": self.number, "signal": int(signal.SIGKILL)})
