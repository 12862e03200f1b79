"""Queries that are stored: of views and of table functions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.nodes import Call, refusal
from gcp_local.bigquery.sql.queries.functions.routines import arguments_of
from gcp_local.bigquery.sql.queries.scopes import Scope, Source
from gcp_local.bigquery.sql.queries.tables import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.bigquery.sql.queries.query import QueryCompiler
    from gcp_local.bigquery.sql.queries.understood import Query

_DEEPEST_VIEW = 16


class StoredQueries:
    """Compiles stored queries, in the names that hold where they are stored.

    Args:
        owner: compiles the queries and expressions in them.

    """

    def __init__(self, owner: QueryCompiler) -> None:
        self.owner = owner

    def view(self, view: View, node: exp.Expr) -> Query:
        """Understand a view's query.

        Raises:
            BigQueryError: it is refused now, or names itself.

        """
        from gcp_local.bigquery.sql.parsing import parse_query

        full = f"{view.ref.project}.{view.ref.dataset}.{view.ref.table}"
        context = self.owner.context
        if len(context.views) >= _DEEPEST_VIEW or full in context.views:
            raise refusal(f"View {full} is nested too deeply, or names itself", node)
        before, session = context.views, context.tables_session
        context.views = (*before, full)
        context.tables_session = replace(
            session, project=view.ref.project, default_dataset=None, temporary=None, variables={},
            parameters=(), functions={},
        )  # fmt: skip
        try:
            found = self.owner.query(parse_query(view.query), None, {})
        except BigQueryError as error:
            if error.reason != "invalidQuery":
                raise
            raise refusal(f"{error.message}; failed to parse view '{full}'", node) from None
        finally:
            context.views, context.tables_session = before, session
        return found

    def routine(self, name: str, body: Mapping[str, Any], node: Call, scope: Scope) -> Query:
        """Understand a user's table function: its query, in which its arguments are names.

        Raises:
            BigQueryError: it is refused, or names itself.

        """
        from gcp_local.bigquery.sql.parsing import parse_query

        context = self.owner.context
        if name.lower() in context.routines:
            raise refusal(f"Table function {name} is recursive, which is not supported", node)
        outer = Scope(ctes=scope.ctes)
        given = [self.owner.expression(each, outer) for each in node.expressions]
        columns = arguments_of(name, body, given, node)
        before, session = (context.routines, context.tables_session), context.tables_session
        context.routines = (*context.routines, name.lower())
        context.tables_session = replace(session, default_dataset=None, temporary=None)
        try:
            query = parse_query(body["definitionBody"])
            found = self.owner.query(query, Scope(sources=[Source("", columns)]), {})
        except BigQueryError as error:
            if error.reason != "invalidQuery":
                raise
            raise refusal(f"Invalid table function {name}: {error.message}", node) from None
        finally:
            context.routines, context.tables_session = before
        return found
