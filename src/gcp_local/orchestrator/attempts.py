"""A container task as a whole: perhaps it ran before, else it has its turn, and its tries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.containers.processes import StoppedError
from gcp_local.orchestrator import binding, cache, container
from gcp_local.orchestrator.states import Outcome, TaskFailedError, TaskState, Values

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from gcp_local.containers.processes import Command, Process
    from gcp_local.orchestrator.journal import Journal, Node
    from gcp_local.orchestrator.setting import Setting
    from gcp_local.orchestrator.spec import Component, Container, Task

_LOOK = timedelta(seconds=1)
_SCHEMA = "system.ContainerExecution"


@dataclass(frozen=True)
class Attempts:
    """Runs the container tasks of one run.

    Attributes:
        pipeline: the pipeline's name.
        stopping: set when the run is stopped.
        start: starts a command, or raises `StoppedError`.

    """

    pipeline: str
    journal: Journal
    setting: Setting
    stopping: threading.Event
    start: Callable[[Command], Process]

    def run(
        self, task: Task, component: Component, body: Container, inputs: Values, node: Node
    ) -> Outcome:
        """Take the outputs from the cache, or run the container until it succeeds.

        Raises:
            TaskFailedError: the last try failed.
            StoppedError: the run was stopped.

        """
        key = ""
        if task.cached:
            key = cache.key_of(self.pipeline, task, component, body, inputs)
            outputs = self.setting.cache.find(self.journal.parent, key)
            if outputs is not None:
                self.journal.skip(node, _SCHEMA, inputs)
                return Outcome(TaskState.SKIPPED, outputs)
        tries = 0
        while True:
            tries += 1
            try:
                return replace(self._once(component, body, inputs, node, tries), cache_key=key)
            except TaskFailedError as error:
                retry = task.retry
                if retry is None or tries > retry.count or self.stopping.is_set():
                    raise
                self.journal.retry(node, str(error))
                self._pause(retry.pause(tries))

    def _pause(self, seconds: float) -> None:
        """Wait so long by the clock."""
        until = clock.now() + timedelta(seconds=seconds)
        while not self.stopping.is_set():
            now = clock.now()
            if now >= until:
                return
            # A wake between the look and the wait is lost, so it never waits for long.
            clock.wait(min(until, now + _LOOK))
        raise StoppedError

    def _once(
        self, component: Component, body: Container, inputs: Values, node: Node, tries: int
    ) -> Outcome:
        setting = self.setting
        with setting.slots.one(self.stopping):
            self.journal.run(node, _SCHEMA, inputs)
            place = container.Place(
                folder=setting.work / f"{node.id % 2**64:016x}-{tries}",
                root=f"{setting.root}/{node.name}_{node.id}",
                artifact_name=lambda key: binding.artifact_name(self.journal.parent, node, key),
                placeholders=setting.placeholders_of(node),
                environment=setting.environment,
            )
            return container.run(component, body, inputs, place, setting.stores, self.start)
