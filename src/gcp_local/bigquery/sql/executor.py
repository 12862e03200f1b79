"""Which handler runs which statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

    from gcp_local.bigquery.sql.session import Outcome, Session


class Handler(Protocol):
    """Runs statements of some kinds."""

    def takes(self, statement: Expr) -> bool:
        """Tell whether a statement is for this handler."""
        ...

    def run(self, statement: Expr, session: Session, *, dry: bool) -> Outcome:
        """Run a statement, or with `dry` check it and tell what it would do.

        Raises:
            BigQueryError: it is refused.

        """
        ...


class Executor:
    """Runs one statement at a time by the first handler that takes it."""

    def __init__(self, handlers: Sequence[Handler]) -> None:
        self._handlers = handlers

    def run(self, statement: Expr, session: Session, *, dry: bool = False) -> Outcome:
        """Run a parsed statement; see `Handler.run`."""
        for handler in self._handlers:
            if handler.takes(statement):
                return handler.run(statement, session, dry=dry)
        raise BigQueryError.lacking(
            f"statements of the kind {statement.key.upper()}", location="query"
        )
