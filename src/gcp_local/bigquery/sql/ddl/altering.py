"""From a statement's text to what it is made of: ALTER."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.ddl.syntax import Action, Alter, ForeignKey
from gcp_local.bigquery.sql.ddl.types import read_column, read_options, read_type

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.cursor import Cursor

_KINDS = (("MATERIALIZED", "VIEW"), ("TABLE",), ("VIEW",), ("SCHEMA",))
_LACKING = ("MODEL", "BI_CAPACITY", "CAPACITY", "RESERVATION", "ORGANIZATION", "PROJECT")


def read_alter(cursor: Cursor) -> Alter:
    """Take what stands behind ALTER.

    Raises:
        BigQueryError: a syntax error; what the stand-in cannot alter.

    """
    for words in _KINDS:
        if cursor.skip(*words):
            kind = " ".join(words)
            break
    else:
        if cursor.at_any(*_LACKING):
            raise BigQueryError.lacking(f"ALTER {cursor.token.upper}", location="query")
        raise cursor.unexpected()
    lenient = cursor.skip("IF", "EXISTS")
    path = cursor.path()
    actions = cursor.listed(lambda: _action(cursor, kind))
    if len({action.verb for action in actions}) > 1:
        raise actions[1].place.error(
            "ALTER TABLE does not support multiple kinds of actions in one statement"
        )
    return Alter(kind, path, lenient, tuple(actions))


def _action(cursor: Cursor, kind: str) -> Action:
    first = cursor.token
    if cursor.at("SET", "OPTIONS"):
        cursor.next()
        options = read_options(cursor)
        return Action("SET OPTIONS", cursor.since(first), options=options)
    if cursor.at("ALTER", "COLUMN"):
        return _column(cursor, kind)
    if kind == "SCHEMA" and (cursor.at_any("ADD", "DROP") or cursor.at("SET", "DEFAULT")):
        raise BigQueryError.lacking("replicas and collations of datasets", location="query")
    if kind != "TABLE":
        raise cursor.unexpected()
    return _table(cursor)


def _table(cursor: Cursor) -> Action:
    first = cursor.token
    if cursor.skip("ADD", "COLUMN"):
        lenient = cursor.skip("IF", "NOT", "EXISTS")
        column = read_column(cursor)
        name = column.schema["name"]
        action = Action("ADD COLUMN", cursor.since(first), name, lenient, column=column)
    elif cursor.skip("DROP", "COLUMN"):
        lenient = cursor.skip("IF", "EXISTS")
        action = Action("DROP COLUMN", cursor.since(first), cursor.name(), lenient)
    elif cursor.skip("RENAME", "TO"):
        action = Action("RENAME TO", cursor.since(first), new=".".join(cursor.path()))
    elif cursor.skip("RENAME", "COLUMN"):
        lenient = cursor.skip("IF", "EXISTS")
        old = cursor.name()
        cursor.expect("TO")
        action = Action("RENAME COLUMN", cursor.since(first), old, lenient, new=cursor.name())
    elif cursor.skip("DROP", "PRIMARY", "KEY"):
        lenient = cursor.skip("IF", "EXISTS")
        action = Action("DROP PRIMARY KEY", cursor.since(first), lenient=lenient)
    elif cursor.skip("DROP", "CONSTRAINT"):
        lenient = cursor.skip("IF", "EXISTS")
        action = Action("DROP CONSTRAINT", cursor.since(first), cursor.name(), lenient)
    elif cursor.at("ADD") and cursor.peek().upper in ("PRIMARY", "CONSTRAINT", "FOREIGN"):
        cursor.next()
        keys, foreign = read_constraint(cursor)
        verb = "ADD PRIMARY KEY" if keys else "ADD FOREIGN KEY"
        action = Action(verb, cursor.since(first), columns=keys, foreign=foreign)
    elif cursor.at("SET", "DEFAULT", "COLLATE"):
        raise BigQueryError.lacking("DEFAULT COLLATE", location="query")
    else:
        raise cursor.unexpected()
    return action


def _column(cursor: Cursor, kind: str) -> Action:
    first = cursor.token
    cursor.expect("ALTER", "COLUMN")
    lenient = cursor.skip("IF", "EXISTS")
    name = cursor.name()
    if cursor.at("SET", "OPTIONS"):
        cursor.next()
        options = read_options(cursor)
        return Action("ALTER COLUMN OPTIONS", cursor.since(first), name, lenient, options=options)
    if kind != "TABLE":
        raise cursor.unexpected()
    if cursor.skip("SET", "DATA", "TYPE"):
        said = read_type(cursor)
        return Action("ALTER COLUMN TYPE", cursor.since(first), name, lenient, type=said)
    if cursor.skip("SET", "DEFAULT"):
        value = cursor.fragment()
        return Action("ALTER COLUMN DEFAULT", cursor.since(first), name, lenient, default=value)
    if cursor.skip("DROP", "NOT", "NULL"):
        return Action("ALTER COLUMN NULLABLE", cursor.since(first), name, lenient)
    if cursor.skip("DROP", "DEFAULT"):
        return Action("ALTER COLUMN DEFAULT", cursor.since(first), name, lenient)
    raise cursor.unexpected()


def read_constraint(cursor: Cursor) -> tuple[tuple[str, ...], ForeignKey | None]:
    """Take a constraint of a table: the columns of a primary key, or a foreign key."""
    name = ""
    if cursor.skip("CONSTRAINT"):
        cursor.skip("IF", "NOT", "EXISTS")
        name = cursor.name()
    if cursor.skip("PRIMARY", "KEY"):
        keys = tuple(cursor.parenthesised(cursor.name))
        cursor.expect("NOT", "ENFORCED")
        return keys, None
    cursor.expect("FOREIGN", "KEY")
    columns = tuple(cursor.parenthesised(cursor.name))
    cursor.expect("REFERENCES")
    path = cursor.path()
    others = tuple(cursor.parenthesised(cursor.name))
    cursor.expect("NOT", "ENFORCED")
    return (), ForeignKey(name, columns, path, others)
