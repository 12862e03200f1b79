"""Training pipelines, through Google's typed clients."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.cloud.storage import Bucket, Client

from tests.gcp_local.emulators import Emulator, start
from tests.gcp_local.vertex.training.tables import as_csv, customers

DEFINITIONS = "gs://google-cloud-aiplatform/schema/trainingjob/definition"
AUTOML = f"{DEFINITIONS}/automl_tabular_1.0.0.yaml"
CUSTOM = f"{DEFINITIONS}/custom_task_1.0.0.yaml"
TABULAR = "gs://google-cloud-aiplatform/schema/dataset/metadata/tabular_1.0.0.yaml"
State = aiplatform_v1.PipelineState
UNDER_WAY = (
    State.PIPELINE_STATE_PENDING,
    State.PIPELINE_STATE_RUNNING,
    State.PIPELINE_STATE_CANCELLING,
)
INPUTS = {
    "targetColumn": "churned",
    "predictionType": "classification",
    "trainBudgetMilliNodeHours": 1000,
    "transformations": [
        {"auto": {"columnName": "age"}},
        {"categorical": {"columnName": "plan"}},
    ],
}
TRAINER = """
import glob, json, os
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
client = storage.Client(project="p", credentials=AnonymousCredentials())
def read(name):
    bucket, _, pattern = os.environ[name].removeprefix("gs://").partition("/")
    found = client.list_blobs(bucket, prefix=pattern.partition("*")[0])
    return [blob.download_as_text().splitlines() for blob in found]
told = {name: os.environ[f"AIP_{name}_DATA_URI"] for name in ("TRAINING", "VALIDATION", "TEST")}
rows = {name: read(f"AIP_{name}_DATA_URI") for name in told}
report = {"told": told, "format": os.environ["AIP_DATA_FORMAT"],
          "header": rows["TEST"][0][0],
          "rows": {name: sum(len(file) - 1 for file in files) for name, files in rows.items()}}
bucket, _, folder = os.environ["AIP_MODEL_DIR"].removeprefix("gs://").partition("/")
client.bucket(bucket).blob(folder + "report.json").upload_from_string(json.dumps(report))
"""


@dataclass(frozen=True)
class Place:
    """A region of a project with a bucket and a dataset in it, and the clients."""

    parent: str
    bucket: Bucket
    dataset: str
    pipelines: aiplatform_v1.PipelineServiceClient
    models: aiplatform_v1.ModelServiceClient
    datasets: aiplatform_v1.DatasetServiceClient

    def make_dataset(self, **source: Any) -> str:
        """Make a dataset and give its id."""
        body = aiplatform_v1.Dataset(
            display_name="data", metadata_schema_uri=TABULAR, metadata={"inputConfig": source}
        )
        operation: Any = self.datasets.create_dataset(parent=self.parent, dataset=body)
        name: str = operation.result(timeout=5).name
        return name.rpartition("/")[2]

    def create(self, **said: Any) -> aiplatform_v1.TrainingPipeline:
        body: dict[str, Any] = {
            "display_name": "train",
            "training_task_definition": AUTOML,
            "training_task_inputs": INPUTS,
            "input_data_config": {"dataset_id": self.dataset},
            "model_to_upload": {"display_name": "model"},
            **said,
        }
        body = {name: value for name, value in body.items() if value is not None}
        return self.pipelines.create_training_pipeline(
            request={"parent": self.parent, "training_pipeline": body}
        )

    def until(
        self, name: str, holds: Callable[[aiplatform_v1.TrainingPipeline], bool]
    ) -> aiplatform_v1.TrainingPipeline:
        for _ in range(1200):
            pipeline = self.pipelines.get_training_pipeline(name=name)
            if holds(pipeline):
                return pipeline
            time.sleep(0.05)
        raise AssertionError(pipeline)

    def ended(self, pipeline: aiplatform_v1.TrainingPipeline) -> aiplatform_v1.TrainingPipeline:
        return self.until(pipeline.name, lambda each: each.state not in UNDER_WAY)


def place_in(emulator: Emulator, project: str, bucket: Bucket) -> Place:
    bucket.blob("customers.csv").upload_from_string(as_csv(customers()))
    place = Place(
        f"projects/{project}/locations/europe-west1",
        bucket,
        "",
        aiplatform_v1.PipelineServiceClient(**emulator.gapic),
        aiplatform_v1.ModelServiceClient(**emulator.gapic),
        aiplatform_v1.DatasetServiceClient(**emulator.gapic),
    )
    files = {"uri": [f"gs://{bucket.name}/customers.csv"]}
    return Place(**{**vars(place), "dataset": place.make_dataset(gcsSource=files)})


@pytest.fixture
def place(emulator: Emulator, project: str, bucket: Bucket) -> Place:
    return place_in(emulator, project, bucket)


def metadata_of(resource: Any) -> dict[str, Any]:
    """Read a resource's metadata, of which the types say less than is true."""
    found = getattr(resource, "training_task_metadata", None) or getattr(resource, "metadata", None)
    return dict(found or {})


def processes_of(pipeline: str) -> list[str]:
    """The processes that this pipeline's training has."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if b"stand_in.train" in words and pipeline.rpartition("/")[2].encode() in words:
            found.append(path.parent.name)
    return found


def test_automl_trains_a_model_and_its_next_version(place: Place) -> None:
    first = place.create(labels={"team": "ml"}, model_id="churn")
    assert first.state == State.PIPELINE_STATE_PENDING
    done = place.ended(first)
    assert done.state == State.PIPELINE_STATE_SUCCEEDED, done.error
    times: list[Any] = [done.create_time, done.start_time, done.end_time, done.update_time]
    assert times == sorted(times)
    assert done.start_time != done.end_time
    assert "stand-in" in metadata_of(done)["standIn"]
    assert done.model_to_upload.name.endswith("/models/churn")
    assert done.model_to_upload.version_id == "1"
    model = place.models.get_model(name=done.model_to_upload.name)
    assert model.training_pipeline == done.name
    assert model.metadata_schema_uri.endswith("/model/metadata/automl_tabular_1.0.0.yaml")
    assert "scikit-learn" in metadata_of(model)["producer"]
    assert dict(metadata_of(model)["transformations"]) == {"age": "numeric", "plan": "categorical"}

    [evaluation] = place.models.list_model_evaluations(parent=model.name)
    assert list(evaluation.slice_dimensions) == ["annotationSpec"]
    slices: Any = place.models.list_model_evaluation_slices(parent=evaluation.name)
    areas = {each.slice_.value: dict(each.metrics)["auRoc"] for each in slices}
    assert sorted(areas) == ["no", "yes"]
    assert areas["no"] == pytest.approx(areas["yes"])

    second = place.create(
        parent_model=model.name,
        model_to_upload={"display_name": "model", "version_aliases": ["default", "champion"]},
        input_data_config={
            "dataset_id": place.dataset,
            "stratified_split": {"training_fraction": 0.5, "key": "plan"},
        },
    )
    done = place.ended(second)
    assert done.state == State.PIPELINE_STATE_SUCCEEDED, done.error
    assert done.model_to_upload.version_id == "2"
    default = place.models.get_model(name=model.name)
    assert (default.version_id, sorted(default.version_aliases)) == ("2", ["champion", "default"])
    assert metadata_of(default)["rows"]["training"] == pytest.approx(500, abs=2)

    def listed(text: str) -> list[str]:
        request = {"parent": place.parent, "filter": text}
        return [each.name for each in place.pipelines.list_training_pipelines(request=request)]

    assert listed("") == [second.name, first.name]
    assert listed('labels.team=ml AND state="PIPELINE_STATE_SUCCEEDED"') == [first.name]
    assert listed('training_task_definition:"*automl_tabular*"') == [second.name, first.name]
    assert listed('display_name!="train"') == []
    with pytest.raises(exceptions.BadRequest, match="terminal state"):
        place.pipelines.cancel_training_pipeline(name=first.name)
    operation: Any = place.pipelines.delete_training_pipeline(name=first.name)
    operation.result(timeout=5)
    assert listed("") == [second.name]
    with pytest.raises(exceptions.NotFound):
        place.pipelines.get_training_pipeline(name=first.name)
    assert place.models.get_model(name=f"{model.name}@1").version_id == "1"


ONE_POOL = {"worker_pool_specs": [{"machine_spec": {"machine_type": "n1-standard-4"}}]}


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ({"display_name": ""}, exceptions.BadRequest, "display_name is required"),
        ({"labels": {"Team": "x"}}, exceptions.BadRequest, "Invalid label key"),
        ({"training_task_definition": None}, exceptions.BadRequest, "definition is required"),
        ({"training_task_definition": "gs://my/own.yaml"}, exceptions.BadRequest, "no definition"),
        (
            {"training_task_definition": f"{DEFINITIONS}/automl_text_extraction_1.0.0.yaml"},
            exceptions.MethodNotImplemented,
            "automl_text_extraction",
        ),
        ({"training_task_inputs": None}, exceptions.BadRequest, "inputs is required"),
        ({"training_task_inputs": {"a": 1}}, exceptions.BadRequest, "predictionType is required"),
        ({"input_data_config": None}, exceptions.BadRequest, "dataset_id is required"),
        ({"input_data_config": {"dataset_id": "x"}}, exceptions.BadRequest, "Invalid dataset_id"),
        ({"input_data_config": {"dataset_id": "1"}}, exceptions.NotFound, "datasets/1"),
        ({"model_to_upload": None}, exceptions.BadRequest, "model_to_upload.display_name"),
        (
            {"model_to_upload": {"display_name": "m", "artifact_uri": "gs://b/m"}},
            exceptions.BadRequest,
            "fills artifact_uri",
        ),
        (
            {"model_to_upload": {"display_name": "m", "version_aliases": ["1"]}},
            exceptions.BadRequest,
            "alias",
        ),
        ({"model_id": "Not An Id"}, exceptions.BadRequest, "model id"),
        ({"parent_model": "projects/p-123456/locations/x/models/1"}, Exception, "not|does not"),
        ({"encryption_spec": {"kms_key_name": "k"}}, exceptions.BadRequest, "encryption_spec"),
        (
            {"training_task_definition": CUSTOM, "training_task_inputs": {"worker_pool": 1}},
            exceptions.BadRequest,
            "worker_pool",
        ),
        (
            {"training_task_definition": CUSTOM, "training_task_inputs": ONE_POOL},
            exceptions.BadRequest,
            "container_spec or python_package_spec",
        ),
    ],
)
def test_what_cannot_succeed_is_refused_before_it_exists(
    place: Place, said: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        place.create(**said)
    assert list(place.pipelines.list_training_pipelines(parent=place.parent)) == []
    assert list(place.models.list_models(parent=place.parent)) == []


def test_a_taken_model_id_is_refused_at_once(place: Place) -> None:
    upload: Any = place.models.upload_model(
        request={
            "parent": place.parent,
            "model_id": "mine",
            "model": {"display_name": "m", "container_spec": {"image_uri": "python:3.11"}},
        }
    )
    upload.result(timeout=5)
    with pytest.raises(exceptions.Conflict):
        place.create(model_id="mine")


def test_data_at_fault_fail_the_pipeline_and_leave_no_model(place: Place) -> None:
    place.bucket.blob("few.csv").upload_from_string(as_csv(customers(20)))
    few = place.make_dataset(gcsSource={"uri": [f"gs://{place.bucket.name}/few*"]})
    lost = place.make_dataset(gcsSource={"uri": [f"gs://{place.bucket.name}/lost.csv"]})
    started = [place.create(input_data_config={"dataset_id": each}) for each in (few, lost)]
    failed = [place.ended(each) for each in started]
    assert [each.state for each in failed] == [State.PIPELINE_STATE_FAILED] * 2
    assert [each.error.code for each in failed] == [3, 5]
    assert "20 rows; AutoML needs at least 1000" in failed[0].error.message
    assert "lost.csv" in failed[1].error.message
    assert failed[0].end_time != failed[0].start_time
    assert not failed[0].model_to_upload.name
    assert list(place.models.list_models(parent=place.parent)) == []


def test_a_cancelled_pipeline_ends_its_process(place: Place) -> None:
    pipeline = place.create()
    place.until(pipeline.name, lambda _: bool(processes_of(pipeline.name)))
    with pytest.raises(exceptions.BadRequest, match="only one that has ended"):
        place.pipelines.delete_training_pipeline(name=pipeline.name)
    place.pipelines.cancel_training_pipeline(name=pipeline.name)
    done = place.ended(pipeline)
    assert done.state == State.PIPELINE_STATE_CANCELLED
    assert (done.error.code, done.error.message) == (1, "The training pipeline was cancelled.")
    assert done.end_time != done.start_time
    assert processes_of(pipeline.name) == []
    assert list(place.models.list_models(parent=place.parent)) == []


def test_a_killed_server_leaves_a_failed_pipeline_and_no_process(tmp_path: Path) -> None:
    emulator = start(tmp_path / "state")
    storage = Client(
        project="my-project",
        credentials=emulator.gapic["credentials"],
        client_options={"api_endpoint": emulator.endpoint},
    )
    place = place_in(emulator, "my-project", storage.create_bucket("some-bucket"))
    pipeline = place.create()
    place.until(pipeline.name, lambda _: bool(processes_of(pipeline.name)))
    emulator.kill()
    again = start(tmp_path / "state")
    try:
        client = aiplatform_v1.PipelineServiceClient(**again.gapic)
        found = client.get_training_pipeline(name=pipeline.name)
        assert found.state == State.PIPELINE_STATE_FAILED
        assert found.error.code == 10
        assert "server stopped" in found.error.message
        datasets = aiplatform_v1.DatasetServiceClient(**again.gapic)
        kept = datasets.get_dataset(name=f"{place.parent}/datasets/{place.dataset}")
        assert kept.metadata["inputConfig"]["gcsSource"]["uri"] == [  # type: ignore[index]
            "gs://some-bucket/customers.csv"
        ]
        for _ in range(500):
            if not processes_of(pipeline.name):
                break
            time.sleep(0.02)
        assert processes_of(pipeline.name) == []
    finally:
        assert again.end() == 0


def custom(place: Place, source: str, **said: Any) -> dict[str, Any]:
    """What a pipeline says that runs a script on the dataset."""
    container = {"image_uri": "python:3.11", "command": ["python3", "-c", source]}
    pool = {
        "machine_spec": {"machine_type": "n1-standard-4"},
        "replica_count": 1,
        "container_spec": container,
    }
    base = f"gs://{place.bucket.name}/out"
    return {
        "training_task_definition": CUSTOM,
        "training_task_inputs": {
            "worker_pool_specs": [pool],
            "base_output_directory": {"output_uri_prefix": base},
        },
        "input_data_config": {
            "dataset_id": place.dataset,
            "gcs_destination": {"output_uri_prefix": base},
            "predefined_split": {"key": "part"},
        },
        "model_to_upload": {"display_name": "own", "container_spec": {"image_uri": "python:3.11"}},
        **said,
    }


def test_custom_training_gets_the_split_data_and_uploads_its_model(
    place: Place, emulator: Emulator
) -> None:
    done = place.ended(place.create(**custom(place, TRAINER)))
    assert done.state == State.PIPELINE_STATE_SUCCEEDED, done.error
    model = place.models.get_model(name=done.model_to_upload.name)
    assert model.artifact_uri == f"gs://{place.bucket.name}/out/model"
    assert model.training_pipeline == done.name
    report = json.loads(place.bucket.blob("out/model/report.json").download_as_text())
    assert report["rows"] == {"TRAINING": 600, "VALIDATION": 200, "TEST": 200}
    assert report["format"] == "csv"
    assert report["header"] == "age,plan,since,note,weight,part,churned,spend"
    beginning = f"gs://{place.bucket.name}/out/dataset-{place.dataset}-tables-"
    assert report["told"]["TEST"].startswith(beginning)
    assert report["told"]["TEST"].endswith("Z/test-*.csv")
    jobs = aiplatform_v1.JobServiceClient(**emulator.gapic)
    job = jobs.get_custom_job(name=metadata_of(done)["backingCustomJob"])
    assert job.display_name == "train-custom-job"
    assert job.state == aiplatform_v1.JobState.JOB_STATE_SUCCEEDED


def test_custom_training_that_fails_or_leaves_no_model_says_so(place: Place) -> None:
    said = custom(place, "import sys; sys.exit('no more coffee')", input_data_config=None)
    broken = place.create(**said)
    idle = place.create(**custom(place, "print('nothing to save')", input_data_config=None))
    failed = place.ended(broken)
    assert failed.state == State.PIPELINE_STATE_FAILED
    assert "no more coffee" in failed.error.message
    failed = place.ended(idle)
    assert (failed.state, failed.error.code) == (State.PIPELINE_STATE_FAILED, 9)
    assert "There are no files under" in failed.error.message
    none = place.create(
        **custom(place, "print('no model')", input_data_config=None, model_to_upload=None)
    )
    done = place.ended(none)
    assert done.state == State.PIPELINE_STATE_SUCCEEDED
    assert not done.model_to_upload.name


def test_cancelling_custom_training_cancels_its_job(place: Place, emulator: Emulator) -> None:
    said = custom(place, "import time; time.sleep(60)", input_data_config=None)
    pipeline = place.create(**said)
    running = place.until(pipeline.name, lambda each: "backingCustomJob" in metadata_of(each))
    place.pipelines.cancel_training_pipeline(name=pipeline.name)
    assert place.ended(pipeline).state == State.PIPELINE_STATE_CANCELLED
    jobs = aiplatform_v1.JobServiceClient(**emulator.gapic)
    job = jobs.get_custom_job(name=metadata_of(running)["backingCustomJob"])
    assert job.state == aiplatform_v1.JobState.JOB_STATE_CANCELLED


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"model_to_upload": {"display_name": "m"}}, "image_uri is required"),
        (
            {
                "model_to_upload": {
                    "display_name": "m",
                    "container_spec": {"image_uri": "python:3.11"},
                    "artifact_uri": "gs://b/m",
                }
            },
            "artifact_uri cannot be set",
        ),
        ({"input_data_config": {"gcs_destination": None}}, "gcs_destination"),
    ],
)
def test_custom_training_that_cannot_succeed_is_refused(
    place: Place, said: dict[str, Any], error: str
) -> None:
    if "input_data_config" in said:
        said = {"input_data_config": {"dataset_id": place.dataset}}
    with pytest.raises(exceptions.BadRequest, match=error):
        place.create(**custom(place, "pass", **said))
