"""Query jobs: the text is run, and what it gives is kept in a table."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.schema import schema_json
from gcp_local.bigquery.sql.scripts.steps import Unkept
from gcp_local.bigquery.sql.session import Session

if TYPE_CHECKING:
    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.engine import Cancellation
    from gcp_local.bigquery.jobs.store import JobRef
    from gcp_local.bigquery.sql.scripts.runner import Scripts
    from gcp_local.bigquery.sql.session import Outcome
    from gcp_local.bigquery.warehouse import Warehouse


class QueryJobs:
    """The kind of jobs that run SQL."""

    def __init__(self, catalog: Catalog, warehouse: Warehouse, scripts: Scripts) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self._scripts = scripts

    def check(self, project: str, configuration: dict[str, Any]) -> str:
        """Hold a configuration to the rules; see `Kind.check`."""
        query = configuration["query"]
        if not query.get("query"):
            raise BigQueryError("invalid", "Required parameter is missing: query")
        if query.get("useLegacySql", True):
            raise BigQueryError.lacking("legacy SQL; set useLegacySql to false")
        default = query.get("defaultDataset")
        if default:
            ref = DatasetRef(default.get("projectId", project), default["datasetId"])
            return str(self._catalog.dataset(ref).body.get("location", "US"))
        return "US"

    def run(self, job: JobRef, body: dict[str, Any], cancellation: Cancellation) -> dict[str, Any]:
        """Run the query; see `Kind.run`."""
        query = body["configuration"]["query"]
        default = query.get("defaultDataset")
        session = Session(
            project=job.project,
            location=job.location,
            now=clock.now(),
            default_dataset=default
            and DatasetRef(default.get("projectId", job.project), default["datasetId"]),
            job=job.id,
            cancellation=cancellation,
        )
        dry = bool(body["configuration"].get("dryRun"))
        outcome = self._scripts.run(query["query"], session, Unkept(), dry=dry)
        if outcome.rows is not None:
            query["destinationTable"] = self._keep(job, outcome).as_json()
        return _statistics(outcome)

    def _keep(self, job: JobRef, outcome: Outcome) -> TableRef:
        """Keep the rows in an anonymous table, as BigQuery does, in a dataset that is hidden."""
        mark = hashlib.sha256(str(job).encode()).hexdigest()
        place = hashlib.sha256(f"{job.project}:{job.location}".encode()).hexdigest()[:40]
        home = DatasetRef(job.project, f"_{place}")
        try:
            self._catalog.add_dataset(home, {"location": job.location})
        except BigQueryError as error:
            if error.reason != "duplicate":
                raise
        ref = home.table(f"anon{mark}")
        assert outcome.rows is not None
        written = self._warehouse.write(outcome.rows)
        entry = self._catalog.add(ref, {"type": "TABLE", "schema": schema_json(outcome.schema)})
        self._warehouse.commit(entry.uid, [written])
        return ref


def _statistics(outcome: Outcome) -> dict[str, Any]:
    return {
        "totalBytesProcessed": str(outcome.bytes),
        "query": {
            "statementType": outcome.statement_type,
            "totalBytesProcessed": str(outcome.bytes),
            "totalBytesBilled": "0",
            "cacheHit": False,
            "schema": schema_json(outcome.schema),
            "referencedTables": [ref.as_json() for ref in outcome.referenced],
            **outcome.statistics,
        },
    }
