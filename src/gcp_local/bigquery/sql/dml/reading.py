"""From a statement's text to what it is made of."""

from __future__ import annotations

from collections.abc import Callable

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.cursor import Cursor, Fragment
from gcp_local.bigquery.sql.dml.syntax import (
    Delete,
    Insert,
    Merge,
    Setting,
    Statement,
    Target,
    Truncate,
    Update,
    Values,
    When,
)

KINDS = ("INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE")


def read_dml(text: str) -> Statement:
    """Read a statement that begins with one of `KINDS`.

    Raises:
        BigQueryError: a syntax error outside its expressions and queries.

    """
    cursor = Cursor(text)
    readers: dict[str, Callable[[Cursor], Statement]] = {
        "INSERT": _insert,
        "UPDATE": _update,
        "DELETE": _delete,
        "MERGE": _merge,
        "TRUNCATE": _truncate,
    }
    statement = readers[cursor.next().upper](cursor)
    cursor.expect_end()
    return statement


def _target(cursor: Cursor, *after: str) -> Target:
    """Take the target; without AS, an alias is a name that is none of the words in `after`."""
    first = cursor.token
    path = cursor.path()
    place = cursor.since(first)
    alias = ""
    if cursor.skip("AS") or (cursor.token.kind in ("word", "quoted") and not cursor.at_any(*after)):
        alias = cursor.name()
    return Target(path, alias or path[-1], place)


def _insert(cursor: Cursor) -> Insert:
    cursor.skip("INTO")
    first = cursor.token
    path = cursor.path()
    target = Target(path, path[-1], cursor.since(first))
    columns: list[str] = []
    if cursor.at("(") and cursor.peek().upper not in ("SELECT", "WITH", "(", "FROM"):
        columns = cursor.parenthesised(cursor.name)
    if cursor.skip("VALUES"):
        return Insert(
            target, Values(tuple(columns), tuple(cursor.listed(lambda: _row(cursor)))), None
        )
    return Insert(target, Values(tuple(columns), ()), cursor.query())


def _row(cursor: Cursor) -> tuple[Fragment, ...]:
    cursor.expect("(")
    values = cursor.listed(cursor.fragment)
    cursor.expect(")")
    return tuple(values)


def _settings(cursor: Cursor, target: Target, *stops: str) -> tuple[Setting, ...]:
    def setting() -> Setting:
        first = cursor.token
        path = [cursor.name()]
        while cursor.skip("."):
            path.append(str(cursor.next().value))
        if len(path) > 1 and path[0].lower() == target.alias.lower():
            del path[0]
        place = cursor.since(first)
        cursor.expect("=")
        return Setting(tuple(path), cursor.fragment(*stops), place)

    cursor.expect("SET")
    return tuple(cursor.listed(setting))


def _update(cursor: Cursor) -> Update:
    target = _target(cursor, "SET")
    settings = _settings(cursor, target, "FROM", "WHERE")
    sources = cursor.query("WHERE") if cursor.skip("FROM") else None
    if not cursor.skip("WHERE"):
        if not cursor.ended:
            raise cursor.unexpected()
        raise _unbounded(cursor, "UPDATE")
    return Update(target, settings, sources, cursor.query())


def _delete(cursor: Cursor) -> Delete:
    cursor.skip("FROM")
    target = _target(cursor, "WHERE")
    if not cursor.skip("WHERE"):
        if not cursor.ended:
            raise cursor.unexpected()
        raise _unbounded(cursor, "DELETE")
    return Delete(target, cursor.query())


def _unbounded(cursor: Cursor, kind: str) -> BigQueryError:
    place = cursor.first.place
    return BigQueryError.query(f"{kind} must have a WHERE clause", place.line, place.column)


def _truncate(cursor: Cursor) -> Truncate:
    cursor.expect("TABLE")
    return Truncate(_target(cursor))


def _merge(cursor: Cursor) -> Merge:
    cursor.skip("INTO")
    target = _target(cursor, "USING")
    cursor.expect("USING")
    source = cursor.query("ON")
    cursor.expect("ON")
    on = cursor.query("WHEN")
    clauses: list[When] = []
    while cursor.skip("WHEN"):
        clauses.append(_when(cursor, target))
    if not clauses:
        raise cursor.unexpected("keyword WHEN")
    return Merge(target, source, on, tuple(clauses))


def _when(cursor: Cursor, target: Target) -> When:
    kind = "MATCHED"
    if cursor.skip("NOT"):
        kind = "TARGET"
        cursor.expect("MATCHED")
        if cursor.skip("BY"):
            kind = "SOURCE" if cursor.skip("SOURCE") else "TARGET"
            if kind == "TARGET":
                cursor.expect("TARGET")
    else:
        cursor.expect("MATCHED")
    condition = cursor.query("THEN") if cursor.skip("AND") else None
    cursor.expect("THEN")
    if kind == "TARGET":
        cursor.expect("INSERT")
        return When(kind, condition, insert=_inserted(cursor))
    if cursor.skip("DELETE"):
        return When(kind, condition, delete=True)
    cursor.expect("UPDATE")
    return When(kind, condition, settings=_settings(cursor, target, "WHEN"))


def _inserted(cursor: Cursor) -> Values:
    columns: list[str] = []
    if cursor.at("("):
        columns = cursor.parenthesised(cursor.name)
    if cursor.skip("ROW"):
        return Values(tuple(columns), ())
    cursor.expect("VALUES")
    return Values(tuple(columns), (_row(cursor),))
