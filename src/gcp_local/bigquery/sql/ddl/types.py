"""Types and columns as statements write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import Field, read_schema

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.cursor import Cursor, Fragment

_SIZED = {"STRING", "BYTES"}
_DECIMAL = {"NUMERIC", "DECIMAL", "BIGNUMERIC", "BIGDECIMAL"}
_KINDS = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
_NAMES = {value: key for key, value in _KINDS.items()}


def read_type(cursor: Cursor) -> dict[str, Any]:
    """Take a type, and give it as a `TableFieldSchema` without a name.

    Raises:
        BigQueryError: there is no such type; an array of arrays.

    """
    token = cursor.token
    line, column = token.place.line, token.place.column
    if cursor.skip("ARRAY"):
        cursor.expect("<")
        element = read_type(cursor)
        if element.get("mode") == "REPEATED":
            message = (
                "Cannot construct array with element type ARRAY because nested arrays are not"
                " supported"
            )
            raise BigQueryError.query(message, line, column)
        cursor.expect_closing_angle()
        return {**element, "mode": "REPEATED"}
    if cursor.skip("STRUCT"):
        cursor.expect("<")
        fields = cursor.listed(lambda: read_column(cursor).schema)
        cursor.expect_closing_angle()
        return {"type": "STRUCT", "fields": fields}
    kind = cursor.next().upper if cursor.at_any("INTERVAL", "RANGE") else cursor.name().upper()
    said: dict[str, Any] = {"type": kind}
    if kind in _SIZED and cursor.skip("("):
        said["maxLength"] = str(cursor.integer())
        cursor.expect(")")
    elif kind in _DECIMAL and cursor.skip("("):
        said["precision"] = str(cursor.integer())
        if cursor.skip(","):
            said["scale"] = str(cursor.integer())
        cursor.expect(")")
    elif cursor.at("("):
        raise BigQueryError.query(f"{kind} does not support type parameters", line, column)
    _check(said, line, column)
    return said


def _check(said: dict[str, Any], line: int, column: int) -> None:
    try:
        read_schema([{"name": "a", **said}])
    except BigQueryError as error:
        if error.reason != "invalid":
            raise
        raise BigQueryError.query(f"Type not found: {said['type']}", line, column) from None
    if "maxLength" in said and int(said["maxLength"]) < 1:
        raise BigQueryError.query(f"{said['type']} length must be greater than 0", line, column)
    if "precision" in said and said["type"] in ("NUMERIC", "DECIMAL"):
        precision, scale = int(said["precision"]), int(said.get("scale", 0))
        if not 0 <= scale <= 9:
            raise BigQueryError.query("NUMERIC scale must be between 0 and 9", line, column)
        least, most = max(1, scale), scale + 29
        if not least <= precision <= most:
            message = f"In NUMERIC(P, {scale}), P must be between {least} and {most}"
            raise BigQueryError.query(message, line, column)


@dataclass
class Column:
    """A column as CREATE TABLE has it.

    Attributes:
        schema: its `TableFieldSchema`.
        options: by name, not yet evaluated.
        primary: whether it is said to be the primary key.
        references: the table and column of a foreign key.

    """

    schema: dict[str, Any]
    options: list[tuple[str, Fragment]] = field(default_factory=list)
    default: Fragment | None = None
    primary: bool = False
    references: tuple[tuple[str, ...], str] | None = None


def read_column(cursor: Cursor) -> Column:
    """Take a column, or a field of a STRUCT: `name type NOT NULL DEFAULT … OPTIONS(…)`."""
    name = cursor.name()
    column = Column({"name": name, **read_type(cursor)})
    while True:
        if cursor.at("NOT", "NULL") and column.schema.get("mode") != "REPEATED":
            cursor.expect("NOT", "NULL")
            column.schema["mode"] = "REQUIRED"
        elif cursor.skip("DEFAULT"):
            column.default = cursor.fragment("NOT", "OPTIONS", "PRIMARY", "REFERENCES", ">")
            column.schema["defaultValueExpression"] = column.default.text
        elif cursor.at("OPTIONS"):
            column.options = read_options(cursor)
        elif cursor.skip("PRIMARY", "KEY"):
            cursor.expect("NOT", "ENFORCED")
            column.primary = True
        elif cursor.skip("REFERENCES"):
            path = cursor.path()
            cursor.expect("(")
            column.references = path, cursor.name()
            cursor.expect(")", "NOT", "ENFORCED")
        elif cursor.at_any("COLLATE", "GENERATED"):
            raise BigQueryError.lacking(f"{cursor.token.upper} of columns", location="query")
        else:
            return column


def read_options(cursor: Cursor, word: str = "OPTIONS") -> list[tuple[str, Fragment]]:
    """Take `OPTIONS(name = value, …)`, without evaluating the values."""

    def option() -> tuple[str, Fragment]:
        name = cursor.name().lower()
        cursor.expect("=")
        return name, cursor.fragment()

    cursor.expect(word)
    return cursor.parenthesised(option)


def standard_type(said: Field) -> dict[str, Any]:
    """Give a type as a `StandardSqlDataType`, which routines have."""
    if said.repeated:
        return {"typeKind": "ARRAY", "arrayElementType": standard_type(said.element)}
    if said.type == "RECORD":
        fields = [{"name": each.name, "type": standard_type(each)} for each in said.fields]
        return {"typeKind": "STRUCT", "structType": {"fields": fields}}
    return {"typeKind": _KINDS.get(said.type, said.type)}


def field_of(name: str, said: dict[str, Any]) -> Field:
    """Read a `StandardSqlDataType`."""
    kind = said["typeKind"]
    if kind == "ARRAY":
        element = field_of(name, said["arrayElementType"])
        return Field(name, element.type, "REPEATED", element.fields)
    if kind == "STRUCT":
        inner = said.get("structType", {}).get("fields", ())
        fields = tuple(field_of(each.get("name", ""), each["type"]) for each in inner)
        return Field(name, "RECORD", fields=fields)
    return Field(name, _NAMES.get(kind, kind))


def typed(said: dict[str, Any], name: str = "a") -> Field:
    """Give what `read_type` gave as a field."""
    return read_schema([{"name": name, **said}])[0]
