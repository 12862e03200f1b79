"""Compiles small pipelines and runs them on the orchestrator, with the server's real stores."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from google.cloud.aiplatform_v1.types import pipeline_job
from kfp import compiler

from gcp_local.containers.host import ContainerHost
from gcp_local.containers.warm import default_launcher
from gcp_local.errors import ApiError
from gcp_local.images.store import ImageStore
from gcp_local.orchestrator import Orchestrator
from gcp_local.orchestrator.parameters import from_proto, to_proto
from gcp_local.orchestrator.states import ENDED_JOB, JobState, TaskState
from gcp_local.resources.database import Database
from gcp_local.rpc.protos import Message, raw
from gcp_local.storage.buckets import BucketStore
from gcp_local.storage.objects import ObjectStore

PipelineJob: type[Message] = raw(pipeline_job.PipelineJob)
PARENT = "projects/123456/locations/europe-west1"
BUCKET = "bucket"


def compiled(pipeline: Any, folder: Path) -> dict[str, Any]:
    """Compile a pipeline function to its IR."""
    path = folder / f"{pipeline.name}.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    spec: dict[str, Any] = next(yaml.safe_load_all(path.read_text()))
    return spec


@dataclass
class Result:
    """A job that has ended, read as plain values."""

    job: Message
    history: list[Message]
    objects: ObjectStore

    @property
    def state(self) -> JobState:
        return JobState(self.job.state)

    @property
    def error(self) -> str:
        return str(self.job.error.message)

    @property
    def tasks(self) -> dict[str, Message]:
        return {t.task_unique_name: t for t in self.job.job_detail.task_details}

    def states(self) -> dict[str, TaskState]:
        return {name: TaskState(task.state) for name, task in self.tasks.items() if name}

    def metadata(self, task: str) -> dict[str, Any]:
        fields = self.tasks[task].execution.metadata.fields
        return {name: from_proto(value) for name, value in fields.items()}

    def inputs(self, task: str) -> dict[str, Any]:
        return _part(self.metadata(task), "input:")

    def outputs(self, task: str) -> dict[str, Any]:
        return _part(self.metadata(task), "output:")

    def artifact(self, task: str, key: str) -> Message:
        (artifact,) = self.tasks[task].outputs[key].artifacts
        return artifact  # type: ignore[no-any-return]

    def read(self, uri: str) -> bytes:
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        return self.objects.open_path(bucket, name).read_bytes()

    def log(self, task: str) -> str:
        detail = self.tasks[task]
        name = f"root/123456/{self.job.name.rpartition('/')[2]}"
        return self.read(
            f"gs://{BUCKET}/{name}/{detail.task_name}_{detail.task_id}/log.txt"
        ).decode()


def _part(metadata: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in metadata.items() if k.startswith(prefix)}


@dataclass
class Cloud:
    """An orchestrator with stores of its own in one folder."""

    folder: Path
    launcher: Any = None
    max_parallel_tasks: int | None = None
    permissive: bool = False
    artifacts: dict[str, Message] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    saved: dict[str, list[Message]] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        self.database = Database(self.folder / "state.sqlite")
        self.objects = ObjectStore(self.database, self.folder / "objects")
        with suppress(ApiError):  # it is there if this folder was another cloud's before
            BucketStore(self.database).create(BUCKET, "project")
        self.images = ImageStore(self.folder / "images")
        self._launcher = self.launcher or default_launcher()
        self.changed = threading.Condition()
        self.work = self.folder / "work"
        self.orchestrator = Orchestrator(
            database=self.database,
            objects=self.objects,
            host=ContainerHost(self.images, self._environment, self._launcher),
            work=self.work,
            save=self._save,
            artifact=self.artifacts.get,
            executed=lambda name: name not in self.forgotten,
            permissive=self.permissive,
            max_parallel_tasks=self.max_parallel_tasks,
        )

    def close(self) -> None:
        self.orchestrator.close()
        self._launcher.close()
        self.database.close()

    def _environment(self, project: str, location: str) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": path, "LANG": "C.UTF-8", "CLOUD_ML_REGION": location}

    def _save(self, job: Message) -> None:
        with self.changed:
            self.saved.setdefault(job.name, []).append(job)
            self.changed.notify_all()

    def job(
        self,
        pipeline: Any,
        parameters: dict[str, Any] | None = None,
        *,
        root: str = f"gs://{BUCKET}/root",
        parent: str = PARENT,
        **fields: Any,
    ) -> Message:
        """Make the PipelineJob of a pipeline function, or of an IR."""
        spec = pipeline if isinstance(pipeline, dict) else compiled(pipeline, self.folder)
        self.count += 1
        job = PipelineJob(name=f"{parent}/pipelineJobs/run-{self.count}", **fields)
        job.pipeline_spec.CopyFrom(to_proto(spec).struct_value)
        job.runtime_config.gcs_output_directory = root
        for name, value in (parameters or {}).items():
            job.runtime_config.parameter_values[name].CopyFrom(to_proto(value))
        return job

    def submit(self, pipeline: Any, parameters: dict[str, Any] | None = None, **fields: Any) -> str:
        job = self.job(pipeline, parameters, **fields)
        self.orchestrator.validate(job)
        self.orchestrator.submit(job)
        return str(job.name)

    def wait(self, name: str, until: Any = None, timeout: float = 60) -> Result:
        """Wait until the job has ended, or until a condition holds on it."""
        reached = until or (lambda job: job.state in ENDED_JOB)
        deadline = time.monotonic() + timeout
        with self.changed:
            while not (self.saved.get(name) and reached(self.saved[name][-1])):
                if not self.changed.wait(deadline - time.monotonic()):
                    message = f"{name} did not get there: {self.saved.get(name, [None])[-1]}"
                    raise TimeoutError(message)
            history = list(self.saved[name])
        return Result(history[-1], history, self.objects)

    def run(self, pipeline: Any, parameters: dict[str, Any] | None = None, **fields: Any) -> Result:
        return self.wait(self.submit(pipeline, parameters, **fields))

    def succeed(
        self, pipeline: Any, parameters: dict[str, Any] | None = None, **fields: Any
    ) -> Result:
        result = self.run(pipeline, parameters, **fields)
        assert result.state is JobState.SUCCEEDED, result.error
        return result
