"""What the proofs are made with: faults on demand, and a clock that moves when it is told."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ecluse import clock
from ecluse.ledger.records import Entry


@dataclass(frozen=True)
class Faults:
    """What is to go wrong in the embedded cloud that all tests of a worker share."""

    address: str

    @contextmanager
    def ordered(self, *rules: dict[str, Any]) -> Iterator[None]:
        """Order these faults, and nothing else, as long as a `with` lasts."""
        self._ask("PUT", {"faults": list(rules)})
        try:
            yield
        finally:
            self._ask("PUT", {"faults": []})

    @property
    def rules(self) -> list[dict[str, Any]]:
        """What is ordered, with how often each was `seen` and has `fired`."""
        return list(self._ask("GET")["faults"])

    def _ask(self, verb: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.address}/gcp-local/faults",
            data=json.dumps(body).encode() if body is not None else None,
            method=verb,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@dataclass
class Time:
    """The engine's clock: it moves when a test says so, and each machine's may go wrong."""

    seconds: float = 1_000.0
    wrong: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=int(self.seconds))
        return moment + self.wrong

    def steady(self) -> float:
        return self.seconds


class Waiting(threading.Event):
    """What a waiter for the lease sleeps on: it takes no time, and the clock goes on by `step`."""

    step = 10

    def __init__(self, time: Time) -> None:
        super().__init__()
        self._time = time

    def wait(self, timeout: float | None = None) -> bool:
        self._time.seconds += self.step
        return self.is_set()


def entry(action: Any, reason: str) -> Entry:
    """Return an entry that its reason tells from any other."""
    digest = "sha256:" + "0" * 64
    return Entry(
        action=action,
        package="package",
        digest=digest,
        code_digest=digest,
        runtime_image=None,
        compiler="kfp 2.17.0",
        settings={},
        settings_digest=digest,
        declared=(),
        parameters={},
        release=digest,
        commit="0" * 40,
        version=None,
        run="projects/p/locations/l/pipelineJobs/r",
        metrics={},
        qualification="gs://evidence/q.json",
        at=clock.now(),
        by="ann@example.com",
        reason=reason,
    )
