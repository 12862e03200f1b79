"""What time and a `kill -9` do to datasets, tables and rows."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
import requests
from google.api_core.exceptions import BadRequest, GoogleAPICallError, NotFound
from google.api_core.retry import Retry
from google.cloud.bigquery import Client, Dataset, SchemaField, Table, TimePartitioning

from tests.gcp_local.emulators import Emulator, start

NUMBER = [SchemaField("n", "INT64")]
_ONCE = Retry(predicate=lambda _: False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A server of these tests' own: they kill it, and set it forward."""
    server = start(tmp_path_factory.mktemp("state"))
    yield server
    server.end()


@pytest.fixture
def client(server: Emulator, project: str) -> Client:
    return Client(
        project=project, credentials=server.credentials, client_options=server.client_options
    )


@pytest.fixture
def dataset(client: Client) -> Dataset:
    return client.create_dataset("shop")


def numbers(client: Client, table: Table) -> list[int]:
    return sorted(row["n"] for row in client.list_rows(table))


def files(server: Emulator) -> int:
    return len(list((server.state / "bigquery").glob("*.parquet")))


def test_everything_is_there_again_after_a_kill(
    server: Emulator, client: Client, dataset: Dataset
) -> None:
    dataset.labels = {"team": "growth"}
    dataset = client.update_dataset(dataset, ["labels"])
    table = client.create_table(Table(dataset.table("t"), schema=NUMBER))
    client.insert_rows_json(table, [{"n": 1}, {"n": 2}], row_ids=["a", "b"])
    policy = client.get_iam_policy(table)
    policy.bindings.append({"role": "roles/bigquery.dataViewer", "members": {"allUsers"}})
    client.set_iam_policy(table, policy)
    table = client.get_table(table)
    server.kill()
    server.start()

    assert client.get_dataset("shop").etag == dataset.etag
    kept = client.get_table(table)
    assert (kept.etag, kept.schema, kept.modified) == (table.etag, table.schema, table.modified)
    assert kept.streaming_buffer.estimated_rows == 2
    assert client.get_iam_policy(table).bindings == policy.bindings
    client.insert_rows_json(table, [{"n": 2}, {"n": 3}], row_ids=["b", "c"])
    assert numbers(client, table) == [1, 2, 3]


def test_a_kill_amid_streaming_loses_no_row_and_doubles_none(
    server: Emulator, client: Client, dataset: Dataset
) -> None:
    table = client.create_table(Table(dataset.table("t"), schema=NUMBER))
    path = f"/bigquery/v2{table.path}/insertAll"
    said: list[int] = []
    killed = threading.Event()

    def stream(lane: int) -> None:
        for n in range(lane, 10_000, 4):
            try:
                answer = server.call("POST", path, json={"rows": [{"json": {"n": n}}]})
            except requests.RequestException:
                return
            assert answer.status_code == 200
            said.append(n)
            if len(said) > 60:
                killed.set()

    lanes = [threading.Thread(target=stream, args=(lane,)) for lane in range(4)]
    for lane in lanes:
        lane.start()
    killed.wait(20)
    server.kill()
    for lane in lanes:
        lane.join()
    server.start()

    found = numbers(client, table)
    assert len(found) == len(set(found))
    assert set(said) <= set(found)
    assert len(found) <= len(said) + len(lanes), "only what was under way is uncertain"


_CHANGES = {
    "update": "UPDATE shop.updated SET n = n + 1 WHERE TRUE",
    "insert": "INSERT shop.inserted VALUES ({n})",
    "replace": "CREATE OR REPLACE TABLE shop.replaced AS SELECT {n} AS n FROM UNNEST([1, 2, 3])",
    "transaction": "BEGIN TRANSACTION; INSERT shop.one VALUES ({n});"
    " INSERT shop.two SELECT MAX(n) FROM shop.one; COMMIT TRANSACTION;",
    "script": "CREATE TEMP TABLE kept AS SELECT {n} AS n;"
    " INSERT shop.first SELECT n FROM kept; INSERT shop.second SELECT n FROM kept;",
}


def test_a_kill_amid_changes_leaves_none_half(
    server: Emulator, client: Client, dataset: Dataset
) -> None:
    names = ("updated", "inserted", "replaced", "one", "two", "first", "second")
    tables = {
        name: client.create_table(Table(dataset.table(name), schema=NUMBER)) for name in names
    }
    client.query_and_wait("INSERT shop.updated VALUES (0)")
    done: list[str] = []
    killed = threading.Event()

    def change(lane: str) -> None:
        for n in range(10_000):
            name = f"{lane}-{n}"
            with suppress(GoogleAPICallError, requests.RequestException, OSError):
                job = client.query(
                    _CHANGES[lane].format(n=n), job_id=name, job_retry=None, retry=_ONCE
                )
                job.result(retry=None, timeout=5)
                done.append(name)
            if killed.is_set():
                return

    lanes = [threading.Thread(target=change, args=(lane,)) for lane in _CHANGES]
    for lane in lanes:
        lane.start()
    deadline = time.monotonic() + 20
    while len(done) < 60 and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.set()
    server.kill()
    for lane in lanes:
        lane.join()
    server.start()

    jobs = list(client.list_jobs())
    good = {job.job_id for job in jobs if not job.error_result}
    assert len(done) >= 60
    assert set(done) <= good
    assert {job.state for job in jobs} == {"DONE"}
    had = {name: numbers(client, table) for name, table in tables.items() if name != "replaced"}

    def said(lane: str) -> list[int]:
        return sorted(int(name.partition("-")[2]) for name in good if name.startswith(f"{lane}-"))

    assert had["updated"] == [len(said("update"))]
    assert had["inserted"] == said("insert")
    assert numbers(client, client.get_table("shop.replaced")) == [said("replace")[-1]] * 3
    assert had["one"] == had["two"], "a transaction is committed whole"
    assert set(said("transaction")) <= set(had["one"])
    assert set(said("script")) <= set(had["second"]) <= set(had["first"])
    assert len(had["first"]) <= len(said("script")) + 1
    for job in jobs:
        if job.job_id.startswith("script-"):
            children = list(client.list_jobs(parent_job=job))
            assert {child.state for child in children} <= {"DONE"}
    state = sqlite3.connect(f"file:{server.state / 'state.db'}?mode=ro", uri=True)
    for places in ("bigquery_datasets", "bigquery_deleted"):
        asked = f"SELECT DISTINCT dataset FROM {places} WHERE dataset GLOB '_script*'"
        assert not state.execute(asked).fetchall(), "temporary tables leave nothing"
    state.close()


def test_a_change_and_the_end_of_its_job_are_one(
    server: Emulator, client: Client, dataset: Dataset
) -> None:
    """What another reader of the state sees at any moment is what a kill would leave then."""
    client.create_table(Table(dataset.table("t"), schema=NUMBER))
    client.query_and_wait("CREATE OR REPLACE TABLE shop.made AS SELECT 0 AS n")
    state = sqlite3.connect(f"file:{server.state / 'state.db'}?mode=ro", uri=True)
    ended = threading.Event()

    def change() -> None:
        for n in range(20):
            client.query_and_wait(f"INSERT shop.t VALUES ({n})")
            client.query_and_wait(f"CREATE TABLE shop.made_{n} AS SELECT 1 AS n")
            client.query_and_wait(f"SELECT 1; CREATE VIEW shop.view_{n} AS SELECT 1 AS n")
        ended.set()

    changing = threading.Thread(target=change)
    changing.start()
    seen = set()
    while not ended.is_set():
        seen.add(state.execute(_SEEN, {"project": client.project}).fetchone())
    changing.join()
    state.close()
    assert all(changes == jobs for changes, jobs in seen), sorted(seen)
    assert len(seen) > 20


_SEEN = """
SELECT
  (SELECT count(*) FROM bigquery_versions JOIN bigquery_entries USING (uid)
    WHERE project = :project AND name = 't')
  + (SELECT count(*) FROM bigquery_entries WHERE project = :project
    AND dataset = 'shop' AND (name GLOB 'made*' OR name GLOB 'view*')),
  (SELECT count(*) FROM bigquery_jobs WHERE project = :project AND state = 'DONE'
    AND body -> 'statistics' -> 'query' ->> 'statementType'
      IN ('INSERT', 'CREATE_TABLE_AS_SELECT', 'CREATE_VIEW'))
"""


def test_streamed_rows_leave_the_buffer_and_their_ids_are_forgotten(
    server: Emulator, client: Client, dataset: Dataset
) -> None:
    table = client.create_table(Table(dataset.table("t"), schema=NUMBER))
    client.insert_rows_json(table, [{"n": 1}], row_ids=["a"])
    server.clock.advance(61)
    client.insert_rows_json(table, [{"n": 1}], row_ids=["a"])
    assert numbers(client, table) == [1, 1]
    server.clock.advance(1800)

    kept = client.get_table(table)
    assert (kept.num_rows, kept.num_bytes, kept.streaming_buffer) == (2, 16, None)


def test_streamed_rows_cannot_be_changed_while_they_are_in_the_buffer(
    server: Emulator, client: Client, dataset: Dataset
) -> None:
    table = client.create_table(Table(dataset.table("t"), schema=NUMBER))
    client.query_and_wait("INSERT INTO shop.t VALUES (1)")
    client.insert_rows_json(table, [{"n": 2}])
    client.query_and_wait("INSERT INTO shop.t VALUES (3)")
    source = "USING (SELECT 2 AS n) AS s ON t.n = s.n WHEN MATCHED THEN"

    message = rf"over table {client.project}\.shop\.t would affect rows in the streaming buffer"
    for statement in (
        "UPDATE shop.t SET n = 9 WHERE n >= 2",
        "DELETE FROM shop.t WHERE TRUE",
        f"MERGE shop.t AS t {source} DELETE",
        "TRUNCATE TABLE shop.t",
    ):
        with pytest.raises(BadRequest, match=message):
            client.query_and_wait(statement)
    server.clock.advance(1801)
    client.query_and_wait("UPDATE shop.t SET n = n + 10 WHERE n >= 2")
    assert numbers(client, table) == [1, 12, 13]
    client.insert_rows_json(table, [{"n": 4}])
    client.query_and_wait("UPDATE shop.t SET n = 0 WHERE n = 1")
    client.query_and_wait("DELETE FROM shop.t WHERE n > 10")
    assert numbers(client, table) == [0, 4]


def test_a_table_whose_time_has_come_is_gone(
    server: Emulator, client: Client, dataset: Dataset
) -> None:
    dataset.default_table_expiration_ms = 3_600_000
    client.update_dataset(dataset, ["default_table_expiration_ms"])
    for name in ("a", "b"):
        table = client.create_table(Table(dataset.table(name), schema=NUMBER))
    server.clock.advance(3601)

    with pytest.raises(NotFound, match=f"Not found: Table {client.project}:shop.b"):
        client.get_table(table)
    again = client.create_table(Table(dataset.table("a"), schema=NUMBER))
    assert [item.table_id for item in client.list_tables(dataset)] == ["a"]
    assert numbers(client, again) == []
    client.delete_table(again)
    client.delete_dataset(dataset)


def test_rows_go_with_their_partitions(server: Emulator, client: Client, dataset: Dataset) -> None:
    wanted = Table(dataset.table("t"), schema=[SchemaField("day", "DATE")])
    wanted.time_partitioning = TimePartitioning(field="day", expiration_ms=3 * 86_400_000)
    table = client.create_table(wanted)
    today = server.clock.now().date()
    days = [today - timedelta(days=back) for back in range(5)]
    client.insert_rows(table, [(day,) for day in (*days, None)])
    assert [row["day"] for row in client.list_rows(table)] == [*days[:3], None]
    server.clock.advance(timedelta(days=1))

    assert [row["day"] for row in client.list_rows(table)] == [*days[:2], None]
    assert client.list_partitions(table) == [f"{days[1]:%Y%m%d}", f"{days[0]:%Y%m%d}", "__NULL__"]


def test_a_dataset_can_be_had_back_while_time_travel_goes(
    server: Emulator, client: Client, dataset: Dataset
) -> None:
    table = client.create_table(Table(dataset.table("t"), schema=NUMBER))
    client.insert_rows_json(table, [{"n": 1}])
    path = f"/bigquery/v2/projects/{client.project}/datasets/shop:undelete"
    client.delete_dataset(dataset, delete_contents=True)
    server.kill()
    server.start()
    server.clock.advance(6 * 86_400)

    assert server.call("POST", path, json={}).status_code == 200
    assert numbers(client, table) == [1]
    client.delete_dataset(dataset, delete_contents=True)
    server.clock.advance(8 * 86_400)
    assert server.call("POST", path, json={}).status_code == 404


def test_what_is_refused_leaves_no_trace(
    server: Emulator, client: Client, dataset: Dataset
) -> None:
    table = client.create_table(Table(dataset.table("t"), schema=NUMBER))
    before = files(server)
    client.insert_rows_json(table, [{"n": "x"}])
    with pytest.raises(BadRequest):
        client.insert_rows_json(table, [])

    assert files(server) == before
    assert numbers(client, table) == []
