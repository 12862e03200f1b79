"""Expressions: from sqlglot's nodes to DuckDB's SQL with GoogleSQL's types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.nodes import Call
from gcp_local.bigquery.sql.queries import operators
from gcp_local.bigquery.sql.queries.expressions.conditions import COMPARED, Conditions
from gcp_local.bigquery.sql.queries.expressions.constructions import Constructions
from gcp_local.bigquery.sql.queries.expressions.literals import Literals
from gcp_local.bigquery.sql.queries.expressions.names import Names
from gcp_local.bigquery.sql.queries.expressions.parameters import Parameters
from gcp_local.bigquery.sql.queries.expressions.subqueries import Subqueries
from gcp_local.bigquery.sql.queries.functions.calls import call
from gcp_local.bigquery.sql.queries.scopes import Scope
from gcp_local.bigquery.sql.queries.typed import Typed, converted, fits, made
from gcp_local.bigquery.sql.types import BOOL, INT64

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.compilation import Compilation
    from gcp_local.bigquery.sql.queries.understood import Query

Subquery = Callable[[exp.Expr, Scope], "Query"]

_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_BITS: dict[type[exp.Expr], str] = {
    exp.BitwiseAnd: "&", exp.BitwiseOr: "|", exp.BitwiseXor: "^", exp.BitwiseLeftShift: "<<",
    exp.BitwiseRightShift: ">>",
}  # fmt: skip


class Expressions:
    """Compiles expressions.

    Args:
        context: the statement's.
        subquery: compiles a query that stands in an expression.

    """

    def __init__(self, context: Compilation, subquery: Subquery) -> None:
        self.context = context
        self.subquery = subquery

    def compile(self, node: exp.Expr, scope: Scope, *, aliases: bool = False) -> Typed:
        """Understand an expression.

        Args:
            node: the expression.
            scope: what its names mean.
            aliases: names may be those of the SELECT list.

        Raises:
            BigQueryError: it is refused.

        """
        return _Reading(self, scope, aliases=aliases).read(node)

    def condition(
        self, node: exp.Expr, scope: Scope, clause: str, *, aliases: bool = False
    ) -> Typed:
        """Understand a condition; errors as `compile`."""
        found = self.compile(node, scope, aliases=aliases)
        if not fits(found, BOOL):
            raise found.refuse(f"{clause} should return type BOOL, but returns {found.type}")
        return converted(found, BOOL)


class _Reading(Parameters, Literals, Names, Conditions, Subqueries, Constructions):
    """Reads one expression in one scope."""

    def read(self, node: exp.Expr) -> Typed:
        """Understand an expression."""
        found = self._read(node)
        return found if found.node is node else replace(found, node=node)

    def _read(self, node: exp.Expr) -> Typed:
        reader = getattr(self, f"_{node.key}", None) or self._of_family(node)
        if reader is None:
            raise BigQueryError.lacking(
                f"expressions of the kind {node.key.upper()}", location="query"
            )
        found: Typed = reader(node)
        return found

    def _of_family(self, node: exp.Expr) -> Callable[[Any], Typed] | None:
        kind = type(node)
        if kind in _ARITHMETIC or kind in _BITS:
            return self._calculated
        if kind in COMPARED:
            return self._compared
        return self._query if isinstance(node, exp.Query) else None

    def _paren(self, node: exp.Paren) -> Typed:
        return self.read(node.this)

    def _calculated(self, node: exp.Expr) -> Typed:
        one, other = self.read(node.this), self.read(node.expression)
        if type(node) in _BITS:
            return operators.bitwise(_BITS[type(node)], one, other, node)
        return operators.arithmetic(_ARITHMETIC[type(node)], one, other, node, self.context)

    def _dpipe(self, node: exp.DPipe) -> Typed:
        return operators.concatenation(self.read(node.this), self.read(node.expression), node)

    def _bitwisenot(self, node: exp.BitwiseNot) -> Typed:
        value = self.read(node.this)
        if not fits(value, INT64):
            raise operators.no_signature("operator ~", node, [value], "~INT64; ~BYTES")
        return made(f"(~{value.sql})", INT64, value, node=node)

    def _if(self, node: exp.If) -> Typed:
        arguments = [node.this, node.args["true"], node.args.get("false") or exp.Null()]
        return self._call(Call(this="IF", expressions=arguments))

    def _extract(self, node: exp.Extract) -> Typed:
        value = node.expression
        arguments = [node.this]
        if isinstance(value, exp.AtTimeZone):
            arguments += [value.this, value.args["zone"]]
        else:
            arguments.append(value)
        found = Call(this="EXTRACT", expressions=arguments)
        found.meta.update(node.meta)
        return self._call(found)

    def _anonymous(self, node: exp.Anonymous) -> Typed:
        return self._call(node)

    def _call(self, node: exp.Anonymous) -> Typed:
        return call(node, self)
