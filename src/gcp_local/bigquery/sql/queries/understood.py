"""What it comes to: a query that is understood, and the items that integers mean in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.scopes import Column
from gcp_local.bigquery.sql.queries.typed import Typed


@dataclass(frozen=True)
class Query:
    """A query that is understood.

    Attributes:
        sql: in DuckDB's dialect.
        columns: what it gives; each one's `sql` is its name there.
        value_table: its one column is the row itself.
        outer: what it names of the queries around it.

    """

    sql: str
    columns: tuple[Column, ...]
    value_table: bool = False
    outer: tuple[Typed, ...] = field(default=(), compare=False)


def ordinal(node: exp.Expr, count: int, clause: str) -> int | None:
    """Give the position (from 0) of the item that an integer means."""
    if not isinstance(node, exp.Literal) or node.is_string or not node.this.isdecimal():
        return None
    number = int(node.this)
    if not 1 <= number <= count:
        message = (
            f"{clause} column number item is out of range. Index must be between 1 and {count}"
        )
        raise refusal(message, node)
    return number - 1
