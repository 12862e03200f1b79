"""The cache of executions: what a component gave once it need not give again.

Vertex AI looks for an earlier execution with the same interface: the pipeline's name, the values of
the input parameters, the ids of the input artifacts, the definitions of the outputs, and the
component's image, command, arguments and environment, as they are written in the pipeline. If there
is one the task is skipped and has that execution's outputs, the same artifacts with the same ids,
however old they are. Source: https://cloud.google.com/vertex-ai/docs/pipelines/configure-caching.

An entry is kept in the transaction that records its task's end, so that there is never one without
the other.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.orchestrator.artifacts import Artifact
from gcp_local.orchestrator.states import Values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gcp_local.orchestrator.spec import Component, Container, Task
    from gcp_local.resources.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cached_executions (
    store TEXT NOT NULL,        -- the metadata store's parent, projects/NUMBER/locations/LOCATION
    key TEXT NOT NULL,
    execution TEXT NOT NULL,    -- the ML Metadata name of the execution that gave the outputs
    created INTEGER NOT NULL,   -- microseconds since the epoch
    outputs TEXT NOT NULL,      -- JSON
    PRIMARY KEY (store, key)
) STRICT, WITHOUT ROWID
"""


@dataclass(frozen=True)
class Entry:
    """An execution that succeeded, what identifies it, and what it gave."""

    store: str
    key: str
    execution: str
    outputs: Values


def key_of(
    pipeline: str, task: Task, component: Component, container: Container, inputs: Values
) -> str:
    """Give the key by which executions are the same.

    A task's own `cacheKey` takes the place of all this within its pipeline, which is KFP's meaning
    of it.
    """
    interface = [
        pipeline,
        {name: value for name, value in inputs.parameters.items() if value is not None},
        {name: [item.name for item in items] for name, items in inputs.artifacts.items()},
        component.parameter_outputs,
        {name: asdict(artifact) for name, artifact in component.artifact_outputs.items()},
        [container.image, container.command, container.args, dict(container.env)],
    ]
    identity = [pipeline, task.cache_key] if task.cache_key else interface
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


class Cache:
    """The source of truth for what need not run again.

    Args:
        database: where the entries are kept.
        exists: tells whether an execution of that name is still in ML Metadata; one that was
            deleted there is no longer answered.

    """

    def __init__(self, database: Database, exists: Callable[[str], bool]) -> None:
        self._database = database
        self._exists = exists
        self._coming: dict[tuple[str, str], Entry] = {}
        self._lock = threading.Lock()
        database.run(_SCHEMA)

    def find(self, store: str, key: str) -> Values | None:
        """Give the outputs of the latest execution with that key, if there is one."""
        with self._lock:
            coming = self._coming.get((store, key))
        if coming is not None:
            return coming.outputs
        row = self._database.row(
            "SELECT execution, outputs FROM cached_executions WHERE store = ? AND key = ?",
            store,
            key,
        )
        if row is None or not self._exists(row["execution"]):
            return None
        return _read(row["outputs"])

    def announce(self, entry: Entry) -> None:
        """Answer this entry from now on, while it waits to be kept."""
        with self._lock:
            self._coming[entry.store, entry.key] = entry

    def keep(self, entries: Iterable[Entry]) -> None:
        """Keep entries in the present transaction."""
        for entry in entries:
            self._database.run(
                "INSERT OR REPLACE INTO cached_executions VALUES (?, ?, ?, ?, ?)",
                entry.store,
                entry.key,
                entry.execution,
                clock.micros(clock.now()),
                json.dumps(asdict(entry.outputs), sort_keys=True),
            )

    def kept(self, entries: Iterable[Entry]) -> None:
        """Forget that these were to be kept: they are, or never will be."""
        with self._lock:
            for entry in entries:
                if self._coming.get((entry.store, entry.key)) is entry:
                    del self._coming[entry.store, entry.key]


def _read(text: str) -> Values:
    said = json.loads(text)
    artifacts = {
        name: tuple(Artifact(**artifact) for artifact in items)
        for name, items in said["artifacts"].items()
    }
    return Values(said["parameters"], artifacts)
