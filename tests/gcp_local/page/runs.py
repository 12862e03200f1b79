"""Runs for the pages to show."""

# mypy: disable-error-code="no-any-return, untyped-decorator"
# KFP reads annotations as they are written.

from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from google.cloud import aiplatform_v1
from google.protobuf import json_format, struct_pb2
from kfp import compiler, dsl

from tests.gcp_local.pipelines import compiled
from tests.gcp_local.vertex.test_pipelines import wait

HOSTILE = "<script>alert(1)</script>"


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def draw(
    text: str,
    page: dsl.Output[dsl.HTML],
    notes: dsl.Output[dsl.Markdown],
    scores: dsl.Output[dsl.Metrics],
    classes: dsl.Output[dsl.ClassificationMetrics],
) -> str:
    from pathlib import Path

    print(text)  # noqa: T201
    Path(page.path).write_text(f"<h1>A report</h1>{text}")
    Path(notes.path).write_text(f"# Notes\n{text}")
    scores.log_metric("accuracy", 0.875)
    scores.log_metric(text, 2.0)
    classes.log_confusion_matrix(["stayed", text], [[90, 10], [3, 17]])
    classes.log_roc_curve([0.0, 0.1, 1.0], [0.0, 0.8, 1.0], [1.0, 0.5, 0.0])
    return text


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def echo(item: str) -> str:
    return item


@dsl.pipeline(name="drawing")
def drawing(text: str) -> None:
    drawn = draw(text=text).set_display_name("Draw <b>everything</b>")
    something = dsl.If(drawn.outputs["Output"] != "", name="There is something")
    with something, dsl.ParallelFor(["one", "two"]) as item:
        echo(item=item).set_caching_options(enable_caching=False)
    with dsl.If(drawn.outputs["Output"] == "", name="There is nothing"):
        echo(item="never")


@cache
def drawing_spec() -> bytes:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(drawing, str(path))
        return path.read_bytes()


@dataclass(frozen=True)
class Runs:
    """Makes runs in one project, and tells where their pages are."""

    jobs: aiplatform_v1.PipelineServiceClient
    project: str
    bucket: str

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/europe-west1"

    @property
    def page(self) -> str:
        return f"/page/{self.parent}"

    def submit(self, own: str, spec: bytes, display_name: str = "", **values: Any) -> str:
        """Submit a job and give the address of its page."""
        struct = struct_pb2.Struct()
        json_format.ParseDict(yaml.safe_load(spec), struct)
        self.jobs.create_pipeline_job(
            parent=self.parent,
            pipeline_job=aiplatform_v1.PipelineJob(
                display_name=display_name,
                pipeline_spec=struct,
                runtime_config=aiplatform_v1.PipelineJob.RuntimeConfig(
                    gcs_output_directory=f"gs://{self.bucket}/root", parameter_values=values
                ),
            ),
            pipeline_job_id=own,
        )
        return f"{self.page}/pipelineJobs/{own}"

    def ended(self, own: str, spec: bytes, display_name: str = "", **values: Any) -> str:
        """Submit a job, wait for its end, and give the address of its page."""
        address = self.submit(own, spec, display_name, **values)
        wait(self.jobs, f"{self.parent}/pipelineJobs/{own}")
        return address

    def doubled(self, own: str) -> str:
        return self.ended(own, compiled("doubling"), number=4)
