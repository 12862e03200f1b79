from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud.bigquery import (
    Client,
    Dataset,
    PartitionRange,
    RangePartitioning,
    SchemaField,
    Table,
    TimePartitioning,
)

from tests.gcp_local.bigquery.conftest import Rest

PEOPLE = [
    SchemaField("name", "STRING", mode="REQUIRED"),
    SchemaField("age", "INT64"),
    SchemaField("tags", "STRING", mode="REPEATED"),
    SchemaField(
        "home", "RECORD", fields=[SchemaField("city", "STRING"), SchemaField("zip", "INT64")]
    ),
    SchemaField("seen", "TIMESTAMP"),
    SchemaField("balance", "NUMERIC"),
]
ANNA: dict[str, Any] = {
    "name": "Anna",
    "age": 41,
    "tags": ["a", "b"],
    "home": {"city": "Ulm", "zip": 89073},
    "seen": datetime(2024, 2, 29, 12, 30, 0, 5, UTC),
    "balance": Decimal("12.5"),
}


@pytest.fixture
def table(client: Client, dataset: Dataset) -> Table:
    return client.create_table(Table(dataset.table("people"), schema=PEOPLE))


@pytest.fixture
def numbers(client: Client, dataset: Dataset) -> Table:
    """A table of the numbers from 0 to 24, in three files."""
    wanted = Table(dataset.table("numbers"), schema=[SchemaField("n", "INT64")])
    made = client.create_table(wanted)
    for start, end in ((0, 10), (10, 20), (20, 25)):
        assert client.insert_rows(made, [(n,) for n in range(start, end)]) == []
    return made


def test_streamed_rows_can_be_read(client: Client, table: Table) -> None:
    streamed: list[dict[str, Any]] = [ANNA, {"name": "Ben"}]
    assert client.insert_rows(table, streamed) == []
    rows = [dict(row) for row in client.list_rows(table)]

    ben: dict[str, Any] = {
        "name": "Ben",
        "age": None,
        "tags": [],
        "home": None,
        "seen": None,
        "balance": None,
    }
    assert rows == [ANNA, ben]


def test_streamed_rows_are_in_the_buffer_at_first(client: Client, table: Table) -> None:
    client.insert_rows_json(table, [{"name": "Anna", "age": 1}, {"name": "Ben"}])
    kept = client.get_table(table)

    assert kept.num_rows == 0
    assert kept.streaming_buffer.estimated_rows == 2
    assert kept.streaming_buffer.estimated_bytes == 6 + 8 + 5
    assert kept.streaming_buffer.oldest_entry_time > kept.created
    assert kept.etag != table.etag
    assert len(list(client.list_rows(table))) == 2


def test_one_bad_row_stops_the_others(client: Client, table: Table) -> None:
    rows: list[dict[str, Any]] = [
        {"name": "Anna"}, {"name": "Ben", "size": 3}, {"age": "old", "name": "Cleo"}, {"age": 1},
    ]  # fmt: skip
    errors = client.insert_rows_json(table, rows)

    assert [error["index"] for error in errors] == [0, 1, 2, 3]
    assert errors[0]["errors"] == [
        {"reason": "stopped", "location": "", "debugInfo": "", "message": ""}
    ]
    found = [error["errors"][0] for error in errors[1:]]
    assert [(each["reason"], each["location"]) for each in found] == [
        ("invalid", "size"), ("invalid", "age"), ("invalid", "name"),
    ]  # fmt: skip
    assert found[0]["message"] == "no such field: size."
    assert "Cannot convert value to integer (bad value): old" in found[1]["message"]
    assert list(client.list_rows(table)) == []


def test_bad_rows_may_be_skipped_and_unknown_values_ignored(client: Client, table: Table) -> None:
    rows: list[dict[str, Any]] = [{"name": "Anna", "size": 3}, {"age": 1}, {"name": "Ben"}]
    errors = client.insert_rows_json(table, rows, skip_invalid_rows=True)

    assert [error["index"] for error in errors] == [0, 1]
    assert [row["name"] for row in client.list_rows(table)] == ["Ben"]
    assert client.insert_rows_json(table, rows[:1], ignore_unknown_values=True) == []
    assert [row["name"] for row in client.list_rows(table)] == ["Ben", "Anna"]


def test_rows_of_the_same_insert_id_come_once(client: Client, table: Table) -> None:
    rows = [{"name": "Anna"}, {"name": "Ben"}]
    for _ in range(2):
        assert client.insert_rows_json(table, rows, row_ids=["one", "two"]) == []
    assert client.insert_rows_json(table, rows, row_ids=["two", "three"]) == []
    assert client.insert_rows_json(table, rows[:1], row_ids=[None]) == []

    assert [row["name"] for row in client.list_rows(table)] == ["Anna", "Ben", "Ben", "Anna"]


def test_requests_that_cannot_be_streamed_are_refused(
    client: Client, table: Table, dataset: Dataset, rest: Rest
) -> None:
    path = f"/datasets/{dataset.dataset_id}/tables"
    view = Table(dataset.table("one"))
    view.view_query = "SELECT 1 AS one"
    client.create_table(view)
    client.create_table(Table(dataset.table("bare")))
    row = {"rows": [{"json": {"name": "Anna"}}]}
    for name, body, message in [
        ("people", {"rows": []}, "No rows present in the request."),
        ("one", row, "Cannot add rows to a table of type VIEW."),
        ("bare", row, "The destination table has no schema."),
        ("people$20240101", row, "is not partitioned"),
        ("people", {"rows": [{}]}, "Required parameter is missing: rows[0].json"),
        ("people", {"rows": [{"json": [1]}]}, "Invalid value at 'rows[0].json'"),
        ("nowhere", row, f"Not found: Table {client.project}:{dataset.dataset_id}.nowhere"),
        ("people", {**row, "templateSuffix": "x"}, "lacks template tables"),
    ]:
        error = rest.error("POST", f"{path}/{name}/insertAll", body)
        assert message in error["message"], error
        assert error["code"] in (400, 404, 501)


def test_a_request_may_not_be_too_large(rest: Rest, table: Table) -> None:
    path = f"/datasets/{table.dataset_id}/tables/people/insertAll"
    error = rest.error("POST", path, {"rows": [{"json": {"name": "x" * 10 * 1024 * 1024}}]})

    assert error["code"] == 413
    assert error["message"] == "Request payload size exceeds the limit: 10485760 bytes."


def test_rows_are_read_in_pages_over_files(client: Client, numbers: Table) -> None:
    read = client.list_rows(numbers, page_size=7)
    pages = [[row["n"] for row in page] for page in read.pages]

    assert [len(page) for page in pages] == [7, 7, 7, 4]
    assert [n for page in pages for n in page] == list(range(25))
    assert read.total_rows == 25
    some = client.list_rows(numbers, start_index=18, max_results=4)
    assert [row["n"] for row in some] == [18, 19, 20, 21]
    assert list(client.list_rows(numbers, start_index=30)) == []


def test_pages_go_on_with_the_rows_that_the_first_one_read(rest: Rest, numbers: Table) -> None:
    path = f"/datasets/{numbers.dataset_id}/tables/numbers"
    first = rest("GET", f"{path}/data", params={"maxResults": 20}).json()
    rest("POST", f"{path}/insertAll", {"rows": [{"json": {"n": 99}}]})
    params = {"maxResults": 20, "pageToken": first["pageToken"]}
    second = rest("GET", f"{path}/data", params=params).json()

    assert (first["totalRows"], second["totalRows"]) == ("25", "25")
    assert len(second["rows"]) == 5
    assert "pageToken" not in second
    assert rest("GET", f"{path}/data").json()["totalRows"] == "26"
    foreign = {"pageToken": first["pageToken"], "selectedFields": "n"}
    assert "page token" in rest.error("GET", f"{path}/data", params=foreign)["message"]
    none = rest("GET", f"{path}/data", params={"maxResults": 0}).json()
    assert (none["totalRows"], "rows" in none) == ("26", False)


def test_columns_and_fields_of_records_can_be_chosen(client: Client, table: Table) -> None:
    client.insert_rows(table, [ANNA])
    fields = [PEOPLE[0], SchemaField("seen", "TIMESTAMP")]
    (row,) = client.list_rows(table, selected_fields=fields)

    assert dict(row) == {"name": "Anna", "seen": ANNA["seen"]}


def test_the_raw_rows_are_in_bigquerys_form(rest: Rest, client: Client, table: Table) -> None:
    client.insert_rows(table, [ANNA])
    path = f"/datasets/{table.dataset_id}/tables/people/data"
    plain = rest("GET", path, params={"selectedFields": "home.zip,seen,tags"}).json()["rows"]
    params = {"formatOptions.useInt64Timestamp": "true", "selectedFields": "seen"}

    assert plain == [
        {"f": [
            {"v": [{"v": "a"}, {"v": "b"}]},
            {"v": {"f": [{"v": "89073"}]}},
            {"v": "1709209800.000005"},
        ]}
    ]  # fmt: skip
    assert rest("GET", path, params=params).json()["rows"] == [{"f": [{"v": "1709209800000005"}]}]
    for wrong in ("nose", "home.door", "seen.x", ","):
        assert rest.error("GET", path, params={"selectedFields": wrong})["code"] == 400
    form = "formatOptions.timestampOutputFormat"
    iso = {form: "ISO8601_STRING", "selectedFields": "seen"}
    (row,) = rest("GET", path, params=iso).json()["rows"]
    assert row["f"][0]["v"].startswith("2024-02-29T12:30:00.000005")
    assert rest.error("GET", path, params={**params, form: "FLOAT64"})["code"] == 400


def test_a_view_has_no_rows_to_list(client: Client, dataset: Dataset) -> None:
    view = Table(dataset.table("one"))
    view.view_query = "SELECT 1 AS one"
    client.create_table(view)

    with pytest.raises(BadRequest, match="Cannot list a table of type VIEW"):
        list(client.list_rows(f"{dataset.dataset_id}.one"))
    with pytest.raises(NotFound, match="Not found: Table"):
        list(client.list_rows(f"{dataset.dataset_id}.two", selected_fields=PEOPLE))


def test_columns_that_are_not_said_take_their_default_value(
    client: Client, dataset: Dataset
) -> None:
    schema = [
        SchemaField("name", "STRING"),
        SchemaField("size", "INT64", default_value_expression="40 + 2"),
        SchemaField("kind", "STRING", mode="REQUIRED", default_value_expression="'small'"),
    ]
    table = client.create_table(Table(dataset.table("things"), schema=schema))
    errors = client.insert_rows_json(
        table, [{"name": "a"}, {"name": "b", "size": None, "kind": "x"}]
    )

    assert errors == []
    assert [row.values() for row in client.list_rows(table)] == [
        ("a", 42, "small"), ("b", None, "x"),
    ]  # fmt: skip


def test_a_default_value_is_computed_for_each_row(client: Client, dataset: Dataset) -> None:
    mark = SchemaField("mark", "STRING", default_value_expression="GENERATE_UUID()")
    schema = [SchemaField("name", "STRING"), mark]
    table = client.create_table(Table(dataset.table("marked"), schema=schema))
    assert client.insert_rows_json(table, [{"name": "a"}, {"name": "b"}]) == []
    assert len({row.mark for row in client.list_rows(table)}) == 2


def test_partitions_are_counted_listed_read_and_deleted(client: Client, dataset: Dataset) -> None:
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in (0, 1, 1, 2)]
    wanted = Table(dataset.table("events"), schema=[SchemaField("day", "DATE")])
    wanted.time_partitioning = TimePartitioning(field="day")
    table = client.create_table(wanted)
    assert client.insert_rows_json(table, [{"day": str(day)} for day in days]) == []
    assert client.insert_rows_json(table, [{"day": None}]) == []
    names = [f"{day:%Y%m%d}" for day in days]

    assert client.list_partitions(table) == sorted({*names, "__NULL__"})
    yesterday = client.get_table(f"{dataset.dataset_id}.events${names[1]}")
    assert yesterday.num_rows == 2
    rows = client.list_rows(yesterday)
    assert [row["day"] for row in rows] == [days[1]] * 2
    client.delete_table(f"{dataset.dataset_id}.events${names[1]}")
    assert [row["day"] for row in client.list_rows(table)] == [days[0], days[3], None]
    assert client.list_partitions(table) == sorted({names[0], names[3], "__NULL__"})
    assert client.get_table(table)._properties["numPartitions"] == "3"
    with pytest.raises(BadRequest, match="Invalid partition id"):
        client.get_table(f"{dataset.dataset_id}.events$2024")


def test_ranges_of_numbers_are_partitions(client: Client, dataset: Dataset) -> None:
    wanted = Table(dataset.table("events"), schema=[SchemaField("n", "INT64")])
    wanted.range_partitioning = RangePartitioning(PartitionRange(0, 30, 10), field="n")
    table = client.create_table(wanted)
    rows = [{"n": n} for n in (0, 9, 10, 29, 30, -1, None)]
    assert client.insert_rows_json(table, rows) == []

    assert client.list_partitions(table) == ["0", "10", "20", "__NULL__", "__UNPARTITIONED__"]
    first = client.get_table(f"{table.dataset_id}.events$0")
    assert [row["n"] for row in client.list_rows(first)] == [0, 9]


def test_rows_are_streamed_into_partitions_near_today(
    client: Client, dataset: Dataset, rest: Rest
) -> None:
    wanted = Table(dataset.table("events"), schema=[SchemaField("day", "DATE")])
    wanted.time_partitioning = TimePartitioning(field="day")
    client.create_table(wanted)
    wanted = Table(dataset.table("log"), schema=[SchemaField("n", "INT64")])
    wanted.time_partitioning = TimePartitioning()
    client.create_table(wanted)
    path = f"/datasets/{dataset.dataset_id}/tables"
    today = f"{datetime.now(UTC):%Y%m%d}"
    said = {"rows": [{"json": {"n": 1}}]}
    rest("POST", f"{path}/log${today}/insertAll", said)

    assert client.list_partitions(f"{dataset.dataset_id}.log") == ["__UNPARTITIONED__"]
    error = rest.error("POST", f"{path}/log$20200101/insertAll", said)["message"]
    assert "You can only stream to partitions within 31 days in the past" in error
    error = rest.error("POST", f"{path}/events${today}/insertAll", said)["message"]
    assert "Streaming to metadata partition of column based partitioning table" in error
    rows = [{"json": {"day": "1999-12-31"}}, {"json": {"day": str(datetime.now(UTC).date())}}]
    errors = rest("POST", f"{path}/events/insertAll", {"rows": rows}).json()["insertErrors"]
    assert errors[0]["errors"][0]["location"] == "day"
    assert "within 3650 days in the past" in errors[0]["errors"][0]["message"]
    assert errors[1]["errors"][0]["reason"] == "stopped"


def test_rows_streamed_at_once_all_arrive(client: Client, table: Table) -> None:
    def stream(name: int) -> object:
        return client.insert_rows_json(table, [{"name": str(name)}], row_ids=[str(name)])

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(stream, range(24))) == [[]] * 24
    assert sorted(int(row["name"]) for row in client.list_rows(table)) == list(range(24))
