"""An expression that is understood: what DuckDB is told, and its type in GoogleSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import quoted
from gcp_local.bigquery.sql.grammar.nodes import place_of
from gcp_local.bigquery.sql.types import Type, becomes, distinct_names

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.scopes import Column

NOT_CONSTANT = object()


@dataclass(frozen=True)
class Typed:
    """An expression.

    Attributes:
        sql: in DuckDB's dialect; binds at least as firmly as a call.
        type: in GoogleSQL.
        literal: a literal or parameter, which becomes other types more freely.
        value: of a literal or parameter, as Python has it; else NOT_CONSTANT.
        parts: what it is made of, as far as columns may be in them.
        column: the column that it is.
        aggregate: a call of an aggregate function.
        analytic: a call with OVER.
        name: what a result calls it without an alias.
        node: where it was read.

    """

    sql: str
    type: Type
    literal: bool = False
    value: Any = NOT_CONSTANT
    parts: tuple[Typed, ...] = ()
    column: Column | None = None
    aggregate: bool = False
    analytic: bool = False
    name: str = ""
    node: exp.Expr | None = field(default=None, compare=False)

    @property
    def constant(self) -> bool:
        """Whether the value is known."""
        return self.value is not NOT_CONSTANT

    def refuse(self, message: str) -> BigQueryError:
        """Refuse the query for this expression."""
        place = place_of(self.node) if self.node is not None else None
        return BigQueryError.query(message, *(place or ()))

    def walk(self) -> Iterator[Typed]:
        """Go through this and what it is made of."""
        left = [self]
        while left:
            part = left.pop()
            yield part
            left.extend(reversed(part.parts))


def made(sql: str, kind: Type, *parts: Typed, node: exp.Expr | None = None) -> Typed:
    """Make an expression of others."""
    return Typed(sql, kind, parts=parts, node=node)


def fits(given: Typed, wanted: Type) -> bool:
    """Tell whether an expression becomes another type by itself."""
    if given.literal and given.constant and wanted.kind == "NUMERIC":
        return becomes(given.type, wanted, literal=True)
    return becomes(given.type, wanted, literal=given.literal)


def converted(given: Typed, wanted: Type) -> Typed:
    """Make an expression another type's, which it becomes by itself.

    Raises:
        BigQueryError: the text of a literal is none of that type.

    """
    if given.type.unknown:
        return replace(given, sql=f"CAST({given.sql} AS {wanted.duckdb})", type=wanted.known)
    if given.type == wanted:
        return given
    if given.literal and given.type.kind == "STRING" and wanted.kind != "STRING":
        return _read(given, wanted)
    return replace(
        given, sql=converted_sql(given.sql, given.type, wanted), type=wanted, parts=(given,)
    )


def _read(given: Typed, wanted: Type) -> Typed:
    from gcp_local.bigquery.sql.queries.literals import sql_of, value_of_text

    if not given.constant:
        return replace(given, sql=f"CAST({given.sql} AS {wanted.duckdb})", type=wanted)
    if given.value is None:
        return replace(given, sql=f"CAST(NULL AS {wanted.duckdb})", type=wanted)
    try:
        value = value_of_text(given.value, wanted.kind)
    except (ArithmeticError, ValueError, RuntimeError):
        message = f'Could not cast literal "{given.value}" to type {wanted}'
        raise given.refuse(message) from None
    return replace(given, sql=sql_of(value, wanted), type=wanted, value=value)


def converted_sql(sql: str, given: Type, wanted: Type) -> str:
    """Write the conversion of a value to a type that it becomes by itself."""
    if given == wanted:
        return sql
    if given.kind == wanted.kind and not given.unknown:
        inner = {"STRUCT": _converted_struct, "ARRAY": _converted_array}.get(given.kind)
        return inner(sql, given, wanted) if inner else sql
    return f"CAST({sql} AS {wanted.duckdb})"


def _converted_struct(sql: str, given: Type, wanted: Type) -> str:
    pairs = []
    for at, name in enumerate(distinct_names(wanted)):
        part = f"struct_extract_at({sql}, {at + 1})"
        value = converted_sql(part, given.fields[at][1], wanted.fields[at][1])
        pairs.append(f"{quoted(name)} := {value}")
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE struct_pack({', '.join(pairs)}) END"


def _converted_array(sql: str, given: Type, wanted: Type) -> str:
    if given.of.unknown:
        return f"list_transform({sql}, lambda x: CAST(NULL AS {wanted.of.duckdb}))"
    inner = converted_sql("x", given.of, wanted.of)
    return sql if inner == "x" else f"list_transform({sql}, lambda x: {inner})"
