"""Models as BigQuery's resources: made, described, changed, dropped, exported."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud.bigquery import Client, QueryJob, QueryJobConfig
from google.cloud.storage import Bucket

from tests.gcp_local.bigquery.conftest import hold_to_surface
from tests.gcp_local.bigquery.ml.conftest import QUERY, create, customers, fill
from tests.gcp_local.emulators import Emulator, start

OPTIONS = "model_type='LOGISTIC_REG', input_label_cols=['left']"


def test_a_model_is_described_as_the_rest_api_does(warehouse: Client) -> None:
    model = warehouse.get_model("d.logistic")
    assert model.model_type == "LOGISTIC_REGRESSION"
    assert model.location == "US"
    assert [column["name"] for column in model._properties["featureColumns"]] == [
        "age", "spend", "plan", "vip",
    ]  # fmt: skip
    (label,) = model._properties["labelColumns"]
    assert label == {"name": "left", "type": {"typeKind": "STRING"}}
    (run,) = model._properties["trainingRuns"]
    assert run["trainingOptions"]["dataSplitMethod"] == "CUSTOM"
    assert run["trainingOptions"]["inputLabelColumns"] == ["left"]
    metrics = run["evaluationMetrics"]["binaryClassificationMetrics"]
    assert (metrics["positiveLabel"], metrics["negativeLabel"]) == ("yes", "no")
    (evaluated,) = warehouse.query_and_wait("SELECT * FROM ML.EVALUATE(MODEL d.logistic)")
    assert metrics["aggregateClassificationMetrics"]["rocAuc"] == evaluated["roc_auc"]
    for matrix in metrics["binaryConfusionMatrixList"]:
        counts = ("truePositives", "falsePositives", "trueNegatives", "falseNegatives")
        assert sum(int(matrix[name]) for name in counts) == 150
    assert len(metrics["binaryConfusionMatrixList"]) > 5
    assert [int(each["index"]) for each in run["results"]][-1] == 0
    several = warehouse.get_model("d.several")._properties["trainingRuns"][0]
    (matrix,) = several["evaluationMetrics"]["multiClassClassificationMetrics"][
        "confusionMatrixList"
    ]
    assert [row["actualLabel"] for row in matrix["rows"]] == ["basic", "gold", "plus"]
    linear = warehouse.get_model("d.linear")._properties["trainingRuns"][0]
    assert linear["evaluationMetrics"]["regressionMetrics"]["rSquared"] > 0.95


def test_models_are_listed_and_changed(warehouse: Client) -> None:
    listed = {model.model_id: model.model_type for model in warehouse.list_models("d")}
    assert listed["trees"] == "BOOSTED_TREE_CLASSIFIER"
    assert list(listed) == sorted(listed)
    model = warehouse.get_model("d.several")
    model.description, model.friendly_name, model.labels = "which plan", "Plans", {"team": "ml"}
    changed = warehouse.update_model(model, ["description", "friendly_name", "labels"])
    assert (changed.description, changed.friendly_name) == ("which plan", "Plans")
    assert changed.etag != model.etag
    warehouse.query_and_wait("ALTER MODEL d.several SET OPTIONS(description='plans', labels=NULL)")
    again = warehouse.get_model("d.several")
    assert (again.description, again.labels) == ("plans", {})
    with pytest.raises(BadRequest, match="Unknown option: colour"):
        warehouse.query_and_wait("ALTER MODEL d.several SET OPTIONS(colour='red')")
    with pytest.raises(NotFound):
        warehouse.query_and_wait("ALTER MODEL d.absent SET OPTIONS(description='x')")
    warehouse.query_and_wait("ALTER MODEL IF EXISTS d.absent SET OPTIONS(description='x')")


TOLD = (
    "MODEL d.told OPTIONS(model_type='BOOSTED_TREE_REGRESSOR', input_label_cols=['next_spend'],"
    " max_iterations=1) AS SELECT age, spend, next_spend FROM d.customers"
)


def test_of_two_trainings_of_one_name_one_job_tells_what_it_made(
    warehouse: Client, emulator: Emulator
) -> None:
    jobs = [warehouse.query(f"CREATE {TOLD}") for _ in range(2)]
    for job in jobs:
        while not job.done():
            time.sleep(0.02)
    made, refused = sorted(jobs, key=lambda job: job.error_result is not None)
    assert refused.error_result is not None
    assert refused.error_result["reason"] == "duplicate"
    assert made.error_result is None
    assert (made.statement_type, made.ddl_operation_performed) == ("CREATE_MODEL", "CREATE")
    statistics = made._properties["statistics"]["query"]
    assert statistics["ddlTargetTable"]["tableId"] == "told"
    assert statistics["mlStatistics"]["modelType"] == "BOOSTED_TREE_REGRESSOR"
    assert statistics["mlStatistics"]["trainingType"] == "SINGLE_TRAINING"
    assert len(statistics["mlStatistics"]["iterationResults"]) == 1
    skipped = _done(warehouse, TOLD.replace("MODEL", "CREATE MODEL IF NOT EXISTS"))
    assert skipped.ddl_operation_performed == "SKIP"
    with pytest.raises(Conflict, match=r"Already Exists: Model .*:d.told"):
        warehouse.query_and_wait(f"CREATE {TOLD}")
    with pytest.raises(Conflict, match=r"Already Exists: Table .*:d.customers"):
        warehouse.query_and_wait(f"CREATE {TOLD}".replace("d.told", "d.customers"))
    with pytest.raises(Conflict, match=r"Already Exists: Model .*:d.told"):
        warehouse.query_and_wait("CREATE TABLE d.told (x INT64)")
    kept = set((emulator.state / "bigquery_models").iterdir())
    dropped = _done(warehouse, "DROP MODEL d.told")
    assert (dropped.statement_type, dropped.ddl_operation_performed) == ("DROP_MODEL", "DROP")
    assert len(kept - set((emulator.state / "bigquery_models").iterdir())) == 1
    assert _done(warehouse, "DROP MODEL IF EXISTS d.told").ddl_operation_performed == "SKIP"
    with pytest.raises(NotFound, match=r"Not found: Model .*:d.told"):
        warehouse.query_and_wait("DROP MODEL d.told")
    with pytest.raises(NotFound):
        warehouse.delete_model("d.told")


def _done(client: Client, sql: str) -> QueryJob:
    job = client.query(sql)
    job.result()
    return job


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE MODEL d.x OPTIONS(model_type='LOGISTIC_REG') AS SELECT 1 AS x", "'label'"),
        (f"CREATE MODEL d.x OPTIONS({OPTIONS}) AS SELECT age, absent FROM d.customers", "absent"),
        (
            "CREATE MODEL d.x OPTIONS(model_type='LINEAR_REG', input_label_cols=['plan'])"
            " AS SELECT plan, age FROM d.customers",
            "has type STRING, which is not supported for model type LINEAR_REG",
        ),
        (
            f"CREATE MODEL d.x OPTIONS({OPTIONS}, data_split_method='CUSTOM',"
            f" data_split_col='plan') AS {QUERY}",
            "'plan' must be of type BOOL",
        ),
        (f"CREATE MODEL d.x OPTIONS({OPTIONS}) AS SELECT `left` FROM d.customers", "at least one"),
        (f"CREATE MODEL d.x OPTIONS({OPTIONS}, foo=1) AS {QUERY}", "Unknown option: FOO"),
        (f"CREATE MODEL d.x OPTIONS({OPTIONS} foo=1) AS {QUERY}", r"Syntax error: .* at \[1:"),
        (
            f"CREATE MODEL d.x OPTIONS({OPTIONS}) AS SELECT age, plan AS `left` FROM d.customers",
            "'left' contains NULL",
        ),
        ("EXPORT MODEL d.trees", "Syntax error"),
        ("EXPORT MODEL d.trees OPTIONS(uri='s3://bucket/x')", "Invalid URI"),
    ],
)
def test_a_wrong_statement_is_refused(warehouse: Client, statement: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        warehouse.query_and_wait(statement)
    with pytest.raises(NotFound):
        warehouse.get_model("d.x")


def test_a_dry_run_checks_and_trains_nothing(warehouse: Client) -> None:
    dry = QueryJobConfig(dry_run=True)
    job = warehouse.query(f"CREATE MODEL d.dry OPTIONS({OPTIONS}) AS {QUERY}", job_config=dry)
    assert job.total_bytes_processed > 0
    with pytest.raises(NotFound):
        warehouse.get_model("d.dry")
    statement = "CREATE MODEL d.dry OPTIONS(model_type='LINEAR_REG') AS SELECT 1 AS x"
    with pytest.raises(BadRequest, match="'label'"):
        warehouse.query(statement, job_config=dry)


def test_trees_are_exported_for_xgboost_and_its_prebuilt_container(
    warehouse: Client, bucket: Bucket
) -> None:
    warehouse.query_and_wait(f"EXPORT MODEL d.trees OPTIONS(uri='gs://{bucket.name}/trees/')")
    names = {blob.name for blob in bucket.list_blobs()}
    assert {"trees/model.bst", "trees/assets/model_metadata.json", "trees/assets/2.txt"} <= names
    metadata = json.loads(bucket.blob("trees/assets/model_metadata.json").download_as_bytes())
    assert metadata["feature_names"] == ["age", "spend", "plan", "vip"]
    assert metadata["class_names"] == ["no", "yes"]
    assert bucket.blob("trees/assets/2.txt").download_as_text().split() == ["basic", "gold", "plus"]
    import numpy as np
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(bucket.blob("trees/model.bst").download_as_bytes()))
    given = np.array([[30, 50.0, 1, 1], [30, 50.0, 2, 1]])
    scores = booster.inplace_predict(given)
    rows = warehouse.query_and_wait(
        "SELECT * FROM ML.PREDICT(MODEL d.trees, (SELECT 30 AS age, 50.0 AS spend, 'basic' AS plan,"
        " FALSE AS vip UNION ALL SELECT 30, 50.0, 'gold', FALSE))"
    )
    found = sorted(row["predicted_left_probs"][0]["prob"] for row in rows)
    np.testing.assert_allclose(found, sorted(map(float, scores)), rtol=1e-5)


# So many rounds would take minutes.
ENDLESS = (
    "CREATE MODEL d.endless OPTIONS(model_type='BOOSTED_TREE_CLASSIFIER',"
    f" input_label_cols=['left'], max_iterations=1000000, early_stop=FALSE) AS {QUERY}"
)


def test_a_training_that_is_cancelled_ends_and_leaves_no_model(
    warehouse: Client, emulator: Emulator
) -> None:
    job = warehouse.query(ENDLESS)
    assert _trainings(emulator.state)
    begun = time.monotonic()
    job.cancel()
    while not job.done():
        time.sleep(0.02)
    assert time.monotonic() - begun < 8
    assert job.error_result is not None
    assert job.error_result["reason"] == "stopped"
    with pytest.raises(NotFound):
        warehouse.get_model("d.endless")


def test_a_training_that_is_killed_is_not_repeated_by_the_client(
    warehouse: Client, emulator: Emulator
) -> None:
    job = warehouse.query(ENDLESS.replace("endless", "killed"))
    (process,) = _trainings(emulator.state)
    os.kill(process, signal.SIGKILL)
    with pytest.raises(BadRequest, match="Resources exceeded: the training was killed") as refused:
        job.result(timeout=20)
    assert refused.value.errors[0]["reason"] == "resourcesExceeded"
    with pytest.raises(NotFound):
        warehouse.get_model("d.killed")


def _trainings(state: Path) -> list[int]:
    """Wait for the trainings that a server runs, and give their processes."""
    found: list[int] = []
    while not found:
        time.sleep(0.02)
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                if "gcp_local.bigquery.ml.train" in words and words[3].startswith(str(state)):
                    found.append(int(folder.name))
    return found


def test_models_survive_a_kill_and_half_made_ones_are_swept(tmp_path: Path) -> None:
    state = tmp_path / "state"

    def connected(server: Emulator) -> Client:
        client = Client(
            project="my-project",
            credentials=server.gapic["credentials"],
            client_options={"api_endpoint": server.endpoint},
        )
        client._http.hooks["response"].append(hold_to_surface)
        return client

    def evaluated(client: Client) -> dict[str, Any]:
        (row,) = client.query_and_wait("SELECT * FROM ML.EVALUATE(MODEL d.kept)")
        return dict(row)

    server = start(state)
    try:
        client = connected(server)
        client.create_dataset("d")
        fill(client, "d", "customers", customers(200))
        create(client, "d.kept", QUERY, model_type="BOOSTED_TREE_CLASSIFIER", labels=["left"])
        before = evaluated(client)
        client.query(ENDLESS.replace("endless", "half"))
        assert _trainings(state)
    finally:
        server.kill()
    (folder,) = (state / "bigquery_models").iterdir()
    (state / "bigquery_models" / "stray").mkdir()
    server = start(state)
    try:
        client = connected(server)
        assert evaluated(client) == before
        assert [model.model_id for model in client.list_models("d")] == ["kept"]
        assert list((state / "bigquery_models").iterdir()) == [folder]
    finally:
        server.end()
