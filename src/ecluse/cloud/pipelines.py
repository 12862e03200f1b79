"""Vertex AI Pipelines: creates runs from the registry's bytes and tells how they do."""

from collections.abc import Callable, Mapping
from threading import Event
from typing import Any, Final

from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.protobuf import json_format

from ecluse.cloud import Addresses
from ecluse.cloud.failures import translated
from ecluse.cloud.retries import READING
from ecluse.cloud.run import Artifact, Run, RunRequest, State, Task
from ecluse.errors import Interrupted, Refused
from ecluse.repository.settings import Environment

_JOB_STATES: Final[Mapping[str, State]] = {
    "PIPELINE_STATE_RUNNING": "running",
    "PIPELINE_STATE_CANCELLING": "running",
    "PIPELINE_STATE_SUCCEEDED": "succeeded",
    "PIPELINE_STATE_FAILED": "failed",
    "PIPELINE_STATE_CANCELLED": "cancelled",
}
_TASK_STATES: Final[Mapping[str, State]] = {
    "RUNNING": "running",
    "CANCEL_PENDING": "running",
    "CANCELLING": "running",
    "SUCCEEDED": "succeeded",
    "CANCELLED": "cancelled",
    "FAILED": "failed",
    "SKIPPED": "skipped",
    "NOT_TRIGGERED": "not triggered",
}


class Pipelines:
    """The runs of one environment."""

    def __init__(self, environment: Environment, client: Any, poll_seconds: float) -> None:
        self._environment = environment
        self._client = client
        self._poll_seconds = poll_seconds
        self._parent = f"projects/{environment.project}/locations/{environment.location}"

    @classmethod
    def connect(cls, addresses: Addresses) -> "Pipelines":
        """Connect to the environment's Vertex AI."""
        with translated("Vertex AI"):
            client = aiplatform_v1.PipelineServiceClient(
                credentials=addresses.credentials,
                transport="rest",
                client_options=addresses.client_options("aiplatform", regional=True),
            )
        poll_seconds = 10.0 if addresses.local is None else 0.2
        return cls(addresses.environment, client, poll_seconds)

    def resource_name(self, run_id: str) -> str:
        """Return a run's resource name."""
        return f"{self._parent}/pipelineJobs/{run_id}"

    def create(self, request: RunRequest) -> Run:
        """Create a run, or join the one that has its id, if that runs the very same thing.

        The job's spec stays empty: the service takes the registry's bytes, and no second copy of
        the pipeline can differ from them.

        Raises:
            Refused: the id is taken by a run of something else.

        """
        environment = self._environment
        job = aiplatform_v1.PipelineJob(
            display_name=request.display_name,
            template_uri=request.template,
            labels=dict(request.labels),
            service_account=environment.service_account,
            runtime_config={
                "gcs_output_directory": f"{environment.bucket}/runs",
                "parameter_values": dict(request.parameters),
            },
        )
        if environment.network:
            job.network = environment.network
        if environment.encryption_key:
            job.encryption_spec = aiplatform_v1.EncryptionSpec(
                kms_key_name=environment.encryption_key
            )
        name = self.resource_name(request.run_id)
        with translated(name):
            try:
                # Safe to repeat: the id is ours, and a second create finds the first one's job.
                created = self._client.create_pipeline_job(
                    parent=self._parent, pipeline_job=job, pipeline_job_id=request.run_id, **READING
                )
            except exceptions.Conflict:
                created = self._client.get_pipeline_job(name=name, **READING)
                _refuse_other(created, job)
        return _run(created)

    def get(self, run_id: str) -> Run | None:
        """Return a run, or none if there is none of that id."""
        name = self.resource_name(run_id)
        with translated(name):
            try:
                return _run(self._client.get_pipeline_job(name=name, **READING))
            except exceptions.NotFound:
                return None

    def wait(self, run: Run, seen: Callable[[Run], None], stop: Event) -> Run:
        """Follow a run to its end, showing it each time it was looked at.

        Raises:
            Interrupted: `stop` was set first.

        """
        while True:
            seen(run)
            if run.finished:
                return run
            if stop.wait(self._poll_seconds):
                raise Interrupted("no longer followed; it goes on", where=run.name)
            with translated(run.name):
                run = _run(self._client.get_pipeline_job(name=run.name, **READING))


def _refuse_other(found: Any, wanted: Any) -> None:
    same = found.template_uri == wanted.template_uri and _plain(found).get("runtimeConfig", {}).get(
        "parameterValues"
    ) == _plain(wanted).get("runtimeConfig", {}).get("parameterValues")
    if not same:
        raise Refused(
            "a run of this id exists, and it runs something else",
            where=found.name,
            fix="promote with --rerun for a new attempt",
        )


def _plain(message: Any) -> dict[str, Any]:
    values: dict[str, Any] = json_format.MessageToDict(type(message).pb(message))
    return values


def _run(job: Any) -> Run:
    details = sorted(
        job.job_detail.task_details,
        key=lambda detail: (
            detail.start_time or detail.create_time or job.create_time,
            detail.task_id,
        ),
    )
    parents = {detail.parent_task_id for detail in details}
    keys = _keys_by_display_name(_plain(job).get("pipelineSpec", {}))
    version = job.template_metadata.version
    return Run(
        name=job.name,
        state=_JOB_STATES.get(job.state.name, "pending"),
        tasks=tuple(
            _task(
                detail,
                name=keys.get(detail.task_name, detail.task_name),
                group=detail.task_id in parents,
            )
            for detail in details
        ),
        error=job.error.message,
        created=job.create_time,
        started=job.start_time,
        ended=job.end_time,
        template=version,
        parameters=_plain(job).get("runtimeConfig", {}).get("parameterValues", {}),
    )


def _keys_by_display_name(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the key of each task in the spec by its display name, where that names one task.

    The service's documentation leaves open which of the two a task's detail is called by.
    """
    dags = [spec.get("root", {}).get("dag", {})]
    dags += [component.get("dag", {}) for component in spec.get("components", {}).values()]
    tasks = [(key, task) for dag in dags for key, task in dag.get("tasks", {}).items()]
    keys = {key for key, _ in tasks}
    found: dict[str, list[str]] = {}
    for key, task in tasks:
        found.setdefault(task.get("taskInfo", {}).get("name", key), []).append(key)
    return {
        name: matches[0]
        for name, matches in found.items()
        if len(matches) == 1 and name not in keys
    }


def _task(detail: Any, *, name: str, group: bool) -> Task:
    return Task(
        name=name,
        state=_TASK_STATES.get(detail.state.name, "pending"),
        started=detail.start_time,
        ended=detail.end_time,
        error=detail.error.message,
        artifacts=tuple(
            Artifact(
                name=name,
                type=artifact.schema_title,
                uri=artifact.uri,
                metadata=_plain(artifact).get("metadata", {}),
            )
            for name, artifacts in detail.outputs.items()
            for artifact in artifacts.artifacts
        ),
        group=group,
        id=str(detail.task_id),
    )
