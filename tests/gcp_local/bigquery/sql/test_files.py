"""LOAD DATA and EXPORT DATA."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud.storage import Bucket

from tests.gcp_local.bigquery.sql.conftest import Rows, Run


def test_files_become_rows(run: Run, rows: Rows, bucket: Bucket) -> None:
    bucket.blob("in/1.csv").upload_from_string("id;name\n1;Ada\n2;Ben\n")
    job = run(
        "LOAD DATA INTO people (id INT64, name STRING) CLUSTER BY id"
        f" FROM FILES(format = 'CSV', uris = ['gs://{bucket.name}/in/*.csv'],"
        " skip_leading_rows = 1, field_delimiter = ';')"
    )
    assert job.statement_type == "LOAD_DATA"
    assert rows("SELECT * FROM people ORDER BY id") == [(1, "Ada"), (2, "Ben")]

    bucket.blob("in/2.json").upload_from_string('{"id": 3, "name": "Cleo"}')
    files = f"FROM FILES(format = 'JSON', uris = ['gs://{bucket.name}/in/2.json'])"
    run(f"LOAD DATA INTO people {files}")
    assert rows("SELECT COUNT(*) AS n FROM people") == [(3,)]
    run(f"LOAD DATA OVERWRITE people {files}")
    assert rows("SELECT id, name FROM people") == [(3, "Cleo")]
    with pytest.raises(BadRequest, match="Unknown option: colour"):
        run("LOAD DATA INTO people FROM FILES(format = 'CSV', uris = ['gs://b/a'], colour = 'red')")


def test_rows_become_files(run: Run, bucket: Bucket) -> None:
    uri = f"gs://{bucket.name}/out/part-*.csv"
    export = f"EXPORT DATA OPTIONS(uri = '{uri}', format = 'CSV', header = TRUE{{}}) AS {{}}"
    job = run(export.format("", "SELECT 1 AS a, 'x' AS b"))

    assert job.statement_type == "EXPORT_DATA"
    (blob,) = bucket.list_blobs(prefix="out/")
    assert blob.download_as_text() == "a,b\n1,x\n"
    with pytest.raises(BadRequest, match="there are such files"):
        run(export.format("", "SELECT 2 AS a"))
    run(export.format(", overwrite = TRUE", "SELECT 2 AS a"))
    assert blob.client.get_bucket(bucket.name).blob(blob.name).download_as_text() == "a\n2\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("EXPORT DATA OPTIONS(format = 'CSV') AS SELECT 1 AS a", "needs the option uri"),
        ("EXPORT DATA OPTIONS(uri = 'gs://b/a.csv', format = 'CSV') AS SELECT 1 AS a", "wildcard"),
        ("EXPORT DATA OPTIONS(uri = 'gs://b/*', format = 'CSV') AS SELECT [1] AS a", "nested sch"),
        ("EXPORT DATA OPTIONS(uri = 'gs://b/*', format = 'AVRO') AS SELECT 1 AS a", "lacks .*AVRO"),
        ("EXPORT DATA OPTIONS(uri = 'gs://nowhere-at-all/*', format = 'CSV') AS SELECT 1 AS a",
         "(?i)not found"),
        ("LOAD DATA INTO t FROM FILES(format = 'CSV')", "needs the option uris"),
        ("LOAD DATA INTO t FROM FILES(format = 'CSV', uris = ['gs://nowhere-at-all/x'])",
         "(?i)not found"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(run: Run, text: str, message: str) -> None:
    with pytest.raises(GoogleAPICallError, match=message):
        run(text)
