"""Functions that users made: `CREATE [TEMP] FUNCTION`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.parsing import parse_expression
from gcp_local.bigquery.sql.queries.operators import no_signature
from gcp_local.bigquery.sql.queries.scopes import Column, Scope, Source
from gcp_local.bigquery.sql.queries.typed import Typed, converted, fits
from gcp_local.bigquery.sql.types import Type

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.compilation import Compilation
    from gcp_local.bigquery.sql.queries.functions.reading import Reading


def find(path: list[str], context: Compilation) -> tuple[str, Mapping[str, Any]] | None:
    """Find a user's function by the name that a call has; with its full name."""
    if len(path) == 1:
        found = context.session.functions.get(path[0].lower())
        return (path[0], found) if found is not None else None
    return context.tables.routine(path)


def applied(
    routine: tuple[str, Mapping[str, Any]], arguments: list[Typed], node: exp.Expr, reading: Reading
) -> Typed:
    """Call a user's function.

    Raises:
        BigQueryError: the arguments are none of its; it is not written in SQL; it calls itself.

    """
    name, body = routine
    context = reading.context
    if body.get("language", "SQL") != "SQL":
        raise BigQueryError.lacking(f"functions in {body['language']}", location="query")
    if body.get("routineType", "SCALAR_FUNCTION") != "SCALAR_FUNCTION":
        raise refusal(f"Function not found: {name}", node)
    if name.lower() in context.routines:
        raise refusal(f"Function {name} is recursive, which is not supported", node)
    columns = arguments_of(name, body, arguments, node)
    scope = Scope(sources=[Source("", columns)])
    before = context.routines
    context.routines = (*before, name.lower())
    try:
        found = reading.owner.compile(parse_expression(body["definitionBody"]), scope)
    except BigQueryError as error:
        if error.reason != "invalidQuery":
            raise
        raise refusal(f"Invalid function {name}: {error.message}", node) from None
    finally:
        context.routines = before
    if any(part.aggregate for part in found.walk()):
        raise refusal(f"Function {name} must not aggregate", node)
    if body.get("returnType"):
        wanted = _type(body["returnType"])
        if not fits(found, wanted):
            what = f"Function {name} is declared to give {wanted}, but its body gives {found.type}"
            raise refusal(what, node)
        found = converted(found, wanted)
    return replace(found, literal=False, parts=tuple(arguments), column=None, name="", node=node)


def arguments_of(
    name: str, body: Mapping[str, Any], arguments: list[Typed], node: exp.Expr
) -> tuple[Column, ...]:
    """Give a routine's arguments as names that its body sees.

    Raises:
        BigQueryError: they are none of its.

    """
    declared = body.get("arguments", [])
    kinds = [each.get("dataType") and _type(each["dataType"]) for each in declared]
    wrong = len(declared) != len(arguments) or any(
        kind is not None and not fits(value, kind)
        for kind, value in zip(kinds, arguments, strict=False)
    )
    if wrong:
        forms = ", ".join(str(kind) if kind is not None else "ANY TYPE" for kind in kinds)
        raise no_signature(f"function {name}", node, arguments, f"{name}({forms})")
    values = [
        value if kind is None else converted(value, kind)
        for kind, value in zip(kinds, arguments, strict=True)
    ]
    return tuple(
        Column(each["name"], value.type, value.sql)
        for each, value in zip(declared, values, strict=True)
    )


def _type(said: Mapping[str, Any]) -> Type:
    kind = said["typeKind"]
    if kind == "ARRAY":
        return Type("ARRAY", _type(said["arrayElementType"]))
    if kind == "STRUCT":
        fields = said.get("structType", {}).get("fields", [])
        return Type("STRUCT", fields=tuple((f.get("name", ""), _type(f["type"])) for f in fields))
    return Type(kind)
