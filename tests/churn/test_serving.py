from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from churn import schema, serving, split, training
from churn.errors import InstanceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

DESCRIBING = [column.name for column in (*schema.NUMBERS, *schema.CATEGORIES)]


@pytest.fixture(scope="module")
def customers(generated: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        generated[DESCRIBING].head(50).to_json(orient="records")
    )
    return rows


@pytest.fixture(scope="module")
def address(trained: training.Training, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server as Vertex AI starts it, on a free port of the loopback interface."""
    folder = tmp_path_factory.mktemp("model")
    trained.model.save(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "AIP_STORAGE_URI": str(folder),
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": "/healthz",
        "AIP_PREDICT_ROUTE": "/v1/predict",
    }
    server = subprocess.Popen([sys.executable, "-m", "churn.serving"], env=environment)
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=10)


def wait_for(url: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                assert answer.status == 200
                return
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{url} never answered")


def post(url: str, body: bytes) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_predictions_over_http_are_the_models_own(
    address: str,
    customers: list[dict[str, Any]],
    table: pd.DataFrame,
    trained: training.Training,
) -> None:
    status, answer = post(f"{address}/v1/predict", json.dumps({"instances": customers}).encode())
    assert status == 200
    chances = [prediction["attrition_probability"] for prediction in answer["predictions"]]
    np.testing.assert_allclose(chances, trained.model.predict(table.head(50)), rtol=1e-6)
    classes = {prediction["class"] for prediction in answer["predictions"]}
    assert classes == set(schema.CLASS_NAMES)


def test_a_bad_instance_is_a_400_with_one_line(
    address: str, customers: list[dict[str, Any]]
) -> None:
    bad = [customers[0], {**customers[1], "Gender": "X"}]
    status, answer = post(f"{address}/v1/predict", json.dumps({"instances": bad}).encode())
    assert (status, answer) == (400, {"error": "instance 1: Gender: 'X' is no known category"})


def test_what_is_not_json_is_a_400(address: str) -> None:
    status, answer = post(f"{address}/v1/predict", b"{")
    assert status == 400
    assert answer["error"].startswith("the request is not JSON")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ([], 'the request must be {"instances"'),
        ({"instances": {}}, 'the request must be {"instances"'),
        ({"instances": [1]}, "instance 0: must be an object"),
        ({"instances": [{"Customer_Age": "41"}]}, "instance 0: Customer_Age: '41' is not a number"),
        ({"instances": [{"Customer_Age": True}]}, "instance 0: Customer_Age: True is not a number"),
        ({"instances": [{"Customer_Age": 4}]}, "instance 0: Customer_Age: 4 is outside 18 to 110"),
        ({"instances": [{"Customer_Age": float("nan")}]}, "instance 0: Customer_Age: nan is outsi"),
        ({"instances": [{"Gender": ["F"]}]}, r"instance 0: Gender: \['F'\] is no known category"),
        (
            {"instances": [{}, {schema.LEAKING[0]: 0.1}]},
            "instance 1: Naive_Bayes_.* is not known beforehand",
        ),
        (
            {"instances": [{"CLIENTNUM": 1, "Attrition_Flag": "Existing Customer"}]},
            "instance 0: Attrition_Flag is not known beforehand",
        ),
    ],
)
def test_what_is_no_customer_is_refused(body: object, error: str) -> None:
    with pytest.raises(InstanceError, match=error):
        serving.read_instances(body)


def test_missing_values_are_taken_as_missing(trained: training.Training) -> None:
    answer = serving.predict(trained.model, {"instances": [{}]})
    assert 0 <= answer["predictions"][0]["attrition_probability"] <= 1


def test_no_instances_give_no_predictions(trained: training.Training) -> None:
    assert serving.predict(trained.model, {"instances": []}) == {"predictions": []}


def test_the_class_follows_the_threshold_that_the_model_was_judged_by(
    customers: list[dict[str, Any]], trained: training.Training
) -> None:
    body = {"instances": customers}
    answer = serving.predict(trained.model, body)["predictions"]
    threshold = sorted(prediction["attrition_probability"] for prediction in answer)[-20]
    assert threshold < 0.5
    strict = serving.predict(replace(trained.model, threshold=threshold), body)["predictions"]
    leaving = [prediction["class"] == schema.POSITIVE for prediction in strict]
    assert leaving == [prediction["attrition_probability"] >= threshold for prediction in strict]
    assert sum(leaving) == 20, "a chance of exactly the threshold counts as leaving"


def test_the_id_of_a_customer_makes_no_difference(
    customers: list[dict[str, Any]], trained: training.Training
) -> None:
    known = [{"CLIENTNUM": 768805383, **customer} for customer in customers]
    named = serving.predict(trained.model, {"instances": known})
    assert named == serving.predict(trained.model, {"instances": customers})


def test_a_local_folder_is_used_where_it_is(tmp_path: Path) -> None:
    assert serving.fetch(str(tmp_path), tmp_path / "copy") == tmp_path


def test_serving_features_are_the_training_features(
    customers: list[dict[str, Any]], parts: split.Split
) -> None:
    frame = serving.read_instances({"instances": customers})
    assert list(frame.columns) == list(parts.test.columns[2:])
