"""The methods of `jobs`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery import locations
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.jobs.description import as_answer, as_item
from gcp_local.bigquery.jobs.requests import RecentRequests
from gcp_local.bigquery.jobs.results import Page
from gcp_local.bigquery.jobs.store import JobRef, Question
from gcp_local.bigquery.rows import timestamp_form
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import make_token, read_text_token

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.bigquery.call import Call
    from gcp_local.bigquery.jobs.results import Results
    from gcp_local.bigquery.jobs.runner import JobRunner

_PATIENCE_MS = 10_000
_LONGEST_PATIENCE_MS = 200_000
# How long a look at a job under way may take: the client sleeps up to a second before its next.
_MOMENT_MS = 300
_PAGE, _LARGEST_PAGE = 50, 1000
_JOB = ("labels", "jobTimeoutMs", "dryRun")
# What of a QueryRequest is a JobConfigurationQuery's.
_QUERY = (
    "query", "useLegacySql", "defaultDataset", "queryParameters", "parameterMode",
    "useQueryCache", "maximumBytesBilled", "connectionProperties", "createSession", "continuous",
    "destinationEncryptionConfiguration", "preserveNulls", "secureContext",
    "writeIncrementalResults",
)  # fmt: skip


class JobService:
    """`bigquery.jobs`: start, see, await, cancel."""

    def __init__(self, runner: JobRunner, results: Results) -> None:
        self._runner = runner
        self._results = results
        self._requests = RecentRequests()

    def jobs_insert(self, call: Call) -> dict[str, Any]:
        """Start a job."""
        return self.start(call.project, call.body, call.endpoint)

    def start(
        self, project: str, said: Mapping[str, Any], endpoint: str, file: Path | None = None
    ) -> dict[str, Any]:
        """Start a job, and answer it.

        Args:
            project: the project that is called.
            said: the `Job` of the request.
            endpoint: how the client reached the server.
            file: what was uploaded with it.

        """
        reference = said.get("jobReference", {})
        if reference.get("projectId", project) != project:
            message = f"Job project {reference['projectId']} does not match the URL's {project}."
            raise BigQueryError("invalid", message)
        ref, body = self._begin(project, said.get("configuration", {}), reference, file)
        return as_answer(ref, body, endpoint)

    def _begin(
        self,
        project: str,
        configuration: dict[str, Any],
        reference: Mapping[str, Any],
        file: Path | None = None,
    ) -> tuple[JobRef, dict[str, Any]]:
        check_labels(configuration.get("labels", {}))
        if "reservation" in configuration or "maxSlots" in configuration:
            raise BigQueryError.lacking("reservations")
        kind = self._runner.kinds[self._runner.kind_of(configuration)]
        checked = kind.check(project, configuration)
        said = reference.get("location")
        location = locations.canonical(said) if said else checked.location or locations.DEFAULT
        ref = JobRef(project, location, reference.get("jobId") or f"job_{uuid.uuid4().hex}")
        if configuration.get("dryRun"):
            return JobRef(project, location, ""), self._runner.dry(ref, checked.configuration)
        return ref, self._runner.start(ref, checked.configuration, file=file)

    def jobs_get(self, call: Call) -> dict[str, Any]:
        """Answer a job; if it is about to be done, then."""
        ref, body = self._find(call)
        if body["status"]["state"] != "DONE":
            self._wait(ref, _MOMENT_MS)
            ref, body = self._find(call)
        return as_answer(ref, body, call.endpoint)

    def jobs_list(self, call: Call) -> dict[str, Any]:
        """Answer a page of jobs, the newest first."""
        asked = call.query
        state = asked.get("stateFilter")
        parent = asked.get("parentJobId")
        since, until = asked.get("minCreationTime", 0), asked.get("maxCreationTime", 2**50)
        mark = f"{call.project} {state} {parent} {since} {until}"
        after = None
        if asked.get("pageToken"):
            created, _, name = read_text_token(asked["pageToken"], mark).partition(" ")
            after = int(created), name
        question = Question(
            parent=parent,
            state=state and state.upper(),
            since=since * 1000,
            until=until * 1000 + 999,
            after=after,
        )
        size = min(asked.get("maxResults") or _PAGE, _LARGEST_PAGE)
        found = self._runner.store.page(call.project, question, size + 1)
        answer: dict[str, Any] = {"kind": "bigquery#jobList", "etag": uuid.uuid4().hex}
        full = asked.get("projection") == "full"
        jobs = [as_item(ref, body, full=full) for _, ref, body in found[:size]]
        if jobs:
            answer["jobs"] = jobs
        if len(found) > size:
            last, ref, _ = found[size - 1]
            answer["nextPageToken"] = make_token(f"{last} {ref.id}", mark)
        return answer

    def jobs_cancel(self, call: Call) -> dict[str, Any]:
        """Ask a job to end, and answer it as it is."""
        ref, _ = self._find(call)
        self._runner.cancel(ref)
        _, body = self._runner.store.find(ref.project, ref.id, ref.location)
        return {
            "kind": "bigquery#jobCancelResponse",
            "job": as_answer(ref, body, call.endpoint),
        }

    def jobs_delete(self, call: Call) -> None:
        """Forget a job that is done, and its children."""
        ref, body = self._find(call)
        if "parentJobId" in body["statistics"]:
            message = f"Cannot delete child job {ref}; delete its parent job instead."
            raise BigQueryError("invalid", message)
        if body["status"]["state"] != "DONE":
            message = f"Cannot delete job {ref}: it is not done."
            raise BigQueryError("invalid", message)
        self._runner.store.delete(ref)

    def jobs_query(self, call: Call) -> dict[str, Any]:
        """Start a query, wait for it a while, and answer its first rows."""
        said = call.body
        if said.get("queryResultsFormat") == "ARROW":
            raise BigQueryError.lacking("results in Arrow's format")
        query = {name: said[name] for name in _QUERY if name in said}
        others = {name: said[name] for name in (*_JOB, "maxSlots", "reservation") if name in said}
        configuration = {"query": query, **others}
        reference = {"location": said["location"]} if said.get("location") else {}
        page = Page(
            size=said.get("maxResults"), timestamps=timestamp_form(said.get("formatOptions", {}))
        )

        def begin() -> tuple[JobRef, dict[str, Any]]:
            return self._begin(call.project, configuration, reference)

        if said.get("dryRun"):
            ref, body = begin()
            return _dry_answer(ref, body)
        mark = (call.project, said["requestId"]) if said.get("requestId") else None
        ref, body = self._requests.once(mark, said, begin)
        self._wait(ref, said.get("timeoutMs", _PATIENCE_MS))
        _, body = self._runner.store.find(ref.project, ref.id, ref.location)
        answer = {
            "kind": "bigquery#queryResponse",
            **self._results.answer(ref, body, page),
            **_times(body, ref),
        }
        if said.get("jobCreationMode") == "JOB_CREATION_OPTIONAL":
            answer["jobCreationReason"] = {"code": "OTHER"}
        return answer

    def jobs_get_query_results(self, call: Call) -> dict[str, Any]:
        """Wait for a query a while, and answer its rows."""
        asked = call.query
        ref, _ = self._find(call)
        self._wait(ref, asked.get("timeoutMs", _PATIENCE_MS))
        _, body = self._runner.store.find(ref.project, ref.id, ref.location)
        page = Page(
            size=asked.get("maxResults"),
            start=asked.get("startIndex", 0),
            token=asked.get("pageToken", ""),
            timestamps=timestamp_form(call.format_options),
        )
        answer = self._results.answer(ref, body, page)
        return {"kind": "bigquery#getQueryResultsResponse", "etag": uuid.uuid4().hex, **answer}

    def _wait(self, ref: JobRef, milliseconds: int) -> None:
        self._runner.wait(ref, min(milliseconds, _LONGEST_PATIENCE_MS) / 1000)

    def _find(self, call: Call) -> tuple[JobRef, dict[str, Any]]:
        return self._runner.store.find(
            call.project, call.variables["jobId"], call.query.get("location")
        )


def _times(body: Mapping[str, Any], ref: JobRef) -> dict[str, Any]:
    """Give what only `jobs.query` answers of a job."""
    statistics = body["statistics"]
    said = statistics.get("query", {})
    answer = {
        name: statistics[name]
        for name in ("creationTime", "startTime", "endTime", "totalSlotMs")
        if name in statistics
    }
    answer |= {
        name: said[name]
        for name in ("statementType", "totalBytesBilled", "dmlStats")
        if name in said
    }
    return {**answer, "location": ref.location, "queryId": ref.id}


def _dry_answer(ref: JobRef, body: Mapping[str, Any]) -> dict[str, Any]:
    said = body["statistics"].get("query", {})
    answer = {
        "kind": "bigquery#queryResponse",
        "jobReference": body["jobReference"],
        "jobComplete": True,
        "cacheHit": False,
        "totalBytesProcessed": said.get("totalBytesProcessed", "0"),
        "location": ref.location,
    }
    for name in ("schema", "statementType"):
        if name in said:
            answer[name] = said[name]
    return answer
