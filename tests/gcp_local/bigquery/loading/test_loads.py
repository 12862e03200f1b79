from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pandas as pd
import pytest
from google.api_core.exceptions import BadRequest, Conflict, MethodNotImplemented, NotFound
from google.cloud.bigquery import (
    Client,
    LoadJob,
    LoadJobConfig,
    QueryJobConfig,
    SchemaField,
    Table,
    TimePartitioning,
)
from google.cloud.storage import Bucket


def _load(client: Client, bucket: Bucket, table: str, text: str | bytes, **said: Any) -> LoadJob:
    bucket.blob("data/file-1").upload_from_string(text)
    uri = f"gs://{bucket.name}/data/file-1"
    job = client.load_table_from_uri(uri, table, job_config=LoadJobConfig(**said))
    job.result()
    return job


def _rows(client: Client, table: str) -> list[tuple[Any, ...]]:
    return [row.values() for row in client.list_rows(client.get_table(table))]


@pytest.fixture
def table(client: Client, dataset_id: str) -> str:
    return f"{client.project}.{dataset_id}.t"


_AB = [SchemaField("a", "INTEGER"), SchemaField("b", "STRING")]


def test_csv_is_loaded_with_a_schema(client: Client, bucket: Bucket, table: str) -> None:
    text = 'a,b\r\n1,x\r\n2,"y ""q"", z"\r\n,""\r\n4,\r\n'
    job = _load(client, bucket, table, text, schema=_AB, skip_leading_rows=1)
    assert _rows(client, table) == [(1, "x"), (2, 'y "q", z'), (None, ""), (4, None)]
    assert (job.output_rows, job.input_files, job.input_file_bytes) == (4, 1, len(text))
    assert job.output_bytes == 3 * 8 + 3 * 2 + 1 + 8
    assert (job.write_disposition, job.source_format) == ("WRITE_APPEND", "CSV")


def test_options_of_csv(client: Client, bucket: Bucket, table: str) -> None:
    text = "1;'two\nlines'\n-;'-'\n3\n4;x;more\n".encode("utf-16-be")
    config = {
        "field_delimiter": ";",
        "quote_character": "'",
        "null_marker": "-",
        "allow_quoted_newlines": True,
        "allow_jagged_rows": True,
        "ignore_unknown_values": True,
        "encoding": "UTF-16BE",
    }
    _load(client, bucket, table, text, schema=_AB, **config)
    assert _rows(client, table) == [(1, "two\nlines"), (None, "-"), (3, None), (4, "x")]


def test_columns_of_csv_are_detected(client: Client, bucket: Bucket, table: str) -> None:
    text = (
        "id,score,day,at,ok,the name\n"
        "1,2.5,2026-01-02,2026-01-02 03:04:05 UTC,true,x\n2,3,,,false,\n"
    )
    _load(client, bucket, table, text, autodetect=True)
    schema = [(field.name, field.field_type) for field in client.get_table(table).schema]
    assert schema == [
        ("id", "INTEGER"),
        ("score", "FLOAT"),
        ("day", "DATE"),
        ("at", "TIMESTAMP"),
        ("ok", "BOOLEAN"),
        ("the_name", "STRING"),
    ]
    assert [row[0] for row in _rows(client, table)] == [1, 2]


def test_texts_alone_are_no_header(client: Client, bucket: Bucket, table: str) -> None:
    _load(client, bucket, table, "a,b\nx,y\n", autodetect=True)
    names = [field.name for field in client.get_table(table).schema]
    assert names == ["string_field_0", "string_field_1"]
    assert len(_rows(client, table)) == 2


def test_a_bad_row_names_file_line_and_column(client: Client, bucket: Bucket, table: str) -> None:
    bucket.blob("data/file-1").upload_from_string("1,x\nthree,y\n1,2,3\n")
    uri = f"gs://{bucket.name}/data/file-1"
    job = client.load_table_from_uri(uri, table, job_config=LoadJobConfig(schema=_AB))
    with pytest.raises(BadRequest, match=r"CSV processing encountered too many errors.*errors: 2"):
        job.result()
    first, second, third = job.errors or [{"": ""}] * 3
    assert first["location"] == second["location"] == uri
    assert second["message"] == (
        "Error while reading data, error message: Too many values in line. Found 3 column(s) while"
        f" expected 2.; line_number: 3 byte_offset_to_start_of_line: 12 File: {uri}"
    )
    assert third["message"] == (
        "Error while reading data, error message: Unable to parse; line_number: 2"
        " byte_offset_to_start_of_line: 4 column_index: 0"
        f' column_name: "a" column_type: INT64 value: "three" File: {uri}'
    )
    with pytest.raises(NotFound):
        client.get_table(table)


def test_some_bad_rows_can_be_borne(client: Client, bucket: Bucket, table: str) -> None:
    job = _load(client, bucket, table, "1,x\nz,y\n", schema=_AB, max_bad_records=1)
    assert _rows(client, table) == [(1, "x")]
    assert job.error_result is None
    assert "Unable to parse" in (job.errors or [{}])[0]["message"]
    assert job._properties["statistics"]["load"]["badRecords"] == "1"


def test_json_is_loaded_and_detected(client: Client, bucket: Bucket, table: str) -> None:
    lines = [
        {"id": 1, "tags": ["x"], "home": {"city": "Paris", "zip": None}},
        {"id": 2.5, "home": {"zip": 75001}, "since": "2026-01-02"},
    ]
    text = gzip.compress("\n".join(json.dumps(line) for line in lines).encode())
    _load(client, bucket, table, text, autodetect=True, source_format="NEWLINE_DELIMITED_JSON")
    schema = client.get_table(table).schema
    assert [(field.name, field.field_type, field.mode) for field in schema] == [
        ("id", "FLOAT", "NULLABLE"),
        ("tags", "STRING", "REPEATED"),
        ("home", "RECORD", "NULLABLE"),
        ("since", "DATE", "NULLABLE"),
    ]
    assert [row[:3] for row in _rows(client, table)] == [
        (1.0, ["x"], {"city": "Paris", "zip": None}),
        (2.5, [], {"city": None, "zip": 75001}),
    ]


def test_bad_json_names_its_position(client: Client, bucket: Bucket, table: str) -> None:
    said = {"schema": _AB, "source_format": "NEWLINE_DELIMITED_JSON"}
    with pytest.raises(BadRequest, match="JSON processing encountered too many errors") as caught:
        _load(client, bucket, table, '{"a": 1}\n{"a": "x"}\n{"c": 1}\n{', **said)
    told = " ".join(error["message"] for error in caught.value.errors)
    assert "JSON processing" in told
    job = next(iter(client.list_jobs(max_results=1)))
    messages = [error["message"] for error in job.errors[1:]]
    assert "starting at position 29: Parser terminated" in messages[0]
    assert "starting at position 9: Could not convert value to integer. Field: a" in messages[1]
    assert "starting at position 20: No such field: c." in messages[2]


def test_a_dataframe_is_loaded_as_parquet(client: Client, table: str) -> None:
    frame = pd.DataFrame(
        {
            "n": [1, 2],
            "x": [0.5, None],
            "s": ["a", None],
            "t": [pd.Timestamp("2026-01-02T03:04:05Z"), None],
            "tags": [["a", "b"], []],
        }
    )
    job = client.load_table_from_dataframe(frame, table)
    job.result()
    schema = [
        (field.name, field.field_type, field.mode) for field in client.get_table(table).schema
    ]
    assert schema == [
        ("n", "INTEGER", "NULLABLE"),
        ("x", "FLOAT", "NULLABLE"),
        ("s", "STRING", "NULLABLE"),
        ("t", "TIMESTAMP", "NULLABLE"),
        ("tags", "STRING", "REPEATED"),
    ]
    assert [row[4] for row in _rows(client, table)] == [["a", "b"], []]
    client.load_table_from_dataframe(frame, table).result()
    assert len(_rows(client, table)) == 4


def test_lists_of_parquet_are_groups_unless_they_are_inferred(
    client: Client, bucket: Bucket, table: str
) -> None:
    file = io.BytesIO()
    pd.DataFrame({"tags": [["a"], None]}).to_parquet(file)
    _load(client, bucket, table, file.getvalue(), source_format="PARQUET")
    field = client.get_table(table).schema[0]
    assert (field.field_type, field.fields[0].mode) == ("RECORD", "REPEATED")
    assert _rows(client, table) == [({"list": [{"element": "a"}]},), (None,)]


def test_a_parquet_column_of_another_type_is_refused(
    client: Client, bucket: Bucket, table: str
) -> None:
    file = io.BytesIO()
    pd.DataFrame({"a": ["x"]}).to_parquet(file)
    with pytest.raises(BadRequest, match="Parquet column 'a' has type STRING which does not match"):
        _load(client, bucket, table, file.getvalue(), schema=_AB[:1], source_format="PARQUET")
    with pytest.raises(BadRequest, match="not in Parquet format"):
        _load(client, bucket, table, "no parquet", source_format="PARQUET")


def test_orc_is_loaded(client: Client, bucket: Bucket, table: str) -> None:
    import pyarrow as pa
    from pyarrow import orc

    file = io.BytesIO()
    orc.write_table(pa.table({"a": [1, 2]}), file)
    _load(client, bucket, table, file.getvalue(), source_format="ORC")
    assert _rows(client, table) == [(1,), (2,)]


def test_files_are_found_by_wildcards(client: Client, bucket: Bucket, table: str) -> None:
    for name, text in (("d/1.csv", "1,x\n"), ("d/2.csv", "2,y\n"), ("d/3.txt", "no")):
        bucket.blob(name).upload_from_string(text)
    config = LoadJobConfig(schema=_AB)
    uris = [f"gs://{bucket.name}/d/*.csv", f"gs://{bucket.name}/d/1.csv"]
    job = client.load_table_from_uri(uris, table, job_config=config)
    job.result()
    assert (job.input_files, sorted(_rows(client, table))) == (3, [(1, "x"), (1, "x"), (2, "y")])
    with pytest.raises(NotFound, match=r"Not found: URI gs://.*/missing"):
        client.load_table_from_uri(f"gs://{bucket.name}/missing", table, job_config=config).result()
    with pytest.raises(BadRequest, match="Source URI must be a Google Cloud Storage location"):
        client.load_table_from_uri("https://x/y", table, job_config=config)


@pytest.mark.parametrize("size", [None, 12])
def test_a_file_is_uploaded_in_one_request_or_in_pieces(
    client: Client, table: str, size: int | None
) -> None:
    file = io.BytesIO(b"1,x\n2,y\n3,z\n")
    config = LoadJobConfig(schema=_AB)
    job = client.load_table_from_file(file, table, size=size, job_config=config)
    job.result()
    assert (job.output_rows, job.input_file_bytes) == (3, 12)
    assert _rows(client, table)[2] == (3, "z")


def test_json_rows_are_uploaded(client: Client, table: str) -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
    client.load_table_from_json(rows, table).result()
    client.load_table_from_json(rows, table).result()
    assert len(_rows(client, table)) == 4


def test_dispositions_of_loads(client: Client, bucket: Bucket, table: str) -> None:
    _load(client, bucket, table, "1,x\n", schema=_AB)
    with pytest.raises(Conflict, match="Already Exists: Table"):
        _load(client, bucket, table, "2,y\n", write_disposition="WRITE_EMPTY")
    _load(client, bucket, table, "2,y\n", write_disposition="WRITE_TRUNCATE")
    assert _rows(client, table) == [(2, "y")]
    with pytest.raises(BadRequest, match="Cannot add fields"):
        _load(client, bucket, table, "2,y,z\n", schema=[*_AB, SchemaField("c", "STRING")])
    with pytest.raises(BadRequest, match="No schema specified on job or table"):
        _load(client, bucket, f"{table}2", "1,x\n")


def test_required_values_must_be_there(client: Client, bucket: Bucket, table: str) -> None:
    schema = [SchemaField("a", "INTEGER", mode="REQUIRED"), SchemaField("b", "STRING")]
    with pytest.raises(BadRequest, match="too many errors"):
        _load(client, bucket, table, "1,x\n,y\n", schema=schema)
    _load(client, bucket, table, "1,x\n", schema=schema)
    with pytest.raises(BadRequest, match="Field a has changed mode from REQUIRED to NULLABLE"):
        _load(client, bucket, table, "1,x\n", schema=_AB)
    relaxed = ["ALLOW_FIELD_RELAXATION"]
    _load(client, bucket, table, ",y\n", schema=_AB, schema_update_options=relaxed)
    assert len(_rows(client, table)) == 2


def test_partitions_are_loaded(client: Client, bucket: Bucket, table: str) -> None:
    days = TimePartitioning()
    _load(client, bucket, f"{table}$20260102", "1,x\n", schema=_AB, time_partitioning=days)
    _load(client, bucket, f"{table}$20260103", "2,y\n")
    truncate = {"write_disposition": "WRITE_TRUNCATE"}
    _load(client, bucket, f"{table}$20260102", "3,z\n", **truncate)
    assert sorted(_rows(client, table)) == [(2, "y"), (3, "z")]
    assert client.list_partitions(table) == ["20260102", "20260103"]


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"sourceFormat": "AVRO"}, "loads of AVRO files"),
        ({"hivePartitioningOptions": {"mode": "AUTO"}}, "hive partitioning"),
        ({"destinationEncryptionConfiguration": {"kmsKeyName": "k"}}, "encryption keys"),
    ],
)
def test_what_is_lacking_is_said(client: Client, table: str, said: Any, what: str) -> None:
    config = LoadJobConfig()
    config._properties["load"] = said
    with pytest.raises(MethodNotImplemented, match=what):
        client.load_table_from_uri("gs://a/b", table, job_config=config)


def test_loaded_rows_can_be_asked_for(client: Client, bucket: Bucket, table: str) -> None:
    _load(client, bucket, table, "1,x\n2,y\n", schema=_AB)
    rows = client.query_and_wait(f"SELECT a FROM `{table}`")
    assert sorted(row.a for row in rows) == [1, 2]


def test_columns_that_are_not_loaded_take_their_default_value(client: Client, table: str) -> None:
    kind = SchemaField("kind", "STRING", default_value_expression="'small'")
    mark = SchemaField("mark", "STRING", default_value_expression="GENERATE_UUID()")
    name = SchemaField("name", "STRING")
    client.create_table(Table(table, schema=[name, kind, mark]))
    config = LoadJobConfig(schema=[name])
    client.load_table_from_file(io.BytesIO(b"a\nb\n"), table, job_config=config).result()
    rows = list(client.list_rows(table))
    assert [(row.name, row.kind) for row in rows] == [("a", "small"), ("b", "small")]
    assert rows[0].mark != rows[1].mark
    appended = QueryJobConfig(destination=table, write_disposition="WRITE_APPEND")
    client.query_and_wait("SELECT 'c' AS name", job_config=appended)
    # The client names all columns of the table, so what the rows lack is null, as on BigQuery.
    client.load_table_from_json([{"name": "d"}], table).result()
    found = {row.name: row.kind for row in client.list_rows(table)}
    assert found == {"a": "small", "b": "small", "c": "small", "d": None}


def test_a_load_makes_no_table_with_a_wrong_default_value(client: Client, table: str) -> None:
    wrong = SchemaField("name", "STRING", default_value_expression="nope(")
    config = LoadJobConfig(schema=[wrong])
    with pytest.raises(BadRequest, match="Invalid default value of the column name: Syntax error"):
        client.load_table_from_json([{"name": "a"}], table, job_config=config).result()
    with pytest.raises(NotFound):
        client.get_table(table)
