"""WHERE, and the partitions that it leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.queries.grouping import check_no_aggregates
from gcp_local.bigquery.sql.queries.pruning import conjuncts
from gcp_local.bigquery.sql.queries.scopes import Scope
from gcp_local.bigquery.sql.queries.typed import Typed

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.query import QueryCompiler
    from gcp_local.bigquery.sql.queries.tables import Scanned


class Filters:
    """Compiles WHERE clauses.

    Args:
        owner: compiles the queries and expressions in it.

    """

    def __init__(self, owner: QueryCompiler) -> None:
        self.owner = owner
        self._filters: list[tuple[Scanned, str]] = []

    @property
    def noted(self) -> int:
        """How many tables are noted whose filter is still to come."""
        return len(self._filters)

    def must_filter(self, table: Scanned, alias: str) -> None:
        """Note that a query must say which of a table's partitions it reads."""
        self._filters.append((table, alias))

    def where(self, node: exp.Select, scope: Scope, before: int) -> Typed | None:
        """Understand a WHERE clause, and hold tables noted since to it."""
        clause = node.args.get("where")
        where = None
        if clause is not None:
            where = self.owner.condition(clause.this, scope, "WHERE clause")
            check_no_aggregates(where, "WHERE clause")
            self._prune(clause.this, scope)
        pending, self._filters = self._filters[before:], self._filters[:before]
        for table, alias in pending:
            self._check_filter(table, alias, where)
        return where

    def _prune(self, node: exp.Expr, scope: Scope) -> None:
        """Note what a WHERE clause says about the partitions of tables."""
        scans = self.owner.context.scans
        if not scans:
            return
        for each in conjuncts(node):
            condition = self.owner.condition(each, scope, "WHERE clause")
            for name, scan in scans.items():
                if scan.concerns(condition, each):
                    scans[name] = replace(scan, conditions=(*scan.conditions, condition.sql))

    @staticmethod
    def _check_filter(table: Scanned, alias: str, where: Typed | None) -> None:
        if table.partitioning is None or table.ref is None:
            return
        column = table.partitioning.column
        wanted = f'{alias}."{column}"'.lower()
        parts = where.walk() if where is not None else ()
        if any(part.column is not None and wanted in part.column.sql.lower() for part in parts):
            return
        names = f"'{column}'"
        if table.partitioning.ingested:
            names = "'_PARTITION_LOAD_TIME', '_PARTITIONDATE', '_PARTITIONTIME'"
        ref = table.ref
        message = (
            f"Cannot query over table '{ref.project}.{ref.dataset}.{ref.table}' without a filter"
            f" over column(s) {names} that can be used for partition elimination"
        )
        raise BigQueryError("invalidQuery", message, location="query")
