"""Query parameters, from the API's JSON to typed values.

Source: https://cloud.google.com/bigquery/docs/parameterized-queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.loading.values import READERS, UnreadableError
from gcp_local.bigquery.schema import Field
from gcp_local.bigquery.sql.session import Parameter

# GoogleSQL's names, and what the REST API's schemas call them.
_SCALARS = {
    "INT64": "INTEGER", "INTEGER": "INTEGER", "FLOAT64": "FLOAT", "FLOAT": "FLOAT",
    "BOOL": "BOOLEAN", "BOOLEAN": "BOOLEAN", "NUMERIC": "NUMERIC", "DECIMAL": "NUMERIC",
    "STRING": "STRING", "BYTES": "BYTES", "DATE": "DATE", "TIME": "TIME", "DATETIME": "DATETIME",
    "TIMESTAMP": "TIMESTAMP", "JSON": "JSON", "INTERVAL": "INTERVAL",
}  # fmt: skip
_MISSING = ("BIGNUMERIC", "BIGDECIMAL", "GEOGRAPHY", "RANGE")
_GOOGLE = {"INTEGER": "INT64", "FLOAT": "DOUBLE", "BOOLEAN": "BOOL"}
_BAD = {"INTEGER": "Bad int64 value", "FLOAT": "Bad double value", "BOOLEAN": "Bad bool value"}


def read_parameters(
    said: Sequence[Mapping[str, Any]], mode: str | None = None
) -> tuple[Parameter, ...]:
    """Read the parameters of a query.

    Args:
        said: as `QueryParameter`s.
        mode: `POSITIONAL`, `NAMED`, or nothing.

    Raises:
        BigQueryError: a type or value that is none; names beside positions; a name twice.

    """
    if mode and mode.upper() not in ("POSITIONAL", "NAMED"):
        message = f"Invalid value for parameterMode: {mode} is not a valid value"
        raise BigQueryError("invalid", message)
    named = [bool(each.get("name")) for each in said]
    if any(named) and not all(named):
        message = "Cannot mix named and positional query parameters."
        raise BigQueryError("invalid", message)
    if mode and said and named[0] != (mode.upper() == "NAMED"):
        message = f"The query parameters do not fit the parameter mode {mode.upper()}."
        raise BigQueryError("invalid", message)
    seen: set[str] = set()
    for each in said:
        name = each.get("name", "").lower()
        if name and name in seen:
            message = f"Duplicate parameter name {each['name']}"
            raise BigQueryError("invalid", message)
        seen.add(name)
    return tuple(_parameter(each) for each in said)


def _parameter(said: Mapping[str, Any]) -> Parameter:
    name = said.get("name", "")
    field = _type(said.get("parameterType", {}), name)
    return Parameter(field, _value(said.get("parameterValue", {}), field, name))


def _type(said: Mapping[str, Any], name: str) -> Field:
    kind = said.get("type", "").upper()
    if kind == "ARRAY":
        element = _type(said.get("arrayType", {}), name)
        if element.repeated:
            message = "Cannot construct array with element type ARRAY because nested arrays are not"
            raise BigQueryError.query(f"{message} supported")
        return replace(element, mode="REPEATED")
    if kind == "STRUCT":
        fields = said.get("structTypes", ())
        inner = (replace(_type(each["type"], name), name=each.get("name", "")) for each in fields)
        return Field(name, "RECORD", fields=tuple(inner))
    if kind in _MISSING:
        raise BigQueryError.lacking(f"parameters of the type {kind}", location="query")
    if kind not in _SCALARS:
        message = f"Invalid value for type: {said.get('type', '')} is not a valid value"
        raise BigQueryError("invalid", message)
    return Field(name, _SCALARS[kind])


def _value(said: Mapping[str, Any], field: Field, name: str) -> Any:
    if field.repeated:
        if "value" in said or "structValues" in said:
            raise _misfit(name, "an array")
        given = said.get("arrayValues")
        return None if given is None else [_value(each, field.element, name) for each in given]
    if field.type == "RECORD":
        if "value" in said or "arrayValues" in said:
            raise _misfit(name, "a struct")
        values = said.get("structValues")
        if values is None:
            return None
        unknown = values.keys() - {each.name for each in field.fields}
        if unknown:
            message = f"The struct parameter `{name}` has no field {min(unknown)}."
            raise BigQueryError("invalid", message)
        return {each.name: _value(values.get(each.name, {}), each, name) for each in field.fields}
    if "arrayValues" in said or "structValues" in said:
        raise _misfit(name, "a single value")
    return _scalar(said.get("value"), field, name)


def _scalar(value: str | None, field: Field, name: str) -> Any:
    if value is None:
        return None
    try:
        return READERS[field.type](value)
    except UnreadableError as error:
        kind = _GOOGLE.get(field.type, field.type)
        what = f"{_BAD[field.type]}: {value}" if field.type in _BAD else str(error)
        message = f"Unparseable query parameter `{name}` in type `TYPE_{kind}`, {what}"
        raise BigQueryError("invalidQuery", f"{message} value: '{value}'") from None


def _misfit(name: str, what: str) -> BigQueryError:
    message = f"The value of the query parameter `{name}` does not fit its type, {what}."
    return BigQueryError("invalid", message)
