"""What the families of expressions have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from gcp_local.bigquery.sql.queries.scopes import Scope
from gcp_local.bigquery.sql.queries.typed import Typed

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.expressions.compiling import Expressions


class Reader(ABC):
    """Reads one expression in one scope; each kind of node has a method of its name."""

    def __init__(self, owner: Expressions, scope: Scope, *, aliases: bool) -> None:
        self.owner = owner
        self.context = owner.context
        self.scope = scope
        self.aliases = aliases

    @abstractmethod
    def read(self, node: exp.Expr) -> Typed:
        """Understand an expression."""

    @abstractmethod
    def _call(self, node: exp.Anonymous) -> Typed: ...

    @abstractmethod
    def _array_of_query(self, query: Any, node: exp.Expr) -> Typed: ...


def unwrapped(node: exp.Expr) -> exp.Expr:
    """Give the query in parentheses that add nothing to it."""
    while isinstance(node, exp.Subquery) and not any(
        node.args.get(each) for each in ("order", "limit", "offset", "with_", "alias")
    ):
        node = node.this
    return node
