"""Gives INFORMATION_SCHEMA's views, and `__TABLES__`, to queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.engine import RowRelation
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.locations import canonical as canonical_location
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.schema import arrow_schema
from gcp_local.bigquery.sql.information_schema import producing
from gcp_local.bigquery.sql.information_schema.columns import canonical, schema_of
from gcp_local.bigquery.sql.information_schema.jobs import job_row
from gcp_local.bigquery.sql.information_schema.producing import Row, named, table_type

if TYPE_CHECKING:
    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.jobs.store import JobStore
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.tables.description import TableDescriber
    from gcp_local.bigquery.warehouse import Warehouse
    from gcp_local.resources.projects import Projects

_DATASETS: Mapping[str, Callable[[DatasetRef, Any], Iterator[Row]]] = {
    "SCHEMATA": producing.schemata,
    "SCHEMATA_OPTIONS": producing.schemata_options,
}
_TABLES: Mapping[str, Callable[[TableRef, Any], Iterator[Row]]] = {
    "TABLES": producing.tables,
    "TABLE_OPTIONS": producing.table_options,
    "COLUMNS": producing.columns,
    "COLUMN_FIELD_PATHS": producing.column_field_paths,
    "VIEWS": producing.views,
    "MATERIALIZED_VIEWS": producing.materialized_views,
    "TABLE_SNAPSHOTS": producing.table_snapshots,
    "TABLE_CONSTRAINTS": producing.table_constraints,
    "KEY_COLUMN_USAGE": producing.key_column_usage,
    "CONSTRAINT_COLUMN_USAGE": producing.constraint_column_usage,
}
_ROUTINES: Mapping[str, Callable[[TableRef, Any], Iterator[Row]]] = {
    "ROUTINES": producing.routines,
    "ROUTINE_OPTIONS": producing.routine_options,
    "PARAMETERS": producing.parameters,
}
# Asked of a region only, never of a dataset.
_REGIONAL = ("SCHEMATA", "SCHEMATA_OPTIONS", "JOBS", "TABLE_STORAGE")
_NUMBERS = {"TABLE": 1, "VIEW": 2, "EXTERNAL": 3, "MATERIALIZED_VIEW": 4, "SNAPSHOT": 5}


class InformationSchema:
    """INFORMATION_SCHEMA of all projects.

    Args:
        catalog: what there is.
        warehouse: how much is in it.
        describer: counts partitions.
        jobs: which jobs there were.
        projects: their numbers.

    """

    def __init__(
        self,
        catalog: Catalog,
        warehouse: Warehouse,
        describer: TableDescriber,
        jobs: JobStore,
        projects: Projects,
    ) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self._describer = describer
        self._jobs = jobs
        self._projects = projects

    def find(
        self, project: str, place: str | None, view: str, session: Session
    ) -> RowRelation | None:
        """Give a view's rows; see `SystemTables.find`."""
        name = canonical(view)
        if name is None:
            return None
        rows = self._rows(project, name, place, session)
        import pyarrow as pa

        schema = schema_of(name)
        filled = [{field.name: row.get(field.name) for field in schema} for row in rows]
        return RowRelation(schema, pa.Table.from_pylist(filled, schema=arrow_schema(schema)))

    def _rows(self, project: str, view: str, place: str | None, session: Session) -> Iterable[Row]:
        if view == "JOBS":
            location = self._location(place, view, session)
            return self._job_rows(project, location)
        datasets = list(self._datasets(project, place, view, session))
        if view in _DATASETS:
            return [row for ref, entry in datasets for row in _DATASETS[view](ref, entry)]
        if view in _ROUTINES:
            return [
                row
                for home, _ in datasets
                for ref, entry in self._catalog.entries(home, "routine")
                for row in _ROUTINES[view](ref, entry)
            ]
        special: Mapping[str, Callable[[TableRef, Entry], Iterator[Row]]] = {
            "PARTITIONS": self._partitions,
            "TABLE_STORAGE": self._storage,
            "__TABLES__": self._summary,
        }
        produce = special.get(view) or _TABLES[view]
        return [
            row
            for home, _ in datasets
            for ref, entry in self._catalog.entries(home)
            for row in produce(ref, entry)
        ]

    # Which datasets are asked about

    def _datasets(
        self, project: str, place: str | None, view: str, session: Session
    ) -> Iterator[tuple[DatasetRef, Entry]]:
        if place is None and view not in _REGIONAL:
            if session.default_dataset is None:
                raise BigQueryError.query(
                    f'Table "INFORMATION_SCHEMA.{view}" must be qualified with a dataset'
                    " (e.g. dataset.table)."
                )
            project, place = session.default_dataset.project, session.default_dataset.dataset
        if place is not None and not place.lower().startswith("region-"):
            if view in _REGIONAL:
                raise BigQueryError.query(
                    f"INFORMATION_SCHEMA.{view} cannot be asked of a dataset; name a region, such"
                    " as `region-us`"
                )
            ref = DatasetRef(project, place)
            yield ref, self._catalog.dataset(ref)
            return
        location = self._location(place, view, session)
        for ref, entry in self._catalog.datasets(project):
            here = str(entry.body.get("location", "US")).lower() == location.lower()
            if here and not ref.dataset.startswith("_"):
                yield ref, entry

    @staticmethod
    def _location(place: str | None, view: str, session: Session) -> str:
        if place is None:
            return session.location
        if not place.lower().startswith("region-"):
            raise BigQueryError.query(
                f"INFORMATION_SCHEMA.{view} cannot be asked of a dataset; name a region, such as"
                " `region-us`"
            )
        return canonical_location(place[len("region-") :])

    # Rows that need more than the catalog

    def _partitions(self, ref: TableRef, entry: Entry) -> Iterator[Row]:
        if entry.kind not in ("TABLE", "SNAPSHOT"):
            return
        version = self._warehouse.current(entry.uid)
        counts = dict(self._describer.partitions(entry, version))
        if "timePartitioning" not in entry.body and "rangePartitioning" not in entry.body:
            counts = {"": version.rows}
        for name, count in counts.items():
            share = version.bytes * count // version.rows if version.rows else 0
            yield {
                **named(ref),
                "partition_id": name or None,
                "total_rows": count,
                "total_logical_bytes": share,
                "total_billable_bytes": share,
                "last_modified_time": clock.from_micros(version.committed or entry.modified),
                "storage_tier": "ACTIVE",
            }

    def _storage(self, ref: TableRef, entry: Entry) -> Iterator[Row]:
        if entry.kind not in ("TABLE", "SNAPSHOT"):
            return
        version = self._warehouse.current(entry.uid)
        yield {
            "project_id": ref.project,
            "project_number": int(self._projects.number(ref.project)),
            **named(ref),
            "creation_time": clock.from_micros(entry.created),
            "total_rows": version.rows,
            "total_partitions": len(self._describer.partitions(entry, version)),
            "total_logical_bytes": version.bytes,
            "active_logical_bytes": version.bytes,
            "long_term_logical_bytes": 0,
            "storage_last_modified_time": clock.from_micros(version.committed or entry.modified),
            "deleted": False,
            "table_type": table_type(entry),
        }

    def _summary(self, ref: TableRef, entry: Entry) -> Iterator[Row]:
        version = self._warehouse.current(entry.uid)
        yield {
            "project_id": ref.project,
            "dataset_id": ref.dataset,
            "table_id": ref.table,
            "creation_time": entry.created // 1000,
            "last_modified_time": max(entry.modified, version.committed) // 1000,
            "row_count": version.rows,
            "size_bytes": version.bytes,
            "type": _NUMBERS.get(entry.kind, 1),
        }

    def _job_rows(self, project: str, location: str) -> Iterator[Row]:
        number = int(self._projects.number(project))
        for ref, body in self._jobs.all(project, location):
            yield job_row(ref, body, number)
