"""From a statement's text to what it is made of: CREATE and DROP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.cursor import Cursor
from gcp_local.bigquery.sql.ddl.altering import read_alter, read_constraint
from gcp_local.bigquery.sql.ddl.partitions import read_partitions
from gcp_local.bigquery.sql.ddl.routine_reading import read_routine
from gcp_local.bigquery.sql.ddl.syntax import (
    CreateSchema,
    CreateTable,
    CreateView,
    Drop,
    ForeignKey,
    Options,
    Statement,
)
from gcp_local.bigquery.sql.ddl.types import Column, read_column, read_options

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("CREATE", "DROP", "ALTER")
# What BigQuery can make and this stand-in cannot.
_LACKING = (
    ("EXTERNAL", "TABLE"), ("ROW", "ACCESS"), ("SEARCH", "INDEX"), ("VECTOR", "INDEX"),
    ("CAPACITY",), ("RESERVATION",), ("ASSIGNMENT",), ("AGGREGATE", "FUNCTION"),
    ("EXTERNAL", "SCHEMA"), ("DATA_POLICY",), ("CONNECTION",), ("PROPERTY", "GRAPH"),
)  # fmt: skip
_DROPPED = (
    ("MATERIALIZED", "VIEW"), ("SNAPSHOT", "TABLE"), ("EXTERNAL", "TABLE"), ("TABLE", "FUNCTION"),
    ("TABLE",), ("VIEW",), ("SCHEMA",), ("FUNCTION",), ("PROCEDURE",),
)  # fmt: skip


def read_ddl(text: str) -> Statement:
    """Read a statement that begins with one of `KINDS`.

    Raises:
        BigQueryError: a syntax error outside its expressions and queries; something that only
            BigQuery itself can do.

    """
    cursor = Cursor(text)
    statement: Statement
    match cursor.next().upper:
        case "CREATE":
            statement = _create(cursor)
        case "DROP":
            statement = _drop(cursor)
        case _:
            statement = read_alter(cursor)
    cursor.expect_end()
    return statement


def _create(cursor: Cursor) -> Statement:
    replace = cursor.skip("OR", "REPLACE")
    temporary = cursor.skip("TEMP") or cursor.skip("TEMPORARY")
    for words in _LACKING:
        if cursor.at(*words):
            raise BigQueryError.lacking(f"CREATE {' '.join(words)}", location="query")
    snapshot = cursor.skip("SNAPSHOT")
    materialized = not snapshot and cursor.skip("MATERIALIZED")
    kind = cursor.token.upper
    if kind not in ("TABLE", "VIEW", "SCHEMA", "FUNCTION", "PROCEDURE"):
        raise cursor.unexpected()
    cursor.next()
    if kind == "TABLE" and cursor.skip("FUNCTION"):
        kind = "TABLE FUNCTION"
    lenient = cursor.skip("IF", "NOT", "EXISTS")
    if lenient and replace:
        raise cursor.since(cursor.first).error(
            "CREATE cannot have both OR REPLACE and IF NOT EXISTS"
        )
    begun = {"path": cursor.path(), "replace": replace, "lenient": lenient, "temporary": temporary}
    match kind:
        case "TABLE":
            return _table(cursor, begun, snapshot=snapshot)
        case "VIEW":
            return _view(cursor, begun, materialized=materialized)
        case "SCHEMA":
            return _schema(cursor, begun)
        case _:
            return read_routine(cursor, kind, begun)


def _schema(cursor: Cursor, begun: Mapping[str, Any]) -> CreateSchema:
    if cursor.at("DEFAULT"):
        raise BigQueryError.lacking("DEFAULT COLLATE", location="query")
    return CreateSchema(**begun, options=_options(cursor))


def _options(cursor: Cursor) -> Options:
    return read_options(cursor) if cursor.at("OPTIONS") else []


def _table(cursor: Cursor, begun: Mapping[str, Any], *, snapshot: bool) -> CreateTable:
    said: dict[str, Any] = {}
    if snapshot and not cursor.at("CLONE"):
        raise cursor.unexpected("CLONE")
    if cursor.at_any("LIKE", "COPY", "CLONE"):
        said = _copied(cursor)
    if cursor.at("("):
        columns, primary, foreign = _columns(cursor)
        said |= {"columns": tuple(columns), "primary": primary, "foreign": foreign}
    if cursor.at("DEFAULT"):
        raise BigQueryError.lacking("DEFAULT COLLATE", location="query")
    if cursor.skip("PARTITION", "BY"):
        said["partitions"], said["bare"] = read_partitions(cursor)
    if cursor.skip("CLUSTER", "BY"):
        said["clustering"] = tuple(cursor.listed(cursor.name))
    if cursor.at("WITH", "CONNECTION"):
        raise BigQueryError.lacking("tables with a connection", location="query")
    said["options"] = _options(cursor)
    if cursor.skip("AS"):
        said["query"] = cursor.query()
    if not said.keys() & {"columns", "query", "how"}:
        raise cursor.unexpected('"("')
    return CreateTable(**begun, snapshot=snapshot, **said)


def _copied(cursor: Cursor) -> dict[str, Any]:
    how = cursor.next().upper
    said: dict[str, Any] = {"how": how, "source": cursor.path()}
    if how == "CLONE" and cursor.skip("FOR"):
        if not cursor.skip("SYSTEM_TIME"):
            cursor.expect("SYSTEM", "TIME")
        cursor.expect("AS", "OF")
        said["moment"] = cursor.fragment("OPTIONS", "AS")
    return said


def _columns(cursor: Cursor) -> tuple[list[Column], tuple[str, ...], tuple[ForeignKey, ...]]:
    columns: list[Column] = []
    primary: list[tuple[str, ...]] = []
    foreign: list[ForeignKey] = []
    cursor.expect("(")
    while not cursor.at(")") or not columns:
        if cursor.at("PRIMARY", "KEY") or cursor.at("FOREIGN", "KEY") or cursor.at("CONSTRAINT"):
            keys, other = read_constraint(cursor)
            primary += [keys] if keys else []
            foreign += [other] if other else []
        else:
            column = read_column(cursor)
            name = column.schema["name"]
            columns.append(column)
            primary += [(name,)] if column.primary else []
            if column.references:
                path, referred = column.references
                foreign.append(ForeignKey("", (name,), path, (referred,)))
        if not cursor.skip(","):
            break
    cursor.expect(")")
    if len(primary) > 1:
        raise BigQueryError.query("CREATE TABLE statement has more than one PRIMARY KEY")
    return columns, primary[0] if primary else (), tuple(foreign)


def _view(cursor: Cursor, begun: Mapping[str, Any], *, materialized: bool) -> CreateView:
    def column() -> tuple[str, Options]:
        return cursor.name(), _options(cursor)

    columns = cursor.parenthesised(column) if cursor.at("(") else []
    partitions: dict[str, Any] = {}
    clustering: tuple[str, ...] = ()
    if materialized and cursor.skip("PARTITION", "BY"):
        partitions, _ = read_partitions(cursor)
    if materialized and cursor.skip("CLUSTER", "BY"):
        clustering = tuple(cursor.listed(cursor.name))
    options = _options(cursor)
    if materialized and cursor.at("AS", "REPLICA"):
        raise BigQueryError.lacking("replicas of materialized views", location="query")
    cursor.expect("AS")
    return CreateView(
        **begun,
        materialized=materialized,
        columns=tuple(columns),
        partitions=partitions,
        clustering=clustering,
        options=options,
        query=cursor.query(),
    )


def _drop(cursor: Cursor) -> Drop:
    for words in _LACKING:
        if cursor.at(*words) and words != ("EXTERNAL", "TABLE"):
            raise BigQueryError.lacking(f"DROP {' '.join(words)}", location="query")
    for words in _DROPPED:
        if cursor.skip(*words):
            lenient = cursor.skip("IF", "EXISTS")
            path = cursor.path()
            cascade = words == ("SCHEMA",) and cursor.skip("CASCADE")
            if words == ("SCHEMA",) and not cascade:
                cursor.skip("RESTRICT")
            return Drop(" ".join(words), path, lenient, cascade)
    raise cursor.unexpected()
