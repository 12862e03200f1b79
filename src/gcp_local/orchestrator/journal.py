"""The record of one run: the PipelineJob with its task details, as Vertex AI shows them."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.orchestrator.parameters import to_proto
from gcp_local.orchestrator.saving import Saver
from gcp_local.orchestrator.states import ENDED_JOB, UNENDED_TASK, JobState, TaskState, Values
from gcp_local.rpc.protos import copy_of, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gcp_local.orchestrator.cache import Entry
    from gcp_local.orchestrator.states import Outcome
    from gcp_local.rpc.protos import Message

FAILED_PRECONDITION = 9  # google.rpc.Code
CANCELLED = 1
ABORTED = 10

# google.cloud.aiplatform.v1.Execution.State
_EXECUTION = {
    TaskState.RUNNING: 2,
    TaskState.SUCCEEDED: 3,
    TaskState.FAILED: 4,
    TaskState.CANCELLED: 6,
    TaskState.SKIPPED: 5,  # CACHED
}
_FLUSH_SECONDS = 5.0
_JOB_ERRORS = {
    JobState.FAILED: FAILED_PRECONDITION,
    JobState.CANCELLED: CANCELLED,
}


@dataclass(frozen=True)
class Node:
    """One task of one run: its place (the names from the root down) and Vertex's number for it."""

    job: str
    path: tuple[str, ...]

    @property
    def id(self) -> int:
        """A signed 64-bit number, as Vertex's are; the same task of the same job has the same."""
        digest = hashlib.sha256("\0".join((self.job, *self.path)).encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)

    @property
    def name(self) -> str:
        """The task's key in its DAG; the root's is the job's id."""
        return self.path[-1] if self.path else self.job.rsplit("/", 1)[-1]

    def child(self, name: str) -> Node:
        """Give the task of that name inside this one."""
        return Node(self.job, (*self.path, name))

    @property
    def parent(self) -> Node | None:
        """The task this one stands in; None for the root."""
        return Node(self.job, self.path[:-1]) if self.path else None


def write_contexts(job: Message, pipeline_name: str, moment: Message) -> None:
    """Write the contexts of a run and of its pipeline into the run's record."""
    parent, _, job_id = str(job.name).rpartition("/pipelineJobs/")
    detail = job.job_detail
    for context, name, title in (
        (detail.pipeline_context, pipeline_name, "system.Pipeline"),
        (detail.pipeline_run_context, job_id, "system.PipelineRun"),
    ):
        context.name = f"{parent}/metadataStores/default/contexts/{name}"
        context.display_name = name
        context.schema_title = title
        context.schema_version = "0.0.1"
        context.create_time.CopyFrom(moment)
        context.update_time.CopyFrom(moment)
    detail.pipeline_run_context.parent_contexts.append(detail.pipeline_context.name)


class Journal:
    """The source of truth for what a run has come to; every change is saved a moment later.

    Args:
        job: the record itself, which is this journal's from now on.
        save: keeps a copy of the job, and with it entries of the cache, all or nothing.

    """

    def __init__(self, job: Message, save: Callable[[Message, Sequence[Entry]], None]) -> None:
        self._job = job
        self._save = save
        self._lock = threading.Lock()
        self._details: dict[tuple[str, ...], Message] = {}
        self._entries: list[Entry] = []
        self.parent, _, self.job_id = str(job.name).rpartition("/pipelineJobs/")
        self.root = Node(job.name, ())
        self._saver = Saver(self._write, f"save-{self.job_id}")

    @contextmanager
    def _change(self) -> Iterator[Message]:
        """Change the job, one change at a time and in order."""
        with self._lock:
            moment = timestamp(clock.now())
            yield moment
            self._job.update_time.CopyFrom(moment)
        self._saver.changed()

    def _write(self) -> None:
        with self._lock:
            job, entries = copy_of(self._job), tuple(self._entries)
        self._save(job, entries)
        with self._lock:
            del self._entries[: len(entries)]

    def start(self, pipeline_name: str, inputs: Values, unproven: Sequence[str] = ()) -> None:
        """Set the job running; what in it is unproven is told in its execution's metadata."""
        self._saver.begin()
        with self._change() as moment:
            if self._job.state != JobState.CANCELLING:  # it may have been asked to stop by now
                self._job.state = JobState.RUNNING
            self._job.start_time.CopyFrom(moment)
            self._job.job_detail.Clear()
            write_contexts(self._job, pipeline_name, moment)
            self._add(self.root, moment)
            self._run(self.root, "system.Run", inputs, moment)
            if unproven:
                told = self._details[()].execution.metadata.fields["unproven"]
                told.CopyFrom(to_proto(list(unproven)))

    def add(self, nodes: Iterable[Node]) -> None:
        """Record tasks that will run when their turn comes."""
        with self._change() as moment:
            for node in nodes:
                self._add(node, moment)

    def run(self, node: Node, schema: str, inputs: Values) -> None:
        """Set a task running, with what it was given."""
        with self._change() as moment:
            self._run(node, schema, inputs, moment)

    def retry(self, node: Node, error: str) -> None:
        """Record that a try failed and another will follow."""
        with self._change() as moment:
            detail = self._details[node.path]
            detail.state = TaskState.PENDING
            status = detail.pipeline_task_status.add(state=TaskState.PENDING)
            status.update_time.CopyFrom(moment)
            status.error.code, status.error.message = FAILED_PRECONDITION, error

    def skip(self, node: Node, schema: str, inputs: Values) -> None:
        """Record what a task was given that need not run, its outputs being known."""
        with self._change() as moment:
            self._given(node, schema, inputs, moment)

    def end(self, node: Node, outcome: Outcome, entry: Entry | None = None) -> None:
        """Record how a task ended and what it gave, for the cache too if there is an entry."""
        with self._change() as moment:
            self._end(node, outcome, moment)
            if entry is not None:
                self._entries.append(entry)

    def execution_name(self, node: Node) -> str:
        """Name a task's execution in ML Metadata."""
        return f"{self.parent}/metadataStores/default/executions/{node.id % 2**63}"

    def cancelling(self) -> None:
        """Record that the job was asked to stop; whoever asked sees it when this returns."""
        with self._change():
            if self._job.state not in ENDED_JOB:
                self._job.state = JobState.CANCELLING
        self._saver.flush(_FLUSH_SECONDS)

    def finish(self, state: JobState, outcome: Outcome, code: int | None = None) -> None:
        """End the job, and with it whatever of it has not ended; saved when this returns."""
        self._saver.end()
        with self._change() as moment:
            self._end(self.root, outcome, moment)
            for detail in self._details.values():
                if detail.state in UNENDED_TASK:
                    self._close(detail, replace(outcome, outputs=Values()), moment)
            self._job.state = state
            self._job.end_time.CopyFrom(moment)
            if outcome.error:
                self._job.error.code = code or _JOB_ERRORS.get(state, FAILED_PRECONDITION)
                self._job.error.message = outcome.error
        self._write()

    def abandon(self, outcome: Outcome) -> None:
        """End a job as failed whose record cannot be saved: without what its tasks gave."""
        with self._change() as moment:
            self._entries.clear()
            for detail in self._details.values():
                for part in ("execution", "inputs", "outputs"):
                    detail.ClearField(part)
                self._close(detail, outcome, moment)
        self.finish(JobState.FAILED, outcome)

    def _add(self, node: Node, moment: Message) -> None:
        detail = self._job.job_detail.task_details.add(
            task_id=node.id, task_name=node.name, task_unique_name=".".join(node.path)
        )
        if node.parent is not None:
            detail.parent_task_id = node.parent.id
        detail.create_time.CopyFrom(moment)
        self._details[node.path] = detail
        self._set_state(detail, TaskState.PENDING, moment)

    def _run(self, node: Node, schema: str, inputs: Values, moment: Message) -> None:
        self._given(node, schema, inputs, moment)
        detail = self._details[node.path]
        if schema == "system.ContainerExecution":
            jobs = f"{self.parent}/customJobs"
            detail.executor_detail.container_detail.main_job = f"{jobs}/{node.id % 2**63}"
        self._set_state(detail, TaskState.RUNNING, moment)

    def _given(self, node: Node, schema: str, inputs: Values, moment: Message) -> None:
        detail = self._details[node.path]
        given = type(detail)()  # aside first: what cannot be written leaves the record as it was
        _write_parameters(given.execution, "input", inputs)
        _write_artifacts(given.inputs, inputs, moment)
        detail.MergeFrom(given)
        detail.start_time.CopyFrom(moment)
        execution = detail.execution
        execution.name = self.execution_name(node)
        execution.display_name = node.name
        execution.schema_title = schema
        execution.schema_version = "0.0.1"
        execution.create_time.CopyFrom(moment)

    def _end(self, node: Node, outcome: Outcome, moment: Message) -> None:
        detail = self._details[node.path]
        made = type(detail)()
        _write_artifacts(made.outputs, outcome.outputs, moment)
        if detail.HasField("execution"):
            _write_parameters(made.execution, "output", outcome.outputs)
        detail.MergeFrom(made)
        self._close(detail, outcome, moment)

    def _close(self, detail: Message, outcome: Outcome, moment: Message) -> None:
        detail.end_time.CopyFrom(moment)
        if outcome.error:
            cancelled = outcome.state is TaskState.CANCELLED
            detail.error.code = CANCELLED if cancelled else FAILED_PRECONDITION
            detail.error.message = outcome.error
        self._set_state(detail, outcome.state, moment)

    def _set_state(self, detail: Message, state: TaskState, moment: Message) -> None:
        detail.state = state
        status = detail.pipeline_task_status.add(state=state)
        status.update_time.CopyFrom(moment)
        if detail.HasField("error"):
            status.error.CopyFrom(detail.error)
        if detail.HasField("execution"):
            detail.execution.state = _EXECUTION.get(state, 0)
            detail.execution.update_time.CopyFrom(moment)


def _write_parameters(execution: Message, way: str, values: Values) -> None:
    for name, value in values.parameters.items():
        execution.metadata.fields[f"{way}:{name}"].CopyFrom(to_proto(value))


def _write_artifacts(target: Mapping[str, Message], values: Values, moment: Message) -> None:
    for name, artifacts in values.artifacts.items():
        target[name].Clear()
        for artifact in artifacts:
            artifact.write_to(target[name].artifacts.add(), moment)
