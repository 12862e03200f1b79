from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound
from google.cloud.bigquery import Client, Dataset, QueryJob, QueryJobConfig

from gcp_local.bigquery.surface import Surface
from tests.gcp_local.bigquery.conftest import Rest
from tests.gcp_local.emulators import Emulator

_SLOW = (
    "SELECT SUM(a * b) AS s FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS a,"
    " UNNEST(GENERATE_ARRAY(1, 1000000)) AS b"
)


def _id() -> str:
    return f"job_{uuid.uuid4().hex}"


def test_a_job_has_times_statistics_and_links(client: Client, emulator: Emulator) -> None:
    job = client.query("SELECT 1 AS one")
    assert [row.one for row in job.result()] == [1]
    assert job.created <= job.started <= job.ended
    assert (job.statement_type, job.cache_hit, job.num_child_jobs) == ("SELECT", False, 0)
    assert job.total_bytes_processed == job.total_bytes_billed == 0
    assert job.priority == "INTERACTIVE"
    assert job.user_email.startswith("local@")
    assert job.etag
    assert job.self_link.startswith(emulator.endpoint)
    url = f"/bigquery/v2/projects/{client.project}/jobs/{job.job_id}?location=US"
    Surface.load().check_answer("Job", emulator.call("GET", url).json())


def test_an_id_is_taken_once_and_has_a_form(client: Client) -> None:
    name = _id()
    first = client.query("SELECT 1 AS a", job_id=name, job_retry=None)
    first.result()
    with pytest.raises(Conflict, match=f"Already Exists: Job {client.project}:US.{name}"):
        client.query("SELECT 1 AS a", job_id=name, job_retry=None)
    with pytest.raises(BadRequest, match='Invalid job ID "a b"'):
        client.query("SELECT 1 AS a", job_id="a b", job_retry=None)


def test_a_job_is_found_where_it_runs(client: Client) -> None:
    job = client.query("SELECT 1 AS a", location="europe-west1")
    assert job.location == "europe-west1"
    assert client.get_job(job.job_id, location="europe-west1").job_id == job.job_id
    with pytest.raises(NotFound, match="Not found: Job"):
        client.get_job(job.job_id, location="US")
    with pytest.raises(BadRequest, match="Invalid value for location: 'atlantis'"):
        client.query("SELECT 1 AS a", location="atlantis")


def test_a_query_runs_where_its_datasets_are(client: Client) -> None:
    home = Dataset(f"{client.project}.abroad")
    home.location = "EU"
    client.create_dataset(home)
    client.query_and_wait("SELECT 1 AS a", job_config=_into(client, "abroad.t"))
    job = client.query("SELECT * FROM abroad.t")
    assert [row.a for row in job.result()] == [1]
    assert job.location == "EU"
    with pytest.raises(NotFound, match=r"Dataset .*:abroad was not found in location US"):
        client.query("SELECT * FROM abroad.t", location="US").result()


def test_jobs_are_listed_by_state_age_and_page(client: Client) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    names = [client.query("SELECT 1 AS a").job_id for _ in range(3)]
    for name in names:
        client.get_job(name).result()
    listed = list(client.list_jobs(state_filter="done", page_size=2))
    assert [job.job_id for job in listed] == list(reversed(names))
    assert all(isinstance(job, QueryJob) and job.query == "SELECT 1 AS a" for job in listed)
    assert not list(client.list_jobs(state_filter="running"))
    assert len(list(client.list_jobs(min_creation_time=before, max_results=2))) == 2
    assert not list(client.list_jobs(max_creation_time=before))


def test_a_job_that_is_done_can_be_deleted(client: Client) -> None:
    job = client.query("SELECT 1 AS a")
    job.result()
    client.delete_job_metadata(job)
    with pytest.raises(NotFound):
        client.get_job(job.job_id)


def test_a_running_job_can_be_cancelled(client: Client) -> None:
    job = client.query(_SLOW)
    assert job.state == "RUNNING"
    assert job.cancel()
    with pytest.raises(GoogleAPICallError, match="Job execution was cancelled: User requested"):
        job.result()
    job.reload()
    assert job.error_result is not None
    assert job.error_result["reason"] == "stopped"


def test_a_job_ends_at_its_timeout(client: Client) -> None:
    job = client.query(_SLOW, job_config=QueryJobConfig(job_timeout_ms=50))
    with pytest.raises(GoogleAPICallError, match=r"Job timed out after 0\.05s"):
        job.result()


def test_a_job_of_no_kind_or_of_two_is_refused(client: Client, emulator: Emulator) -> None:
    url = f"/bigquery/v2/projects/{client.project}/jobs"
    empty: list[dict[str, object]] = [{}, {"query": {"query": "SELECT 1"}, "load": {}}]
    for configuration in empty:
        answer = emulator.call("POST", url, json={"configuration": configuration})
        assert answer.status_code == 400
        assert "exactly one job-specific configuration" in answer.json()["error"]["message"]


def test_labels_are_kept_and_checked(client: Client) -> None:
    job = client.query("SELECT 1 AS a", job_config=QueryJobConfig(labels={"team": "churn"}))
    assert client.get_job(job.job_id).labels == {"team": "churn"}
    with pytest.raises(BadRequest, match="label"):
        client.query("SELECT 1 AS a", job_config=QueryJobConfig(labels={"Team": "churn"}))


def test_a_failed_job_names_its_error(client: Client) -> None:
    job = client.query("SELECT nothing_here", job_retry=None)
    with pytest.raises(BadRequest, match="nothing_here"):
        job.result()
    job.reload()
    assert (job.state, len(job.errors or ())) == ("DONE", 1)
    assert job.error_result is not None
    assert (job.error_result["reason"], job.error_result["location"]) == ("invalidQuery", "query")


def _into(client: Client, table: str, **said: object) -> QueryJobConfig:
    return QueryJobConfig(destination=f"{client.project}.{table}", **said)


def test_a_job_that_is_about_to_be_done_is_done_at_the_first_look(rest: Rest) -> None:
    text = "SELECT COUNT(*) AS n FROM UNNEST(GENERATE_ARRAY(1, 10000)) AS a"
    query = {"query": text, "useLegacySql": False}
    started = rest("POST", "/jobs", {"configuration": {"query": query}}).json()
    assert started["status"]["state"] != "DONE"
    seen = rest("GET", f"/jobs/{started['jobReference']['jobId']}").json()
    assert seen["status"]["state"] == "DONE"
