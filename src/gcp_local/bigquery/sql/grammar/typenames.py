"""Types as they are written: `ARRAY<STRUCT<name STRING, n INT64>>`."""

from __future__ import annotations

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.cursor import Cursor
from gcp_local.bigquery.sql.types import ALIASES, MISSING, SIMPLE, Type


def read_type(cursor: Cursor) -> Type:
    """Read a type.

    Raises:
        BigQueryError: none is here, or there is none of that name.

    """
    if cursor.take("ARRAY"):
        _open(cursor)
        element = read_type(cursor)
        _close(cursor)
        if element.kind == "ARRAY":
            place = cursor.now.place
            message = "Arrays of arrays are not supported"
            raise BigQueryError.query(message, place.line, place.column)
        return Type("ARRAY", element)
    if cursor.take("STRUCT"):
        return _struct(cursor)
    token = cursor.now
    if token.upper == "INTERVAL":  # a keyword
        cursor.advance()
        return Type("INTERVAL")
    if token.upper == "RANGE" and cursor.ahead().upper == "<":
        cursor.advance()
        _open(cursor)
        read_type(cursor)
        _close(cursor)
        return Type("RANGE")
    token = cursor.name()
    kind = token.text.upper()
    kind = ALIASES.get(kind, kind)
    if kind not in SIMPLE and kind not in MISSING:
        place = token.place
        raise BigQueryError.query(f"Type not found: {token.text}", place.line, place.column)
    if kind in ("STRING", "BYTES", "NUMERIC", "BIGNUMERIC") and cursor.take("("):
        cursor.advance()  # what a length or precision forbids is not held against the values
        if cursor.take(","):
            cursor.advance()
        cursor.expect(")")
    return Type(kind)


def _struct(cursor: Cursor) -> Type:
    if cursor.at("<>"):
        cursor.advance()
        return Type("STRUCT")
    _open(cursor)
    fields: list[tuple[str, Type]] = []
    while True:
        named = cursor.at_name() and cursor.ahead().upper not in (",", ">", ">>", "<", "(")
        name = str(cursor.name().value) if named else ""
        fields.append((name, read_type(cursor)))
        if not cursor.take(","):
            break
    _close(cursor)
    return Type("STRUCT", fields=tuple(fields))


def _open(cursor: Cursor) -> None:
    cursor.expect("<")


def _close(cursor: Cursor) -> None:
    """Take one `>`, be it half of `>>`."""
    token = cursor.now
    if token.upper == ">>":
        place = token.place
        rest = type(place)(place.line, place.column + 1, place.index + 1)
        half = type(token)("symbol", ">", ">", rest, token.end)
        # Another reader of the same text is to find it whole.
        cursor.tokens = [*cursor.tokens[: cursor.index], half, *cursor.tokens[cursor.index + 1 :]]
        return
    cursor.expect(">")
