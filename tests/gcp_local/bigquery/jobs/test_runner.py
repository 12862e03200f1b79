from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gcp_local.bigquery.jobs.kinds import Checked, Job, Result
from gcp_local.bigquery.jobs.runner import JobRunner
from gcp_local.bigquery.jobs.store import JobRef, JobStore
from gcp_local.resources.database import Database


class _CancelledAtTheEnd:
    """A kind of jobs that are asked to end when they have done their work."""

    def check(self, project: str, configuration: dict[str, Any]) -> Checked:
        return Checked(configuration)

    def dry(self, job: Job) -> Mapping[str, Any]:
        return {}

    def run(self, job: Job) -> Result:
        job.cancellation.cancel()
        if job.configuration["query"]["committed"]:
            return Result({})
        return Result({}, lambda: None)


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[JobRunner]:
    database = Database(tmp_path / "state.db")
    runner = JobRunner(JobStore(database), {"query": _CancelledAtTheEnd()})
    yield runner
    runner.close()
    database.close()


@pytest.mark.parametrize(("committed", "reason"), [(True, None), (False, "stopped")])
def test_a_job_is_cancelled_as_long_as_nothing_is_committed(
    runner: JobRunner, *, committed: bool, reason: str | None
) -> None:
    ref = JobRef("p", "US", "j")
    runner.start(ref, {"query": {"committed": committed}})
    runner.wait(ref, 10)
    _, body = runner.store.find("p", "j")
    assert body["status"]["state"] == "DONE"
    assert body["status"].get("errorResult", {}).get("reason") == reason
