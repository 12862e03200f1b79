"""FROM clauses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from gcp_local.bigquery.engine import RowRelation
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import arrow_schema, quoted
from gcp_local.bigquery.sql.grammar.nodes import Call, refusal
from gcp_local.bigquery.sql.queries.literals import text_sql
from gcp_local.bigquery.sql.queries.operators import together
from gcp_local.bigquery.sql.queries.pivots import pivoted, unpivoted
from gcp_local.bigquery.sql.queries.pruning import Scan
from gcp_local.bigquery.sql.queries.scopes import Column, Scope, Source
from gcp_local.bigquery.sql.queries.stored import StoredQueries
from gcp_local.bigquery.sql.queries.tables import Scanned, View
from gcp_local.bigquery.sql.types import DATE, INT64, type_of

if TYPE_CHECKING:
    from datetime import datetime

    from gcp_local.bigquery.sql.queries.query import QueryCompiler
    from gcp_local.bigquery.sql.queries.understood import Query


class Sources:
    """Compiles what stands in FROM.

    Args:
        owner: compiles the queries and expressions in it.

    """

    def __init__(self, owner: QueryCompiler) -> None:
        self.owner = owner
        self.context = owner.context
        self._stored = StoredQueries(owner)

    def compile(self, node: exp.Expr, joins: list[exp.Expr], scope: Scope) -> str:
        """Write a FROM clause, and let the scope see what is in it.

        Raises:
            BigQueryError: it is refused.

        """
        sql = self._item(node, scope)
        for join in joins:
            sql = self._join(sql, join, scope)
        return sql

    def _join(self, left: str, join: exp.Expr, scope: Scope) -> str:
        before = len(scope.sources)
        lateral = _reads_what_is_left(join.this, scope)
        right = self._item(join.this, scope)
        side = join.args.get("side")
        if lateral:
            right = f"LATERAL {right}"
        if join.args.get("kind") in ("COMMA", "CROSS"):
            return f"{left} CROSS JOIN {right}"
        words = f"{side} JOIN" if side else "INNER JOIN"
        if using := join.args.get("using"):
            condition = self._using(using, scope, before, side)
        else:
            on = join.args.get("on")
            if on is None:
                if not lateral:
                    what = f"{side or 'INNER'} JOIN must have an immediately following ON or USING"
                    raise refusal(f"Syntax error: {what} clause", join)
                return f"{left} {words} {right} ON true"
            condition = self.owner.condition(on, scope, "JOIN ON clause").sql
        return f"{left} {words} {right} ON {condition}"

    def _using(self, names: list[Any], scope: Scope, before: int, side: str | None) -> str:
        tests = []
        right = Scope(sources=scope.sources[before:])
        left = Scope(sources=scope.sources[:before], merged=dict(scope.merged))
        for each in names:
            name = each.name
            one, other = left.find(name, each), right.find(name, each)
            for found, which in ((one, "left"), (other, "right")):
                if found is None:
                    what = f"Column {name} in USING clause not found on {which} side of join"
                    raise refusal(what, each)
            assert one is not None
            assert other is not None
            scope.used |= left.used | right.used
            a, b = together("=", one, other, each)
            tests.append(f"({a.sql} = {b.sql})")
            chosen = {"RIGHT": b.sql, "FULL": f"coalesce({a.sql}, {b.sql})"}.get(side or "", a.sql)
            origin = one.column.origin if one.column is not None else None
            scope.merged[name.lower()] = Column(one.name or name, a.type, chosen, origin)
        return " AND ".join(tests)

    def _item(self, node: exp.Expr, scope: Scope) -> str:
        if isinstance(node, exp.Paren):
            inner = node.this
            joins = inner.args.get("joins") or []
            return f"({self.compile(inner, joins, scope)})"
        sql, source = self._source(node, scope)
        if node.meta.get("sample") is not None:
            share = f"{float(node.meta['sample'])} PERCENT"
            table, _, alias = sql.rpartition(" AS ")
            sql = f"(SELECT * FROM {table} TABLESAMPLE SYSTEM({share})) AS {alias}"  # noqa: S608
        for pivot in node.args.get("pivots") or []:
            act = unpivoted if pivot.args.get("unpivot") else pivoted
            sql, source = act(pivot, sql, source, self.owner)
        scope.add(source, node)
        return sql

    def _source(self, node: exp.Expr, scope: Scope) -> tuple[str, Source]:
        if isinstance(node, exp.Unnest):
            alias = node.args.get("alias")
            name = alias.name if alias is not None else ""
            if alias is not None and not name and alias.columns:
                name = alias.columns[0].name
            return self._unnest(node.expressions[0], name, node, scope)
        if isinstance(node, exp.Subquery):
            found = self.owner.query(node.this, None, scope.ctes)
            return self._of_query(found, node.alias)
        if isinstance(node, Call):
            return self._table_function(node, scope)
        if isinstance(node, exp.Table):
            return self._named(node, scope)
        raise BigQueryError.lacking(f"{node.key.upper()} in FROM", location="query")

    def _of_query(self, found: Query, name: str) -> tuple[str, Source]:
        alias = self.context.fresh("r")
        source = source_of(found.columns, alias, name, value_table=found.value_table)
        return f"({found.sql}) AS {alias}", source

    def _named(self, node: exp.Table, scope: Scope) -> tuple[str, Source]:
        path: list[str] = node.meta.get("path") or [
            part.name for part in node.parts if isinstance(part, exp.Identifier)
        ]
        name = node.alias or path[-1].rpartition(".")[2]
        if len(path) == 1 and "." not in path[0]:
            cte = scope.ctes.get(path[0].lower())
            if cte is not None:
                alias = self.context.fresh("r")
                source = source_of(cte.columns, alias, name, value_table=cte.value_table)
                return f"{cte.sql} AS {alias}", source
        if len(path) > 1 and scope.qualified(path[0]) is not None:
            return self._array_path(path, node, scope)
        session = self.context.tables_session
        found = self.context.tables.find(path, node, self._moment(node, scope), session)
        if isinstance(found, View):
            return self._of_query(self._stored.view(found, node), name)
        return self._scanned(found, name)

    def _array_path(self, path: list[str], node: exp.Table, scope: Scope) -> tuple[str, Source]:
        expression: exp.Expr = exp.Column(this=exp.to_identifier(path[0]))
        expression.meta.update(node.meta)
        for part in path[1:]:
            expression = exp.Dot(this=expression, expression=exp.to_identifier(part))
        expression.meta.update({k: node.meta[k] for k in ("line", "column") if k in node.meta})
        return self._unnest(expression, node.alias or path[-1], node, scope)

    def _unnest(
        self, expression: exp.Expr, name: str, node: exp.Expr, scope: Scope
    ) -> tuple[str, Source]:
        array = self.owner.expression(expression, scope)
        if array.type.kind != "ARRAY":
            message = "Values referenced in UNNEST must be arrays. UNNEST contains expression of"
            raise array.refuse(f"{message} type {array.type}")
        alias = self.context.fresh("r")
        element = array.type.of
        value = Column(name, element, f"{alias}.v")
        columns: list[Column] = []
        if element.kind == "STRUCT":
            columns += [
                Column(field, kind, f"struct_extract_at({alias}.v, {at + 1})")
                for at, (field, kind) in enumerate(element.fields)
            ]
        elif name:
            columns.append(value)
        else:
            columns.append(replace(value, name=""))
        sql = f"SELECT unnest({array.sql}) AS v"
        offset = node.meta.get("offset") or (node.args.get("offset") and node.args["offset"].name)
        if offset:
            sql += f", CAST(generate_subscripts({array.sql}, 1) - 1 AS BIGINT) AS o"
            columns.append(Column(str(offset), INT64, f"{alias}.o"))
        return f"({sql}) AS {alias}", Source(name, tuple(columns), value)

    def _scanned(self, found: Scanned, name: str) -> tuple[str, Source]:
        alias = self.context.fresh("r")
        table = found.name
        if found.suffixes:
            names = ", ".join(quoted(field.name) for field in found.schema)
            parts = (
                f'SELECT {names}, {text_sql(suffix)} AS "_TABLE_SUFFIX" FROM {relation}'  # noqa: S608
                for suffix, relation in found.suffixes
            )
            table = f"({' UNION ALL '.join(parts)})"
        origins = [relation for _, relation in found.suffixes] or [found.name]
        columns = [
            Column(field.name, type_of(field), f"{alias}.{quoted(field.name)}",
                   (origins[0], field.name))
            for field in found.schema
        ]  # fmt: skip
        for field in found.hidden:
            sql = f"{alias}.{quoted(field.name)}"
            columns.append(Column(field.name, type_of(field), sql, hidden=True))
            if field.name == "_PARTITIONTIME":
                columns.append(Column("_PARTITIONDATE", DATE, f"CAST({sql} AS DATE)", hidden=True))
        if found.partitioning is not None:
            scan = Scan(found.name, alias, found.partitioning)
            self.context.scans[found.name] = scan
        if found.filtered:
            self.owner.must_filter(found, alias)
        if len(origins) > 1:
            self.context.twins[origins[0]] = origins[1:]
        return f"{table} AS {alias}", Source(name, tuple(columns))

    def _moment(self, node: exp.Table, scope: Scope) -> datetime | None:
        version = node.args.get("version") or node.args.get("when")
        if version is None:
            return None
        found = self.owner.expression(version.expression, Scope(ctes=scope.ctes))
        if found.type.kind != "TIMESTAMP" and not found.literal:
            what = f"FOR SYSTEM_TIME AS OF must be of type TIMESTAMP but was {found.type}"
            raise found.refuse(what)
        return self.owner.moment(found)

    def _table_function(self, node: Call, scope: Scope) -> tuple[str, Source]:
        name = str(node.this).upper()
        functions = self.context.table_functions
        if functions is None or not functions.has(name):
            made = self.context.tables.routine(str(node.this).split("."))
            if made is not None and made[1].get("routineType") == "TABLE_VALUED_FUNCTION":
                body = self._stored.routine(made[0], made[1], node, scope)
                return self._of_query(body, str(node.meta.get("alias") or ""))
            if name.startswith(("ML.", "AI.")) or name in ("APPENDS", "CHANGES", "GAP_FILL"):
                raise BigQueryError.lacking(f"the table function {name}", location="query")
            raise refusal(f"Table-valued function not found: {node.this}", node)

        def run(query: Any) -> Any:
            return self.owner.run_argument(query, scope)

        outcome = functions.rows(node, self.context.session, run, dry=self.context.dry)
        rows = outcome.rows
        if rows is None:
            rows = arrow_schema(outcome.schema).empty_table()
        table = self.context.tables.add(RowRelation(outcome.schema, rows))
        self.context.extra_bytes += outcome.bytes
        for ref in outcome.referenced:
            if ref not in self.context.tables.referenced:
                self.context.tables.referenced.append(ref)
        alias = node.meta.get("alias") or ""
        return self._scanned(Scanned(table, outcome.schema), str(alias))


def source_of(
    columns: tuple[Column, ...], alias: str, name: str, *, value_table: bool = False
) -> Source:
    """See the columns of a query under an alias of DuckDB's."""
    seen = tuple(
        replace(each, sql=f"{alias}.{each.sql}", type=each.type.known, origin=None)
        for each in columns
    )
    if not value_table:
        return Source(name, seen)
    value = replace(seen[0], name=name)
    if value.type.kind == "STRUCT":
        fields = tuple(
            Column(field, kind, f"struct_extract_at({value.sql}, {at + 1})")
            for at, (field, kind) in enumerate(value.type.fields)
        )
        return Source(name, fields, value)
    return Source(name, (value,), value)


def _reads_what_is_left(node: exp.Expr, scope: Scope) -> bool:
    if isinstance(node, exp.Unnest):
        return True
    if isinstance(node, exp.Table):
        path = node.meta.get("path") or []
        return len(path) > 1 and scope.qualified(path[0]) is not None
    return False
