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
    """Runs the pipeline `tracing` in one place."""

    jobs: aiplatform_v1.PipelineServiceClient
    parent: str
    bucket: Bucket

    @property
    def rows(self) -> str:
        """The URI of what the pipeline imports."""
        return f"gs://{self.bucket.name}/rows.csv"

    def submit(self, own: str, **parameters: Any) -> aiplatform_v1.PipelineJob:
        spec = struct_pb2.Struct()
        json_format.ParseDict(yaml.safe_load(compiled("tracing")), spec)
        self.bucket.blob("rows.csv").upload_from_string("a,b")
        values = {"rows": self.rows, **parameters}
        job = aiplatform_v1.PipelineJob(
            pipeline_spec=spec,
            runtime_config=aiplatform_v1.PipelineJob.RuntimeConfig(
                gcs_output_directory=f"gs://{self.bucket.name}/root", parameter_values=values
            ),
        )
        return self.jobs.create_pipeline_job(
            parent=self.parent, pipeline_job=job, pipeline_job_id=own
        )

    def run(self, own: str, **parameters: Any) -> aiplatform_v1.PipelineJob:
        """Submit and wait for the end."""
        name = self.submit(own, **parameters).name
        for _ in range(1500):
            job = self.jobs.get_pipeline_job(name=name)
            if job.state in _ENDED:
                return job
            time.sleep(0.02)
        raise AssertionError(f"{name} did not end")


def tasks(job: aiplatform_v1.PipelineJob) -> dict[str, aiplatform_v1.PipelineTaskDetail]:
    return {task.task_name: task for task in job.job_detail.task_details}
