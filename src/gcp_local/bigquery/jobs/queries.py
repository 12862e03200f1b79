"""Query jobs: the text is run, and what it gives is kept in a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.jobs.billing import bytes_billed, check_limit
from gcp_local.bigquery.jobs.cache import Kept, QueryCache
from gcp_local.bigquery.jobs.children import ChildJobs
from gcp_local.bigquery.jobs.kinds import Checked, Job, Result, nothing
from gcp_local.bigquery.jobs.parameters import read_parameters
from gcp_local.bigquery.jobs.places import (
    check_location,
    datasets_named,
    location_of,
)
from gcp_local.bigquery.jobs.statistics import statistics_of
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.sql.session import Session
from gcp_local.bigquery.writing.destination import Destination

if TYPE_CHECKING:
    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.jobs.anonymous import AnonymousTables
    from gcp_local.bigquery.jobs.store import JobStore
    from gcp_local.bigquery.sql.scripts.runner import Scripts
    from gcp_local.bigquery.sql.session import Outcome
    from gcp_local.bigquery.writing.writer import Writer

_LONGEST = 1024 * 1024  # https://cloud.google.com/bigquery/quotas#query_jobs
_PRIORITIES = ("INTERACTIVE", "BATCH")
_LACKING = {
    "tableDefinitions": "external tables defined in a job",
    "userDefinedFunctionResources": "functions of legacy SQL",
    "secureContext": "secure contexts",
    "writeIncrementalResults": "incremental results",
    "continuous": "continuous queries",
    "createSession": "sessions",
}


class QueryJobs:
    """The kind of jobs that run SQL."""

    def __init__(
        self,
        catalog: Catalog,
        store: JobStore,
        scripts: Scripts,
        writer: Writer,
        anonymous: AnonymousTables,
        cache: QueryCache,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._scripts = scripts
        self._writer = writer
        self._anonymous = anonymous
        self._cache = cache

    def check(self, project: str, configuration: dict[str, Any]) -> Checked:
        """Hold a configuration to the rules; see `Kind.check`."""
        query = dict(configuration["query"])
        _check_possible(query)
        if query.get("priority", "INTERACTIVE") not in _PRIORITIES:
            message = f"Invalid value for priority: {query['priority']} is not a valid value"
            raise BigQueryError("invalid", message)
        query.setdefault("priority", "INTERACTIVE")
        default = query.get("defaultDataset")
        if default:
            query["defaultDataset"] = {"projectId": project, **default}
        read_parameters(query.get("queryParameters", ()), query.get("parameterMode"))
        destination = _destination(query, project)
        if destination is not None:
            reference = query["destinationTable"]
            query["destinationTable"] = {"projectId": project, **reference}
            query.setdefault("createDisposition", "CREATE_IF_NEEDED")
            query.setdefault("writeDisposition", "WRITE_EMPTY")
        elif "writeDisposition" not in query:
            query["writeDisposition"] = "WRITE_TRUNCATE"
        return Checked({**configuration, "query": query}, self._location(project, query))

    def _location(self, project: str, query: Mapping[str, Any]) -> str | None:
        default = _default(query, project)
        named: list[DatasetRef | str] = list(datasets_named(query["query"], project, default))
        destination = query.get("destinationTable")
        if destination:
            named.append(TableRef.from_json(destination).parent)
        return location_of(named, self._catalog)

    def dry(self, job: Job) -> dict[str, Any]:
        """Tell what the query would do; see `Kind.dry`."""
        query = job.configuration["query"]
        outcome, _ = self._outcome(job, dry=True)
        if _destination(query, job.ref.project) is not None:
            self._write(job, outcome, dry=True)
        return statistics_of(outcome, dry=True)

    def run(self, job: Job) -> Result:
        """Run the query; see `Kind.run`."""
        query = job.configuration["query"]
        limit = query.get("maximumBytesBilled")
        if limit is not None:
            estimate, _ = self._outcome(job, dry=True)
            check_limit(bytes_billed(estimate.bytes, len(estimate.referenced)), int(limit))
        key = None
        if not query.get("destinationTable"):
            key = QueryCache.key(job.ref.project, job.ref.location, query)
        kept = self._cache.find(key) if key else None
        if kept is not None:
            statistics = statistics_of(kept.outcome, cached=True)
            return Result(statistics, configuration={"destinationTable": kept.table.as_json()})
        outcome, steps = self._outcome(job, dry=False)
        written, commit = self._write(job, outcome, dry=False)
        said = {"destinationTable": written.as_json()} if written else {}
        if key and written and not steps and outcome.rows is not None:
            commit = self._remembering(key, written, outcome, commit)
        statistics = statistics_of(outcome)
        if steps:
            statistics["numChildJobs"] = str(steps)
        return Result(statistics, commit, configuration=said)

    def _outcome(self, job: Job, *, dry: bool) -> tuple[Outcome, int]:
        """Run the text; tell also how many steps it took, if it is a script."""
        query = job.configuration["query"]
        default = _default(query, job.ref.project)
        session = Session(
            project=job.ref.project,
            location=job.ref.location,
            now=clock.now(),
            default_dataset=default,
            parameters=read_parameters(
                query.get("queryParameters", ()), query.get("parameterMode")
            ),
            labels=job.configuration.get("labels", {}),
            job=job.ref.id,
            cancellation=job.cancellation,
            settle=lambda outcome: job.settle(_changed(outcome)),
        )
        text = query["query"]
        named = datasets_named(text, session.project, default)
        check_location(named, self._catalog, session.location)
        if query.get("destinationTable") and not self._scripts.is_query(text):
            message = "Cannot set destination table in jobs with DDL or DML statements, or scripts"
            raise BigQueryError("invalidQuery", message, location="query")
        children = ChildJobs(job.ref, self._store, self._anonymous)
        outcome = self._scripts.run(text, session, children, dry=dry)
        return outcome, children.count

    def _write(
        self, job: Job, outcome: Outcome, *, dry: bool
    ) -> tuple[TableRef | None, Callable[[], None]]:
        """Write the rows; give the table, and what enters it."""
        destination = _destination(job.configuration["query"], job.ref.project)
        if destination is not None and dry:
            self._writer.schema(destination, outcome.schema)
        if outcome.rows is None:
            return _target(outcome), nothing
        if destination is None:
            return self._anonymous.keep(job.ref, outcome.rows, outcome.schema)
        written = self._writer.write(destination, outcome.rows, outcome.schema)
        return destination.table, written.commit

    def _remembering(
        self, key: str, table: TableRef, outcome: Outcome, commit: Callable[[], None]
    ) -> Callable[[], None]:
        """Remember the result when it is entered, unless a table that it read has changed."""
        states = self._cache.states(outcome.referenced)
        if states is None:
            return commit

        def then() -> None:
            commit()
            kept = Kept(table, replace(outcome, rows=None), states)
            self._cache.put(key, kept)

        return then


def _changed(outcome: Outcome) -> Result:
    """Give the result of a statement that has changed something, and gives no rows."""
    target = _target(outcome)
    said = {"destinationTable": target.as_json()} if target else {}
    return Result(statistics_of(outcome), configuration=said)


def _check_possible(query: Mapping[str, Any]) -> None:
    if not query.get("query"):
        raise BigQueryError("invalid", "Required parameter is missing: query")
    if query.get("useLegacySql", True):
        raise BigQueryError.lacking("legacy SQL; set useLegacySql to false")
    if len(query["query"]) > _LONGEST:
        message = f"The query is too large. The maximum standard SQL query length is {_LONGEST}"
        raise BigQueryError("invalid", f"{message} characters, including comments and white space.")
    for name, what in _LACKING.items():
        if query.get(name):
            raise BigQueryError.lacking(what)
    for each in query.get("connectionProperties", ()):
        raise BigQueryError.lacking(f"the connection property {each.get('key', '')!r}")
    if int(query.get("maximumBytesBilled", 1)) <= 0:
        message = "Invalid value for maximumBytesBilled: it must be above zero"
        raise BigQueryError("invalid", message)


def _default(query: Mapping[str, Any], project: str) -> DatasetRef | None:
    said = query.get("defaultDataset")
    if not said:
        return None
    if not said.get("datasetId"):
        raise BigQueryError("invalid", "Required parameter is missing: datasetId")
    return DatasetRef(said.get("projectId") or project, said["datasetId"])


def _destination(query: Mapping[str, Any], project: str) -> Destination | None:
    if query.get("destinationTable"):
        return Destination.of(query, project, write="WRITE_EMPTY")
    for name in ("schemaUpdateOptions", "timePartitioning", "rangePartitioning", "clustering"):
        if query.get(name):
            message = f"{name} can only be set together with a destination table."
            raise BigQueryError("invalid", message)
    return None


def _target(outcome: Outcome) -> TableRef | None:
    """Give the table that a statement has written."""
    said = outcome.statistics.get("ddlTargetTable")
    return TableRef.from_json(said) if said else None
