"""The public churn file: as good as scikit-learn; the same rows, the same model."""

from __future__ import annotations

import csv
import random
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from google.cloud.bigquery import Client

from tests.gcp_local.emulators import Emulator

CATEGORIES = (
    "Gender", "Education_Level", "Marital_Status", "Income_Category", "Card_Category",
)  # fmt: skip
LABEL = "Attrition_Flag"
OPTIONS = (
    f"input_label_cols=['{LABEL}'], data_split_method='CUSTOM', data_split_col='is_eval',"
    " auto_class_weights=TRUE"
)
LOGISTIC = "model_type='LOGISTIC_REG'"
TREES = "model_type='BOOSTED_TREE_CLASSIFIER', max_iterations=50, early_stop=FALSE"


@pytest.fixture(scope="module")
def rows(public_file: Path) -> list[dict[str, Any]]:
    source = random.Random(5)
    with public_file.open(newline="") as file:
        return [
            {
                name: value if name in (LABEL, *CATEGORIES) else float(value)
                for name, value in row.items()
                if not name.startswith("Naive_Bayes") and name != "CLIENTNUM"
            }
            | {"is_eval": source.random() < 0.2}
            for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def churn(emulator: Emulator, rows: list[dict[str, Any]]) -> Client:
    client = Client(
        project=f"test-{uuid.uuid4().hex[:12]}",
        credentials=emulator.gapic["credentials"],
        client_options={"api_endpoint": emulator.endpoint},
    )
    client.create_dataset("churn")
    client.load_table_from_dataframe(pd.DataFrame(rows), "churn.customers").result()
    jobs = [
        client.query(
            f"CREATE MODEL churn.{name} OPTIONS({options}, {OPTIONS})"
            f" AS SELECT * FROM churn.customers {order}"
        )
        for name, options, order in (
            ("plain", LOGISTIC, ""),
            ("shuffled", LOGISTIC, "ORDER BY Credit_Limit, Total_Trans_Amt"),
            ("trees", TREES, ""),
        )
    ]
    for job in jobs:
        job.result()
    return client


def test_logistic_regression_is_as_good_as_scikit_learns(
    churn: Client, rows: list[dict[str, Any]]
) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.preprocessing import StandardScaler

    table = pd.DataFrame(rows)
    held = table.pop("is_eval").to_numpy(dtype=bool)
    target = table.pop(LABEL) == "Existing Customer"
    encoded = pd.get_dummies(table, columns=list(CATEGORIES)).astype(float)
    scaler = StandardScaler().fit(encoded[~held])
    peer = LogisticRegression(max_iter=1000, class_weight="balanced")
    peer.fit(scaler.transform(encoded[~held]), target[~held])
    theirs = roc_auc_score(target[held], peer.predict_proba(scaler.transform(encoded[held]))[:, 1])
    (ours,) = churn.query_and_wait("SELECT roc_auc FROM ML.EVALUATE(MODEL churn.plain)")
    assert ours["roc_auc"] == pytest.approx(theirs, abs=0.01)
    assert theirs > 0.9


def test_the_same_rows_in_another_order_give_the_same_model(churn: Client) -> None:
    for call in ("ML.WEIGHTS(MODEL churn.{})", "ML.EVALUATE(MODEL churn.{})"):
        first, second = (
            [dict(row) for row in churn.query_and_wait(f"SELECT * FROM {call.format(name)}")]
            for name in ("plain", "shuffled")
        )
        assert first == second
        assert first


def test_boosted_trees_are_as_good_as_they_are_known_to_be(churn: Client) -> None:
    (found,) = churn.query_and_wait("SELECT * FROM ML.EVALUATE(MODEL churn.trees)")
    assert found["roc_auc"] > 0.985
    predicted = churn.query_and_wait(
        f"SELECT predicted_{LABEL} AS said, {LABEL} AS truth"
        " FROM ML.PREDICT(MODEL churn.trees, (SELECT * FROM churn.customers WHERE is_eval))"
    )
    right = [row["said"] == row["truth"] for row in predicted]
    assert np.mean(right) == pytest.approx(found["accuracy"])
