"""Runs pipelines for the tests of what ML Metadata keeps of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import yaml
from google.cloud import aiplatform_v1
from google.cloud.storage import Bucket
from google.protobuf import json_format, struct_pb2

from tests.gcp_local.pipelines import compiled

_ENDED = {
    aiplatform_v1.PipelineState.PIPELINE_STATE_SUCCEEDED,
    aiplatform_v1.PipelineState.PIPELINE_STATE_FAILED,
    aiplatform_v1.PipelineState.PIPELINE_STATE_CANCELLED,
}


@dataclass(frozen=True)
class Runner:
    """Runs pipelines in one place."""

    jobs: aiplatform_v1.PipelineServiceClient
    parent: str
    bucket: Bucket

    @property
    def rows(self) -> str:
        """The URI of what the pipeline imports."""
        return f"gs://{self.bucket.name}/rows.csv"

    def submit(self, own: str, **parameters: Any) -> aiplatform_v1.PipelineJob:
        """Start the pipeline `tracing`."""
        self.bucket.blob("rows.csv").upload_from_string("a,b")
        return self._create("tracing", own, parameter_values={"rows": self.rows, **parameters})

    def run(self, own: str, **parameters: Any) -> aiplatform_v1.PipelineJob:
        """Run the pipeline `tracing` to its end."""
        return self._ended(self.submit(own, **parameters))

    def judge(self, own: str, artifact_id: str) -> aiplatform_v1.PipelineJob:
        """Run the pipeline `judging` on a model of the metadata store to its end."""
        given = aiplatform_v1.PipelineJob.RuntimeConfig.InputArtifact(artifact_id=artifact_id)
        return self._ended(self._create("judging", own, input_artifacts={"model": given}))

    def _create(self, pipeline: str, own: str, **config: Any) -> aiplatform_v1.PipelineJob:
        spec = struct_pb2.Struct()
        json_format.ParseDict(yaml.safe_load(compiled(pipeline)), spec)
        job = aiplatform_v1.PipelineJob(
            pipeline_spec=spec,
            runtime_config=aiplatform_v1.PipelineJob.RuntimeConfig(
                gcs_output_directory=f"gs://{self.bucket.name}/root", **config
            ),
        )
        return self.jobs.create_pipeline_job(
            parent=self.parent, pipeline_job=job, pipeline_job_id=own
        )

    def _ended(self, job: aiplatform_v1.PipelineJob) -> aiplatform_v1.PipelineJob:
        for _ in range(1500):
            if job.state in _ENDED:
                return job
            time.sleep(0.02)
            job = self.jobs.get_pipeline_job(name=job.name)
        raise AssertionError(f"{job.name} did not end")


def tasks(job: aiplatform_v1.PipelineJob) -> dict[str, aiplatform_v1.PipelineTaskDetail]:
    return {task.task_name: task for task in job.job_detail.task_details}
