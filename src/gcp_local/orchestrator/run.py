"""One run of a pipeline: which task when, with which inputs, and what comes of it.

Every task that runs has a thread; so does every DAG, which does nothing but wait for its tasks.
Only containers take one of the orchestrator's slots, so nesting can never block itself.
"""

from __future__ import annotations

import logging
import queue
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.containers.processes import ProcessGroup, StoppedError
from gcp_local.errors import ApiError
from gcp_local.orchestrator import binding, cache, conditions, loops
from gcp_local.orchestrator.attempts import Attempts
from gcp_local.orchestrator.importer import imported
from gcp_local.orchestrator.spec import Container, Dag, Importer
from gcp_local.orchestrator.states import (
    NOT_TRIGGERED,
    SUCCESS,
    JobState,
    Outcome,
    TaskFailedError,
    TaskState,
    Values,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gcp_local.orchestrator.journal import Journal, Node
    from gcp_local.orchestrator.setting import Setting
    from gcp_local.orchestrator.spec import Component, Pipeline, Task

_LOG = logging.getLogger(__name__)
_CANCELLED = Outcome(TaskState.CANCELLED, error="The task was cancelled.")
_HELD_BACK = Outcome(TaskState.NOT_TRIGGERED)  # told from `NOT_TRIGGERED` by its identity
_UNFINISHED = Outcome(
    TaskState.CANCELLED, error="A task failed, and the failure policy is to start nothing more."
)


class Run:
    """Runs one pipeline to its end, in the calling thread and others of its own."""

    def __init__(
        self, pipeline: Pipeline, inputs: Values, journal: Journal, setting: Setting
    ) -> None:
        self._pipeline = pipeline
        self._inputs = inputs
        self._journal = journal
        self._setting = setting
        self._stopping = threading.Event()
        self._failed = threading.Event()
        self._why: tuple[JobState, str, int | None] | None = None
        self._processes = ProcessGroup(setting.stores.host.launcher)
        self._attempts = Attempts(
            pipeline.name, journal, setting, self._stopping, self._processes.start
        )
        self._lock = threading.Lock()

    def execute(self) -> None:
        """Run everything; returns when the last task has ended and the job's end is saved."""
        journal = self._journal
        journal.start(
            self._pipeline.name, self._inputs, [str(item) for item in self._pipeline.unproven]
        )
        outcome = self._outcome(self._root, journal.root)
        state = JobState.FAILED if outcome.state is TaskState.FAILED else JobState.SUCCEEDED
        code = None
        if self._why is not None:
            state, reason, code = self._why
            ended = TaskState.CANCELLED if state is JobState.CANCELLED else TaskState.FAILED
            outcome = Outcome(ended, error=reason)
        try:
            journal.finish(state, outcome, code)
        except Exception as error:  # noqa: BLE001  (the last resort: a job must end)
            journal.abandon(_fault(journal.root, error))

    def _root(self) -> Outcome:
        self._setting.stores.check_bucket(self._setting.root)
        return self._dag(self._pipeline.root, self._inputs, self._journal.root)

    def stop(self, state: JobState, reason: str, code: int | None = None) -> None:
        """End all processes and start nothing more; the job ends in that state. Returns at once."""
        with self._lock:
            if self._why is not None:
                return
            self._why = (state, reason, code)
        self._stopping.set()
        self._processes.stop()
        self._setting.slots.wake()
        clock.wake()
        if state is JobState.CANCELLED:
            self._journal.cancelling()

    def _dag(self, component: Component, inputs: Values, node: Node) -> Outcome:
        """Run a DAG's tasks, each as soon as those before it have ended."""
        assert isinstance(component.body, Dag)
        dag = component.body
        self._journal.add(node.child(name) for name in dag.tasks)
        outcomes: dict[str, Outcome] = {}
        waiting = dict(dag.tasks)
        ended: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
        running = 0
        while waiting or running:
            ready = [task for task in waiting.values() if task.upstream <= outcomes.keys()]
            for task in ready:
                del waiting[task.name]
                before = {name: outcomes[name] for name in task.upstream}
                untriggered = self._untriggered(task, before)
                if untriggered is not None:
                    self._journal.end(node.child(task.name), untriggered)
                    outcomes[task.name] = untriggered
                else:
                    work = partial(self._task, task, inputs, node, before)
                    self._in_thread(task.name, work, ended)
                    running += 1
            if not ready:
                name, outcome = ended.get()
                outcomes[name] = outcome
                running -= 1
        failed = [name for name, outcome in outcomes.items() if outcome.state is TaskState.FAILED]
        if self._stopping.is_set():
            return _CANCELLED
        if failed:
            return Outcome(TaskState.FAILED, error=_dag_error(failed, outcomes))
        ended_early = (each is _HELD_BACK or each is _UNFINISHED for each in outcomes.values())
        if any(ended_early):
            return _UNFINISHED
        return Outcome(TaskState.SUCCEEDED, binding.dag_outputs(dag, outcomes))

    def _in_thread(
        self,
        name: str,
        work: Callable[[], Outcome],
        ended: queue.SimpleQueue[tuple[str, Outcome]],
    ) -> None:
        def report() -> None:
            ended.put((name, work()))

        threading.Thread(target=report, name=f"task-{name}", daemon=True).start()

    def _outcome(self, work: Callable[[], Outcome], node: Node) -> Outcome:
        """Tell how the work of a task ends, whatever happens."""
        try:
            return work()
        except StoppedError:
            return _CANCELLED
        except (TaskFailedError, ApiError, conditions.ConditionError) as error:
            return Outcome(TaskState.FAILED, error=str(error))
        except Exception as error:  # noqa: BLE001  (a task must end)
            return _fault(node, error)

    def _ended(self, node: Node, outcome: Outcome) -> Outcome:
        """Record the end of a task, if need be without what it gave."""
        if outcome.state is TaskState.FAILED and self._stopping.is_set():
            outcome = _CANCELLED
        entry = None
        if outcome.state is TaskState.SUCCEEDED and outcome.cache_key:
            parent, name = self._journal.parent, self._journal.execution_name(node)
            entry = cache.Entry(parent, outcome.cache_key, name, outcome.outputs)
            self._setting.cache.announce(entry)
        try:
            self._journal.end(node, outcome, entry)
        except Exception as error:  # noqa: BLE001  (a task must end)
            if entry is not None:
                self._setting.cache.kept([entry])
            outcome = _fault(node, error)
            with suppress(Exception):  # the job's end will record it
                self._journal.end(node, outcome)
        if outcome.state is TaskState.FAILED:
            self._failed.set()
        return outcome

    def _untriggered(self, task: Task, outcomes: Mapping[str, Outcome]) -> Outcome | None:
        """Decide whether a task whose predecessors have ended will not run."""
        if self._stopping.is_set():
            return _CANCELLED
        if task.waits_for_success:
            if any(outcomes[name].state not in SUCCESS for name in task.upstream):
                return NOT_TRIGGERED
            if self._setting.fail_fast and self._failed.is_set():
                return _HELD_BACK
        return None

    def _task(
        self,
        task: Task,
        given: Values,
        parent_node: Node,
        outcomes: Mapping[str, Outcome],
    ) -> Outcome:
        """Run one task and record it, whatever happens."""
        node = parent_node.child(task.name)
        component = self._pipeline.components[task.component]
        work = partial(self._attempt, task, component, given, node, outcomes)
        return self._ended(node, self._outcome(work, node))

    def _attempt(
        self,
        task: Task,
        component: Component,
        given: Values,
        node: Node,
        outcomes: Mapping[str, Outcome],
    ) -> Outcome:
        placeholders = self._setting.placeholders_of(node)
        inputs = binding.task_inputs(task, component, given, outcomes, placeholders, node.job)
        if task.condition:
            values = binding.condition_values(component, inputs)
            if not conditions.holds(task.condition, values):
                return NOT_TRIGGERED
        if task.loop is None:
            return self._component(task, component, inputs, node)
        self._journal.run(node, "system.DagExecution", inputs)
        rounds = loops.rounds(task.loop, inputs)
        return self._loop(task, component, rounds, node)

    def _loop(self, task: Task, component: Component, rounds: list[Values], node: Node) -> Outcome:
        """Run a task once for each item; the outputs are lists, in the order of the items."""
        assert task.loop is not None
        nodes = [node.child(f"{task.name}-{number}") for number in range(len(rounds))]
        self._journal.add(nodes)
        limit = task.loop.parallelism or len(rounds)
        ended: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
        outcomes: dict[str, Outcome] = {}
        started = 0
        while len(outcomes) < len(rounds):
            while started < len(rounds) and started - len(outcomes) < limit:
                inputs, own = rounds[started], nodes[started]
                work = partial(self._round, task, component, inputs, own)
                self._in_thread(own.name, work, ended)
                started += 1
            name, outcome = ended.get()
            outcomes[name] = outcome
        ordered = [outcomes[own.name] for own in nodes]
        failed = [own.name for own in nodes if outcomes[own.name].state is TaskState.FAILED]
        if self._stopping.is_set():
            return _CANCELLED
        if failed:
            return Outcome(TaskState.FAILED, error=_dag_error(failed, outcomes))
        if any(outcome.state not in SUCCESS for outcome in ordered):
            return _UNFINISHED
        return Outcome(TaskState.SUCCEEDED, loops.gathered(component, ordered))

    def _round(self, task: Task, component: Component, inputs: Values, node: Node) -> Outcome:
        def work() -> Outcome:
            if self._stopping.is_set():
                return _CANCELLED
            if self._setting.fail_fast and self._failed.is_set():
                return _HELD_BACK
            return self._component(task, component, inputs, node)

        return self._ended(node, self._outcome(work, node))

    def _component(self, task: Task, component: Component, inputs: Values, node: Node) -> Outcome:
        """Do what the component does, with its retries, or find that it was done before."""
        match component.body:
            case Dag():
                self._journal.run(node, "system.DagExecution", inputs)
                return self._dag(component, inputs, node)
            case Importer() as importer:
                self._journal.run(node, "system.ImporterExecution", inputs)
                placeholders = self._setting.placeholders_of(node)
                return imported(
                    importer,
                    inputs,
                    self._journal.parent,
                    node.id,
                    placeholders,
                    self._setting.known,
                )
            case Container() as body:
                return self._attempts.run(task, component, body, inputs, node)


def _fault(node: Node, error: Exception) -> Outcome:
    _LOG.error("a fault in task %r", node.name, exc_info=error)
    fault = f"A fault of the embedded cloud: {type(error).__name__}: {error}"
    return Outcome(TaskState.FAILED, error=fault.encode(errors="replace").decode())


def _dag_error(failed: list[str], outcomes: Mapping[str, Outcome]) -> str:
    """Say it as Vertex AI does, and then what really happened."""
    reasons = "; ".join(f"{name}: {outcomes[name].error}" for name in failed)
    names = ", ".join(failed)
    return f"The DAG failed because some tasks failed. The failed tasks are: [{names}].; {reasons}"
