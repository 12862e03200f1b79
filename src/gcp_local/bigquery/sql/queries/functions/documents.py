"""Functions of JSON.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.queries.functions.signatures import (
    Build,
    Function,
    Python,
    function,
)  # fmt: skip
from gcp_local.bigquery.sql.queries.literals import text_sql
from gcp_local.bigquery.sql.queries.typed import Typed
from gcp_local.bigquery.sql.runtime import documents, jsonvalues
from gcp_local.bigquery.sql.runtime.numbers import QueryError
from gcp_local.bigquery.sql.types import Type, distinct_names

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.functions.reading import Reading


def _checked(act: Callable[..., Any], result: str) -> Build:
    """Hold a path to its form before the query runs."""

    def build(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
        del node
        for each in values[1:]:
            if each.constant and isinstance(each.value, str):
                try:
                    documents.path_of(each.value)
                except QueryError as error:
                    raise each.refuse(str(error)) from None
        arguments = [(each.sql, "VARCHAR") for each in values]
        return reading.context.call(act, arguments, result)

    return build


def _at(
    name: str, text: Callable[..., Any], document: Callable[..., Any], scalar: bool
) -> Function:
    result = "STRING" if scalar else "JSON"
    kind = "VARCHAR" if scalar else "JSON"
    return function(
        name,
        (f"JSON, [STRING] -> {result}", _checked(document, kind)),
        ("STRING, [STRING] -> STRING", _checked(text, "VARCHAR")),
    )


def _arrays(name: str, act: Callable[..., Any], scalar: bool) -> Function:
    result, kind = ("STRING", "VARCHAR[]") if scalar else ("JSON", "JSON[]")
    return function(
        name,
        (f"JSON, [STRING] -> ARRAY<{result}>", _checked(act, kind)),
        ("STRING, [STRING] -> ARRAY<STRING>", _checked(act, "VARCHAR[]")),
    )


def _shape(kind: Type) -> Any:
    if kind.kind == "ARRAY":
        return [_shape(kind.of)]
    if kind.kind == "STRUCT":
        names = distinct_names(kind)
        return {name: _shape(inner) for name, (_, inner) in zip(names, kind.fields, strict=True)}
    if kind.kind == "INTERVAL":
        raise BigQueryError.lacking("JSON of INTERVAL", location="query")
    return kind.kind


def _plain(sql: str, kind: Type) -> tuple[str, str]:
    """Give a value as a function in Python takes it: times as microseconds, however deep."""
    if kind.kind in ("TIMESTAMP", "DATETIME"):
        return f"epoch_us({sql})", "BIGINT"
    if kind.kind == "ARRAY":
        inner, inner_kind = _plain("x", kind.of)
        if inner == "x":
            return sql, kind.duckdb
        return f"list_transform({sql}, lambda x: {inner})", f"{inner_kind}[]"
    if kind.kind == "STRUCT":
        pairs, kinds = [], []
        for at, name in enumerate(distinct_names(kind)):
            part, part_kind = _plain(f"struct_extract_at({sql}, {at + 1})", kind.fields[at][1])
            named = '"' + name.replace('"', '""') + '"'
            pairs.append(f"{named} := {part}")
            kinds.append(f"{named} {part_kind}")
        packed = f"CASE WHEN {sql} IS NULL THEN NULL ELSE struct_pack({', '.join(pairs)}) END"
        return packed, f"STRUCT({', '.join(kinds)})"
    return sql, kind.duckdb


def _writing(result: str) -> Build:
    def build(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
        del node
        given = [each for each in values if not each.name.startswith("=>")]
        value = given[0]
        shape = json.dumps(_shape(value.type))
        act = jsonvalues.written
        if len(given) > 1 and given[1].value is True:
            raise BigQueryError.lacking("TO_JSON_STRING with pretty_print", location="query")
        argument = _plain(value.sql, value.type)
        return reading.context.call(
            act, [argument, (text_sql(shape), "VARCHAR")], result, nulls=True
        )

    return build


def _one(name: str, result: str, act: Callable[..., Any]) -> Function:
    return function(name, (f"JSON -> {result}", Python(act)))


FUNCTIONS = (
    _at("JSON_QUERY", documents.query, documents.query_json, scalar=False),
    _at("JSON_EXTRACT", documents.query, documents.query_json, scalar=False),
    _at("JSON_VALUE", documents.value, documents.value, scalar=True),
    _at("JSON_EXTRACT_SCALAR", documents.value, documents.value, scalar=True),
    _arrays("JSON_QUERY_ARRAY", documents.query_array, scalar=False),
    _arrays("JSON_EXTRACT_ARRAY", documents.query_array, scalar=False),
    _arrays("JSON_VALUE_ARRAY", documents.value_array, scalar=True),
    _arrays("JSON_EXTRACT_STRING_ARRAY", documents.value_array, scalar=True),
    function("PARSE_JSON", ("STRING -> JSON", Python(documents.parsed))),
    function("TO_JSON", ("ANY -> JSON", _writing("JSON"))),
    function("TO_JSON_STRING", ("ANY, [BOOL] -> STRING", _writing("VARCHAR"))),
    _one("JSON_TYPE", "STRING", documents.kind),
    _one("JSON_KEYS", "ARRAY<STRING>", documents.keys),
    _one("JSON_STRIP_NULLS", "JSON", documents.strip_nulls),
    _one("BOOL", "BOOL", documents.as_bool),
    _one("INT64", "INT64", documents.as_int64),
    _one("FLOAT64", "FLOAT64", documents.as_float64),
    _one("LAX_BOOL", "BOOL", documents.lax_bool),
    _one("LAX_INT64", "INT64", documents.lax_int64),
    _one("LAX_FLOAT64", "FLOAT64", documents.lax_float64),
    _one("LAX_STRING", "STRING", documents.lax_string),
    function("JSON_REMOVE", ("JSON, STRING -> JSON", Python(documents.remove))),
)
