from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud.bigquery import (
    Client,
    PartitionRange,
    QueryJobConfig,
    RangePartitioning,
    TimePartitioning,
)


def _run(client: Client, text: str, table: str, write: str = "", **said: Any) -> None:
    config = QueryJobConfig(destination=f"{client.project}.{table}", **said)
    if write:
        config.write_disposition = f"WRITE_{write}"
    client.query(text, job_config=config).result()


def _rows(client: Client, table: str) -> list[tuple[Any, ...]]:
    return sorted(
        (row.values() for row in client.query_and_wait(f"SELECT * FROM {table}")), key=repr
    )


def test_a_table_with_rows_is_not_written_unless_that_is_said(
    client: Client, dataset_id: str
) -> None:
    table = f"{dataset_id}.t"
    _run(client, "SELECT 1 AS a", table)
    with pytest.raises(Conflict, match=f"Already Exists: Table {client.project}:{table}"):
        _run(client, "SELECT 2 AS a", table)
    _run(client, "SELECT 2 AS a", table, "APPEND")
    assert _rows(client, table) == [(1,), (2,)]
    _run(client, "SELECT 'x' AS b", table, "TRUNCATE")
    assert _rows(client, table) == [("x",)]
    assert [field.name for field in client.get_table(table).schema] == ["b"]
    with pytest.raises(BadRequest, match="Cannot add fields"):
        _run(client, "SELECT 1 AS c", table, "TRUNCATE_DATA")


def test_a_table_is_not_made_where_that_is_said(client: Client, dataset_id: str) -> None:
    with pytest.raises(NotFound, match="Not found: Table"):
        _run(client, "SELECT 1 AS a", f"{dataset_id}.t", create_disposition="CREATE_NEVER")
    with pytest.raises(NotFound, match="Not found: Dataset"):
        _run(client, "SELECT 1 AS a", "nowhere.t")


def test_appended_columns_must_fit_or_be_allowed(client: Client, dataset_id: str) -> None:
    table = f"{dataset_id}.t"
    _run(client, "SELECT 1 AS a", table)
    with pytest.raises(BadRequest, match=r"Field a has changed type from INTEGER to STRING"):
        _run(client, "SELECT 'x' AS a", table, "APPEND")
    with pytest.raises(BadRequest, match=r"Cannot add fields \(field: b\)"):
        _run(client, "SELECT 1 AS a, 2 AS b", table, "APPEND")
    addition = ["ALLOW_FIELD_ADDITION"]
    _run(client, "SELECT 2 AS b, 1 AS A", table, "APPEND", schema_update_options=addition)
    assert _rows(client, table) == [(1, 2), (1, None)]
    with pytest.raises(BadRequest, match="Schema update options should only be specified"):
        _run(client, "SELECT 1 AS a", table, "TRUNCATE", schema_update_options=addition)


def test_a_partition_is_replaced_alone(client: Client, dataset_id: str) -> None:
    table = f"{dataset_id}.t"
    days = TimePartitioning(field="d")
    text = "SELECT DATE '2026-01-{}' AS d, '{}' AS x"
    both = f"{text.format('01', 'a')} UNION ALL {text.format('02', 'b')}"
    _run(client, both, table, time_partitioning=days, clustering_fields=["x"])
    made = client.get_table(table)
    assert made.time_partitioning is not None
    assert (made.time_partitioning.field, made.clustering_fields) == ("d", ["x"])
    _run(client, text.format("02", "c"), f"{table}$20260102", "TRUNCATE")
    assert [row[1] for row in _rows(client, table)] == ["a", "c"]
    with pytest.raises(BadRequest, match="Some rows belong to different partitions"):
        _run(client, text.format("01", "c"), f"{table}$20260102", "TRUNCATE")
    with pytest.raises(BadRequest, match="Invalid partition id"):
        _run(client, text.format("01", "c"), f"{table}$2026", "TRUNCATE")
    with pytest.raises(BadRequest, match="Incompatible table partitioning specification"):
        _run(client, both, table, "APPEND", time_partitioning=TimePartitioning("HOUR", field="d"))


def test_ranges_partition_a_table(client: Client, dataset_id: str) -> None:
    table = f"{dataset_id}.t"
    ranges = RangePartitioning(field="n", range_=PartitionRange(start=0, end=20, interval=10))
    text = "SELECT 1 AS n UNION ALL SELECT 11 UNION ALL SELECT 99"
    _run(client, text, table, range_partitioning=ranges)
    _run(client, "SELECT 12 AS n", f"{table}$10", "TRUNCATE")
    assert _rows(client, table) == [(1,), (12,), (99,)]
    with pytest.raises(BadRequest, match="can only be of type INTEGER"):
        _run(client, "SELECT 'x' AS n", f"{dataset_id}.u", range_partitioning=ranges)


def test_partitions_of_a_table_that_has_none_are_refused(client: Client, dataset_id: str) -> None:
    with pytest.raises(BadRequest, match="not partitioned"):
        _run(client, "SELECT 1 AS a", f"{dataset_id}.t$20260101")
    config = QueryJobConfig(time_partitioning=TimePartitioning())
    with pytest.raises(BadRequest, match="only be set together with a destination"):
        client.query("SELECT 1", job_config=config).result()
