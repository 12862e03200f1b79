"""Submits all cases through Google's typed client, side by side, and reads what came of them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.cloud.storage import Client
from google.protobuf import json_format, struct_pb2

from tests.gcp_local.corpus.case import FOLDER, Case, Made
from tests.gcp_local.corpus.cases import committed
from tests.gcp_local.emulators import Emulator

LOCATION = "europe-west1"
InputArtifact = aiplatform_v1.PipelineJob.RuntimeConfig.InputArtifact
UNFINISHED = {
    aiplatform_v1.PipelineState.PIPELINE_STATE_PENDING,
    aiplatform_v1.PipelineState.PIPELINE_STATE_RUNNING,
}


@dataclass(frozen=True)
class Ran:
    """A case's job that has ended, or its refusal, read as plain values."""

    job: aiplatform_v1.PipelineJob | None
    refusal: str
    client: Client

    @property
    def state(self) -> str:
        assert self.job is not None
        return str(self.job.state.name).removeprefix("PIPELINE_STATE_")

    @property
    def details(self) -> dict[str, aiplatform_v1.PipelineTaskDetail]:
        """The tasks by their unique names; the whole pipeline is the empty one."""
        assert self.job is not None
        return {detail.task_unique_name: detail for detail in self.job.job_detail.task_details}

    @property
    def tasks(self) -> dict[str, str]:
        return {name: detail.state.name for name, detail in self.details.items() if name}

    def outputs(self, task: str = "") -> dict[str, Any]:
        """Read the output parameters of a task, or of the pipeline."""
        metadata = json_format.MessageToDict(self.details[task].execution._pb.metadata)
        return {
            name.removeprefix("output:"): plain(value)
            for name, value in metadata.items()
            if name.startswith("output:")
        }

    def made(self, which: str) -> tuple[Made, ...]:
        """Read the artifacts of `task.output`, or of an output of the pipeline."""
        task, _, key = which.rpartition(".")
        return tuple(self._made(artifact) for artifact in self.details[task].outputs[key].artifacts)

    def _made(self, artifact: aiplatform_v1.Artifact) -> Made:
        bucket, _, name = artifact.uri.removeprefix("gs://").partition("/")
        blob = self.client.bucket(bucket).get_blob(name)
        return Made(
            f"{artifact.schema_title}@{artifact.schema_version}",
            plain(json_format.MessageToDict(artifact._pb.metadata)),
            blob.download_as_text() if blob is not None else None,
        )


def plain(value: Any) -> Any:
    """Read every whole number as an int, which is how Google's clients show a double of JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def run_all(emulator: Emulator, cases: Iterable[Case], folder: Path) -> Mapping[str, Ran]:
    """Run every case in a project of its own, all at the same time."""
    jobs = aiplatform_v1.PipelineServiceClient(**emulator.gapic)
    client = Client(
        project="corpus",
        credentials=emulator.gapic["credentials"],
        client_options={"api_endpoint": emulator.endpoint},
    )
    bucket = client.create_bucket(f"corpus-{uuid.uuid4().hex}").name
    started: dict[str, str] = {}
    ran: dict[str, Ran] = {}
    for case in cases:
        parent = f"projects/corpus-{uuid.uuid4().hex[:12]}/locations/{LOCATION}"
        wanted = job_of(case, f"gs://{bucket}/{case.name}", folder / case.name)
        for name, made in case.artifacts.items():
            uri = f"gs://{bucket}/given/{case.name}/{name}"
            client.bucket(bucket).blob(uri.partition(f"{bucket}/")[2]).upload_from_string(
                made.content or ""
            )
            wanted.runtime_config.input_artifacts[name] = InputArtifact(
                artifact_id=recorded(emulator, parent, made, uri)
            )
        try:
            job = jobs.create_pipeline_job(
                parent=parent, pipeline_job=wanted, pipeline_job_id=case.name.replace("_", "-")
            )
        except exceptions.GoogleAPICallError as error:
            ran[case.name] = Ran(None, str(error.message), client)
        else:
            started[case.name] = job.name
    for name, job_name in started.items():
        until = time.monotonic() + 120
        while (job := jobs.get_pipeline_job(name=job_name)).state in UNFINISHED:
            assert time.monotonic() < until, f"{name} does not end"
            time.sleep(0.02)
        ran[name] = Ran(job, "", client)
    return ran


def recorded(emulator: Emulator, parent: str, made: Made, uri: str) -> str:
    """Record an artifact in ML Metadata and give its id."""
    title, _, version = made.type.partition("@")
    kept = aiplatform_v1.MetadataServiceClient(**emulator.gapic).create_artifact(
        parent=f"{parent}/metadataStores/default",
        artifact=aiplatform_v1.Artifact(
            schema_title=title, schema_version=version, uri=uri, metadata=made.metadata
        ),
    )
    return str(kept.name).rpartition("/")[2]


def job_of(case: Case, root: str, folder: Path) -> aiplatform_v1.PipelineJob:
    """Make the job of a case."""
    spec = struct_pb2.Struct()
    json_format.ParseDict(committed(case) if case.cached else _uncached(committed(case)), spec)
    return aiplatform_v1.PipelineJob(
        pipeline_spec=spec,
        labels=dict(case.labels),
        runtime_config=aiplatform_v1.PipelineJob.RuntimeConfig(
            gcs_output_directory=root, parameter_values=given(case, folder)
        ),
    )


def _uncached(body: dict[str, Any]) -> dict[str, Any]:
    for component in (body["root"], *body["components"].values()):
        for task in component.get("dag", {}).get("tasks", {}).values():
            task.setdefault("cachingOptions", {})["enableCache"] = False
    return body


def given(case: Case, folder: Path) -> dict[str, Any]:
    """Give the values of a case's parameters, in a run that may use this folder."""
    return {
        name: str(folder) if value == FOLDER else value for name, value in case.parameters.items()
    }
