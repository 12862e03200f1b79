from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import requests
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.bigquery import Client, LoadJobConfig, SchemaField
from requests import ConnectionError as Unreachable

from tests.gcp_local.emulators import Emulator, start

_CONFIG = LoadJobConfig(schema=[SchemaField("n", "INTEGER")])
_SLOW = (
    "SELECT SUM(a * b) AS s FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS a,"
    " UNNEST(GENERATE_ARRAY(1, 1000000)) AS b"
)


def _client(emulator: Emulator) -> Client:
    return Client(
        project="test-restart",
        credentials=emulator.gapic["credentials"],
        client_options={"api_endpoint": emulator.endpoint},
    )


def _storm(client: Client, table: str, writer: int, done: list[str]) -> None:
    """Load until the server is gone; note the jobs that were said to be done."""
    rows: list[dict[str, Any]] = [{"n": writer}] * 10
    with contextlib.suppress(GoogleAPICallError, Unreachable, OSError):
        while True:
            job = client.load_table_from_json(rows, table, job_config=_CONFIG, num_retries=0)
            job.result(retry=None, timeout=5)
            done.append(job.job_id)


class _Upload:
    """An upload of numbers in two pieces, of which the first has been sent."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.content = b"12345678901234\n" * (256 * 1024 // 15 + 1)
        self._cut = 256 * 1024
        reference = {"projectId": "test-restart", "datasetId": "d", "tableId": "uploaded"}
        schema = {"fields": [{"name": "n", "type": "INTEGER"}]}
        load = {"destinationTable": reference, "schema": schema}
        path = "/upload/bigquery/v2/projects/test-restart/jobs?uploadType=resumable"
        begun = emulator.call("POST", path, json={"configuration": {"load": load}})
        self._place = begun.headers["location"].removeprefix(emulator.endpoint)
        answer = self._put(self.content[: self._cut], f"0-{self._cut - 1}/*")
        assert (answer.status_code, answer.headers["range"]) == (308, f"bytes=0-{self._cut - 1}")

    def finish(self) -> str:
        """Send the rest; give the job's id."""
        assert self._put(b"", "*/*").headers["range"] == f"bytes=0-{self._cut - 1}"
        size = len(self.content)
        answer = self._put(self.content[self._cut :], f"{self._cut}-{size - 1}/{size}")
        return str(answer.json()["jobReference"]["jobId"])

    def _put(self, piece: bytes, place: str) -> requests.Response:
        header = {"content-range": f"bytes {place}"}
        return self._emulator.call("PUT", self._place, data=piece, headers=header)


def test_what_a_killed_server_said_was_done_is_there_and_nothing_half(tmp_path: Path) -> None:
    emulator = start(tmp_path / "state")
    try:
        client = _client(emulator)
        client.create_dataset("d")
        upload = _Upload(emulator)
        done: list[str] = []
        threads = [
            threading.Thread(target=_storm, args=(_client(emulator), "test-restart.d.t", at, done))
            for at in range(3)
        ]
        slow = client.query(_SLOW)
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 20
        while len(done) < 6 and time.monotonic() < deadline:
            time.sleep(0.02)
        emulator.kill()
        for thread in threads:
            thread.join(20)
        assert len(done) >= 6
        emulator.start()

        client = _client(emulator)
        jobs = {job.job_id: job for job in client.list_jobs(max_results=1000)}
        assert all(job.state == "DONE" for job in jobs.values())
        stopped = jobs.pop(slow.job_id)
        assert "server stopped during this job" in stopped.error_result["message"]
        good = [name for name, job in jobs.items() if not job.error_result]
        assert set(done) <= set(good)
        assert client.get_table("d.t").num_rows == 10 * len(good)
        assert len(list((emulator.state / "bigquery").iterdir())) == len(good)
        assert len(list((emulator.state / "bigquery_uploads").iterdir())) == 2  # of the session

        client.get_job(upload.finish()).result()
        assert client.get_table("d.uploaded").num_rows == upload.content.count(b"\n")
    finally:
        with contextlib.suppress(ProcessLookupError):
            emulator.end()
