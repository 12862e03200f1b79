"""The CREATE statement that says what a `Routine` says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    from gcp_local.bigquery.references import TableRef

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BEGIN = re.compile(r"\s*BEGIN\b", re.IGNORECASE)
_SIMPLE = {
    "INT64", "BOOL", "FLOAT64", "STRING", "BYTES", "TIMESTAMP", "DATE", "TIME", "DATETIME",
    "INTERVAL", "GEOGRAPHY", "NUMERIC", "BIGNUMERIC", "JSON",
}  # fmt: skip


def statement_of(ref: TableRef, routine: Mapping[str, Any]) -> str:
    """Write the statement.

    Args:
        ref: the routine's name.
        routine: what it is; its type and body are there.

    Raises:
        BigQueryError: an argument or type that is none.

    """
    said = (_argument(each, at) for at, each in enumerate(routine.get("arguments", [])))
    head = f"`{ref.dotted}`({', '.join(said)})"
    body = routine["definitionBody"]
    match routine["routineType"]:
        case "SCALAR_FUNCTION":
            returns = routine.get("returnType")
            kind = f" RETURNS {_type(returns, 'returnType')}" if returns else ""
            return f"CREATE FUNCTION {head}{kind} AS (\n{body}\n)"
        case "TABLE_VALUED_FUNCTION":
            columns = routine.get("returnTableType", {}).get("columns", [])
            fields = ", ".join(_field(each, "returnTableType") for each in columns)
            kind = f" RETURNS TABLE<{fields}>" if columns else ""
            return f"CREATE TABLE FUNCTION {head}{kind} AS\n{body}"
        case _:
            block = body if _BEGIN.match(body) else f"BEGIN\n{body}\nEND"
            return f"CREATE PROCEDURE {head}\n{block}"


def _argument(said: Mapping[str, Any], at: int) -> str:
    name = _name(said, f"arguments[{at}]")
    mode = said.get("mode", "MODE_UNSPECIFIED")
    before = "" if mode == "MODE_UNSPECIFIED" else f"{mode} "
    match said.get("argumentKind", "FIXED_TYPE"):
        case "ANY_TYPE":
            if "dataType" in said:
                message = f"arguments[{at}]: an argument of any type has no dataType."
                raise BigQueryError("invalid", message)
            return f"{before}{name} ANY TYPE"
        case "FIXED_TABLE" | "ANY_TABLE":
            raise BigQueryError.lacking("arguments that are tables")
    return f"{before}{name} {_type(said.get('dataType', {}), f'arguments[{at}].dataType')}"


def _type(said: Mapping[str, Any], at: str) -> str:
    kind = said.get("typeKind", "TYPE_KIND_UNSPECIFIED")
    if kind == "ARRAY":
        return f"ARRAY<{_type(said.get('arrayElementType', {}), f'{at}.arrayElementType')}>"
    if kind == "STRUCT":
        fields = said.get("structType", {}).get("fields", [])
        return f"STRUCT<{', '.join(_field(each, at) for each in fields)}>"
    if kind in _SIMPLE:
        return str(kind)
    if kind == "TYPE_KIND_UNSPECIFIED":
        raise BigQueryError("required", f"Required parameter is missing: {at}.typeKind")
    raise BigQueryError.lacking(f"the type {kind} ({at})")


def _field(said: Mapping[str, Any], at: str) -> str:
    name = _name(said, at)
    return f"{name} {_type(said.get('type', {}), f'{at}.{name}')}"


def _name(said: Mapping[str, Any], at: str) -> str:
    name = said.get("name", "")
    if not _NAME.fullmatch(name):
        raise BigQueryError("invalid", f"Invalid name in {at}: {name!r:.100}")
    return f"`{name}`"
