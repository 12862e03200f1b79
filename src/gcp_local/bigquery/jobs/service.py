"""The methods of `jobs`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.jobs.store import JobRef
from gcp_local.bigquery.references import TableRef
from gcp_local.bigquery.rows import rows_json
from gcp_local.bigquery.schema import arrow_schema, schema_json

if TYPE_CHECKING:
    from gcp_local.bigquery.call import Call
    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.jobs.runner import JobRunner
    from gcp_local.bigquery.warehouse import Warehouse

_PATIENCE_SECONDS = 10.0


class JobService:
    """`bigquery.jobs`: start, see, await, cancel."""

    def __init__(self, catalog: Catalog, warehouse: Warehouse, runner: JobRunner) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self._runner = runner

    def jobs_insert(self, call: Call) -> dict[str, Any]:
        """Start a job."""
        said = call.body.get("jobReference", {})
        return self._start(call.project, call.body.get("configuration", {}), said)

    def jobs_get(self, call: Call) -> dict[str, Any]:
        """Answer a job."""
        ref, body = self._runner.store.find(
            call.project, call.variables["jobId"], call.query.get("location")
        )
        return _described(ref, body)

    def jobs_query(self, call: Call) -> dict[str, Any]:
        """Start a query, wait for it a while, and answer its first rows."""
        said = call.body
        query = {
            name: said[name]
            for name in ("query", "useLegacySql", "defaultDataset", "queryParameters")
            if name in said
        }
        job = self._start(call.project, {"query": query}, {"location": said.get("location")})
        ref = JobRef(call.project, job["jobReference"]["location"], job["jobReference"]["jobId"])
        self._runner.wait(ref, said.get("timeoutMs", 10_000) / 1000)
        return {"kind": "bigquery#queryResponse", **self._results(ref)}

    def jobs_get_query_results(self, call: Call) -> dict[str, Any]:
        """Wait for a query a while, and answer its rows."""
        ref, _ = self._runner.store.find(
            call.project, call.variables["jobId"], call.query.get("location")
        )
        self._runner.wait(ref, call.query.get("timeoutMs", _PATIENCE_SECONDS * 1000) / 1000)
        return {"kind": "bigquery#getQueryResultsResponse", **self._results(ref)}

    def _start(
        self, project: str, configuration: dict[str, Any], said: dict[str, Any]
    ) -> dict[str, Any]:
        kinds = self._runner.kinds.keys() & configuration.keys()
        if len(kinds) != 1:
            raise BigQueryError("invalid", "Required parameter is missing: configuration")
        place = self._runner.kinds[next(iter(kinds))].check(project, configuration)
        ref = JobRef(project, said.get("location") or place, said.get("jobId") or _job_id())
        return _described(ref, self._runner.start(ref, configuration))

    def _results(self, ref: JobRef) -> dict[str, Any]:
        _, body = self._runner.store.find(ref.project, ref.id, ref.location)
        answer: dict[str, Any] = {"jobReference": ref.as_json(), "jobComplete": False}
        if body["status"]["state"] != "DONE":
            return answer
        if "errorResult" in body["status"]:
            error = body["status"]["errorResult"]
            raise BigQueryError(
                error["reason"], error["message"], location=error.get("location", "")
            )
        answer |= {"jobComplete": True, "cacheHit": False, "totalRows": "0"}
        destination = body["configuration"]["query"].get("destinationTable")
        if destination:
            entry = self._catalog.get(TableRef.from_json(destination))
            rows = self._warehouse.read(
                self._warehouse.current(entry.uid), arrow_schema(entry.schema)
            )
            answer |= {
                "totalRows": str(rows.num_rows),
                "schema": schema_json(entry.schema),
                "rows": rows_json(rows, entry.schema, int64_timestamps=True),
            }
        return answer


def _job_id() -> str:
    return f"job_{uuid.uuid4().hex}"


def _described(ref: JobRef, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "bigquery#job",
        "id": str(ref),
        **body,
    }
