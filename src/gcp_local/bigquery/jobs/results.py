"""The rows of a query, page by page, as `jobs.query` and `jobs.getQueryResults` answer them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import TableRef
from gcp_local.bigquery.rows import rows_json
from gcp_local.bigquery.schema import arrow_schema, schema_json
from gcp_local.resources.listing import make_token, read_token

if TYPE_CHECKING:
    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.jobs.store import JobRef
    from gcp_local.bigquery.warehouse import Version, Warehouse

_MOST_ROWS = 50_000
_MOST_BYTES = 10 * 1024 * 1024  # https://cloud.google.com/bigquery/docs/paging-results


@dataclass(frozen=True)
class Page:
    """Which rows are asked for, and how.

    Attributes:
        size: how many at most; None for as many as an answer holds.
        timestamps: INT64 (microseconds), FLOAT64 (seconds) or ISO8601_STRING.

    """

    size: int | None = None
    start: int = 0
    token: str = ""
    timestamps: str = "FLOAT64"


class Results:
    """Reads what queries gave."""

    def __init__(self, catalog: Catalog, warehouse: Warehouse) -> None:
        self._catalog = catalog
        self._warehouse = warehouse

    def answer(self, ref: JobRef, body: Mapping[str, Any], page: Page) -> dict[str, Any]:
        """Give what both answers have of a query job.

        Raises:
            BigQueryError: the query failed, or its result is not kept any more.

        """
        if "query" not in body["configuration"]:
            message = f"Job {ref} is not a query job: it has no results."
            raise BigQueryError("invalid", message)
        answer: dict[str, Any] = {"jobReference": ref.as_json(), "jobComplete": False}
        if body["status"]["state"] != "DONE":
            return answer
        error = body["status"].get("errorResult")
        if error:
            raise BigQueryError(
                error["reason"], error["message"], location=error.get("location", "")
            )
        said = body["statistics"].get("query", {})
        answer |= {
            "jobComplete": True,
            "cacheHit": said.get("cacheHit", False),
            "totalBytesProcessed": said.get("totalBytesProcessed", "0"),
        }
        if "numDmlAffectedRows" in said:
            answer["numDmlAffectedRows"] = said["numDmlAffectedRows"]
        if "errors" in body["status"]:
            answer["errors"] = body["status"]["errors"]
        if "schema" in said and "ddlTargetTable" not in said and "dmlStats" not in said:
            answer |= self._rows(ref, body["configuration"]["query"], page)
        return answer

    def _rows(self, ref: JobRef, query: Mapping[str, Any], page: Page) -> dict[str, Any]:
        table = TableRef.from_json(query["destinationTable"])
        table = TableRef(table.project, table.dataset, table.table.partition("$")[0])
        entry = self._catalog.get(table)
        schema = entry.schema
        version = self._warehouse.current(entry.uid)
        mark = f"{ref} {entry.uid} {version.number}"
        start = read_token(page.token, mark) if page.token else page.start
        size = _size(version, page.size)
        rows = self._warehouse.page(version, arrow_schema(schema), start, size)
        answer: dict[str, Any] = {
            "schema": schema_json(schema),
            "totalRows": str(version.rows),
        }
        if size:
            answer["rows"] = rows_json(rows, schema, timestamps=page.timestamps)
            if start + size < version.rows:
                answer["pageToken"] = make_token(start + size, mark)
        return answer


def _size(version: Version, asked: int | None) -> int:
    """Tell how many rows an answer holds."""
    heavy = max(1, version.bytes) / max(1, version.rows)
    most = max(1, min(_MOST_ROWS, int(_MOST_BYTES / heavy)))
    return most if asked is None else min(asked, most)
