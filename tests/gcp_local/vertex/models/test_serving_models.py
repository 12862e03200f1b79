"""Real models behind endpoints: XGBoost's in a prebuilt container, and the example's own server."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import xgboost
from google.api_core import exceptions
from google.cloud.storage import Bucket

from churn import features, sample, schema, split, training, validation
from tests.gcp_local.emulators import Emulator
from tests.gcp_local.vertex.models.deploying import Vertex

PREBUILT = "europe-docker.pkg.dev/vertex-ai/prediction/xgboost-cpu.2-1:latest"
SOURCES = Path(__file__).parents[4] / "src"


@pytest.fixture
def vertex(emulator: Emulator, project: str) -> Vertex:
    return Vertex(emulator, f"projects/{project}/locations/europe-west1")


def test_a_prebuilt_container_serves_xgboosts_own_format(
    vertex: Vertex, bucket: Bucket, tmp_path: Path
) -> None:
    table = np.random.default_rng(1).normal(size=(200, 3)).astype("float32")
    labels = (table[:, 0] > table[:, 1]).astype("int8")
    data = xgboost.DMatrix(table, labels, feature_names=["a", "b", "c"])
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 5)
    booster.save_model(tmp_path / "model.ubj")
    bucket.blob("models/one/model.bst").upload_from_filename(tmp_path / "model.ubj")
    model = vertex.model(image=PREBUILT, artifacts=f"gs://{bucket.name}/models/one")
    endpoint = vertex.endpoint()
    vertex.deploy(endpoint, model, {"0": 100})
    answer = vertex.predictions.predict(endpoint=endpoint, instances=table[:5].tolist())
    assert list(answer.predictions) == pytest.approx(booster.predict(data)[:5].tolist())
    with pytest.raises(exceptions.BadRequest, match="must have 3 numbers"):
        vertex.predictions.predict(endpoint=endpoint, instances=[[1, 2]])
    missing = vertex.predictions.predict(endpoint=endpoint, instances=[[None, 1, 2]])
    assert 0 < missing.predictions[0] < 1


def test_a_pickle_is_not_opened(vertex: Vertex, bucket: Bucket) -> None:
    bucket.blob("models/two/model.pkl").upload_from_string(b"cos\nsystem\n(S'touch /x'\ntR.")
    model = vertex.model(image=PREBUILT, artifacts=f"gs://{bucket.name}/models/two")
    with pytest.raises(exceptions.GoogleAPICallError, match="is a pickle"):
        vertex.deploy(vertex.endpoint(), model, {"0": 100})


def test_the_examples_server_predicts_behind_an_endpoint(
    vertex: Vertex, bucket: Bucket, tmp_path: Path
) -> None:
    generated = sample.generate(1_000, seed=7)
    parts = split.split(
        features.prepare(validation.clean(generated.astype(str))), split.SplitPlan()
    )
    trained = training.train(parts.train, parts.validation, training.TrainingPlan())
    trained.model.save(tmp_path / "model")
    for file in (tmp_path / "model").iterdir():
        bucket.blob(f"churn/{file.name}").upload_from_filename(file)
    shutil.copytree(SOURCES / "churn", tmp_path / "image" / "churn")
    repository = "europe-west1-docker.pkg.dev/my-project/images/runtime"
    image = vertex.emulator.images.put(repository, tmp_path / "image")
    # As pipelines/components/register_model.py uploads it.
    model = vertex.model(
        "python", "-m", "churn.serving",
        image=image,
        artifacts=f"gs://{bucket.name}/churn",
        ports=[{"container_port": 8080}],
        health_route="/health",
        predict_route="/predict",
    )  # fmt: skip
    endpoint = vertex.endpoint()
    vertex.deploy(endpoint, model, {"0": 100})
    columns = [column.name for column in (*schema.NUMBERS, *schema.CATEGORIES)]
    customers = generated[columns].head(3).to_dict(orient="records")
    answer = vertex.predictions.predict(endpoint=endpoint, instances=customers)
    assert {each["class"] for each in answer.predictions} <= set(trained.model.class_names)
    chances = [each["attrition_probability"] for each in answer.predictions]
    table = features.prepare(validation.clean(generated.head(3).astype(str)))
    assert chances == pytest.approx(trained.model.predict(table).tolist())
    with pytest.raises(exceptions.BadRequest, match="is not a number"):
        vertex.predictions.predict(endpoint=endpoint, instances=[{schema.NUMBERS[0].name: "old"}])
