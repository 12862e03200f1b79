"""Queries: SELECT, WITH, set operations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import Schema, arrow_schema
from gcp_local.bigquery.sql.session import Outcome
from gcp_local.bigquery.warehouse import logical_bytes

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa
    from sqlglot.expressions import Expr

    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.engine import Engine
    from gcp_local.bigquery.sql.queries.compilation import Compilation
    from gcp_local.bigquery.sql.queries.typed import Typed
    from gcp_local.bigquery.sql.queries.understood import Query
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.system_tables import SystemTables
    from gcp_local.bigquery.sql.table_functions import TableFunctions
    from gcp_local.bigquery.warehouse import Warehouse


class Select:
    """Runs queries.

    Args:
        catalog: which tables there are.
        warehouse: what is in them.
        engine: runs DuckDB's SQL.
        functions: answer functions that stand in FROM.
        system: gives INFORMATION_SCHEMA's views.

    """

    def __init__(
        self,
        catalog: Catalog,
        warehouse: Warehouse,
        engine: Engine,
        functions: TableFunctions | None = None,
        system: SystemTables | None = None,
    ) -> None:
        self._functions = functions
        self._catalog = catalog
        self._warehouse = warehouse
        self._engine = engine
        self._system = system

    def takes(self, statement: Expr) -> bool:
        """Tell whether it is a query."""
        from sqlglot import exp

        return isinstance(statement, exp.Query)

    def run(self, statement: Expr, session: Session, *, dry: bool) -> Outcome:
        """Run a query; see `Handler.run`."""
        from gcp_local.bigquery.sql.queries.compilation import Compilation
        from gcp_local.bigquery.sql.queries.query import QueryCompiler
        from gcp_local.bigquery.sql.queries.tables import Tables

        tables = Tables(self._catalog, self._warehouse, session, self._system)
        context = Compilation(session, tables, table_functions=self._functions, dry=dry)

        def moment(value: Typed) -> datetime | None:
            rows = self._ran(f"SELECT epoch_us(CAST({value.sql} AS TIMESTAMPTZ))", context)
            micros = rows.column(0)[0].as_py()
            return None if micros is None else clock.from_micros(micros)

        def run(query: Expr) -> Outcome:
            return self.run(query, session, dry=dry)

        compiler = QueryCompiler(context, moment, run)
        try:
            query = _expanded(compiler.query(statement, None, {}), context)
        except RecursionError:
            message = (
                "Resources exceeded during query execution: Not enough resources for query planning"
                " - too many subqueries or query is too complex."
            )
            raise BigQueryError("resourcesExceeded", message) from None
        schema = _schema(query)
        used = set(compiler.used)
        for name, column in compiler.used:
            used |= {(twin, column) for twin in context.twins.get(name, ())}
        size = tables.size(self._whole(used, context)) + context.extra_bytes
        size += self._in_partitions(used, context)
        rows = None if dry else _fitted(self._ran(query.sql, context), schema)
        return Outcome("SELECT", schema, rows, size, tuple(tables.referenced))

    @staticmethod
    def _whole(used: set[tuple[str, str]], context: Compilation) -> set[tuple[str, str]]:
        """Leave the columns of which all partitions are read."""
        scans = context.scans
        return {
            (name, column)
            for name, column in used
            if name not in scans or not scans[name].conditions
        }

    def _in_partitions(self, used: set[tuple[str, str]], context: Compilation) -> int:
        """Count the bytes of columns in the partitions that a query's conditions leave."""
        total = 0
        for name, scan in context.scans.items():
            columns = sorted(column for relation, column in used if relation == name)
            if scan.conditions and columns:
                total += logical_bytes(self._ran(scan.sql(columns), context))
        return total

    def _ran(self, sql: str, context: Compilation) -> pa.Table:
        import duckdb

        from gcp_local.bigquery.sql.queries.faults import refused

        try:
            return self._engine.run(
                sql, context.tables.relations, (), context.session.cancellation, context.functions
            )
        except duckdb.Error as error:
            raise refused(str(error)) from None


def _expanded(query: Query, context: Compilation) -> Query:
    """Give the columns of a query whose rows are structs."""
    from gcp_local.bigquery.sql.queries.scopes import Column

    only = query.columns[0]
    if not (query.value_table and only.type.kind == "STRUCT"):
        return query
    items, columns = [], []
    for at, (name, kind) in enumerate(only.type.fields):
        key = context.fresh("c")
        items.append(f"struct_extract_at({only.sql}, {at + 1}) AS {key}")
        columns.append(Column(name, kind, key))
    sql = f"SELECT {', '.join(items)} FROM ({query.sql}) AS {context.fresh('s')}"  # noqa: S608
    return replace(query, sql=sql, columns=tuple(columns))


def _schema(query: Query) -> Schema:
    fields = []
    seen: set[str] = set()
    anonymous = 0
    for column in query.columns:
        name = column.name
        if not name:
            name, anonymous = f"f{anonymous}_", anonymous + 1
        if name.lower() in seen:
            message = (
                "Duplicate column names in the result are not supported when a destination table is"
                f" present. Found duplicate(s): {name}"
            )
            raise BigQueryError.query(message)
        seen.add(name.lower())
        fields.append(column.type.known.field(name))
    return tuple(fields)


def _fitted(rows: pa.Table, schema: Schema) -> pa.Table:
    """Bring rows to the types of a schema; an array that is NULL is empty in a result."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    wanted = arrow_schema(schema)
    for column, field, told in zip(rows.columns, wanted, schema, strict=True):
        value = column
        if isinstance(value.type, pa.BaseExtensionType):
            value = pa.chunked_array([chunk.storage for chunk in value.chunks], field.type)
        if told.repeated:
            if pc.any(pc.is_null(pc.list_flatten(value))).as_py():
                message = f"Array cannot have a null element; error in writing field {told.name}"
                raise BigQueryError("invalid", message)
            value = value.cast(field.type)
            if value.null_count:
                empty = pa.scalar([], field.type)
                value = pc.if_else(pc.is_null(value), empty, value)
        columns.append(value.cast(field.type))
    return pa.Table.from_arrays(columns, schema=wanted)
