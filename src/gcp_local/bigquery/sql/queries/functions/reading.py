"""Who reads an expression, as those who read calls in it need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.compilation import Compilation
    from gcp_local.bigquery.sql.queries.expressions.compiling import Expressions
    from gcp_local.bigquery.sql.queries.scopes import Scope
    from gcp_local.bigquery.sql.queries.typed import Typed


class Reading(Protocol):
    """Whoever reads the expression that a call is part of."""

    owner: Expressions
    context: Compilation
    scope: Scope

    def read(self, node: exp.Expr) -> Typed:
        """Understand an expression."""
        ...
