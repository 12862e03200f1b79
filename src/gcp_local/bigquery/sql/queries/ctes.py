"""WITH: queries that have names, recursive ones too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.scopes import Cte, Scope
from gcp_local.bigquery.sql.queries.typed import converted_sql
from gcp_local.bigquery.sql.queries.understood import Query
from gcp_local.bigquery.sql.queries.unions import mismatch
from gcp_local.bigquery.sql.types import supertype

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.query import QueryCompiler


class Ctes:
    """Compiles WITH clauses.

    Args:
        owner: compiles the queries and expressions in it.

    """

    def __init__(self, owner: QueryCompiler) -> None:
        self.owner = owner

    def compile(
        self, node: exp.Expr, parent: Scope | None, ctes: Mapping[str, Cte]
    ) -> tuple[str, Mapping[str, Cte]]:
        """Write the WITH clause of a query, and give the names that hold in it."""
        clause = node.args.get("with_")
        if clause is None:
            return "", ctes
        known = dict(ctes)
        parts: list[str] = []
        own: set[str] = set()
        for cte in clause.expressions:
            name = cte.alias
            lower = name.lower()
            if lower in own:
                raise refusal(f"Duplicate alias {name} for WITH subquery", cte)
            own.add(lower)
            sql_name = self.owner.context.fresh("w")
            if clause.args.get("recursive") and _names(cte.this, lower):
                found, body = self._recursive(cte, sql_name, parent, known)
            else:
                found = self.owner.query(cte.this, parent, known)
                body = found.sql
            parts.append(f"{sql_name} AS ({body})")
            known[lower] = Cte(sql_name, found.columns, found.value_table, cte)
        word = "WITH RECURSIVE" if clause.args.get("recursive") else "WITH"
        return f"{word} {', '.join(parts)} ", known

    def _recursive(
        self, cte: exp.Expr, sql_name: str, parent: Scope | None, known: Mapping[str, Cte]
    ) -> tuple[Query, str]:
        union = cte.this
        if not isinstance(union, exp.Union):
            message = f"Recursive query {cte.alias} must be a UNION of a base and a recursive term"
            raise refusal(message, cte)
        base = self.owner.query(union.this, parent, known)
        inside = {**known, cte.alias.lower(): Cte(sql_name, base.columns, node=cte)}
        step = self.owner.query(union.expression, parent, inside)
        if len(base.columns) != len(step.columns):
            raise mismatch(union, base, step)
        items = []
        for one, other in zip(base.columns, step.columns, strict=True):
            if supertype([(one.type, False), (other.type, False)]) != one.type:
                message = (
                    f"Cannot coerce column {one.name} of the recursive term from {other.type} to"
                    f" {one.type}"
                )
                raise refusal(message, union)
            items.append(f"{converted_sql(other.sql, other.type, one.type)} AS {one.sql}")
        word = "UNION" if union.args.get("distinct") else "UNION ALL"
        alias = self.owner.context.fresh("s")
        recursive = f"SELECT {', '.join(items)} FROM ({step.sql}) AS {alias}"  # noqa: S608
        return base, f"{base.sql} {word} {recursive}"


def _names(node: exp.Expr, name: str) -> bool:
    return any(
        each.name.lower() == name and not each.args.get("db") for each in node.find_all(exp.Table)
    )
