"""GROUP BY, and what may be named after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from gcp_local.bigquery.sql.grammar.nodes import refusal

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.items import Item
    from gcp_local.bigquery.sql.queries.query import QueryCompiler
    from gcp_local.bigquery.sql.queries.scopes import Scope
    from gcp_local.bigquery.sql.queries.typed import Typed

_SETS = {"rollup": "ROLLUP", "cube": "CUBE", "groupingsets": "GROUPING SETS"}


class Grouping:
    """The grouping of one SELECT.

    Args:
        owner: compiles its expressions.
        scope: the names that it sees.
        items: its SELECT list.

    """

    def __init__(self, owner: QueryCompiler, scope: Scope, items: list[Item]) -> None:
        self._owner = owner
        self._scope = scope
        self._items = items
        self._keys: set[str] = set()
        self.grouped = any(self.aggregates(item.value) for item in items)

    @staticmethod
    def aggregates(value: Typed) -> bool:
        """Tell whether an expression aggregates."""
        return any(part.aggregate for part in value.walk())

    def clause(self, group: exp.Expr | None) -> str:
        """Write GROUP BY.

        Raises:
            BigQueryError: it groups by what cannot be grouped by.

        """
        if group is None:
            return ""
        self.grouped = True
        if group.args.get("all"):
            keys = [
                item.value
                for item in self._items
                if not any(part.aggregate or part.analytic for part in item.value.walk())
            ]
            self._keys = {key.sql for key in keys}
            return f" GROUP BY {', '.join(key.sql for key in keys)}" if keys else ""
        return " GROUP BY " + ", ".join(self._item(each) for each in group.expressions)

    def _item(self, node: exp.Expr) -> str:
        if node.key in _SETS:
            inner = ", ".join(self._item(each) for each in node.expressions)
            return f"{_SETS[node.key]} ({inner})"
        if isinstance(node, exp.Tuple):
            return f"({', '.join(self._item(each) for each in node.expressions)})"
        if isinstance(node, exp.Paren):
            return self._item(node.this)
        from gcp_local.bigquery.sql.queries.understood import ordinal

        at = ordinal(node, len(self._items), "GROUP BY")
        value: Typed
        if at is None and isinstance(node, exp.Column) and len(node.parts) == 1:
            name = node.name.lower()
            at = next((i for i, item in enumerate(self._items) if item.name.lower() == name), None)
            if at is not None and len(self._scope.aliases.get(name, ())) > 1:
                self._scope.find(node.name, node, aliases=True)
        if at is not None:
            value = self._items[at].value
        else:
            value = self._owner.expression(node, self._scope)
        if any(part.aggregate for part in value.walk()):
            which = f"column {at + 1}" if at is not None else "an expression"
            raise refusal(
                f"GROUP BY {which} contains an aggregate function, which is not allowed", node
            )
        if any(part.analytic for part in value.walk()):
            raise refusal("Analytic function not allowed in GROUP BY", node)
        if value.type.kind in ("ARRAY", "JSON", "GEOGRAPHY"):
            what = f"Grouping by expressions of type {value.type.kind} is not allowed"
            raise refusal(what, node)
        self._keys.add(value.sql)
        # A literal would be a position for DuckDB.
        return self._items[at].key if at is not None and value.literal else value.sql

    def check(self, having: Typed | None, qualify: Typed | None, order: list[Typed]) -> None:
        """Refuse columns that are neither grouped by nor aggregated.

        Raises:
            BigQueryError: `invalidQuery`.

        """
        later = [each for each in (having, qualify) if each is not None]
        if not self.grouped and not any(map(self.aggregates, [*later, *order])):
            return
        own = {column.sql for source in self._scope.sources for column in source.columns}
        own |= {source.value.sql for source in self._scope.sources if source.value is not None}
        own |= {column.sql for column in self._scope.merged.values()}
        for item in self._items:
            self._check(item.value, own, "SELECT list expression")
        if having is not None:
            self._check(having, own, "HAVING clause expression")
        if qualify is not None:
            self._check(qualify, own, "QUALIFY clause expression")
        for each in order:
            self._check(each, own, "ORDER BY clause expression")

    def _check(self, value: Typed, own: set[str], where: str) -> None:
        if value.sql in self._keys or value.aggregate:
            return
        if value.column is not None and value.column.sql in own:
            if _within(value.column.sql, self._keys):
                return
            message = f"{where} references column {value.column.name} which is neither grouped nor"
            raise value.refuse(f"{message} aggregated")
        for part in value.parts:
            self._check(part, own, where)


def _within(sql: str, keys: set[str]) -> bool:
    """Tell whether a column is a field of something that is grouped by."""
    return any(sql.startswith(f"struct_extract_at({key},") for key in keys)


def check_no_aggregates(value: Typed, where: str) -> None:
    """Refuse aggregate and analytic functions.

    Raises:
        BigQueryError: `invalidQuery`.

    """
    for part in value.walk():
        if part.aggregate or part.analytic:
            kind = "Aggregate" if part.aggregate else "Analytic"
            name = getattr(part.node, "this", "") if part.node is not None else ""
            named = f" {str(name).upper()}" if isinstance(name, str) else ""
            raise part.refuse(f"{kind} function{named} not allowed in {where}")
