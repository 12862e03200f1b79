"""Pipeline runs in ML Metadata: written as they go along, from what their jobs say.

A job's details already hold its contexts, executions and artifacts; here they become nodes of the
graph, with events between them. On Vertex AI a task's execution and its artifacts belong to the
run's context and to the pipeline's, and so they do here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from google.protobuf import json_format

from gcp_local.rpc.protos import copy_of
from gcp_local.vertex.metadata.kinds import INPUT, OUTPUT, Artifact, Context, Execution
from gcp_local.vertex.metadata.store import default_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.resources.database import Database
    from gcp_local.rpc.protos import Message
    from gcp_local.vertex.metadata.store import MetadataGraph


class Imported(Protocol):
    """What an importer knows of an artifact."""

    @property
    def uri(self) -> str:
        """Where its payload is."""
        ...

    @property
    def schema_title(self) -> str:
        """Its type."""
        ...

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What is said of it."""
        ...


_Seen = tuple[str, int, int, int]  # an execution's name, its task's state, its time
_UNENDED = (1, 2)  # google.cloud.aiplatform.v1.Execution.State: NEW, RUNNING
_FAILED = 4


class RunRecorder:
    """Keeps the graph up to date with the pipeline jobs.

    It remembers of each job under way what it has written, so that a change of one task costs what
    one task costs; what it forgets (at a restart) it writes once more, to the same effect.
    """

    def __init__(self, graph: MetadataGraph, database: Database) -> None:
        self._graph = graph
        self._database = database
        self._seen: dict[str, dict[int, _Seen]] = {}
        self._lock = threading.Lock()

    def record(self, job: Message, *, ended: bool) -> None:
        """Write what is new in a job; in the transaction that keeps the job.

        Args:
            job: the job as it is kept.
            ended: whether no other state of it will follow.

        """
        if not job.job_detail.HasField("pipeline_run_context"):
            return
        contexts = (
            job.job_detail.pipeline_context.name,
            job.job_detail.pipeline_run_context.name,
        )
        with self._lock:
            known = self._seen.get(job.name, {})
        fresh: dict[int, _Seen] = {}
        with self._database.transaction():
            if not known:
                self._add_contexts(job)
            for task in job.job_detail.task_details:
                if not task.HasField("execution"):
                    continue
                changed = task.execution.update_time
                mark = (task.execution.name, task.state, changed.seconds, changed.nanos)
                if known.get(task.task_id) != mark:
                    self._record_task(task, contexts)
                fresh[task.task_id] = mark
            if ended:
                for task_id in known.keys() - fresh.keys():
                    self._fail(known[task_id][0])
            # What is rolled back has not been written.
            self._database.afterwards(lambda: self._remember(job.name, {} if ended else fresh))

    def _remember(self, job: str, written: dict[int, _Seen]) -> None:
        with self._lock:
            if written:
                self._seen[job] = written
            else:
                self._seen.pop(job, None)

    def refresh(self, job: Message) -> Message:
        """Show in a job its contexts as they are now: clients put runs into experiments."""
        detail = job.job_detail
        for field in ("pipeline_context", "pipeline_run_context"):
            if detail.HasField(field):
                context = self._graph.find(getattr(detail, field).name, Context)
                if context is not None:
                    getattr(detail, field).CopyFrom(context)
        return job

    def known(self, location: str, artifact: Imported) -> str | None:
        """Name the artifact of a location's default store that is like one to be imported.

        That is one of the same URI, schema and metadata; the newest, if there are several.
        """
        for node in self._graph.artifacts_at(default_store(location), artifact.uri):
            same = json_format.MessageToDict(node.metadata) == dict(artifact.metadata)
            if same and node.schema_title == artifact.schema_title:
                return str(node.name)
        return None

    def _add_contexts(self, job: Message) -> None:
        self._graph.ensure_store(job.name.partition("/pipelineJobs/")[0])
        detail = job.job_detail
        for context in (detail.pipeline_context, detail.pipeline_run_context):
            if self._graph.find(context.name, Context) is None:
                self._graph.add(copy_of(context))

    def _fail(self, execution_name: str) -> None:
        """Fail an execution that its ended job no longer tells of."""
        execution = self._graph.find(execution_name, Execution)
        if execution is not None and execution.state in _UNENDED:
            execution.state = _FAILED
            self._graph.put(execution)

    def _record_task(self, task: Message, contexts: tuple[str, str]) -> None:
        execution: Message = copy_of(task.execution)
        earlier = self._graph.find(execution.name, Execution)
        if earlier is not None:
            # What a client has said of it stays.
            execution.description = earlier.description
            execution.labels.update(earlier.labels)
            for key, value in earlier.metadata.fields.items():
                if key not in execution.metadata.fields:
                    execution.metadata.fields[key].CopyFrom(value)
        self._graph.put(execution)
        members = [execution.name]
        for kind, lists in ((INPUT, task.inputs), (OUTPUT, task.outputs)):
            for artifact in _artifacts(lists):
                if self._graph.find(artifact.name, Artifact) is None:
                    self._graph.add(artifact)
                self._graph.add_event(execution.name, artifact.name, kind)
                members.append(artifact.name)
        for context in contexts:
            self._graph.add_members(context, members)


def _artifacts(lists: Mapping[str, Message]) -> list[Message]:
    return [copy_of(artifact) for name in sorted(lists) for artifact in lists[name].artifacts]
