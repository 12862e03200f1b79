"""BigQuery ML's models in Vertex AI's registry: versions, evaluations, endpoints.

Rules: https://cloud.google.com/bigquery/docs/managing-models-vertex.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError, NotFound
from google.cloud import aiplatform_v1
from google.cloud.bigquery import Client
from google.cloud.storage import Bucket

from gcp_local.bigquery.ml.registration import region_of
from tests.gcp_local.emulators import Emulator
from tests.gcp_local.vertex.models.deploying import RESOURCES, Vertex

LINEAR = "SELECT age, spend, next_spend FROM d.customers"
OPTIONS: dict[str, Any] = {
    "model_type": "LINEAR_REG",
    "input_label_cols": ["next_spend"],
    "model_registry": "VERTEX_AI",
}


@pytest.fixture
def vertex(emulator: Emulator, warehouse: Client) -> Vertex:
    # Where models of the multi-region US are registered.
    return Vertex(emulator, f"projects/{warehouse.project}/locations/us-central1")


def new_id() -> str:
    return f"m_{uuid.uuid4().hex[:12]}"


def versions(vertex: Vertex, model_id: str) -> dict[str, list[str]]:
    name = f"{vertex.parent}/models/{model_id}"
    found = vertex.models.list_model_versions(name=name)
    return {each.version_id: sorted(each.version_aliases) for each in found}


def register(warehouse: Client, model: str, model_id: str) -> None:
    warehouse.query_and_wait(f"ALTER MODEL {model} SET OPTIONS(vertex_ai_model_id='{model_id}')")


@pytest.fixture(scope="session")
def registered(warehouse: Client) -> str:
    """The id under which the shared models of both kinds are versions 1 and 2."""
    name = new_id()
    register(warehouse, "d.logistic", name)
    register(warehouse, "d.trees", name)
    return name


def test_a_model_is_registered_replaced_and_dropped_with_its_version(
    warehouse: Client, vertex: Vertex
) -> None:
    name = new_id()
    statement = (
        "MODEL d.registered OPTIONS(model_type='BOOSTED_TREE_REGRESSOR', max_iterations=2,"
        " input_label_cols=['next_spend'], model_registry='VERTEX_AI',"
        f" vertex_ai_model_id='{name}',"
        f" vertex_ai_model_version_aliases=['champion']) AS {LINEAR}"
    )
    warehouse.query_and_wait(f"CREATE {statement}")
    model = vertex.models.get_model(name=f"{vertex.parent}/models/{name}")
    assert model.model_source_info.source_type.name == "BQML"
    (evaluation,) = vertex.models.list_model_evaluations(parent=f"{vertex.parent}/models/{name}")
    (judged,) = warehouse.query_and_wait("SELECT * FROM ML.EVALUATE(MODEL d.registered)")
    assert evaluation.metrics["rSquared"] == pytest.approx(judged["r2_score"])
    run = warehouse.get_model("d.registered")._properties["trainingRuns"][0]
    assert (run["vertexAiModelId"], run["vertexAiModelVersion"]) == (name, "1")
    register(warehouse, "d.linear", name)
    assert versions(vertex, name) == {"1": ["champion", "default"], "2": []}
    warehouse.query_and_wait(f"CREATE OR REPLACE {statement}")
    assert versions(vertex, name) == {"2": [], "3": ["champion", "default"]}
    warehouse.query_and_wait("DROP MODEL d.registered")
    assert versions(vertex, name) == {"2": ["default"]}
    with pytest.raises(BadRequest, match="cannot be changed"):
        register(warehouse, "d.linear", new_id())


@pytest.mark.parametrize(
    ("location", "region"),
    [("US", "us-central1"), ("EU", "europe-west4"), ("europe-west1", "europe-west1")],
)
def test_models_of_a_multi_region_are_registered_in_one_of_its_regions(
    location: str, region: str
) -> None:
    assert region_of(location) == region


def test_an_id_or_alias_that_the_registry_has_not_is_refused_before_the_training(
    warehouse: Client,
) -> None:
    for said in ({"vertex_ai_model_id": "Churn!"}, {"vertex_ai_model_version_aliases": ["1"]}):
        options = ", ".join(f"{name}={value!r}" for name, value in {**OPTIONS, **said}.items())
        with pytest.raises(BadRequest, match="Invalid"):
            warehouse.query_and_wait(f"CREATE MODEL d.refused OPTIONS({options}) AS {LINEAR}")
    with pytest.raises(NotFound):
        warehouse.get_model("d.refused")


@pytest.mark.parametrize("version", ["1", "2"])
def test_an_endpoint_predicts_as_ml_predict_does(
    warehouse: Client, vertex: Vertex, registered: str, version: str
) -> None:
    endpoint = vertex.endpoint()
    model = f"{vertex.parent}/models/{registered}@{version}"
    deployed = vertex.deploy(endpoint, model, {"0": 100})
    instances: list[dict[str, Any]] = [
        {"age": 30, "spend": 20.5, "plan": "basic", "vip": False},
        {"age": None, "spend": 90.0, "plan": None, "vip": True},
    ]
    answer = vertex.predictions.predict(endpoint=endpoint, instances=instances)
    given = " UNION ALL ".join(
        f"SELECT {at} AS at_, CAST({_sql(each['age'])} AS INT64) AS age, {each['spend']} AS spend,"
        f" CAST({_sql(each['plan'])} AS STRING) AS plan, {each['vip']} AS vip"
        for at, each in enumerate(instances)
    )
    name = {"1": "logistic", "2": "trees"}[version]
    wanted = warehouse.query_and_wait(
        f"SELECT * FROM ML.PREDICT(MODEL d.{name}, ({given})) ORDER BY at_"
    )
    for prediction, row in zip(answer.predictions, wanted, strict=True):
        said = dict(prediction)
        assert list(said["predicted_left"]) == [row["predicted_left"]]
        assert list(said["left_values"]) == ["no", "yes"]
        shares = {each["label"]: each["prob"] for each in row["predicted_left_probs"]}
        assert list(said["left_probs"]) == pytest.approx([shares["no"], shares["yes"]])
    with pytest.raises(BadRequest, match="lacks the features spend, plan, vip"):
        vertex.predictions.predict(endpoint=endpoint, instances=[{"age": 3}])
    with pytest.raises(GoogleAPICallError, match="is deployed in Vertex AI"):
        warehouse.query_and_wait(f"DROP MODEL d.{name}")
    assert warehouse.get_model(f"d.{name}").model_id == name
    vertex.undeploy(endpoint, deployed)


def _sql(value: Any) -> str:
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def test_a_batch_prediction_reads_rows_and_writes_predictions(
    vertex: Vertex, emulator: Emulator, bucket: Bucket, registered: str
) -> None:
    rows = [{"age": age, "spend": 50.0, "plan": "basic", "vip": False} for age in (20, 75)]
    bucket.blob("in.jsonl").upload_from_string("\n".join(map(json.dumps, rows)))
    jobs: Any = aiplatform_v1.JobServiceClient(**emulator.gapic)
    job = jobs.create_batch_prediction_job(
        parent=vertex.parent,
        batch_prediction_job={
            "display_name": "batch",
            "model": f"{vertex.parent}/models/{registered}@2",
            "input_config": {
                "instances_format": "jsonl",
                "gcs_source": {"uris": [f"gs://{bucket.name}/in.jsonl"]},
            },
            "output_config": {
                "predictions_format": "jsonl",
                "gcs_destination": {"output_uri_prefix": f"gs://{bucket.name}/out"},
            },
            "dedicated_resources": {"machine_spec": RESOURCES["machine_spec"]},
        },
    )
    while not job.end_time:
        time.sleep(0.02)
        job = jobs.get_batch_prediction_job(name=job.name)
    assert job.state.name == "JOB_STATE_SUCCEEDED", job.error
    lines = [
        json.loads(line)
        for blob in bucket.list_blobs(prefix="out/")
        if "prediction.results" in blob.name
        for line in blob.download_as_text().splitlines()
    ]
    said = {line["instance"]["age"]: line["prediction"]["predicted_left"] for line in lines}
    assert said == {20: ["yes"], 75: ["no"]}
