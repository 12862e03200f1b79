"""Commands as processes of their own, at the price of a fork."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")
PATIENCE = {"deadline": 60.0, "first": 0.02, "longest": 0.3}


@dataclass(frozen=True)
class Strike:
    """A signal that a command gets when it calls the cloud.

    Attributes:
        number: at which call.
        when: before the call, or after it has had its effect.
        of: counting only calls that hold this, in their first line or their body's beginning.
        signal: which signal.

    """

    number: int
    when: Literal["before", "after"] = "before"
    of: str = ""
    signal: int = signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code; -9 if it was killed.
        out, err: what it wrote.
        calls: what it called over HTTP, in order.

    """

    code: int
    out: str
    err: str
    calls: tuple[str, ...]

    @property
    def was_killed(self) -> bool:
        return self.code == -9

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Running:
    """A command that runs."""

    def __init__(self, parent: "WarmParent", pid: int, folder: Path) -> None:
        self._parent = parent
        self._folder = folder
        self.pid = pid

    def wait(self) -> Ended:
        """Wait for its end."""
        code = self._parent.ask({"wait": self.pid})["code"]
        calls = self._folder / "calls"
        return Ended(
            code=code,
            out=(self._folder / "out").read_text(),
            err=(self._folder / "err").read_text(),
            calls=tuple(calls.read_text().splitlines()) if calls.exists() else (),
        )

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped, by SIGSTOP, and did not wake yet."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def wake(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)


class WarmParent:
    """The process that forks commands; see `warm`."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path, address: str) -> None:
        self._process = process
        self._folder = folder
        self._environment = {"ECLUSE_LOCAL": address, "ECLUSE_ACTOR": "ann@example.com"}

    def start(
        self,
        *arguments: str,
        strike: Strike | None = None,
    ) -> Running:
        """Start `ecluse …`."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        told = self.ask(
            {
                "start": arguments,
                "folder": str(folder),
                "environment": self._environment,
                "patience": PATIENCE,
                "strike": vars(strike) if strike is not None else None,
            }
        )
        return Running(self, told["pid"], folder)

    def run(self, *arguments: str, strike: Strike | None = None) -> Ended:
        """Run `ecluse …` to its end."""
        return self.start(*arguments, strike=strike).wait()

    def ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def warm_parent(folder: Path, address: str) -> Iterator[WarmParent]:
    """Return a warm parent that lives as long as a `with` lasts."""
    root = Path(__file__).parents[3]
    # Few variables: with every call `requests` looks through all of them for proxies.
    few = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.ecluse.steadfast.warm"],
        cwd=root,
        env={**few, "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield WarmParent(process, folder, address)
        assert process.stdin is not None
        process.stdin.close()
