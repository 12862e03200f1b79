"""Runs jobs, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from gcp_local import clock
from gcp_local.bigquery.engine import Cancellation
from gcp_local.bigquery.errors import BigQueryError, proto_of
from gcp_local.errors import ApiError

if TYPE_CHECKING:
    from datetime import datetime

    from gcp_local.bigquery.jobs.store import JobRef, JobStore

log = logging.getLogger(__name__)
_AT_ONCE = 16


class Kind(Protocol):
    """Does what jobs of one kind (query, load, extract, copy) are for."""

    def check(self, project: str, configuration: dict[str, Any]) -> str:
        """Hold a job's configuration to the rules before there is a job, and tell where it runs.

        Raises:
            BigQueryError: it breaks one that BigQuery answers at once.

        """
        ...

    def run(self, job: JobRef, body: dict[str, Any], cancellation: Cancellation) -> dict[str, Any]:
        """Do it, and give the job's `statistics` (of its kind, without times).

        Raises:
            ApiError: the job fails with this.

        """
        ...


class JobRunner:
    """Starts jobs, ends them when asked to, and keeps what became of them."""

    def __init__(self, store: JobStore, kinds: Mapping[str, Kind]) -> None:
        self.store = store
        self.kinds = kinds
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="bigquery-job")
        self._lock = threading.Lock()
        self._under_way: dict[JobRef, tuple[Cancellation, threading.Event]] = {}

    def start(self, ref: JobRef, configuration: dict[str, Any]) -> dict[str, Any]:
        """Keep a new job and start it; give its `Job`.

        Raises:
            BigQueryError: `duplicate`.

        """
        (kind,) = self.kinds.keys() & configuration.keys()
        now = _millis(clock.now())
        body = {
            "configuration": {**configuration, "jobType": kind.upper()},
            "jobReference": ref.as_json(),
            "statistics": {"creationTime": now, "startTime": now},
            "status": {"state": "RUNNING"},
        }
        self.store.add(ref, body)
        cancellation, ended = Cancellation(), threading.Event()
        with self._lock:
            self._under_way[ref] = cancellation, ended
        self._pool.submit(self._carry_out, ref, body, self.kinds[kind], cancellation)
        return body

    def _carry_out(
        self, ref: JobRef, body: dict[str, Any], kind: Kind, cancellation: Cancellation
    ) -> None:
        error: ApiError | None = None
        said: dict[str, Any] = {}
        try:
            said = kind.run(ref, body, cancellation)
        except ApiError as refusal:
            error = refusal
        except Exception:
            log.exception("a fault in the job %s", ref)
            error = BigQueryError("internalError", "The embedded cloud failed; its log has why.")
        status: dict[str, Any] = {"state": "DONE"}
        if error is not None:
            status |= {"errorResult": proto_of(error), "errors": [proto_of(error)]}
        times = {**body["statistics"], "endTime": _millis(clock.now())}
        try:
            self.store.replace(ref, {**body, "statistics": {**times, **said}, "status": status})
        finally:
            with self._lock:
                _, ended = self._under_way.pop(ref)
            ended.set()

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
        error = BigQueryError(
            "backendError", "The embedded cloud's server stopped during this job."
        )
        for ref, body in self.store.unfinished():
            status = {"state": "DONE", "errorResult": proto_of(error), "errors": [proto_of(error)]}
            times = {**body["statistics"], "endTime": _millis(clock.now())}
            self.store.replace(ref, {**body, "statistics": times, "status": status})

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


def _millis(moment: datetime) -> str:
    return str(clock.micros(moment) // 1000)
