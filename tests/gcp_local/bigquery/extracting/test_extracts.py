from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pandas as pd
import pytest
from google.api_core.exceptions import BadRequest, MethodNotImplemented, NotFound
from google.cloud.bigquery import Client, ExtractJobConfig, LoadJobConfig, SchemaField
from google.cloud.storage import Bucket

_ROWS: list[dict[str, Any]] = [
    {"n": 1, "x": 1.5, "s": 'a "q", b', "t": "2026-01-02T03:04:05.600Z", "b": True},
    {"n": 2, "x": None, "s": "", "t": None, "b": False},
]
_SCHEMA = [
    SchemaField("n", "INTEGER"),
    SchemaField("x", "FLOAT"),
    SchemaField("s", "STRING"),
    SchemaField("t", "TIMESTAMP"),
    SchemaField("b", "BOOLEAN"),
]


@pytest.fixture
def table(client: Client, dataset_id: str) -> str:
    name = f"{client.project}.{dataset_id}.t"
    client.load_table_from_json(_ROWS, name, job_config=LoadJobConfig(schema=_SCHEMA)).result()
    return name


def _extract(client: Client, table: str, bucket: Bucket, **said: Any) -> bytes:
    config = ExtractJobConfig()  # type: ignore[no-untyped-call]
    for name, value in said.items():
        setattr(config, name, value)
    client.extract_table(table, f"gs://{bucket.name}/out/file", job_config=config).result()
    return bytes(bucket.blob("out/file").download_as_bytes())


def test_csv_has_a_header_and_tells_null_from_nothing(
    client: Client, table: str, bucket: Bucket
) -> None:
    assert _extract(client, table, bucket).decode() == (
        'n,x,s,t,b\n1,1.5,"a ""q"", b",2026-01-02 03:04:05.6 UTC,true\n2,,"",,false\n'
    )
    said = {"field_delimiter": "tab", "print_header": False, "compression": "GZIP"}
    text = gzip.decompress(_extract(client, table, bucket, **said)).decode()
    assert text.startswith('1\t1.5\t"a ""q"", b"\t')


def test_json_has_numbers_as_text_and_no_nulls(client: Client, table: str, bucket: Bucket) -> None:
    text = _extract(client, table, bucket, destination_format="NEWLINE_DELIMITED_JSON").decode()
    first, second = (json.loads(line) for line in text.splitlines())
    assert first == {
        "n": "1",
        "x": 1.5,
        "s": 'a "q", b',
        "t": "2026-01-02 03:04:05.6 UTC",
        "b": True,
    }
    assert second == {"n": "2", "s": "", "b": False}


@pytest.mark.parametrize("form", ["CSV", "NEWLINE_DELIMITED_JSON", "PARQUET"])
def test_what_is_extracted_can_be_loaded(
    client: Client, table: str, bucket: Bucket, form: str
) -> None:
    _extract(client, table, bucket, destination_format=form)
    config = LoadJobConfig(source_format=form, schema=_SCHEMA)
    if form == "CSV":
        config.skip_leading_rows = 1
    uri = f"gs://{bucket.name}/out/file"
    client.load_table_from_uri(uri, f"{table}_again", job_config=config).result()
    before, after = (
        [row.values() for row in client.list_rows(client.get_table(name))]
        for name in (table, f"{table}_again")
    )
    assert before == after


def test_parquet_is_compressed_as_asked(client: Client, table: str, bucket: Bucket) -> None:
    said = {"destination_format": "PARQUET", "compression": "SNAPPY"}
    frame = pd.read_parquet(io.BytesIO(_extract(client, table, bucket, **said)))
    assert frame["n"].tolist() == [1, 2]


def test_a_wildcard_makes_shards(client: Client, dataset_id: str, bucket: Bucket) -> None:
    table = f"{client.project}.{dataset_id}.many"
    text = "\n".join(map(str, range(150_000))).encode()
    config = LoadJobConfig(schema=[SchemaField("n", "INTEGER")])
    client.load_table_from_file(io.BytesIO(text), table, job_config=config).result()
    job = client.extract_table(table, f"gs://{bucket.name}/many-*.csv")
    job.result()
    names = [blob.name for blob in bucket.list_blobs(prefix="many-")]
    assert names == ["many-000000000000.csv", "many-000000000001.csv"]
    assert job.destination_uri_file_counts == [2]
    lines = b"".join(bucket.blob(name).download_as_bytes() for name in names).count(b"\n")
    assert lines == 150_002


def test_what_cannot_be_extracted_is_refused(
    client: Client, table: str, dataset_id: str, bucket: Bucket
) -> None:
    nested = f"{client.project}.{dataset_id}.nested"
    client.load_table_from_json([{"tags": ["a"]}], nested).result()
    with pytest.raises(BadRequest, match="Field: tags"):
        _extract(client, nested, bucket)
    with pytest.raises(NotFound, match="Not found: Table"):
        _extract(client, f"{table}_not_there", bucket)
    with pytest.raises(NotFound, match="Not found: Bucket"):
        client.extract_table(table, "gs://not-there-at-all/x").result()
    with pytest.raises(BadRequest, match="Invalid extract destination URI"):
        client.extract_table(table, "/tmp/x")
    with pytest.raises(MethodNotImplemented, match="AVRO"):
        _extract(client, table, bucket, destination_format="AVRO")
    with pytest.raises(BadRequest, match="compression"):
        _extract(client, table, bucket, compression="SNAPPY")
