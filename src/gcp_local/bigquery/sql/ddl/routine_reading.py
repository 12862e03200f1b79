"""From a statement's text to what it is made of: functions, table functions, procedures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.ddl.syntax import Argument, CreateRoutine, Options
from gcp_local.bigquery.sql.ddl.types import read_column, read_options, read_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.bigquery.sql.cursor import Cursor, Fragment

_TYPES = {
    "FUNCTION": "SCALAR_FUNCTION",
    "TABLE FUNCTION": "TABLE_VALUED_FUNCTION",
    "PROCEDURE": "PROCEDURE",
}


def read_routine(cursor: Cursor, kind: str, begun: Mapping[str, Any]) -> CreateRoutine:
    """Take what stands behind the name.

    Raises:
        BigQueryError: a syntax error; a routine in another language than SQL.

    """
    arguments = cursor.parenthesised(lambda: _argument(cursor, kind))
    returns: dict[str, Any] | None = None
    if kind != "PROCEDURE" and cursor.skip("RETURNS"):
        returns = _returned(cursor, kind)
    options = _attributes(cursor)
    body = _body(cursor, kind)
    if cursor.at("OPTIONS"):
        options = read_options(cursor)
    return CreateRoutine(
        **begun,
        kind=_TYPES[kind],
        arguments=tuple(arguments),
        returns=returns,
        body=body,
        options=options,
    )


def _argument(cursor: Cursor, kind: str) -> Argument:
    mode = ""
    if kind == "PROCEDURE" and cursor.at_any("IN", "OUT", "INOUT"):
        mode = cursor.next().upper
    name = cursor.name()
    if cursor.skip("ANY", "TYPE"):
        return Argument(name, {}, mode)
    if cursor.at("TABLE"):
        raise BigQueryError.lacking("arguments that are tables", location="query")
    return Argument(name, read_type(cursor), mode)


def _returned(cursor: Cursor, kind: str) -> dict[str, Any]:
    if kind == "FUNCTION":
        return read_type(cursor)
    cursor.expect("TABLE", "<")
    fields = cursor.listed(lambda: read_column(cursor).schema)
    cursor.expect_closing_angle()
    return {"type": "STRUCT", "fields": fields}


def _attributes(cursor: Cursor) -> Options:
    options: Options = []
    while not cursor.at_any("AS", "BEGIN"):
        if cursor.at("OPTIONS"):
            options = read_options(cursor)
        elif cursor.skip("LANGUAGE"):
            language = cursor.name()
            if language.upper() != "SQL":
                raise BigQueryError.lacking(f"routines in {language}", location="query")
        elif cursor.at("REMOTE") or cursor.at("WITH", "CONNECTION"):
            raise BigQueryError.lacking("remote functions", location="query")
        elif cursor.at("DETERMINISTIC") or cursor.at("NOT", "DETERMINISTIC"):
            raise BigQueryError.lacking("routines in other languages than SQL", location="query")
        else:
            raise cursor.unexpected("keyword AS")
    return options


def _body(cursor: Cursor, kind: str) -> Fragment:
    first = cursor.token
    if kind == "PROCEDURE":
        cursor.expect("BEGIN")
        while not cursor.ended:
            cursor.next()
        return cursor.since(first)
    cursor.expect("AS")
    if kind == "TABLE FUNCTION":
        return cursor.query("OPTIONS")
    cursor.expect("(")
    body = cursor.query()
    cursor.expect(")")
    return body
