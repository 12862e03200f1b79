"""What a query did, as `JobStatistics`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.jobs.billing import bytes_billed
from gcp_local.bigquery.schema import schema_json

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.session import Outcome


def statistics_of(outcome: Outcome, *, dry: bool = False, cached: bool = False) -> dict[str, Any]:
    """Give the statistics of a query job, without times.

    Args:
        outcome: what came of it.
        dry: it was only checked.
        cached: an earlier query's rows were given.

    """
    processed = 0 if cached else outcome.bytes
    billed = 0 if dry else bytes_billed(processed, len(outcome.referenced))
    own: dict[str, Any] = {
        "statementType": outcome.statement_type,
        "totalBytesProcessed": str(processed),
        "totalBytesBilled": str(billed),
        "cacheHit": cached,
        **outcome.statistics,
    }
    if dry:
        own["totalBytesProcessedAccuracy"] = "PRECISE"
    if outcome.schema:
        own["schema"] = schema_json(outcome.schema)
    if outcome.referenced:
        own["referencedTables"] = [ref.as_json() for ref in outcome.referenced]
    return {"totalBytesProcessed": str(processed), "query": own}
