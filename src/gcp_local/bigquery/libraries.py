"""What rows and SQL need of libraries, imported while the client still prepares its first job.

They take half a second, which a server that nobody asks for BigQuery does without.
"""

from __future__ import annotations

import importlib
import threading

_NEEDED = (
    "pyarrow",
    "pandas",  # which pyarrow and DuckDB look for at their first values
    "pyarrow.compute",
    "pyarrow.parquet",
    "duckdb",
    "gcp_local.bigquery.sql.grammar.queries",
    "gcp_local.bigquery.sql.queries.query",
)


class Libraries:
    """Imports the libraries, once."""

    def __init__(self) -> None:
        self._begun = threading.Lock()

    def prepare(self) -> None:
        """Begin, unless that was done before. Returns at once."""
        if self._begun.acquire(blocking=False):
            # No daemon: an import cannot be cut off, so the server's end waits for it.
            threading.Thread(target=_import, name="bigquery-libraries").start()


def _import() -> None:
    for name in _NEEDED:
        importlib.import_module(name)
