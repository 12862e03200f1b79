"""Anonymous tables: what queries without a destination give is kept in them for a day."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.schema import schema_json

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.jobs.store import JobRef
    from gcp_local.bigquery.schema import Schema
    from gcp_local.bigquery.warehouse import Warehouse

LIFETIME = timedelta(hours=24)
_PREFIX = "anon"


class AnonymousTables:
    """Keeps results, in a hidden dataset of each project and location."""

    def __init__(self, catalog: Catalog, warehouse: Warehouse) -> None:
        self._catalog = catalog
        self._warehouse = warehouse

    def keep(
        self, job: JobRef, rows: pa.Table, schema: Schema
    ) -> tuple[TableRef, Callable[[], None]]:
        """Write a job's rows to a file; give the table, and what enters it in a transaction."""
        mark = hashlib.sha256(str(job).encode()).hexdigest()
        home = _home(job.project, job.location)
        ref = home.table(f"{_PREFIX}{mark}")
        files = [self._warehouse.write(rows)] if rows.num_rows else []

        def commit() -> None:
            self._open(home, job.location)
            until = clock.micros(clock.now() + LIFETIME) // 1000
            description = {"type": "TABLE", "schema": schema_json(schema)}
            entry = self._catalog.add(ref, {**description, "expirationTime": str(until)})
            self._warehouse.commit(entry.uid, files)

        return ref, commit

    def _open(self, home: DatasetRef, location: str) -> None:
        try:
            self._catalog.add_dataset(home, {"location": location})
        except BigQueryError as error:
            if error.reason != "duplicate":
                raise


def _home(project: str, location: str) -> DatasetRef:
    mark = hashlib.sha256(f"{project}:{location}".encode()).hexdigest()[:40]
    return DatasetRef(project, f"_{mark}")
