"""BigQuery's tables, as the embedded cloud's other services read and write them.

Vertex AI names them by `bq://PROJECT.DATASET.TABLE`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.bigquery.engine import RowRelation
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.schema import Schema, schema_json
from gcp_local.bigquery.sql.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.sql.executor import Executor
    from gcp_local.bigquery.warehouse import Warehouse
    from gcp_local.resources.database import Database
    from gcp_local.resources.projects import Projects

SCHEME = "bq://"


class Exchange:
    """Reads tables and views, and makes tables."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        warehouse: Warehouse,
        executor: Executor,
        projects: Projects,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._warehouse = warehouse
        self._executor = executor
        self._projects = projects

    def read(self, uri: str) -> RowRelation:
        """Read all rows of a table or view.

        Args:
            uri: `bq://PROJECT.DATASET.TABLE`, the project by its id or number.

        Raises:
            BigQueryError: there is none, or the view's query fails.

        """
        from gcp_local.bigquery.sql.parsing import parse

        ref = self.table(uri)
        (query,) = parse(f"SELECT * FROM `{ref.dotted}`")  # noqa: S608  (it is a checked name)
        home = self._catalog.dataset(ref.parent)
        session = Session(ref.project, home.body.get("location", "US"), clock.now())
        outcome = self._executor.run(query, session)
        assert outcome.rows is not None
        return RowRelation(outcome.schema, outcome.rows)

    def table(self, uri: str) -> TableRef:
        """Read the name of a table, whose form was checked."""
        *project, dataset, table = uri.removeprefix(SCHEME).split(".")
        return TableRef(self._projects.id(".".join(project)), dataset, table)

    def dataset(self, uri: str) -> DatasetRef:
        """Read the name of a dataset, `bq://PROJECT.DATASET`."""
        project, _, dataset = uri.removeprefix(SCHEME).rpartition(".")
        return DatasetRef(self._projects.id(project), dataset)

    def create_dataset(self, ref: DatasetRef, location: str) -> None:
        """Make a dataset; errors as `Catalog.add_dataset`."""
        self._catalog.add_dataset(ref, {"location": location})

    def check_free(self, ref: TableRef) -> None:
        """Refuse a table whose dataset is not there, or that is there already."""
        self._catalog.dataset(ref.parent)
        if self._catalog.find(ref) is not None:
            raise BigQueryError.duplicate("Table", ref)

    def create_table(self, ref: TableRef, schema: Schema, rows: pa.Table) -> None:
        """Make a table of these rows; errors as `create_tables`."""
        self.create_tables([(ref, schema, rows)])

    def create_tables(self, made: Sequence[tuple[TableRef, Schema, pa.Table]]) -> None:
        """Make tables of these rows, all or none.

        Raises:
            BigQueryError: there is one of that name, or no such dataset.

        """
        written = [self._warehouse.write(rows) for _, _, rows in made]
        with self._database.transaction():
            for (ref, schema, _), file in zip(made, written, strict=True):
                body = {"type": "TABLE", "schema": schema_json(schema)}
                entry = self._catalog.add(ref, body)
                self._warehouse.commit(entry.uid, [file])
