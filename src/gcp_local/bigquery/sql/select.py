"""Queries: SELECT, WITH, set operations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_local.bigquery.engine import Engine, FileRelation, Relation, RowRelation
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import TableRef
from gcp_local.bigquery.schema import Field, Schema, arrow_schema
from gcp_local.bigquery.sql.session import Outcome

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot.expressions import Expr

    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.table_functions import TableFunctions
    from gcp_local.bigquery.warehouse import Warehouse


class Select:
    """Runs queries."""

    def __init__(
        self,
        catalog: Catalog,
        warehouse: Warehouse,
        engine: Engine,
        functions: TableFunctions | None = None,
    ) -> None:
        self._functions = functions
        self._catalog = catalog
        self._warehouse = warehouse
        self._engine = engine

    def takes(self, statement: Expr) -> bool:
        """Tell whether it is a query."""
        from sqlglot import exp

        return isinstance(statement, exp.Query)

    def run(self, statement: Expr, session: Session, *, dry: bool) -> Outcome:
        """Run a query; see `Handler.run`."""
        import duckdb
        import sqlglot
        from sqlglot import exp

        from gcp_local.bigquery.sql.dialect import GoogleSQL
        from gcp_local.bigquery.sql.grammar.nodes import Call

        relations: dict[str, Relation] = {}
        referenced, size = [], 0
        statement = statement.copy()
        for call in list(statement.find_all(Call)):
            if isinstance(call.parent, exp.From | exp.Join) and self._functions is not None:
                given = self._functions.rows(
                    call, session, lambda query: self.run(query, session, dry=dry), dry=False
                )
                name = f"f{len(relations)}"
                assert given.rows is not None
                relations[name] = RowRelation(given.schema, given.rows)
                size += given.bytes
                call.replace(exp.to_table(name, alias=call.meta.get("alias")))
        statement = sqlglot.parse_one(statement.sql(dialect=GoogleSQL), read="bigquery")
        for table in statement.find_all(exp.Table):
            if not table.db:
                for home in (session.temporary, session.default_dataset):
                    if home and self._catalog.find(home.table(table.name)):
                        table.set("db", exp.to_identifier(home.dataset))
                        break
            if not table.db:
                continue
            ref = TableRef(table.catalog or session.project, table.db, table.name)
            name = f"t{len(relations)}"
            if ref in session.relations:
                relations[name] = session.relations[ref]
                table.replace(exp.to_table(name, alias=table.alias or table.name))
                continue
            entry = self._catalog.get(ref)
            version = self._warehouse.current(entry.uid)
            relations[name] = FileRelation(entry.schema, tuple(self._warehouse.paths(version)))
            referenced.append(ref)
            size += version.bytes
            table.replace(exp.to_table(name, alias=table.alias or table.name))
        try:
            sql = statement.sql(dialect="duckdb")
            rows = self._engine.run(sql, relations, (), session.cancellation)
        except duckdb.Error as error:
            raise BigQueryError.query(str(error)) from None
        schema = schema_of(rows.schema)
        return Outcome(
            "SELECT",
            schema,
            None if dry else rows.cast(arrow_schema(schema)),
            size,
            tuple(referenced),
        )


def schema_of(arrow: pa.Schema) -> Schema:
    """Tell in BigQuery's types what DuckDB gave."""
    return tuple(_field(field) for field in arrow)


def _field(field: pa.Field) -> Field:
    import pyarrow as pa

    kind = field.type
    if pa.types.is_list(kind):
        element = _field(pa.field(field.name, kind.value_type))
        return replace(element, mode="REPEATED")
    if pa.types.is_struct(kind):
        inner = tuple(_field(kind.field(at)) for at in range(kind.num_fields))
        return Field(field.name, "RECORD", fields=inner)
    tests = {
        "INTEGER": pa.types.is_integer, "FLOAT": pa.types.is_floating,
        "NUMERIC": pa.types.is_decimal, "BOOLEAN": pa.types.is_boolean,
        "STRING": pa.types.is_string, "BYTES": pa.types.is_binary, "DATE": pa.types.is_date32,
        "TIME": pa.types.is_time64,
    }  # fmt: skip
    if pa.types.is_timestamp(kind):
        return Field(field.name, "TIMESTAMP" if kind.tz else "DATETIME")
    for name, holds in tests.items():
        if holds(kind):
            return Field(field.name, name)
    if pa.types.is_null(kind):
        return Field(field.name, "INTEGER")  # an untyped NULL is INT64
    raise BigQueryError.lacking(f"results of DuckDB's type {kind}", location="query")
