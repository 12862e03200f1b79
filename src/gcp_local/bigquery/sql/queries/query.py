"""Queries: WITH, set operations, SELECT, ORDER BY, LIMIT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.queries.ctes import Ctes
from gcp_local.bigquery.sql.queries.expressions.compiling import Expressions
from gcp_local.bigquery.sql.queries.filters import Filters
from gcp_local.bigquery.sql.queries.functions.windows import order_sql
from gcp_local.bigquery.sql.queries.scopes import Cte, Scope
from gcp_local.bigquery.sql.queries.selects import Selects
from gcp_local.bigquery.sql.queries.sources import Sources, source_of
from gcp_local.bigquery.sql.queries.typed import Typed
from gcp_local.bigquery.sql.queries.understood import Query, ordinal
from gcp_local.bigquery.sql.queries.unions import Unions

if TYPE_CHECKING:
    from datetime import datetime

    from gcp_local.bigquery.sql.queries.compilation import Compilation
    from gcp_local.bigquery.sql.queries.tables import Scanned


class QueryCompiler:
    """Compiles the queries of one statement.

    Args:
        context: the statement's.
        evaluate: gives the time that an expression without columns means.
        run: runs a query that is a table function's argument.

    Attributes:
        used: the columns of tables that were named.

    """

    def __init__(
        self,
        context: Compilation,
        evaluate: Callable[[Typed], datetime | None],
        run: Callable[[exp.Expr], Any],
    ) -> None:
        self.context = context
        self.used: set[tuple[str, str]] = set()
        self._evaluate = evaluate
        self._run = run
        self.filters = Filters(self)
        self._expressions = Expressions(context, self._subquery)
        self.sources = Sources(self)
        self._selects, self._unions, self._ctes = Selects(self), Unions(self), Ctes(self)

    # What the parts need of each other

    def expression(self, node: exp.Expr, scope: Scope, *, aliases: bool = False) -> Typed:
        """Understand an expression; see `Expressions.compile`."""
        found = self._expressions.compile(node, scope, aliases=aliases)
        self.used |= scope.used
        return found

    def condition(
        self, node: exp.Expr, scope: Scope, clause: str, *, aliases: bool = False
    ) -> Typed:
        """Understand a condition; see `Expressions.condition`."""
        found = self._expressions.condition(node, scope, clause, aliases=aliases)
        self.used |= scope.used
        return found

    def moment(self, found: Typed) -> datetime:
        """Give the time that an expression means.

        Raises:
            BigQueryError: it is NULL.

        """
        value = self._evaluate(found)
        if value is None:
            raise found.refuse("FOR SYSTEM_TIME AS OF expression evaluates to NULL")
        return value

    def run_argument(self, query: exp.Expr, scope: Scope) -> Any:
        """Run a query that is a table function's argument, in the names that hold there."""
        if scope.ctes:
            ctes = [each.node.copy() for each in scope.ctes.values() if each.node is not None]
            if isinstance(query, exp.Table):
                path = query.meta.get("path")
                query = exp.Select(expressions=[exp.Star()], from_=exp.From(this=query.copy()))
                query.args["from_"].this.meta["path"] = path
            else:
                query = exp.Subquery(this=query.copy())
            query.set("with_", exp.With(expressions=ctes))
        elif isinstance(query, exp.Table):
            path = query.meta.get("path")
            copied = query.copy()
            copied.meta["path"] = path
            query = exp.Select(expressions=[exp.Star()], from_=exp.From(this=copied))
        return self._run(query)

    def must_filter(self, table: Scanned, alias: str) -> None:
        """Note that a query must say which of a table's partitions it reads."""
        self.filters.must_filter(table, alias)

    def _subquery(self, node: exp.Expr, scope: Scope) -> Query:
        return self.query(node, scope, scope.ctes)

    # Queries

    def query(self, node: exp.Expr, parent: Scope | None, ctes: Mapping[str, Cte]) -> Query:
        """Understand a query.

        Args:
            node: the query.
            parent: the names that it sees as a subquery in an expression.
            ctes: the queries that WITH named around it.

        Raises:
            BigQueryError: it is refused.

        """
        prefix, known = self._ctes.compile(node, parent, ctes)
        if isinstance(node, exp.Select):
            found = self._selects.compile(node, parent, known)
        elif isinstance(node, exp.SetOperation):
            found = self._ordered(node, self._unions.compile(node, parent, known), parent, known)
        elif isinstance(node, exp.Subquery):
            found = self._ordered(node, self.query(node.this, parent, known), parent, known)
        elif isinstance(node, exp.Table):
            star = exp.Select(expressions=[exp.Star()], from_=exp.From(this=node.copy()))
            star.args["from_"].this.meta.update(node.meta)
            found = self._selects.compile(star, parent, known)
        else:
            raise BigQueryError.lacking(f"queries of the kind {node.key.upper()}", location="query")
        return replace(found, sql=f"{prefix}{found.sql}") if prefix else found

    def _ordered(
        self, node: exp.Expr, found: Query, parent: Scope | None, known: Mapping[str, Cte]
    ) -> Query:
        """Apply ORDER BY and LIMIT to a query's rows."""
        order, limits = node.args.get("order"), self.limits(node)
        if order is None and not limits:
            return found
        alias = self.context.fresh("r")
        scope = Scope(parent=parent, ctes=known)
        scope.sources.append(source_of(found.columns, alias, "", value_table=found.value_table))
        clause = ""
        if order is not None:
            keys = []
            for each in order.expressions:
                at = ordinal(each.this, len(found.columns), "ORDER BY")
                if at is not None:
                    column = found.columns[at]
                    keys.append(Typed(f"{alias}.{column.sql}", column.type, node=each.this))
                else:
                    keys.append(self.expression(each.this, scope))
            clause = f" {order_sql(order, keys)}"
        names = ", ".join(f"{alias}.{each.sql} AS {each.sql}" for each in found.columns)
        sql = f"SELECT {names} FROM ({found.sql}) AS {alias}{clause}{limits}"  # noqa: S608
        return replace(found, sql=sql)

    def limits(self, node: exp.Expr) -> str:
        """Write LIMIT and OFFSET."""
        text = ""
        for key in ("limit", "offset"):
            clause = node.args.get(key)
            if clause is None:
                continue
            value = self.expression(clause.expression, Scope())
            if not value.constant or not isinstance(value.value, int) or value.value < 0:
                word = key.upper()
                raise value.refuse(f"{word} expects a non-negative integer literal or parameter")
            text += f" {key.upper()} {value.value}"
        return text
