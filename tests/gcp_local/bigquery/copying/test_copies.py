from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud.bigquery import (
    Client,
    CopyJobConfig,
    Dataset,
    LoadJobConfig,
    OperationType,
    SchemaField,
    TimePartitioning,
)


@pytest.fixture
def table(client: Client, dataset_id: str) -> str:
    name = f"{client.project}.{dataset_id}.t"
    _load(client, name, [1, 2])
    return name


def _load(client: Client, table: str, values: list[int], column: str = "n", **said: Any) -> None:
    config = LoadJobConfig(schema=[SchemaField(column, "INTEGER")], **said)
    rows = [{column: value} for value in values]
    client.load_table_from_json(rows, table, job_config=config).result()


def _copy(client: Client, source: Any, target: str, **said: Any) -> Any:
    job = client.copy_table(source, target, job_config=CopyJobConfig(**said))
    job.result()
    return job


def _values(client: Client, table: str) -> list[int]:
    return sorted(row[0] for row in client.list_rows(client.get_table(table)))


def test_tables_are_copied_together(client: Client, table: str) -> None:
    _load(client, f"{table}2", [3])
    job = _copy(client, [table, f"{table}2"], f"{table}3")
    assert _values(client, f"{table}3") == [1, 2, 3]
    assert job._properties["statistics"]["copy"]["copiedRows"] == "3"
    _load(client, table, [9])
    assert _values(client, f"{table}3") == [1, 2, 3]


def test_dispositions_of_copies(client: Client, table: str) -> None:
    _load(client, f"{table}2", [3])
    with pytest.raises(Conflict, match="Already Exists: Table"):
        _copy(client, table, f"{table}2")
    _copy(client, table, f"{table}2", write_disposition="WRITE_APPEND")
    assert _values(client, f"{table}2") == [1, 2, 3]
    _copy(client, table, f"{table}2", write_disposition="WRITE_TRUNCATE")
    assert _values(client, f"{table}2") == [1, 2]
    with pytest.raises(NotFound, match="Not found: Table"):
        _copy(client, f"{table}9", f"{table}2")
    _load(client, f"{table}4", [1], column="m")
    with pytest.raises(BadRequest, match="different schemas"):
        _copy(client, [table, f"{table}4"], f"{table}5")


def test_a_partition_is_copied(client: Client, table: str) -> None:
    source, target = f"{table}_days", f"{table}_days2"
    for day, value in (("20260101", 1), ("20260102", 2)):
        _load(client, f"{source}${day}", [value], time_partitioning=TimePartitioning())
    _copy(client, f"{source}$20260102", target)
    assert _values(client, target) == [2]
    assert client.list_partitions(target) == ["20260102"]
    _copy(client, source, f"{table}_days3")
    assert client.list_partitions(f"{table}_days3") == ["20260101", "20260102"]


def test_a_snapshot_stays_and_is_restored(client: Client, table: str) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    _copy(
        client,
        table,
        f"{table}_then",
        operation_type=OperationType.SNAPSHOT,
        destination_expiration_time=until.isoformat(),
    )
    snapshot = client.get_table(f"{table}_then")
    assert snapshot.table_type == "SNAPSHOT"
    assert snapshot._properties["snapshotDefinition"]["baseTableReference"]["tableId"] == "t"
    assert snapshot.expires is not None
    _load(client, table, [3])
    assert _values(client, f"{table}_then") == [1, 2]
    with pytest.raises(BadRequest, match="currently a SNAPSHOT"):
        _load(client, f"{table}_then", [4])
    restore = {"operation_type": OperationType.RESTORE, "write_disposition": "WRITE_TRUNCATE"}
    _copy(client, f"{table}_then", table, **restore)
    assert _values(client, table) == [1, 2]
    with pytest.raises(BadRequest, match="take a SNAPSHOT"):
        _copy(client, table, f"{table}2", operation_type=OperationType.RESTORE)
    with pytest.raises(BadRequest, match="take a TABLE"):
        _copy(client, f"{table}_then", f"{table}2")


def test_a_clone_says_what_it_was_made_from(client: Client, table: str) -> None:
    _copy(client, table, f"{table}_twin", operation_type=OperationType.CLONE)
    twin = client.get_table(f"{table}_twin")
    assert twin._properties["cloneDefinition"]["baseTableReference"]["tableId"] == "t"
    _load(client, f"{table}_twin", [3])
    assert (_values(client, table), _values(client, f"{table}_twin")) == ([1, 2], [1, 2, 3])


def test_a_table_is_copied_as_it_was(client: Client, table: str) -> None:
    time.sleep(0.01)
    before = int(time.time() * 1000)
    time.sleep(0.01)
    _load(client, table, [3])
    _copy(client, f"{table}@{before}", f"{table}_then")
    assert _values(client, f"{table}_then") == [1, 2]
    with pytest.raises(BadRequest, match="Invalid snapshot time"):
        _copy(client, f"{table}@-999999999999", f"{table}_then2")


def test_tables_are_not_copied_abroad(client: Client, table: str) -> None:
    abroad = Dataset(f"{client.project}.abroad")
    abroad.location = "EU"
    client.create_dataset(abroad)
    with pytest.raises(BadRequest, match="different locations: source: US, destination: EU"):
        _copy(client, table, f"{client.project}.abroad.t")


def test_a_deleted_table_is_brought_back_by_a_copy(client: Client, table: str) -> None:
    time.sleep(0.01)
    before = int(time.time() * 1000)
    time.sleep(0.01)
    client.delete_table(table)
    _copy(client, f"{table}@{before}", f"{table}_back")
    assert _values(client, f"{table}_back") == [1, 2]
