"""The rows of INFORMATION_SCHEMA.JOBS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gcp_local import clock

if TYPE_CHECKING:
    from datetime import datetime

    from gcp_local.bigquery.jobs.store import JobRef


def job_row(ref: JobRef, body: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Give the row of a job.

    Args:
        ref: its name.
        body: the `Job`.
        number: its project's.

    """
    statistics = body.get("statistics", {})
    configuration = body.get("configuration", {})
    query = statistics.get("query", {})
    asked = configuration.get("query", {})
    error = body["status"].get("errorResult")
    dml = query.get("dmlStats")
    kind = str(configuration.get("jobType", "QUERY")).lower()
    return {
        "creation_time": _moment(statistics.get("creationTime")),
        "project_id": ref.project,
        "project_number": number,
        "user_email": body.get("user_email"),
        "job_id": ref.id,
        "job_type": configuration.get("jobType"),
        "statement_type": query.get("statementType"),
        "priority": asked.get("priority", "INTERACTIVE") if asked else None,
        "start_time": _moment(statistics.get("startTime")),
        "end_time": _moment(statistics.get("endTime")),
        "query": asked.get("query"),
        "state": body["status"]["state"],
        "total_bytes_processed": _whole(statistics.get("totalBytesProcessed")),
        "total_slot_ms": _whole(statistics.get("totalSlotMs")),
        "error_result": error
        and {
            "reason": error.get("reason"),
            "location": error.get("location"),
            "debug_info": None,
            "message": error.get("message"),
        },
        "cache_hit": query.get("cacheHit"),
        "destination_table": _named(configuration.get(kind, {}).get("destinationTable")),
        "referenced_tables": [_named(each) for each in query.get("referencedTables", [])],
        "labels": [
            {"key": key, "value": value} for key, value in configuration.get("labels", {}).items()
        ],
        "total_bytes_billed": _whole(query.get("totalBytesBilled")),
        "parent_job_id": statistics.get("parentJobId"),
        "dml_statistics": dml
        and {
            "inserted_row_count": int(dml["insertedRowCount"]),
            "deleted_row_count": int(dml["deletedRowCount"]),
            "updated_row_count": int(dml["updatedRowCount"]),
        },
        "job_creation_reason": {"code": "REQUESTED"},
    }


def _moment(millis: str | None) -> datetime | None:
    return None if millis is None else clock.from_micros(int(millis) * 1000)


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text)


def _named(table: Mapping[str, str] | None) -> dict[str, str | None] | None:
    if not table:
        return None
    return {
        "project_id": table.get("projectId"),
        "dataset_id": table.get("datasetId"),
        "table_id": table.get("tableId"),
    }
