"""What a query would cost: bytes billed, and the limit to them.

Source: https://cloud.google.com/bigquery/pricing#on_demand_pricing.
"""

from __future__ import annotations

from gcp_local.bigquery.errors import BigQueryError

_MEGABYTE = 1024 * 1024
_LEAST = 10 * _MEGABYTE


def bytes_billed(processed: int, tables: int) -> int:
    """Round bytes up to whole megabytes; of each table at least ten are billed."""
    if processed == 0:
        return 0
    rounded = -(-processed // _MEGABYTE) * _MEGABYTE
    return max(rounded, _LEAST * max(1, tables))


def check_limit(billed: int, limit: int | None) -> None:
    """Refuse a query that would be billed more than it may.

    Raises:
        BigQueryError: `bytesBilledLimitExceeded`.

    """
    if limit is not None and billed > limit:
        message = f"Query exceeded limit for bytes billed: {limit}. {billed} or higher required."
        raise BigQueryError("bytesBilledLimitExceeded", message)
