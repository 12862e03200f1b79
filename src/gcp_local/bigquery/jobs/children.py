"""The steps of a script, each kept as a job whose parent is the script's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.jobs.runner import ended, failed
from gcp_local.bigquery.jobs.statistics import statistics_of
from gcp_local.bigquery.jobs.store import JobRef
from gcp_local.errors import ApiError

if TYPE_CHECKING:
    from gcp_local.bigquery.jobs.anonymous import AnonymousTables
    from gcp_local.bigquery.jobs.store import JobStore
    from gcp_local.bigquery.sql.scripts.steps import Step
    from gcp_local.bigquery.sql.session import Outcome, Session


class ChildJobs:
    """Keeps the steps of one script; see `sql.scripts.steps.Children`.

    Attributes:
        count: how many there were so far.

    """

    def __init__(self, parent: JobRef, store: JobStore, anonymous: AnonymousTables) -> None:
        self._parent = parent
        self._store = store
        self._anonymous = anonymous
        self.count = 0

    def run(self, step: Step, session: Session, do: Callable[[Session], Outcome]) -> Outcome:
        """Do a step as a child job; see `Children.run`."""
        name = f"script_job_{self._parent.id}_{self.count}"
        self.count += 1
        ref = JobRef(self._parent.project, self._parent.location, name)
        body = self._begun(ref, step)
        try:
            settle = partial(self._end, ref, body)
            outcome = do(replace(session, job=name, settle=settle))
        except ApiError as error:
            self._store.replace(ref, failed(body, error))
            raise
        self._end(ref, body, outcome)
        return outcome

    def _end(self, ref: JobRef, body: dict[str, Any], outcome: Outcome) -> None:
        """Keep that a step is done, and what it gave."""
        configuration = dict(body["configuration"])
        with self._store.database.transaction():
            if outcome.rows is not None:
                table, commit = self._anonymous.keep(ref, outcome.rows, outcome.schema)
                commit()
                kept = {**configuration["query"], "destinationTable": table.as_json()}
                configuration["query"] = kept
            done = {
                **body,
                "configuration": configuration,
                "statistics": ended({**body["statistics"], **statistics_of(outcome)}),
                "status": {"state": "DONE"},
            }
            self._store.replace(ref, done)

    def _begun(self, ref: JobRef, step: Step) -> dict[str, Any]:
        now = str(clock.micros(clock.now()) // 1000)
        query = {"query": step.text, "useLegacySql": False, "priority": "INTERACTIVE"}
        body: dict[str, Any] = {
            "configuration": {"query": query, "jobType": "QUERY"},
            "jobReference": ref.as_json(),
            "statistics": {
                "creationTime": now,
                "startTime": now,
                "parentJobId": self._parent.id,
                "scriptStatistics": step.statistics,
            },
            "status": {"state": "RUNNING"},
        }
        self._store.add(ref, body, parent=self._parent.id)
        return body
