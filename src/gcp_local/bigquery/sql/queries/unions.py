"""Set operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.scopes import Column, Cte, Scope
from gcp_local.bigquery.sql.queries.typed import converted_sql
from gcp_local.bigquery.sql.queries.understood import Query
from gcp_local.bigquery.sql.types import Type, supertype

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.query import QueryCompiler

_OPERATIONS = {"union": "UNION", "intersect": "INTERSECT", "except": "EXCEPT"}
_UNSET = {"DISTINCT": " DISTINCT", "ALL": " ALL"}


class Unions:
    """Compiles set operations.

    Args:
        owner: compiles the queries and expressions in it.

    """

    def __init__(self, owner: QueryCompiler) -> None:
        self.owner = owner

    def compile(self, node: exp.Expr, parent: Scope | None, known: Mapping[str, Cte]) -> Query:
        """Understand a set operation; errors as `QueryCompiler.query`."""
        # A long chain leans to the left: it is read without going that deep.
        terms: list[exp.Expr] = []
        base: exp.Expr = node
        while (
            type(base) is type(node)
            and base.args.get("distinct") == node.args.get("distinct")
            and (base is node or not _modified(base))
        ):
            terms.insert(0, base.args["expression"])
            base = base.this
        queries = [self.owner.query(each, parent, known) for each in (base, *terms)]
        first = queries[0]
        for each in queries[1:]:
            if len(each.columns) != len(first.columns):
                raise mismatch(node, first, each)
        kinds = [
            self._unified(node, at, [each.columns[at].type for each in queries])
            for at in range(len(first.columns))
        ]
        keys = [self.owner.context.fresh("c") for _ in kinds]
        parts = []
        for each in queries:
            items = ", ".join(
                f"{converted_sql(column.sql, column.type, kind)} AS {key}"
                for column, kind, key in zip(each.columns, kinds, keys, strict=True)
            )
            parts.append(f"SELECT {items} FROM ({each.sql}) AS {self.owner.context.fresh('s')}")  # noqa: S608
        word = _OPERATIONS[node.key] + (_UNSET["DISTINCT"] if node.args.get("distinct") else " ALL")
        columns = tuple(
            Column(column.name, kind, key)
            for column, kind, key in zip(first.columns, kinds, keys, strict=True)
        )
        outer = tuple(each for query in queries for each in query.outer)
        return Query(f" {word} ".join(parts), columns, first.value_table, outer)

    @staticmethod
    def _unified(node: exp.Expr, at: int, types: list[Type]) -> Type:
        kind = supertype([(each, False) for each in types])
        if kind is None:
            named = ", ".join(map(str, types))
            word = f"{node.key.upper()} {'DISTINCT' if node.args.get('distinct') else 'ALL'}"
            raise refusal(f"Column {at + 1} in {word} has incompatible types: {named}", node)
        return kind.known


def _modified(node: exp.Expr) -> bool:
    return any(node.args.get(each) for each in ("order", "limit", "offset", "with_"))


def mismatch(node: exp.Expr, one: Query, other: Query) -> BigQueryError:
    """Say that two queries have not as many columns."""
    word = f"{node.key.upper()} {'DISTINCT' if node.args.get('distinct') else 'ALL'}"
    message = (
        f"Queries in {word} have mismatched column count; query 1 has {len(one.columns)}"
        f" column{'s' * (len(one.columns) != 1)}, query 2 has {len(other.columns)}"
        f" column{'s' * (len(other.columns) != 1)}"
    )
    return refusal(message, node)
