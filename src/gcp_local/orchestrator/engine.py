"""The orchestrator: takes PipelineJobs and runs them."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcp_local.containers.slots import Slots
from gcp_local.errors import InvalidArgument, Unavailable, Unimplemented
from gcp_local.orchestrator import inputs, journal, reading
from gcp_local.orchestrator.cache import Cache
from gcp_local.orchestrator.container import Stores
from gcp_local.orchestrator.refusals import refusal
from gcp_local.orchestrator.run import Run
from gcp_local.orchestrator.setting import Setting
from gcp_local.orchestrator.spec import Container, Dag
from gcp_local.orchestrator.states import JobState
from gcp_local.rpc.protos import copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gcp_local.containers.host import ContainerHost
    from gcp_local.orchestrator.artifacts import Artifact
    from gcp_local.orchestrator.cache import Entry
    from gcp_local.orchestrator.spec import Pipeline
    from gcp_local.resources.database import Database
    from gcp_local.rpc.protos import Message
    from gcp_local.storage.objects import ObjectStore

_LOG = logging.getLogger(__name__)
_JOB_NAME = re.compile(
    r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/pipelineJobs/[^/]+"
)
_FAIL_FAST = 2  # google.cloud.aiplatform.v1.PipelineFailurePolicy


@dataclass(frozen=True)
class _Running:
    run: Run
    thread: threading.Thread


class Orchestrator:
    """Runs pipeline jobs side by side, each task as a process of this host.

    Args:
        database: where the cache of executions is.
        objects: where artifacts and logs are kept.
        host: runs the containers.
        work: a folder of its own, for what tasks need while they run.
        save: called with a copy of the job soon after each change, from any thread, in order per
            job, in a transaction of the database.
        artifact: gives the artifact of that name from ML Metadata, None if there is none.
        known: gives the name of an artifact in a location's ML Metadata that is like that one (in
            URI, type and metadata), None if there is none.
        executed: tells whether the execution of that name is in ML Metadata.
        permissive: what is not proved to work on Vertex AI may run nevertheless.
        max_parallel_tasks: how many components run at a time, over all jobs.

    """

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        host: ContainerHost,
        work: Path,
        save: Callable[[Message], None],
        artifact: Callable[[str], Message | None] = lambda _: None,
        known: Callable[[str, Artifact], str | None] = lambda *_: None,
        executed: Callable[[str], bool] = lambda _: True,
        permissive: bool = False,
        max_parallel_tasks: int | None = None,
    ) -> None:
        self._database = database
        self._stores = Stores(objects, host)
        self._work = work
        self._save = save
        self._artifact = artifact
        self._known = known
        self._cache = Cache(database, executed)
        self._permissive = permissive
        self._slots = Slots(max_parallel_tasks or max(4, os.cpu_count() or 1))
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()
        self._closed = False
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)

    def validate(self, job: Message) -> None:
        """Check the job as Vertex AI does before it creates one.

        Raises:
            InvalidArgument: Vertex AI would refuse it; the message names the field.
            Unimplemented: Vertex AI has it, this stand-in does not.

        """
        pipeline = _pipeline(job)
        self._check_unproven(pipeline)
        self._check_accelerators(pipeline)
        inputs.given(job, pipeline, self._artifact)
        inputs.root_of(job, pipeline)

    def describe(self, job: Message) -> None:
        """Write into a new job what is known of its run before it starts."""
        journal.write_contexts(job, _pipeline(job).name, job.create_time)

    def _check_unproven(self, pipeline: Pipeline) -> None:
        for item in pipeline.unproven:
            if not self._permissive:
                raise refusal(f"{item} is not supported", item.where)
            if not item.runs:
                raise Unimplemented(f"{item} is not implemented, permissive or not.")

    def _check_accelerators(self, pipeline: Pipeline) -> None:
        for parent in (pipeline.root, *pipeline.components.values()):
            tasks = parent.body.tasks.values() if isinstance(parent.body, Dag) else ()
            for task in tasks:
                body = pipeline.components[task.component].body
                if isinstance(body, Container):
                    host = self._stores.host
                    host.check_accelerator(f"The task {task.name!r}", body.accelerator)

    def submit(self, job: Message, scheduled: Message | None = None) -> None:
        """Start a job that `validate` has passed; returns at once.

        Args:
            job: the job.
            scheduled: the time for which its schedule had it, if one did.

        Raises:
            Unavailable: the orchestrator is closed.

        """
        pipeline = _pipeline(job)
        given = inputs.given(job, pipeline, self._artifact)
        root = inputs.root_of(job, pipeline)
        for item in pipeline.unproven:
            _LOG.warning("%s: %s is not proved to work on Vertex AI", job.name, item)
        matched = _JOB_NAME.fullmatch(job.name)
        if matched is None:
            raise InvalidArgument(f"{job.name!r} is not the name of a pipeline job")
        project, job_id = matched["project"], job.name.rpartition("/")[2]
        run_root = f"{root}/{project}/{job_id}"
        number = journal.Node(job.name, ()).id
        work = self._work / f"{number % 2**64:016x}"
        labels = json.dumps(dict(job.labels), sort_keys=True)
        setting = Setting(
            root=run_root,
            work=work,
            environment={
                **self._stores.host.environment(project, matched["location"]),
                "VERTEX_AI_PIPELINES_RUN_LABELS": labels,
            },
            placeholders={
                ".pipeline_job_name": job_id,
                ".pipeline_job_resource_name": job.name,
                ".pipeline_job_uuid": str(number),
                ".pipeline_root": root,
                ".pipeline_job_create_time_utc": job.create_time.ToJsonString(),
                ".pipeline_job_schedule_time_utc": (scheduled or job.create_time).ToJsonString(),
            },
            stores=self._stores,
            cache=self._cache,
            known=self._known,
            slots=self._slots,
            fail_fast=job.runtime_config.failure_policy == _FAIL_FAST,
        )
        run = Run(pipeline, given, journal.Journal(copy_of(job), self._keep), setting)
        thread = threading.Thread(
            target=self._execute, args=(job.name, run, work), name=f"job-{job_id}", daemon=True
        )
        with self._lock:
            if self._closed:
                raise Unavailable("The server is stopping.")
            self._running[job.name] = _Running(run, thread)
        thread.start()

    def _keep(self, job: Message, entries: Sequence[Entry]) -> None:
        with self._database.transaction():
            self._save(job)
            self._cache.keep(entries)
        self._cache.kept(entries)

    def _execute(self, name: str, run: Run, work: Path) -> None:
        try:
            run.execute()
        finally:
            shutil.rmtree(work, ignore_errors=True)
            with self._lock:
                del self._running[name]

    def cancel(self, name: str) -> None:
        """Cancel a running job; nothing happens to one that has ended. Returns at once."""
        with self._lock:
            running = self._running.get(name)
        if running is not None:
            running.run.stop(JobState.CANCELLED, "The pipeline job was cancelled.")

    def close(self) -> None:
        """End all component processes and runs; the jobs that ran end as failed, and say why."""
        with self._lock:
            self._closed = True
            running = list(self._running.values())
        for each in running:
            reason = "The server stopped while this job ran."
            each.run.stop(JobState.FAILED, reason, journal.ABORTED)
        for each in running:
            each.thread.join()


def _pipeline(job: Message) -> Pipeline:
    if not job.pipeline_spec.fields:
        raise InvalidArgument.of_field("pipeline_job.pipeline_spec", "pipeline_spec is required.")
    return reading.read(job.pipeline_spec)
