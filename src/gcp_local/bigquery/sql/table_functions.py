"""Functions that stand in FROM and give rows: `ML.PREDICT(MODEL …, (SELECT …))`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

    from gcp_local.bigquery.sql.grammar.nodes import Call
    from gcp_local.bigquery.sql.session import Outcome, Session

RunQuery = Callable[["Expr"], "Outcome"]
"""Runs a query that is an argument, in the names that hold where the function stands."""


class TableFunctions(Protocol):
    """Answers table functions."""

    def has(self, name: str) -> bool:
        """Tell whether a function, by its name with dots in capitals, is one of these."""
        ...

    def rows(self, call: Call, session: Session, query: RunQuery, *, dry: bool) -> Outcome:
        """Give a function's rows, or with `dry` their schema.

        Args:
            call: as it was read: its arguments are `ModelName`, `Table` (whose `meta["path"]` has
                the parts), `Subquery` and expressions.
            session: what the query runs in.
            query: runs what is an argument (with `dry` it gives the schema alone).
            dry: nothing is computed.

        Raises:
            BigQueryError: no such model, wrong arguments, a column that is missing.

        """
        ...
