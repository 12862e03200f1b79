from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud.bigquery import Client, QueryJobConfig

from gcp_local.bigquery.surface import Surface
from tests.gcp_local.emulators import Emulator

_MANY = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 25000)) AS n ORDER BY n"


def test_results_come_in_pages(client: Client) -> None:
    rows = client.query(_MANY).result(page_size=9_000)
    pages = [[row.n for row in page] for page in rows.pages]
    assert [len(page) for page in pages] == [9_000, 9_000, 7_000]
    assert [n for page in pages for n in page] == list(range(1, 25_001))


def test_results_can_begin_in_the_middle(client: Client) -> None:
    rows = client.query(_MANY).result(start_index=24_998)
    assert [row.n for row in rows] == [24_999, 25_000]
    assert [row.n for row in client.query(_MANY).result(max_results=2)] == [1, 2]


def test_query_and_wait_gives_pages_too(client: Client) -> None:
    rows = client.query_and_wait(_MANY, page_size=20_000)
    assert rows.total_rows == 25_000
    assert sum(row.n for row in rows) == 25_000 * 25_001 // 2


def test_answers_have_the_shapes_that_google_documents(client: Client, emulator: Emulator) -> None:
    url = f"/bigquery/v2/projects/{client.project}/queries"
    text = "SELECT TIMESTAMP '2026-11-22 01:02:03.5+00' AS t, 1 AS n UNION ALL SELECT NULL, 2"
    said = {"query": text, "useLegacySql": False, "maxResults": 1}
    answer = emulator.call("POST", url, json=said).json()
    Surface.load().check_answer("QueryResponse", answer)
    assert answer["rows"] == [{"f": [{"v": "1795309323.5"}, {"v": "1"}]}]
    assert (answer["totalRows"], answer["statementType"]) == ("2", "SELECT")

    job = answer["jobReference"]
    query = f"{url}/{job['jobId']}?location=US&maxResults=1&formatOptions."
    first = emulator.call("GET", f"{query}useInt64Timestamp=true").json()
    Surface.load().check_answer("GetQueryResultsResponse", first)
    assert first["rows"][0]["f"][0]["v"] == "1795309323500000"
    second = emulator.call("GET", f"{query}timestampOutputFormat=ISO8601_STRING").json()
    assert second["rows"][0]["f"][0]["v"] == "2026-11-22T01:02:03.500000Z"
    rest = emulator.call("GET", f"{query}useInt64Timestamp=true&pageToken={first['pageToken']}")
    assert rest.json()["rows"] == [{"f": [{"v": None}, {"v": "2"}]}]
    assert "pageToken" not in rest.json()
    assert emulator.call("GET", f"{query}useInt64Timestamp=true&pageToken=x").status_code == 400


def test_a_repeated_request_is_the_same_query(client: Client, emulator: Emulator) -> None:
    url = f"/bigquery/v2/projects/{client.project}/queries"
    said = {"query": "SELECT RAND() AS r", "useLegacySql": False, "requestId": "one"}
    first, again = (emulator.call("POST", url, json=said).json() for _ in range(2))
    assert (first["jobReference"], first["rows"]) == (again["jobReference"], again["rows"])
    other = emulator.call("POST", url, json={**said, "query": "SELECT 2"})
    assert "was used by another request" in other.json()["error"]["message"]


def test_a_dry_run_keeps_no_job(client: Client) -> None:
    job = client.query("SELECT 1 AS one", job_config=QueryJobConfig(dry_run=True))
    assert (job.state, job.total_bytes_processed) == ("DONE", 0)
    assert [field.name for field in job.schema or ()] == ["one"]
    assert not list(client.list_jobs())
    with pytest.raises(BadRequest, match="Syntax error"):
        client.query("SELECT FROM", job_config=QueryJobConfig(dry_run=True))


def test_the_same_query_over_the_same_rows_is_answered_from_the_cache(
    client: Client, dataset_id: str
) -> None:
    into = QueryJobConfig(destination=f"{client.project}.{dataset_id}.t")
    client.query_and_wait("SELECT 1 AS a", job_config=into)
    text = f"SELECT a FROM {dataset_id}.t"
    assert [client.query(text).result().total_rows for _ in range(2)] == [1, 1]
    job = client.query(text)
    assert [row.a for row in job.result()] == [1]
    assert job.cache_hit
    assert job.total_bytes_billed == 0
    into.write_disposition = "WRITE_APPEND"
    client.query_and_wait("SELECT 2 AS a", job_config=into)
    changed = client.query(text)
    assert sorted(row.a for row in changed.result()) == [1, 2]
    assert not changed.cache_hit
    fresh = client.query(text, job_config=QueryJobConfig(use_query_cache=False))
    fresh.result()
    assert not fresh.cache_hit


def test_what_would_cost_too_much_is_refused(client: Client, dataset_id: str) -> None:
    into = QueryJobConfig(destination=f"{client.project}.{dataset_id}.t")
    client.query_and_wait("SELECT 1 AS a", job_config=into)
    limit = QueryJobConfig(maximum_bytes_billed=1000)
    job = client.query(f"SELECT a FROM {dataset_id}.t", job_config=limit)
    message = "Query exceeded limit for bytes billed: 1000. 10485760 or higher required."
    # The client has no exception for this reason, so it may raise what stands for a 500.
    with pytest.raises(GoogleAPICallError, match=message):
        job.result()
    job.reload()
    assert job.error_result is not None
    assert job.error_result["reason"] == "bytesBilledLimitExceeded"


def test_legacy_sql_sessions_and_arrow_are_said_to_be_lacking(
    client: Client, emulator: Emulator
) -> None:
    url = f"/bigquery/v2/projects/{client.project}/queries"
    for said, what in (
        ({}, "legacy SQL"),
        ({"useLegacySql": False, "createSession": True}, "sessions"),
        ({"useLegacySql": False, "queryResultsFormat": "ARROW"}, "Arrow"),
    ):
        answer = emulator.call("POST", url, json={"query": "SELECT 1", **said})
        assert answer.status_code == 501
        assert what in answer.json()["error"]["message"]
