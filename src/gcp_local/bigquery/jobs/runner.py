"""Runs jobs, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.engine import Cancellation
from gcp_local.bigquery.errors import BigQueryError, proto_of
from gcp_local.bigquery.jobs.kinds import Job, Kind, Result, nothing
from gcp_local.errors import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.bigquery.jobs.store import JobRef, JobStore

log = logging.getLogger(__name__)

_AT_ONCE = 16
_STOPPED = "The embedded cloud's server stopped during this job."


class JobRunner:
    """Starts jobs, ends them when asked to, and keeps what became of them."""

    def __init__(self, store: JobStore, kinds: Mapping[str, Kind]) -> None:
        self.store = store
        self.kinds = kinds
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="bigquery-job")
        self._lock = threading.Lock()
        self._under_way: dict[JobRef, tuple[Cancellation, threading.Event]] = {}

    def start(
        self, ref: JobRef, configuration: dict[str, Any], *, file: Path | None = None
    ) -> dict[str, Any]:
        """Keep a new job and start it; give its `Job`.

        Args:
            ref: its name.
            configuration: as its kind's `check` gave it.
            file: what was uploaded with it; it is removed in the end.

        Raises:
            BigQueryError: `duplicate`; an id that is none.

        """
        kind = self.kind_of(configuration)
        job = Job(ref, configuration, file=file)
        now = _millis()
        with self._lock:
            at_once = len(self._under_way) < _AT_ONCE
        body: dict[str, Any] = {
            "configuration": {**configuration, "jobType": kind.upper()},
            "jobReference": ref.as_json(),
            "statistics": {"creationTime": now},
            "status": {"state": "PENDING"},
        }
        if at_once:
            body = _started(body)
        end = threading.Event()
        with self._lock:
            if ref in self._under_way:
                raise BigQueryError.duplicate("Job", ref)
            self._under_way[ref] = job.cancellation, end
        try:
            self.store.add(ref, body)
            self._pool.submit(self._carry_out, job, body, kind)
        except BaseException:
            with self._lock:
                del self._under_way[ref]
            raise
        return body

    def dry(self, ref: JobRef, configuration: dict[str, Any]) -> dict[str, Any]:
        """Give the `Job` of a dry run, of which nothing is kept.

        Raises:
            ApiError: the job would fail with this.

        """
        kind = self.kind_of(configuration)
        now = _millis()
        said = self.kinds[kind].dry(Job(ref, configuration))
        reference = {"projectId": ref.project, "location": ref.location}
        return {
            "configuration": {**configuration, "jobType": kind.upper()},
            "jobReference": reference,
            "statistics": {"creationTime": now, **said},
            "status": {"state": "DONE"},
        }

    def kind_of(self, configuration: Mapping[str, Any]) -> str:
        """Tell of which kind a job is.

        Raises:
            BigQueryError: of none, or of more than one.

        """
        kinds = self.kinds.keys() & configuration.keys()
        if len(kinds) != 1:
            message = (
                "Job configuration must contain exactly one job-specific configuration object"
                f" (e.g., query, load, extract, copy), but there were {len(kinds)}"
            )
            raise BigQueryError("invalid", message)
        return next(iter(kinds))

    def _carry_out(self, job: Job, body: dict[str, Any], kind: str) -> None:
        try:
            if body["status"]["state"] == "PENDING":
                body = _started(body)
                self.store.replace(job.ref, body)
            ending = _Ending(self.store, job, body, kind)
            with _limited(job):
                ending.enter(self.kinds[kind].run(replace(job, settle=ending.enter)))
        except ApiError as error:
            self._fail(job.ref, body, error)
        except Exception:
            log.exception("a fault in the job %s", job.ref)
            fault = BigQueryError("internalError", "The embedded cloud failed; its log has why.")
            self._fail(job.ref, body, fault)
        finally:
            if job.file is not None:
                job.file.unlink(missing_ok=True)
            with self._lock:
                _, end = self._under_way.pop(job.ref)
            end.set()

    def _fail(self, ref: JobRef, body: dict[str, Any], error: ApiError) -> None:
        self.store.replace(ref, failed(body, error))

    def wait(self, ref: JobRef, seconds: float) -> None:
        """Wait until a job has ended, or as long as that."""
        with self._lock:
            found = self._under_way.get(ref)
        if found is not None:
            found[1].wait(seconds)

    def cancel(self, ref: JobRef) -> None:
        """Ask a job to end; one that has ended stays as it is."""
        with self._lock:
            found = self._under_way.get(ref)
        if found is not None:
            found[0].cancel()

    # For the server

    def recover(self) -> None:
        """Fail the jobs that were under way when an earlier server stopped."""
        error = BigQueryError("backendError", _STOPPED)
        for ref, body in self.store.unfinished():
            self._fail(ref, body, error)

    def busy(self) -> bool:
        """Tell whether anything is under way."""
        with self._lock:
            return bool(self._under_way)

    def close(self) -> None:
        """End everything that is under way, and wait for its end."""
        with self._lock:
            under_way = list(self._under_way.values())
        for cancellation, _ in under_way:
            cancellation.cancel()
        self._pool.shutdown(wait=True)


class _Ending:
    """The good end of a job, which is entered once."""

    def __init__(self, store: JobStore, job: Job, body: dict[str, Any], kind: str) -> None:
        self._store = store
        self._job = job
        self._body = body
        self._kind = kind
        self._entered = False

    def enter(self, result: Result) -> None:
        """Enter what the job wrote and that it is done, both or neither, unless it is already."""
        if self._entered:
            return
        body, kind = self._body, self._kind
        status: dict[str, Any] = {"state": "DONE"}
        if result.errors:
            status["errors"] = [dict(error) for error in result.errors]
        configuration = body["configuration"]
        own = {**configuration[kind], **result.configuration}
        with self._store.database.transaction():
            if result.commit is not nothing:  # else it is too late: what it did is done
                self._job.cancellation.check()
            result.commit()
            done = {
                **body,
                "configuration": {**configuration, kind: own},
                "statistics": ended({**body["statistics"], **result.statistics}),
                "status": status,
            }
            self._store.replace(self._job.ref, done)
            self._store.database.afterwards(self._mark)

    def _mark(self) -> None:
        self._entered = True


def failed(body: dict[str, Any], error: ApiError) -> dict[str, Any]:
    """Give the `Job` that ends with an error."""
    first = proto_of(error)
    others = [dict(each) for each in getattr(error, "others", ())]
    status = {"state": "DONE", "errorResult": first, "errors": [first, *others]}
    return {**body, "statistics": ended(body["statistics"]), "status": status}


@contextmanager
def _limited(job: Job) -> Iterator[None]:
    """End a job that takes longer than it may."""
    limit = int(job.configuration.get("jobTimeoutMs", 0))
    if limit <= 0:
        yield
        return
    why = f"Job timed out after {limit / 1000:g}s"
    timer = threading.Timer(limit / 1000, job.cancellation.cancel, kwargs={"why": why})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _started(body: dict[str, Any]) -> dict[str, Any]:
    times = {**body["statistics"], "startTime": _millis()}
    return {**body, "statistics": times, "status": {"state": "RUNNING"}}


def ended(statistics: dict[str, Any]) -> dict[str, Any]:
    """Add to statistics that the job ends now."""
    now = _millis()
    start = statistics.get("startTime", now)
    took = max(0, int(now) - int(start))
    return {
        **statistics,
        "startTime": start,
        "endTime": now,
        "totalSlotMs": str(took),
        "finalExecutionDurationMs": str(took),
    }


def _millis() -> str:
    return str(clock.micros(clock.now()) // 1000)
