"""Calls of functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml.preprocessing import written_out
from gcp_local.bigquery.sql.grammar.nodes import Call, NamedArgument, refusal
from gcp_local.bigquery.sql.queries.functions import routines
from gcp_local.bigquery.sql.queries.functions.aggregation import aggregate
from gcp_local.bigquery.sql.queries.functions.known import FAMILIES, KNOWN
from gcp_local.bigquery.sql.queries.functions.signatures import (
    Aggregate,
    Function,
    Python,
    Signature,
)  # fmt: skip
from gcp_local.bigquery.sql.queries.literals import text_sql
from gcp_local.bigquery.sql.queries.operators import described, no_signature
from gcp_local.bigquery.sql.queries.typed import Typed
from gcp_local.bigquery.sql.types import STRING, Type

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.compilation import Compilation
    from gcp_local.bigquery.sql.queries.functions.reading import Reading

_CHAPTERS = (
    "aggregates", "analytics", "arrays", "bytes", "conditions", "documents", "mathematics", "texts",
    "timeparts", "times",
)  # fmt: skip
_MICROS = ("DATETIME", "TIMESTAMP", "TIME")


@cache
def functions() -> Mapping[str, Function]:
    """Give the table of functions by their names."""
    home = __name__.rpartition(".")[0]
    chapters = (import_module(f"{home}.{name}").FUNCTIONS for name in _CHAPTERS)
    return {each.name: each for chapter in chapters for each in chapter}


def call(node: exp.Anonymous, reading: Reading) -> Typed:
    """Understand a call.

    Raises:
        BigQueryError: there is no such function, or it takes no such arguments.

    """
    name = str(node.this).upper()
    path = node.meta.get("path") or [str(node.this)]
    routine = routines.find(path, reading.context)
    if routine is not None:
        arguments = [reading.read(each) for each in node.expressions]
        return routines.applied(routine, arguments, node, reading)
    if name.startswith("SAFE."):
        return _safe(node, name.removeprefix("SAFE."), reading)
    if name.startswith("ML."):
        return reading.read(written_out(node))
    found = functions().get(name)
    if found is None:
        raise _unknown(node, name, path)
    if found.kind == "analytic" and not node.args.get("over"):
        raise refusal(f"Analytic function {name} cannot be called without an OVER clause", node)
    if found.kind == "scalar":
        for clause, what in (("over", "Analytic function"), ("distinct", "DISTINCT")):
            if node.args.get(clause):
                text = f"{what} not supported: {name}" if clause == "over" else (
                    f"DISTINCT is not allowed for function {name}")  # fmt: skip
                raise refusal(text, node)
    given = _arguments(node, found, reading)
    signature, values, result = _chosen(found, given, node)
    return _applied(found, signature, values, result, node, reading)


def _safe(node: exp.Anonymous, name: str, reading: Reading) -> Typed:
    inner = node.copy()
    inner.set("this", name)
    inner.meta["path"] = [name]
    entry = functions().get(name)
    if entry is not None and entry.kind != "scalar":
        raise refusal(f"Function {name} does not support SAFE error mode", node)
    found = call(inner, reading)
    return replace(found, sql=f"TRY({found.sql})", literal=False)


def _unknown(node: exp.Anonymous, name: str, path: list[str]) -> BigQueryError:
    if name in KNOWN or name.startswith(FAMILIES):
        return BigQueryError.lacking(f"the function {name}", location="query")
    return refusal(f"Function not found: {'.'.join(path)}", node)


def _arguments(node: exp.Anonymous, found: Function, reading: Reading) -> list[Typed]:
    given: list[Typed] = []
    for at, each in enumerate(node.expressions):
        if at in found.parts:
            given.append(_part(each))
        elif isinstance(each, exp.Star):
            if found.name != "COUNT":
                raise refusal("Argument * can only be used in COUNT(*)", node)
            return []
        elif isinstance(each, NamedArgument):
            given.append(replace(reading.read(each.expression), name=f"=>{each.this.name.lower()}"))
        else:
            given.append(reading.read(each.this if isinstance(each, exp.Alias) else each))
    return given


def _part(node: exp.Expr) -> Typed:
    if isinstance(node, Call) and len(node.expressions) == 1:
        text = f"{node.name}({node.expressions[0].name})"
    elif isinstance(node, (exp.Column, exp.Var, exp.Identifier)):
        text = node.name
    else:
        raise refusal("A valid date part name is required", node)
    return Typed(text_sql(text.upper()), STRING, literal=True, value=text.upper(), node=node)


def _chosen(
    found: Function, given: list[Typed], node: exp.Expr
) -> tuple[Signature, list[Typed], Type]:
    for freedom in range(3):
        for signature in found.signatures:
            match = signature.match(given, freedom=freedom)
            if match is not None:
                return signature, *match
    forms = "; ".join(dict.fromkeys(each.described(found.name) for each in found.signatures))
    what = f"function {found.name}"
    if found.kind in ("aggregate", "analytic"):
        what = f"{found.kind} {what}"
    if all(each.expanded(len(given)) is None for each in found.signatures):
        plural = "signatures" if ";" in forms else "signature"
        kinds = ", ".join(map(described, given))
        types = f" for argument types: {kinds}" if given else " with no arguments"
        message = f"No matching signature for {what}{types}."
        raise refusal(f"{message} Supported {plural}: {forms}", node)
    raise no_signature(what, node, given, forms)


def _applied(
    found: Function, signature: Signature, values: list[Typed], result: Type,
    node: exp.Anonymous, reading: Reading,
) -> Typed:  # fmt: skip
    act = signature.act
    if isinstance(act, Aggregate):
        return aggregate(found, act, values, result, node, reading)
    if isinstance(act, Python):
        return Typed(python(act, values, result, reading.context), result, parts=tuple(values))
    if isinstance(act, str):
        sqls = [each.sql for each in values]
        return Typed(act.format(*sqls, all=", ".join(sqls)), result, parts=tuple(values))
    built = act(values, reading, node)
    return built if isinstance(built, Typed) else Typed(built, result, parts=tuple(values))


def python(act: Python, values: list[Typed], result: Type, context: Compilation) -> str:
    """Write a call of a function in Python."""
    arguments = []
    for each in values:
        if each.type.kind in _MICROS:
            arguments.append((f"epoch_us({each.sql})", "BIGINT"))
        else:
            arguments.append((each.sql, each.type.duckdb))
    kind = micros_kind(result)
    sql = context.call(act.act, arguments, kind, nulls=act.nulls, volatile=act.volatile)
    if result.kind in _MICROS:
        return from_micros(sql, result.kind)
    if result.kind == "ARRAY" and result.of.kind in _MICROS:
        return f"list_transform({sql}, lambda x: {from_micros('x', result.of.kind)})"
    return sql


def micros_kind(result: Type) -> str:
    """Give DuckDB's type of what a function in Python gives for a type."""
    if result.kind in _MICROS:
        return "BIGINT"
    if result.kind == "ARRAY":
        return f"{micros_kind(result.of)}[]"
    return result.duckdb


def from_micros(sql: str, kind: str) -> str:
    """Write microseconds as a DATETIME, TIMESTAMP or TIME."""
    made_of = f"make_timestamp({sql})"
    if kind == "DATETIME":
        return made_of
    return f"CAST({made_of} AS {'TIMESTAMPTZ' if kind == 'TIMESTAMP' else 'TIME'})"
