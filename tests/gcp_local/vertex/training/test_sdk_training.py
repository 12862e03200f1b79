"""Datasets and training through the high-level SDK, on a server of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from tests.gcp_local.emulators import Emulator, start
from tests.gcp_local.vertex.training.tables import COLUMNS, as_csv, customers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = start(tmp_path_factory.mktemp("sdk"))
    yield emulator
    assert emulator.end() == 0


@pytest.fixture(scope="module")
def storage(server: Emulator) -> Client:
    client = Client(
        project="my-project",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": server.endpoint},
    )
    bucket = client.create_bucket("training-by-the-sdk")
    bucket.blob("customers.csv").upload_from_string(as_csv(customers()))
    return client


@pytest.fixture
def sdk(server: Emulator, storage: Client, monkeypatch: pytest.MonkeyPatch) -> Any:
    from google.cloud import aiplatform
    from google.cloud.aiplatform import jobs, training_jobs

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.endpoint)
    # Seconds between two looks at a job: five in the SDK.
    monkeypatch.setattr(training_jobs, "_JOB_WAIT_TIME", 0.2)
    monkeypatch.setattr(jobs, "_JOB_WAIT_TIME", 0.2)
    aiplatform.init(
        project="my-project",
        location="europe-west1",
        api_endpoint=server.endpoint,
        api_transport="rest",
        credentials=AnonymousCredentials(),
        staging_bucket="gs://training-by-the-sdk",
    )
    return aiplatform


@pytest.fixture
def dataset(sdk: Any) -> Any:
    return sdk.TabularDataset.create(
        display_name="customers", gcs_source="gs://training-by-the-sdk/customers.csv"
    )


def test_a_tabular_dataset_knows_its_columns_and_is_listed_and_deleted(
    sdk: Any, dataset: Any
) -> None:
    assert sorted(dataset.column_names) == sorted(COLUMNS)
    dataset.update(display_name="renamed", labels={"kind": "table"})
    named = sdk.TabularDataset.list(filter='display_name="renamed"', order_by="create_time")
    assert [each.resource_name for each in named] == [dataset.resource_name]
    assert named[0].labels["kind"] == "table"
    dataset.delete()
    assert sdk.TabularDataset.list(filter='display_name="renamed"') == []


def test_automl_classifies_from_training_to_prediction(
    sdk: Any, dataset: Any, storage: Client
) -> None:
    job = sdk.AutoMLTabularTrainingJob(
        display_name="churn",
        optimization_prediction_type="classification",
        optimization_objective="maximize-au-prc",
    )
    model = job.run(
        dataset,
        target_column="churned",
        weight_column="weight",
        predefined_split_column_name="part",
        model_display_name="churn",
        model_version_aliases=["champion"],
    )
    assert job.state.name == "PIPELINE_STATE_SUCCEEDED"
    found = sdk.AutoMLTabularTrainingJob.get(job.resource_name)
    assert found.get_model().resource_name == model.resource_name
    assert sdk.CustomContainerTrainingJob.list() == []
    assert model.version_id == "1"
    assert type(model.training_job) is sdk.AutoMLTabularTrainingJob
    evaluation = model.get_model_evaluation()
    assert evaluation.gca_resource.metrics_schema_uri.endswith("classification_metrics_1.0.0.yaml")
    metrics = dict(evaluation.metrics)
    assert metrics["auRoc"] > 0.85
    assert sum(sum(row) for row in metrics["confusionMatrix"]["rows"]) == 200
    assert "age" in (
        evaluation.gca_resource.model_explanation.mean_attributions[0].feature_attributions
    )

    row = {"age": 25.0, "plan": "basic", "since": "2020-01-01T00:00:00Z", "note": None, "spend": 80}
    endpoint = model.deploy(machine_type="n1-standard-4")
    [prediction] = endpoint.predict([row]).predictions
    assert prediction["classes"] == ["no", "yes"]
    assert prediction["scores"][1] > 0.7
    assert sum(prediction["scores"]) == pytest.approx(1)

    batch = model.batch_predict(
        job_display_name="all",
        gcs_source="gs://training-by-the-sdk/customers.csv",
        instances_format="csv",
        gcs_destination_prefix="gs://training-by-the-sdk/predicted",
        machine_type="n1-standard-4",
    )
    assert batch.completion_stats.successful_count == 1000
    results = [blob for blob in batch.iter_outputs() if "results" in blob.name]
    lines = [json.loads(line) for line in results[0].download_as_text().splitlines()]
    right = [
        each["prediction"]["scores"][1] > 0.5
        for each in lines
        if each["instance"]["churned"] == "yes"
    ]
    assert sum(right) / len(right) > 0.85


def test_automl_regresses_within_bounds(sdk: Any, dataset: Any) -> None:
    job = sdk.AutoMLTabularTrainingJob(
        display_name="spend",
        optimization_prediction_type="regression",
        column_specs={"age": "numeric", "plan": "categorical"},
        labels={"team": "ml"},
    )
    model = job.run(dataset, target_column="spend", test_fraction_split=0.2)
    assert model.labels == {"team": "ml"}
    assert dict(model.get_model_evaluation().metrics)["rSquared"] > 0.9
    [prediction] = model.deploy().predict([{"age": "40", "plan": "gold"}]).predictions
    assert prediction["value"] == pytest.approx(130, abs=10)
    assert prediction["lower_bound"] < prediction["value"] < prediction["upper_bound"]


SCRIPT = """
import os
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
bucket, _, folder = os.environ["AIP_MODEL_DIR"].removeprefix("gs://").partition("/")
blob = storage.Client("p", AnonymousCredentials()).bucket(bucket).blob(folder + "trained.txt")
blob.upload_from_string(os.environ["AIP_TRAINING_DATA_URI"])
"""


def test_custom_containers_train_models(sdk: Any, dataset: Any, storage: Client) -> None:
    job = sdk.CustomContainerTrainingJob(
        display_name="own",
        container_uri="python:3.11",
        command=["python3", "-c", SCRIPT],
        model_serving_container_image_uri="python:3.11",
    )
    model = job.run(
        dataset,
        base_output_dir="gs://training-by-the-sdk/own",
        service_account="trainer@my-project.iam.gserviceaccount.com",
        model_version_aliases=["challenger"],
    )
    assert model.display_name == "own-model"
    assert sorted(model.version_aliases) == ["challenger", "default"]
    assert model.uri == "gs://training-by-the-sdk/own/model"
    trained = storage.bucket("training-by-the-sdk").blob("own/model/trained.txt")
    assert trained.download_as_text().endswith("/training-*.csv")


def test_a_training_that_fails_says_why(sdk: Any, dataset: Any) -> None:
    job = sdk.AutoMLTabularTrainingJob(
        display_name="impossible", optimization_prediction_type="regression"
    )
    with pytest.raises(RuntimeError, match="regression takes numbers"):
        job.run(dataset, target_column="churned")
    assert job.has_failed
