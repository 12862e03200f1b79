"""Vertex AI reads and writes BigQuery's tables: batch prediction, custom training, AutoML."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from google.cloud.aiplatform_v1 import (
    BatchPredictionJob,
    Dataset,
    DatasetServiceClient,
    JobServiceClient,
    JobState,
    ModelServiceClient,
    PipelineServiceClient,
    PipelineState,
    TrainingPipeline,
)
from google.cloud.bigquery import Client
from google.cloud.storage import Bucket

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.vertex.models.serving_programs import ECHO
from tests.gcp_local.vertex.training.tables import customers

DEFINITIONS = "gs://google-cloud-aiplatform/schema/trainingjob/definition"
TABULAR = "gs://google-cloud-aiplatform/schema/dataset/metadata/tabular_1.0.0.yaml"
MACHINE = {"machine_spec": {"machine_type": "n1-standard-2"}}
READER = """
import json, os
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage
client = bigquery.Client(credentials=AnonymousCredentials())
told = {name: os.environ[f"AIP_{name}_DATA_URI"] for name in ("TRAINING", "VALIDATION", "TEST")}
report = {"format": os.environ["AIP_DATA_FORMAT"], "told": told,
          "rows": {name: client.get_table(uri.removeprefix("bq://")).num_rows
                   for name, uri in told.items()}}
bucket, _, folder = os.environ["AIP_MODEL_DIR"].removeprefix("gs://").partition("/")
home = storage.Client(project="p", credentials=AnonymousCredentials()).bucket(bucket)
home.blob(folder + "report.json").upload_from_string(json.dumps(report))
"""


@pytest.fixture
def client(emulator: Emulator, project: str) -> Client:
    return Client(
        project=project,
        credentials=emulator.gapic["credentials"],
        client_options={"api_endpoint": emulator.endpoint},
    )


@pytest.fixture
def bank(client: Client) -> Client:
    """A client of a project that has the table `bank.customers` and the view `bank.young`."""
    client.create_dataset("bank")
    rows: list[dict[str, Any]] = [
        {
            "id": 1, "name": "Ada", "born": "1990-05-17", "limit_": "12.50",
            "seen": "2026-01-02T03:04:05Z", "tags": ["a", "b"],
        },
        {"id": 2, "name": None, "born": "2001-01-01", "limit_": None, "seen": None, "tags": []},
    ]  # fmt: skip
    client.query_and_wait(
        "CREATE TABLE bank.customers (id INT64 NOT NULL, name STRING, born DATE, limit_ NUMERIC,"
        " seen TIMESTAMP, tags ARRAY<STRING>)"
    )
    client.load_table_from_json(
        rows, "bank.customers", job_config=_schema_of(client, "bank.customers")
    ).result()
    client.query_and_wait(
        "CREATE VIEW bank.young AS SELECT * FROM bank.customers WHERE born > '2000-01-01'"
    )
    client.query_and_wait(
        "CREATE VIEW bank.judged AS SELECT id, 1 AS Prediction FROM bank.customers"
    )
    return client


def _schema_of(client: Client, table: str) -> Any:
    from google.cloud.bigquery import LoadJobConfig

    return LoadJobConfig(schema=client.get_table(f"{client.project}.{table}").schema)


@pytest.fixture
def predicted(
    jobs: JobServiceClient, parent: str, emulator: Emulator
) -> Callable[..., BatchPredictionJob]:
    """Predicts in batches with a model that echoes."""

    def run(source: str, output: dict[str, Any], **said: Any) -> BatchPredictionJob:
        container = {
            "image_uri": "python:3.11",
            "command": ["python3", "-c", ECHO, "v1"],
            "predict_route": "/predict",
            "health_route": "/health",
        }
        wanted = {
            "display_name": "batch",
            "unmanaged_container_model": {"container_spec": container},
            "input_config": {
                "bigquery_source": {"input_uri": source},
                "instances_format": "bigquery",
            },
            "output_config": output,
            "dedicated_resources": MACHINE,
            **said,
        }
        made = jobs.create_batch_prediction_job(
            request={"parent": parent, "batch_prediction_job": wanted}
        )
        running = (
            JobState.JOB_STATE_QUEUED, JobState.JOB_STATE_PENDING, JobState.JOB_STATE_RUNNING,
        )  # fmt: skip
        for _ in range(1000):
            found = jobs.get_batch_prediction_job(name=made.name)
            if found.state not in running:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{made.name} is still {found.state.name}")

    return run


def into(project: str, *names: str) -> dict[str, Any]:
    uri = ".".join([f"bq://{project}", *names])
    return {"bigquery_destination": {"output_uri": uri}, "predictions_format": "bigquery"}


def rows_of(client: Client, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in client.query_and_wait(f"SELECT * FROM `{table}`")]


def test_a_table_is_predicted_on_into_a_dataset_that_is_made(
    bank: Client, predicted: Callable[..., BatchPredictionJob]
) -> None:
    done = predicted(f"bq://{bank.project}.bank.customers", into(bank.project))

    assert done.state == JobState.JOB_STATE_SUCCEEDED, done.error
    home = done.output_info.bigquery_output_dataset
    assert home.startswith(f"bq://{bank.project}.prediction_unmanaged_20")
    assert done.output_info.bigquery_output_table == "predictions"
    first, second = rows_of(bank, f"{home.removeprefix('bq://')}.predictions")
    assert (first["id"], first["name"], first["tags"]) == (1, "Ada", ["a", "b"])
    assert json.loads(first["prediction"]) == [
        "v1",
        [1, "Ada", "1990-05-17", 12.5, "2026-01-02 03:04:05 UTC", ["a", "b"]],
    ]
    assert json.loads(second["prediction"]) == ["v1", [2, None, "2001-01-01", None, None, []]]
    assert rows_of(bank, f"{home.removeprefix('bq://')}.errors") == []


def test_a_view_is_predicted_on_by_objects_and_told_by_its_key(
    bank: Client, predicted: Callable[..., BatchPredictionJob]
) -> None:
    config = {"instance_type": "object", "key_field": "id", "included_fields": ["id", "born"]}
    done = predicted(
        f"bq://{bank.project}.bank.young",
        into(bank.project, "bank", "said"),
        instance_config=config,
    )

    assert done.state == JobState.JOB_STATE_SUCCEEDED, done.error
    assert done.output_info.bigquery_output_table == "said"
    [row] = rows_of(bank, "bank.said")
    assert row["key"] == 2
    assert json.loads(row["prediction"]) == ["v1", {"born": "2001-01-01"}]


def test_a_tables_rows_are_predicted_on_into_files(
    bank: Client, predicted: Callable[..., BatchPredictionJob], bucket: Bucket
) -> None:
    to = {"output_uri_prefix": f"gs://{bucket.name}/out"}
    done = predicted(
        f"bq://{bank.project}.bank.young", {"gcs_destination": to, "predictions_format": "jsonl"}
    )

    assert done.state == JobState.JOB_STATE_SUCCEEDED, done.error
    [blob] = [each for each in bucket.list_blobs(prefix="out/") if "results" in each.name]
    said = json.loads(blob.download_as_text())
    assert said["instance"]["id"] == 2
    assert said["prediction"] == ["v1", list(said["instance"].values())]


@pytest.mark.parametrize(
    ("source", "output", "said"),
    [
        ("bank.nothing", (), "Not found: Table"),
        ("bank.customers", ("nowhere",), "Not found: Dataset"),
        ("bank.customers", ("bank", "young"), "Already Exists: Table"),
        ("bank.judged", ("bank", "said"), "The table has a column 'prediction'"),
    ],
)
def test_tables_that_cannot_be_read_or_made_fail_the_job(
    bank: Client,
    predicted: Callable[..., BatchPredictionJob],
    source: str,
    output: tuple[str, ...],
    said: str,
) -> None:
    done = predicted(f"bq://{bank.project}.{source}", into(bank.project, *output))

    assert done.state == JobState.JOB_STATE_FAILED
    assert said in done.error.message


@pytest.fixture
def dataset(client: Client, emulator: Emulator, parent: str) -> str:
    """The id of a tabular dataset over a table of customers."""
    client.create_dataset("bank")
    columns = ", ".join(
        f"{name} {kind}"
        for name, kind in {
            "age": "INT64", "plan": "STRING", "since": "TIMESTAMP", "note": "STRING",
            "weight": "FLOAT64", "part": "STRING", "churned": "STRING", "spend": "FLOAT64",
        }.items()
    )  # fmt: skip
    client.query_and_wait(f"CREATE TABLE bank.customers ({columns})")
    rows = [{name: value or None for name, value in row.items()} for row in customers()]
    client.load_table_from_json(
        rows, "bank.customers", job_config=_schema_of(client, "bank.customers")
    ).result()
    source = {"bigquerySource": {"uri": f"bq://{client.project}.bank.customers"}}
    operation: Any = DatasetServiceClient(**emulator.gapic).create_dataset(
        parent=parent,
        dataset=Dataset(
            display_name="data", metadata_schema_uri=TABULAR, metadata={"inputConfig": source}
        ),
    )
    return str(operation.result(timeout=5).name.rpartition("/")[2])


@pytest.fixture
def trained(emulator: Emulator, parent: str) -> Callable[..., TrainingPipeline]:
    pipelines = PipelineServiceClient(**emulator.gapic)

    def run(kind: str, inputs: dict[str, Any], config: dict[str, Any]) -> TrainingPipeline:
        body: dict[str, Any] = {
            "display_name": "train",
            "training_task_definition": f"{DEFINITIONS}/{kind}_1.0.0.yaml",
            "training_task_inputs": inputs,
            "input_data_config": config,
            "model_to_upload": {"display_name": "model"},
        }
        if kind == "custom_task":
            body["model_to_upload"]["container_spec"] = {"image_uri": "python:3.11"}
        made = pipelines.create_training_pipeline(
            request={"parent": parent, "training_pipeline": body}
        )
        under_way = (PipelineState.PIPELINE_STATE_PENDING, PipelineState.PIPELINE_STATE_RUNNING)
        for _ in range(1200):
            found = pipelines.get_training_pipeline(name=made.name)
            if found.state not in under_way:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{made.name} is still {found.state.name}")

    return run


def test_custom_training_gets_tables_of_its_own(
    trained: Callable[..., TrainingPipeline], dataset: str, client: Client, bucket: Bucket
) -> None:
    container = {"image_uri": "python:3.11", "command": ["python3", "-c", READER]}
    pool = {
        "machine_spec": {"machine_type": "n1-standard-4"},
        "replica_count": 1,
        "container_spec": container,
    }
    base = {"output_uri_prefix": f"gs://{bucket.name}/out"}
    done = trained(
        "custom_task",
        {"worker_pool_specs": [pool], "base_output_directory": base},
        {
            "dataset_id": dataset,
            "bigquery_destination": {"output_uri": f"bq://{client.project}"},
            "predefined_split": {"key": "part"},
        },
    )

    assert done.state == PipelineState.PIPELINE_STATE_SUCCEEDED, done.error
    report = json.loads(bucket.blob("out/model/report.json").download_as_text())
    assert report["format"] == "bigquery"
    assert report["rows"] == {"TRAINING": 600, "VALIDATION": 200, "TEST": 200}
    assert report["told"]["TEST"].startswith(f"bq://{client.project}.dataset_{dataset}_tables_20")
    assert report["told"]["TEST"].endswith("Z.test")


def test_automl_trains_on_a_table_and_predicts_into_one(
    trained: Callable[..., TrainingPipeline],
    dataset: str,
    client: Client,
    jobs: JobServiceClient,
    parent: str,
    emulator: Emulator,
) -> None:
    columns: Iterable[dict[str, Any]] = [
        {"auto": {"columnName": "age"}},
        {"categorical": {"columnName": "plan"}},
    ]
    done = trained(
        "automl_tabular",
        {
            "targetColumn": "churned",
            "predictionType": "classification",
            "trainBudgetMilliNodeHours": 1000,
            "transformations": list(columns),
        },
        {"dataset_id": dataset, "predefined_split": {"key": "part"}},
    )
    assert done.state == PipelineState.PIPELINE_STATE_SUCCEEDED, done.error
    models = ModelServiceClient(**emulator.gapic)
    [evaluation] = models.list_model_evaluations(parent=done.model_to_upload.name)
    metrics: Any = evaluation.metrics
    assert metrics["auRoc"] > 0.85

    made = jobs.create_batch_prediction_job(
        request={
            "parent": parent,
            "batch_prediction_job": {
                "display_name": "batch",
                "model": done.model_to_upload.name,
                "input_config": {
                    "bigquery_source": {"input_uri": f"bq://{client.project}.bank.customers"},
                    "instances_format": "bigquery",
                },
                "output_config": into(client.project, "bank"),
                "dedicated_resources": MACHINE,
            },
        }
    )
    for _ in range(1000):
        found = jobs.get_batch_prediction_job(name=made.name)
        if found.state in (JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED):
            break
        time.sleep(0.02)
    assert found.state == JobState.JOB_STATE_SUCCEEDED, found.error
    rows = rows_of(client, f"bank.{found.output_info.bigquery_output_table}")
    assert len(rows) == 1000
    agree = [
        row["churned"] == max(zip(said["scores"], said["classes"], strict=True))[1]
        for row in rows
        for said in [row["predicted_churned"]]
    ]
    assert sum(agree) > 850
