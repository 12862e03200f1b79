"""Columns and their types, as BigQuery's JSON, Arrow and DuckDB each say them.

BigQuery's type      Arrow                       DuckDB
INTEGER (INT64)      int64                       BIGINT
FLOAT (FLOAT64)      double                      DOUBLE
NUMERIC              decimal128(38, 9)           DECIMAL(38, 9)
BOOLEAN (BOOL)       bool                        BOOLEAN
STRING               string                      VARCHAR
BYTES                binary                      BLOB
DATE                 date32                      DATE
TIME                 time64[us]                  TIME
DATETIME             timestamp[us]               TIMESTAMP
TIMESTAMP            timestamp[us, UTC]          TIMESTAMP WITH TIME ZONE
INTERVAL             month_day_nano_interval     INTERVAL
JSON                 string                      JSON
RECORD (STRUCT)      struct                      STRUCT(…)
mode REPEATED        list                        …[]

BIGNUMERIC has more digits than DuckDB's decimals, and GEOGRAPHY and RANGE have nothing like them
there: columns of these types are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    import pyarrow as pa

# The REST API's older names first: they are what it answers.
_ALIASES = {
    "INT64": "INTEGER", "INT": "INTEGER", "SMALLINT": "INTEGER", "BIGINT": "INTEGER",
    "TINYINT": "INTEGER", "BYTEINT": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN",
    "DECIMAL": "NUMERIC", "BIGDECIMAL": "BIGNUMERIC", "STRUCT": "RECORD",
}  # fmt: skip
_DUCKDB = {
    "INTEGER": "BIGINT", "FLOAT": "DOUBLE", "NUMERIC": "DECIMAL(38, 9)", "BOOLEAN": "BOOLEAN",
    "STRING": "VARCHAR", "BYTES": "BLOB", "DATE": "DATE", "TIME": "TIME", "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE", "INTERVAL": "INTERVAL", "JSON": "JSON",
}  # fmt: skip
_SQL = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
_MISSING = {"BIGNUMERIC", "GEOGRAPHY", "RANGE", "FOREIGN"}
_MODES = ("NULLABLE", "REQUIRED", "REPEATED")
_NAME = re.compile(r"[^\W\d][\w -]{0,299}")  # https://cloud.google.com/bigquery/docs/schemas
_DEEPEST = 15


@dataclass(frozen=True)
class Field:
    """A column, or a field of a record.

    Attributes:
        type: one of the REST API's names in the table above.
        more: the rest of its `TableFieldSchema` (description, defaultValueExpression, …).

    """

    name: str
    type: str
    mode: str = "NULLABLE"
    fields: tuple[Field, ...] = ()
    more: tuple[tuple[str, Any], ...] = ()

    @property
    def repeated(self) -> bool:
        """Whether its values are arrays."""
        return self.mode == "REPEATED"

    @property
    def element(self) -> Field:
        """The field of an array's elements."""
        return replace(self, mode="NULLABLE")

    def as_json(self) -> dict[str, Any]:
        """Give the `TableFieldSchema`."""
        said: dict[str, Any] = {"name": self.name, "type": self.type, "mode": self.mode}
        if self.fields:
            said["fields"] = [field.as_json() for field in self.fields]
        return {**said, **dict(self.more)}

    @property
    def duckdb(self) -> str:
        """The type in DuckDB's words."""
        if self.type == "RECORD":
            inner = ", ".join(f"{quoted(field.name)} {field.duckdb}" for field in self.fields)
            name = f"STRUCT({inner})"
        else:
            name = _DUCKDB[self.type]
        return f"{name}[]" if self.repeated else name

    @property
    def sql(self) -> str:
        """The type in GoogleSQL's words, as INFORMATION_SCHEMA and messages have it."""
        if self.type == "RECORD":
            inner = ", ".join(f"{field.name} {field.sql}" for field in self.fields)
            name = f"STRUCT<{inner}>"
        else:
            name = _SQL.get(self.type, self.type)
        return f"ARRAY<{name}>" if self.repeated else name

    @property
    def arrow(self) -> pa.DataType:
        """The type in Arrow's words."""
        import pyarrow as pa

        if self.type == "RECORD":
            kind: pa.DataType = pa.struct([(field.name, field.arrow) for field in self.fields])
        else:
            kind = {
                "INTEGER": pa.int64(),
                "FLOAT": pa.float64(),
                "NUMERIC": pa.decimal128(38, 9),
                "BOOLEAN": pa.bool_(),
                "STRING": pa.string(),
                "BYTES": pa.binary(),
                "DATE": pa.date32(),
                "TIME": pa.time64("us"),
                "DATETIME": pa.timestamp("us"),
                "TIMESTAMP": pa.timestamp("us", tz="UTC"),
                "INTERVAL": pa.month_day_nano_interval(),
                "JSON": pa.string(),
            }[self.type]
        return pa.list_(kind) if self.repeated else kind


Schema = tuple[Field, ...]


def read_schema(said: Sequence[Mapping[str, Any]], *, depth: int = 1) -> Schema:
    """Read the `fields` of a `TableSchema`.

    Raises:
        BigQueryError: a name, type or mode that is none; one name twice; nested too deeply; a type
            that the stand-in has not.

    """
    if depth > _DEEPEST:
        raise BigQueryError("invalid", f"Schema is nested deeper than {_DEEPEST} levels.")
    fields = tuple(_read_field(each, depth) for each in said)
    seen: set[str] = set()
    for field in fields:
        if field.name.lower() in seen:
            message = f"Duplicate field names in schema: {field.name}"
            raise BigQueryError("invalid", message)
        seen.add(field.name.lower())
    return fields


def _read_field(said: Mapping[str, Any], depth: int) -> Field:
    name = said.get("name", "")
    if not _NAME.fullmatch(name):
        message = (
            f'Invalid field name "{name}". Fields must contain the allowed characters, and be at'
            " most 300 characters long. For allowed characters, please refer to"
            " https://cloud.google.com/bigquery/docs/schemas#column_names"
        )
        raise BigQueryError("invalid", message)
    given = said.get("type", "").upper()
    kind = _ALIASES.get(given, given)
    if kind in _MISSING:
        raise BigQueryError.lacking(f"the type {kind} (of the field {name!r})")
    if kind != "RECORD" and kind not in _DUCKDB:
        raise BigQueryError(
            "invalid", f"Invalid value for type: {said.get('type')} is not a valid value"
        )
    mode = said.get("mode", "").upper() or "NULLABLE"
    if mode not in _MODES:
        raise BigQueryError(
            "invalid", f"Invalid value for mode: {said['mode']} is not a valid value"
        )
    if (kind == "RECORD") != bool(said.get("fields")):
        raise BigQueryError(
            "invalid",
            f"Field {name} is type RECORD but has no schema"
            if kind == "RECORD"
            else f"Field {name} is of type {given}, which has no fields of its own",
        )
    fields = read_schema(said.get("fields", ()), depth=depth + 1)
    own = {"name", "type", "mode", "fields"}
    more = tuple(sorted((key, value) for key, value in said.items() if key not in own))
    return Field(name, kind, mode, fields, more)


def schema_json(schema: Iterable[Field]) -> dict[str, Any]:
    """Give the `TableSchema`."""
    return {"fields": [field.as_json() for field in schema]}


def arrow_schema(schema: Iterable[Field]) -> pa.Schema:
    """Give Arrow's schema."""
    import pyarrow as pa

    return pa.schema([(field.name, field.arrow) for field in schema])


def quoted(name: str) -> str:
    """Quote a name for DuckDB."""
    return '"' + name.replace('"', '""') + '"'
