"""INFORMATION_SCHEMA and `__TABLES__`."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.bigquery import Client, Dataset

from tests.gcp_local.bigquery.sql.conftest import Rows, Run


@pytest.fixture(autouse=True)
def world(run: Run) -> None:
    run(
        "CREATE TABLE people (id INT64 NOT NULL OPTIONS(description = 'key'), name STRING(9),"
        " home STRUCT<city STRING, spots ARRAY<STRUCT<x INT64>>>, born DATE DEFAULT '2000-01-01',"
        " PRIMARY KEY (id) NOT ENFORCED)"
        " PARTITION BY DATE_TRUNC(born, MONTH) CLUSTER BY name, id"
        " OPTIONS(description = 'say \"x\"', labels = [('a', 'b')])"
    )
    run("INSERT people (id, born) VALUES (1, '2024-01-05'), (2, '2024-01-09'), (3, '2024-02-01')")
    run("CREATE TABLE logs (n INT64) PARTITION BY _PARTITIONDATE")
    run("CREATE SNAPSHOT TABLE kept CLONE people")


def test_tables_have_their_kinds_and_statements(rows: Rows, dataset: Dataset) -> None:
    found = rows(
        f"SELECT table_name, table_type, is_insertable_into, base_table_name"
        f" FROM {dataset.dataset_id}.INFORMATION_SCHEMA.TABLES ORDER BY table_name"
    )
    assert found == [
        ("kept", "SNAPSHOT", "NO", "people"),
        ("logs", "BASE TABLE", "YES", None),
        ("people", "BASE TABLE", "YES", None),
    ]
    ((ddl,),) = rows("SELECT ddl FROM INFORMATION_SCHEMA.TABLES WHERE table_name = 'people'")
    assert ddl == (
        f"CREATE TABLE `{dataset.project}.{dataset.dataset_id}.people`\n"
        "(\n"
        '  id INT64 NOT NULL OPTIONS(description="key"),\n'
        "  name STRING(9),\n"
        "  home STRUCT<city STRING, spots ARRAY<STRUCT<x INT64>>>,\n"
        "  born DATE DEFAULT '2000-01-01',\n"
        "  PRIMARY KEY (id) NOT ENFORCED\n"
        ")\n"
        "PARTITION BY DATE_TRUNC(born, MONTH)\n"
        "CLUSTER BY name, id\n"
        "OPTIONS(\n"
        '  description="say \\"x\\"",\n'
        '  labels=[("a", "b")]\n'
        ");"
    )


def test_a_tables_statement_makes_the_same_table(
    run: Run, rows: Rows, client: Client, dataset: Dataset
) -> None:
    ((ddl,),) = rows("SELECT ddl FROM INFORMATION_SCHEMA.TABLES WHERE table_name = 'people'")
    before = client.get_table(dataset.table("people")).to_api_repr()
    run(ddl.replace("CREATE TABLE", "CREATE OR REPLACE TABLE"))
    after = client.get_table(dataset.table("people")).to_api_repr()

    kept = ("schema", "clustering", "timePartitioning", "tableConstraints", "labels", "description")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def test_columns_tell_what_they_are(rows: Rows) -> None:
    found = rows(
        "SELECT column_name, ordinal_position, is_nullable, data_type, is_hidden,"
        " is_partitioning_column, clustering_ordinal_position, column_default"
        " FROM INFORMATION_SCHEMA.COLUMNS WHERE table_name <> 'kept'"
        " ORDER BY table_name, ordinal_position NULLS LAST, column_name DESC"
    )
    assert found == [
        ("n", 1, "YES", "INT64", "NO", "NO", None, "NULL"),
        ("_PARTITIONTIME", None, "YES", "TIMESTAMP", "YES", "YES", None, "NULL"),
        ("_PARTITIONDATE", None, "YES", "DATE", "YES", "NO", None, "NULL"),
        ("id", 1, "NO", "INT64", "NO", "NO", 2, "NULL"),
        ("name", 2, "YES", "STRING(9)", "NO", "NO", 1, "NULL"),
        ("home", 3, "YES", "STRUCT<city STRING, spots ARRAY<STRUCT<x INT64>>>", "NO", "NO", None,
         "NULL"),
        ("born", 4, "YES", "DATE", "NO", "YES", None, "'2000-01-01'"),
    ]  # fmt: skip
    paths = rows(
        "SELECT field_path, data_type, description FROM INFORMATION_SCHEMA.COLUMN_FIELD_PATHS"
        " WHERE table_name = 'people' ORDER BY field_path"
    )
    assert paths[0] == ("born", "DATE", None)
    assert [path for path, _, _ in paths] == [
        "born", "home", "home.city", "home.spots", "home.spots.x", "id", "name",
    ]  # fmt: skip
    assert ("id", "INT64", "key") in paths


def test_partitions_are_counted(rows: Rows) -> None:
    found = rows(
        "SELECT partition_id, total_rows, storage_tier FROM INFORMATION_SCHEMA.PARTITIONS"
        " WHERE table_name = 'people' ORDER BY partition_id"
    )
    assert found == [("202401", 2, "ACTIVE"), ("202402", 1, "ACTIVE")]


def test_options_are_listed_as_they_are_written(rows: Rows) -> None:
    found = rows(
        "SELECT option_name, option_type, option_value FROM INFORMATION_SCHEMA.TABLE_OPTIONS"
        " WHERE table_name = 'people' ORDER BY option_name"
    )
    assert found == [
        ("description", "STRING", '"say \\"x\\""'),
        ("labels", "ARRAY<STRUCT<STRING, STRING>>", '[("a", "b")]'),
    ]


def test_constraints_are_listed(rows: Rows) -> None:
    keys = rows(
        "SELECT c.constraint_name, c.constraint_type, c.enforced, k.column_name, k.ordinal_position"
        " FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS AS c"
        " JOIN INFORMATION_SCHEMA.KEY_COLUMN_USAGE AS k USING (constraint_name)"
        " WHERE c.table_name = 'people'"
    )
    assert keys == [("people.pk$", "PRIMARY KEY", "NO", "id", 1)]


def test_views_routines_and_their_arguments_are_listed(
    run: Run, rows: Rows, dataset: Dataset
) -> None:
    run(f"CREATE VIEW v AS SELECT id FROM {dataset.dataset_id}.people")
    run("CREATE FUNCTION twice(x INT64) RETURNS INT64 AS (x * 2)")

    assert rows("SELECT view_definition, use_standard_sql FROM INFORMATION_SCHEMA.VIEWS") == [
        (f"SELECT id FROM {dataset.dataset_id}.people", "YES")
    ]
    found = rows(
        "SELECT routine_name, routine_type, data_type, routine_definition, ddl"
        " FROM INFORMATION_SCHEMA.ROUTINES"
    )
    name = f"{dataset.project}.{dataset.dataset_id}.twice"
    ddl = f"CREATE FUNCTION `{name}`(x INT64) RETURNS INT64\nAS (x * 2);"
    assert found == [("twice", "FUNCTION", "INT64", "x * 2", ddl)]
    assert rows(
        "SELECT parameter_name, data_type, is_result FROM INFORMATION_SCHEMA.PARAMETERS"
        " ORDER BY ordinal_position"
    ) == [(None, "INT64", "YES"), ("x", "INT64", "NO")]


def test_a_region_has_all_its_datasets(rows: Rows, client: Client, dataset: Dataset) -> None:
    assert rows("SELECT schema_name, location FROM INFORMATION_SCHEMA.SCHEMATA") == [
        (dataset.dataset_id, "US")
    ]
    found = rows("SELECT COUNT(*) AS n FROM `region-us`.INFORMATION_SCHEMA.TABLES")
    assert found == [(3,)]
    qualified = f"`{dataset.project}`.`region-us`.INFORMATION_SCHEMA.TABLE_STORAGE"
    assert rows(f"SELECT total_rows FROM {qualified} WHERE table_name = 'people'") == [(3,)]
    ((ddl, option),) = rows(
        "SELECT ddl, option_value FROM INFORMATION_SCHEMA.SCHEMATA"
        " JOIN INFORMATION_SCHEMA.SCHEMATA_OPTIONS USING (schema_name)"
        " WHERE option_name = 'location'"
    )
    assert (option, ddl.splitlines()[0]) == (
        '"US"',
        f"CREATE SCHEMA `{dataset.project}.{dataset.dataset_id}`",
    )


def test_jobs_are_listed_with_what_came_of_them(rows: Rows, run: Run) -> None:
    job = run("DELETE people WHERE id = 2")
    found = rows(
        "SELECT job_type, statement_type, state, query, dml_statistics.deleted_row_count AS n"
        f" FROM `region-us`.INFORMATION_SCHEMA.JOBS WHERE job_id = '{job.job_id}'"
    )
    assert found == [("QUERY", "DELETE", "DONE", "DELETE people WHERE id = 2", 1)]
    by_project = "`region-us`.INFORMATION_SCHEMA.JOBS_BY_PROJECT"
    assert rows(f"SELECT COUNT(*) > 4 AS many FROM {by_project}") == [(True,)]


def test_a_dataset_has_a_summary_of_its_tables(rows: Rows, dataset: Dataset) -> None:
    found = rows(
        f"SELECT table_id, row_count, type FROM {dataset.dataset_id}.__TABLES__ ORDER BY table_id"
    )
    assert found == [("kept", 3, 5), ("logs", 0, 1), ("people", 3, 1)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.INFORMATION_SCHEMA.TABLES", "Not found: Dataset"),
        ("INFORMATION_SCHEMA.SESSIONS", "lacks the view INFORMATION_SCHEMA.SESSIONS"),
        ("{dataset}.INFORMATION_SCHEMA.JOBS", "cannot be asked of a dataset"),
    ],
)
def test_what_is_not_there_is_refused(
    rows: Rows, dataset: Dataset, name: str, message: str
) -> None:
    with pytest.raises(GoogleAPICallError, match=message):
        rows(f"SELECT * FROM {name.format(dataset=dataset.dataset_id)}")
