"""CREATE TABLE, CREATE SNAPSHOT TABLE."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.partitions import Partitioning
from gcp_local.bigquery.schema import Field, Schema, arrow_schema, read_schema, schema_json
from gcp_local.bigquery.sql.asking import query
from gcp_local.bigquery.sql.ddl import options
from gcp_local.bigquery.sql.ddl.outcomes import Made, made
from gcp_local.bigquery.sql.dml.assigning import column_of, fits, held_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.catalog import Entry
    from gcp_local.bigquery.references import TableRef
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.ddl.syntax import CreateTable
    from gcp_local.bigquery.sql.session import Outcome, Session
    from gcp_local.bigquery.sql.tables import Tables
    from gcp_local.bigquery.tables.queries import TableQueries
    from gcp_local.bigquery.warehouse import DataFile, Version

# What LIKE, COPY and CLONE take from the other table.
_COPIED = (
    "schema", "timePartitioning", "rangePartitioning", "clustering", "requirePartitionFilter",
    "description", "friendlyName", "labels", "defaultRoundingMode", "tableConstraints",
)  # fmt: skip


class TableMaker:
    """Makes tables."""

    def __init__(self, tables: Tables, asker: Asker, queries: TableQueries) -> None:
        self._tables = tables
        self._asker = asker
        self._queries = queries

    def make(self, said: CreateTable, session: Session, *, dry: bool) -> Outcome:
        """Make a table, or with `dry` only check the statement.

        Raises:
            BigQueryError: it is refused.

        """
        ref = self._ref(said, session)
        home = self._tables.catalog.dataset(ref.parent)
        kind = "CREATE_SNAPSHOT_TABLE" if said.snapshot else "CREATE_TABLE"
        if said.query is not None:
            kind = "CREATE_TABLE_AS_SELECT"
        if said.lenient and self._tables.catalog.find(ref):
            return made(kind, Made("SKIP", ref))
        self._refuse_there(said, ref)
        body, rows, files, outcome = self._wanted(said, session, dry=dry)
        place = str(home.body.get("location", "US"))
        schema = read_schema(body.get("schema", {}).get("fields", ()))
        self._queries.check_defaults(ref, schema, place)
        self._check_bare(said, schema)
        if not dry:
            session.cancellation.check()
            if rows is not None and rows.num_rows:
                files = (self._tables.warehouse.write(rows),)
        catalog, warehouse = self._tables.catalog, self._tables.warehouse
        with catalog.transaction():
            there = said.replace and catalog.find(ref) is not None
            done = made(kind, Made("REPLACE" if there else "CREATE", ref))
            if outcome is not None:
                done = replace(
                    done,
                    schema=outcome.schema,
                    bytes=outcome.bytes,
                    referenced=outcome.referenced,
                )
            if not dry:
                if there:
                    catalog.delete(ref)
                    if session.transaction is not None:
                        session.transaction.forget(ref)
                entry = catalog.add(ref, body)
                warehouse.commit(entry.uid, files)
                session.settle(done)
        return done

    def _ref(self, said: CreateTable, session: Session) -> TableRef:
        if not said.temporary:
            return self._tables.ref(said.path, session)
        if session.temporary is None:
            raise BigQueryError.query("Use of CREATE TEMPORARY TABLE requires a script or session")
        if len(said.path) > 1 and said.path[0].upper() != "_SESSION":
            raise BigQueryError.query(
                "CREATE TEMP TABLE does not allow a qualified name: " + ".".join(said.path)
            )
        return session.temporary.table(said.path[-1])

    def _refuse_there(self, said: CreateTable, ref: TableRef) -> None:
        there = self._tables.catalog.find(ref)
        if there is None:
            return
        if not said.replace:
            raise BigQueryError.duplicate("Table", ref)
        if there.kind != "TABLE":
            raise BigQueryError.query(
                f"{ref} is not allowed for this operation because it is currently a {there.kind}."
            )

    # What it is to be

    def _wanted(
        self, said: CreateTable, session: Session, *, dry: bool
    ) -> tuple[dict[str, Any], pa.Table | None, tuple[DataFile, ...], Outcome | None]:
        """Give the table's resource, its rows or files, and what the query gave."""
        body: dict[str, Any] = {}
        files: tuple[DataFile, ...] = ()
        rows, outcome = None, None
        schema = self._schema(said, session)
        if said.how:
            body, files = self._copied(said, session)
        if said.query is not None:
            outcome = self._asker.rows(query(said.query), session, dry=dry)
            schema = schema or _named(read_schema(body.get("schema", {}).get("fields", ())))
            schema = schema or _named(outcome.schema)
            _check_query(said, outcome.schema, schema)
            if outcome.rows is not None:
                rows = _rows(outcome, schema)
        if schema:
            body["schema"] = schema_json(schema)
        if said.partitions:
            body = {k: v for k, v in body.items() if not k.endswith("Partitioning")}
            body |= said.partitions
        if said.clustering:
            body["clustering"] = {"fields": list(said.clustering)}
        if said.primary or said.foreign:
            body["tableConstraints"] = self._constraints(said, session)
        body = options.changed(body, said.options, options.TABLE, self._asker, session)
        body["type"] = "SNAPSHOT" if said.snapshot else "TABLE"
        partitioning = Partitioning.of(body)
        if rows is not None and partitioning is not None:
            rows = partitioning.stamped(rows, session.now)
        return body, rows, files, outcome

    def _schema(self, said: CreateTable, session: Session) -> Schema:
        columns = [
            options.changed(each.schema, each.options, options.COLUMN, self._asker, session)
            for each in said.columns or ()
        ]
        for column in columns:
            if column["name"] in said.primary and column.get("mode") == "REPEATED":
                raise BigQueryError.query(f"Column {column['name']} cannot be a primary key")
        return read_schema(columns)

    def _constraints(self, said: CreateTable, session: Session) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if said.primary:
            found["primaryKey"] = {"columns": list(said.primary)}
        if said.foreign:
            found["foreignKeys"] = [
                foreign_key(each, self._tables.ref(each.path, session), at)
                for at, each in enumerate(said.foreign, 1)
            ]
        return found

    def _copied(
        self, said: CreateTable, session: Session
    ) -> tuple[dict[str, Any], tuple[DataFile, ...]]:
        source = self._tables.ref(said.source, session)
        entry = self._tables.entry(source, session)
        if entry.kind not in ("TABLE", "SNAPSHOT"):
            raise BigQueryError.query(
                f"{source} is not allowed for this operation because it is currently a"
                f" {entry.kind}."
            )
        moment = self._moment(said, session)
        body = {name: entry.body[name] for name in _COPIED if name in entry.body}
        if said.how == "LIKE":
            return body, ()
        version = self._version(source, entry, moment)
        if said.how == "CLONE":
            noun, at = ("snapshot", "snapshotTime") if said.snapshot else ("clone", "cloneTime")
            when = clock.rfc3339(moment or session.now)
            body[f"{noun}Definition"] = {"baseTableReference": source.as_json(), at: when}
        return body, version.files

    def _moment(self, said: CreateTable, session: Session) -> datetime | None:
        if said.moment is None:
            return None
        found = self._asker.value(said.moment, session)
        if found.field.type != "TIMESTAMP" or found.value is None:
            raise said.moment.error("FOR SYSTEM_TIME AS OF expression must be a TIMESTAMP")
        value: datetime = found.value
        return value

    def _version(self, ref: TableRef, entry: Entry, moment: datetime | None) -> Version:
        if moment is None:
            return self._tables.warehouse.current(entry.uid)
        if moment > clock.now():
            raise BigQueryError.query(f"Invalid snapshot time {_millis(moment)} for table {ref}")
        version = self._tables.warehouse.at(entry.uid, moment)
        if version is None and clock.micros(moment) < entry.created:
            raise BigQueryError.query(
                f"Invalid snapshot time {_millis(moment)} for table {ref}."
                " Cannot read before the table was created"
            )
        return version or replace(self._tables.warehouse.current(entry.uid), files=())

    def _check_bare(self, said: CreateTable, schema: Schema) -> None:
        if not said.bare:
            return
        name = said.partitions["timePartitioning"]["field"]
        column = next((each for each in schema if each.name.lower() == name.lower()), None)
        if column is not None and column.type != "DATE":
            raise BigQueryError.query(
                "PARTITION BY expression must be DATE(<timestamp_column>),"
                " DATE(<datetime_column>), DATETIME_TRUNC(<datetime_column>,"
                " DAY/HOUR/MONTH/YEAR), a DATE column, TIMESTAMP_TRUNC(<timestamp_column>,"
                " DAY/HOUR/MONTH/YEAR), DATE_TRUNC(<date_column>, MONTH/YEAR), or"
                " RANGE_BUCKET(<int64_column>, GENERATE_ARRAY(<int64_value>, <int64_value>[,"
                " <int64_value>]))"
            )


def foreign_key(said: Any, ref: TableRef, number: int) -> dict[str, Any]:
    """Give a foreign key as the resource has it."""
    if len(said.columns) != len(said.others):
        raise BigQueryError.query("FOREIGN KEY must name as many columns as it references")
    return {
        "name": said.name or f"fk_{number}",
        "referencedTable": ref.as_json(),
        "columnReferences": [
            {"referencingColumn": own, "referencedColumn": other}
            for own, other in zip(said.columns, said.others, strict=True)
        ],
    }


def _named(schema: Schema) -> Schema:
    """Give the columns of a query as a table has them: what a query demands is not kept."""
    return tuple(
        Field(each.name, each.type, each.mode if each.repeated else "NULLABLE", each.fields)
        for each in schema
    )


def _check_query(said: CreateTable, given: Schema, wanted: Schema) -> None:
    assert said.query is not None
    for at, field in enumerate(given, 1):
        if said.columns is None and field.name.startswith("f") and field.name == f"f{at - 1}_":
            raise said.query.error(
                f"CREATE TABLE columns must be named, but column {at} has no name"
            )
    if len(given) != len(wanted):
        raise said.query.error(
            f"The number of columns in the column definition list ({len(wanted)}) does not match"
            f" the number of columns in the query ({len(given)})"
        )
    for source, target in zip(given, wanted, strict=True):
        if not fits(source, target):
            raise said.query.error(
                f"Column {target.name} in the column definition list has type {target.sql}, to"
                f" which the query's type {source.sql} cannot be coerced"
            )


def _rows(outcome: Outcome, schema: Schema) -> pa.Table:
    import pyarrow as pa

    assert outcome.rows is not None
    columns = [
        column_of(column, source, target)
        for column, source, target in zip(outcome.rows.columns, outcome.schema, schema, strict=True)
    ]
    return held_rows(pa.Table.from_arrays(columns, schema=arrow_schema(schema)), schema)


def _millis(moment: datetime) -> int:
    return clock.micros(moment) // 1000
