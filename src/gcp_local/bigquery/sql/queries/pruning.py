"""Which partitions a query reads: those that its WHERE clause leaves, and what they weigh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from gcp_local.bigquery.schema import quoted
from gcp_local.bigquery.sql.grammar.nodes import Call

if TYPE_CHECKING:
    from gcp_local.bigquery.partitions import Partitioning
    from gcp_local.bigquery.sql.queries.typed import Typed

_CHANGING = {"RAND", "GENERATE_UUID"}


@dataclass(frozen=True)
class Scan:
    """A partitioned table in a FROM clause.

    Attributes:
        relation: what DuckDB calls the table, and `alias` its place in the clause.
        conditions: on the partitions alone, in DuckDB's SQL.

    """

    relation: str
    alias: str
    partitioning: Partitioning
    conditions: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """The column by which the table is partitioned, in DuckDB's SQL."""
        return f"{self.alias}.{quoted(self.partitioning.column)}"

    def sql(self, columns: list[str]) -> str:
        """Write the query of what lies in the partitions that are read."""
        kind = self.partitioning
        key = f"date_trunc('{kind.kind}', {self.column})"
        if kind.kind == "RANGE":
            key = f"(({self.column} - {kind.start}) // {kind.interval})"
        source = f"{self.relation} AS {self.alias}"
        read = f"SELECT {key} FROM {source} WHERE {' AND '.join(self.conditions)}"  # noqa: S608
        listed = ", ".join(f"{self.alias}.{quoted(each)}" for each in columns)
        return f"SELECT {listed} FROM {source} WHERE {key} IN ({read})"  # noqa: S608

    def concerns(self, condition: Typed, node: exp.Expr) -> bool:
        """Tell whether a condition is on this table's partitions and on nothing else."""
        columns = [part.column.sql for part in condition.walk() if part.column is not None]
        derived = f"CAST({self.column} AS DATE)"
        changing = any(call.name.upper() in _CHANGING for call in node.find_all(Call))
        return (
            bool(columns)
            and all(each in (self.column, derived) for each in columns)
            and node.find(exp.Query) is None
            and not changing
        )


def conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    """Take a condition apart at its ANDs."""
    left = [node]
    while left:
        each = left.pop()
        if isinstance(each, exp.And):
            left += [each.expression, each.this]
        elif isinstance(each, exp.Paren):
            left.append(each.this)
        else:
            yield each
