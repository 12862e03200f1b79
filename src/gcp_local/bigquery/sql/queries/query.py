"""Queries: WITH, set operations, SELECT, ORDER BY, LIMIT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.expressions.compiling import Expressions
from gcp_local.bigquery.sql.queries.expressions.constructions import struct
from gcp_local.bigquery.sql.queries.functions.windows import order_sql
from gcp_local.bigquery.sql.queries.grouping import Grouping, check_no_aggregates
from gcp_local.bigquery.sql.queries.items import Item, select_items
from gcp_local.bigquery.sql.queries.pruning import conjuncts
from gcp_local.bigquery.sql.queries.scopes import Column, Cte, Scope
from gcp_local.bigquery.sql.queries.sources import Sources, source_of
from gcp_local.bigquery.sql.queries.typed import Typed, converted_sql
from gcp_local.bigquery.sql.types import Type, supertype

if TYPE_CHECKING:
    from datetime import datetime

    from gcp_local.bigquery.sql.queries.compilation import Compilation
    from gcp_local.bigquery.sql.queries.tables import Scanned

_OPERATIONS = {"union": "UNION", "intersect": "INTERSECT", "except": "EXCEPT"}
_UNSET = {"DISTINCT": " DISTINCT", "ALL": " ALL"}


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
        self._filters: list[tuple[Scanned, str]] = []
        self._expressions = Expressions(context, self._subquery)
        self._sources = Sources(self)

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
        self._filters.append((table, alias))

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
        prefix, known = self._with(node, parent, ctes)
        if isinstance(node, exp.Select):
            found = self._select(node, parent, known)
        elif isinstance(node, exp.SetOperation):
            found = self._ordered(node, self._combined(node, parent, known), parent, known)
        elif isinstance(node, exp.Subquery):
            found = self._ordered(node, self.query(node.this, parent, known), parent, known)
        elif isinstance(node, exp.Table):
            star = exp.Select(expressions=[exp.Star()], from_=exp.From(this=node.copy()))
            star.args["from_"].this.meta.update(node.meta)
            found = self._select(star, parent, known)
        else:
            raise BigQueryError.lacking(f"queries of the kind {node.key.upper()}", location="query")
        return replace(found, sql=f"{prefix}{found.sql}") if prefix else found

    def _with(
        self, node: exp.Expr, parent: Scope | None, ctes: Mapping[str, Cte]
    ) -> tuple[str, Mapping[str, Cte]]:
        clause = node.args.get("with_")
        if clause is None:
            return "", ctes
        known = dict(ctes)
        parts: list[str] = []
        own: set[str] = set()
        for cte in clause.expressions:
            name = cte.alias
            lower = name.lower()
            if lower in own:
                raise refusal(f"Duplicate alias {name} for WITH subquery", cte)
            own.add(lower)
            sql_name = self.context.fresh("w")
            if clause.args.get("recursive") and _names(cte.this, lower):
                found, body = self._recursive(cte, sql_name, parent, known)
            else:
                found = self.query(cte.this, parent, known)
                body = found.sql
            parts.append(f"{sql_name} AS ({body})")
            known[lower] = Cte(sql_name, found.columns, found.value_table, cte)
        word = "WITH RECURSIVE" if clause.args.get("recursive") else "WITH"
        return f"{word} {', '.join(parts)} ", known

    def _recursive(
        self, cte: exp.Expr, sql_name: str, parent: Scope | None, known: Mapping[str, Cte]
    ) -> tuple[Query, str]:
        union = cte.this
        if not isinstance(union, exp.Union):
            message = f"Recursive query {cte.alias} must be a UNION of a base and a recursive term"
            raise refusal(message, cte)
        base = self.query(union.this, parent, known)
        inside = {**known, cte.alias.lower(): Cte(sql_name, base.columns, node=cte)}
        step = self.query(union.expression, parent, inside)
        if len(base.columns) != len(step.columns):
            raise _mismatch(union, base, step)
        items = []
        for one, other in zip(base.columns, step.columns, strict=True):
            if supertype([(one.type, False), (other.type, False)]) != one.type:
                message = (
                    f"Cannot coerce column {one.name} of the recursive term from {other.type} to"
                    f" {one.type}"
                )
                raise refusal(message, union)
            items.append(f"{converted_sql(other.sql, other.type, one.type)} AS {one.sql}")
        word = "UNION" if union.args.get("distinct") else "UNION ALL"
        alias = self.context.fresh("s")
        recursive = f"SELECT {', '.join(items)} FROM ({step.sql}) AS {alias}"  # noqa: S608
        return base, f"{base.sql} {word} {recursive}"

    def _combined(self, node: exp.Expr, parent: Scope | None, known: Mapping[str, Cte]) -> Query:
        # A long chain leans to the left: it is read without going that deep.
        terms: list[exp.Expr] = []
        base: exp.Expr = node
        while (
            type(base) is type(node)
            and base.args.get("distinct") == node.args.get("distinct")
            and (base is node or not _modified(base))
        ):
            terms.insert(0, base.args["expression"])
            base = base.this
        queries = [self.query(each, parent, known) for each in (base, *terms)]
        first = queries[0]
        for each in queries[1:]:
            if len(each.columns) != len(first.columns):
                raise _mismatch(node, first, each)
        kinds = [
            self._unified(node, at, [each.columns[at].type for each in queries])
            for at in range(len(first.columns))
        ]
        keys = [self.context.fresh("c") for _ in kinds]
        parts = []
        for each in queries:
            items = ", ".join(
                f"{converted_sql(column.sql, column.type, kind)} AS {key}"
                for column, kind, key in zip(each.columns, kinds, keys, strict=True)
            )
            parts.append(f"SELECT {items} FROM ({each.sql}) AS {self.context.fresh('s')}")  # noqa: S608
        word = _OPERATIONS[node.key] + (_UNSET["DISTINCT"] if node.args.get("distinct") else " ALL")
        columns = tuple(
            Column(column.name, kind, key)
            for column, kind, key in zip(first.columns, kinds, keys, strict=True)
        )
        outer = tuple(each for query in queries for each in query.outer)
        return Query(f" {word} ".join(parts), columns, first.value_table, outer)

    @staticmethod
    def _unified(node: exp.Expr, at: int, types: list[Type]) -> Type:
        kind = supertype([(each, False) for each in types])
        if kind is None:
            named = ", ".join(map(str, types))
            word = f"{node.key.upper()} {'DISTINCT' if node.args.get('distinct') else 'ALL'}"
            raise refusal(f"Column {at + 1} in {word} has incompatible types: {named}", node)
        return kind.known

    def _ordered(
        self, node: exp.Expr, found: Query, parent: Scope | None, known: Mapping[str, Cte]
    ) -> Query:
        """Apply ORDER BY and LIMIT to a query's rows."""
        order, limits = node.args.get("order"), self._limits(node)
        if order is None and not limits:
            return found
        alias = self.context.fresh("r")
        scope = Scope(parent=parent, ctes=known)
        scope.sources.append(source_of(found.columns, alias, "", value_table=found.value_table))
        clause = ""
        if order is not None:
            keys = []
            for each in order.expressions:
                at = _ordinal(each.this, len(found.columns), "ORDER BY")
                if at is not None:
                    column = found.columns[at]
                    keys.append(Typed(f"{alias}.{column.sql}", column.type, node=each.this))
                else:
                    keys.append(self.expression(each.this, scope))
            clause = f" {order_sql(order, keys)}"
        names = ", ".join(f"{alias}.{each.sql} AS {each.sql}" for each in found.columns)
        sql = f"SELECT {names} FROM ({found.sql}) AS {alias}{clause}{limits}"  # noqa: S608
        return replace(found, sql=sql)

    def _limits(self, node: exp.Expr) -> str:
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

    # SELECT

    def _select(self, node: exp.Select, parent: Scope | None, known: Mapping[str, Cte]) -> Query:
        scope = Scope(parent=parent, ctes=known)
        before = len(self._filters)
        from_sql = ""
        clause = node.args.get("from_")
        if clause is None:
            _check_without_from(node)
        else:
            joins = [*(clause.this.args.get("joins") or []), *(node.args.get("joins") or [])]
            from_sql = f" FROM {self._sources.compile(clause.this, joins, scope)}"
        for each in node.args.get("windows") or []:
            scope.windows[each.this.name.lower()] = each.expression
        where = self._where(node, scope, before)
        items = select_items(node.expressions, scope, self)
        for item in items:
            if item.name:
                scope.aliases.setdefault(item.name.lower(), []).append(item.value)
        grouping = Grouping(self, scope, items)
        group_sql = grouping.clause(node.args.get("group"))
        having, qualify = self._later(node, scope, items, grouping)
        distinct = bool(node.args.get("distinct"))
        keys, order_sqls = self._order_keys(node, scope, items, distinct=distinct)
        grouping.check(having, qualify, keys)
        if distinct:
            _check_distinct(items)
        listed = ", ".join(f"{item.value.sql} AS {item.key}" for item in items)
        pieces = [f"SELECT {'DISTINCT ' if distinct else ''}{listed}{from_sql}"]
        pieces += [_clause("WHERE", where), group_sql, _clause("HAVING", having)]
        pieces += [_clause("QUALIFY", qualify), order_sqls, self._limits(node)]
        self.used |= scope.used
        columns = tuple(Column(i.name, i.value.type, i.key, _origin(i.value)) for i in items)
        query = Query("".join(pieces), columns, outer=tuple(scope.outer))
        return self._shaped(node, query)

    def _later(
        self, node: exp.Select, scope: Scope, items: list[Item], grouping: Grouping
    ) -> tuple[Typed | None, Typed | None]:
        """Understand HAVING and QUALIFY."""
        having = qualify = None
        if clause := node.args.get("having"):
            having = self.condition(clause.this, scope, "HAVING clause", aliases=True)
            if not grouping.grouped and not grouping.aggregates(having):
                what = "The HAVING clause requires GROUP BY or aggregation to be present"
                raise refusal(what, clause)
        if clause := node.args.get("qualify"):
            qualify = self.condition(clause.this, scope, "QUALIFY clause", aliases=True)
            if not any(p.analytic for e in (qualify, *(i.value for i in items)) for p in e.walk()):
                message = (
                    "The QUALIFY clause requires analytic function to be present in the QUALIFY"
                    " clause or the SELECT list"
                )
                raise refusal(message, clause)
        return having, qualify

    def _where(self, node: exp.Select, scope: Scope, before: int) -> Typed | None:
        clause = node.args.get("where")
        where = None
        if clause is not None:
            where = self.condition(clause.this, scope, "WHERE clause")
            check_no_aggregates(where, "WHERE clause")
            self._prune(clause.this, scope)
        pending, self._filters = self._filters[before:], self._filters[:before]
        for table, alias in pending:
            self._check_filter(table, alias, where)
        return where

    def _prune(self, node: exp.Expr, scope: Scope) -> None:
        """Note what a WHERE clause says about the partitions of tables."""
        scans = self.context.scans
        if not scans:
            return
        for each in conjuncts(node):
            condition = self.condition(each, scope, "WHERE clause")
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

    def _order_keys(
        self, node: exp.Select, scope: Scope, items: list[Item], *, distinct: bool
    ) -> tuple[list[Typed], str]:
        order = node.args.get("order")
        if order is None:
            return [], ""
        keys: list[Typed] = []
        written: list[Typed] = []
        for each in order.expressions:
            at = _ordinal(each.this, len(items), "ORDER BY")
            name = each.this.name.lower() if isinstance(each.this, exp.Column) and not (
                each.this.args.get("table")) else ""  # fmt: skip
            if at is None and name in scope.aliases and len(scope.aliases[name]) == 1:
                at = next(i for i, item in enumerate(items) if item.name.lower() == name)
            if at is not None:
                item = items[at]
                keys.append(item.value)
                written.append(Typed(item.key, item.value.type, node=each.this))
                continue
            key = self.expression(each.this, scope, aliases=True)
            same = next((item for item in items if item.value.sql == key.sql), None)
            keys.append(key)
            if same is not None:
                written.append(Typed(same.key, key.type, node=each.this))
                continue
            if distinct and not key.literal:
                message = "ORDER BY clause expression references column which is not visible after"
                raise key.refuse(f"{message} SELECT DISTINCT")
            written.append(key)
        return keys, f" {order_sql(order, written)}"

    def _shaped(self, node: exp.Select, query: Query) -> Query:
        """Make each row a struct, or a value, for SELECT AS."""
        shape = node.args.get("kind")
        if shape == "VALUE":
            if len(query.columns) != 1:
                raise refusal("SELECT AS VALUE query must have exactly one column", node)
            return replace(query, value_table=True)
        if shape != "STRUCT":
            return query
        kind = Type("STRUCT", fields=tuple((each.name, each.type) for each in query.columns))
        row = struct(kind, [Typed(each.sql, each.type) for each in query.columns], node)
        key = self.context.fresh("c")
        sql = f"SELECT {row.sql} AS {key} FROM ({query.sql}) AS {self.context.fresh('s')}"  # noqa: S608
        return replace(query, sql=sql, columns=(Column("", kind, key),), value_table=True)


def _check_without_from(node: exp.Select) -> None:
    for key, word in (("where", "WHERE"), ("group", "GROUP BY"), ("having", "HAVING")):
        if node.args.get(key) is not None:
            what = f"Query without FROM clause cannot have a {word} clause"
            raise refusal(what, node.args[key])


def _clause(word: str, condition: Typed | None) -> str:
    return f" {word} {condition.sql}" if condition is not None else ""


def _check_distinct(items: list[Item]) -> None:
    for item in items:
        if item.value.type.kind in ("ARRAY", "JSON"):
            message = f"Column {item.name} of type {item.value.type} cannot be used in"
            raise item.value.refuse(f"{message} SELECT DISTINCT")


def _origin(value: Typed) -> tuple[str, str] | None:
    return value.column.origin if value.column is not None else None


def _names(node: exp.Expr, name: str) -> bool:
    return any(
        each.name.lower() == name and not each.args.get("db") for each in node.find_all(exp.Table)
    )


def _modified(node: exp.Expr) -> bool:
    return any(node.args.get(each) for each in ("order", "limit", "offset", "with_"))


def _mismatch(node: exp.Expr, one: Query, other: Query) -> BigQueryError:
    word = f"{node.key.upper()} {'DISTINCT' if node.args.get('distinct') else 'ALL'}"
    message = (
        f"Queries in {word} have mismatched column count; query 1 has {len(one.columns)}"
        f" column{'s' * (len(one.columns) != 1)}, query 2 has {len(other.columns)}"
        f" column{'s' * (len(other.columns) != 1)}"
    )
    return refusal(message, node)


def _ordinal(node: exp.Expr, count: int, clause: str) -> int | None:
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


ordinal = _ordinal
