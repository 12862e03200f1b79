"""The example's data, loaded and asked as a data scientist would, against pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from google.cloud.bigquery import Client, Dataset

from gcp_local.bigquery.sql.runtime.fingerprint import farm_fingerprint


@pytest.fixture(scope="module")
def churners(public_file: Path) -> pd.DataFrame:
    return pd.read_csv(public_file).iloc[:, :21]


@pytest.fixture
def table(client: Client, dataset: Dataset, churners: pd.DataFrame) -> str:
    name = f"{dataset.dataset_id}.churners"
    client.load_table_from_dataframe(churners, name).result()
    return name


def test_the_churn_file_is_analysed_as_pandas_does(
    client: Client, table: str, churners: pd.DataFrame
) -> None:
    query = f"""
        SELECT Card_Category, COUNT(*) AS customers,
          COUNTIF(Attrition_Flag LIKE 'Attrited%') AS lost,
          SAFE_DIVIDE(COUNTIF(Attrition_Flag LIKE 'Attrited%'), COUNT(*)) AS rate,
          AVG(Credit_Limit) AS credit, MAX(Total_Trans_Ct) AS most
        FROM {table} GROUP BY Card_Category ORDER BY customers DESC, Card_Category"""
    found = {row["Card_Category"]: row for row in client.query_and_wait(query)}

    groups = churners.groupby("Card_Category")
    assert found.keys() == groups.groups.keys()
    for name, group in groups:
        lost = int((group["Attrition_Flag"] == "Attrited Customer").sum())
        row = found[name]
        assert (row["customers"], row["lost"]) == (len(group), lost)
        assert row["rate"] == pytest.approx(lost / len(group))
        assert row["credit"] == pytest.approx(group["Credit_Limit"].mean())
        assert row["most"] == group["Total_Trans_Ct"].max()


def test_the_split_by_fingerprint_is_bigquerys(
    client: Client, table: str, churners: pd.DataFrame
) -> None:
    query = f"""
        SELECT MOD(ABS(FARM_FINGERPRINT(CAST(CLIENTNUM AS STRING))), 10) AS bucket, COUNT(*) AS n
        FROM {table} GROUP BY bucket ORDER BY bucket"""
    found = {row["bucket"]: row["n"] for row in client.query_and_wait(query)}

    buckets = churners["CLIENTNUM"].map(lambda number: abs(farm_fingerprint(str(number))) % 10)
    assert found == buckets.value_counts().to_dict()


def test_windows_rank_as_pandas_does(client: Client, table: str, churners: pd.DataFrame) -> None:
    query = f"""
        SELECT Gender, CLIENTNUM FROM {table}
        QUALIFY ROW_NUMBER() OVER (PARTITION BY Gender ORDER BY Credit_Limit DESC, CLIENTNUM) = 1
        ORDER BY Gender"""
    found = [tuple(row.values()) for row in client.query_and_wait(query)]

    ordered = churners.sort_values(["Credit_Limit", "CLIENTNUM"], ascending=[False, True])
    first = ordered.groupby("Gender")["CLIENTNUM"].first()
    assert found == list(first.items())
