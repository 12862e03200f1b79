"""Queries.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax.
"""

from __future__ import annotations

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.nodes import Named, identifier, placed
from gcp_local.bigquery.sql.grammar.sources import SourceReader

_SET_OPERATIONS: dict[str, type[exp.Expr]] = {
    "UNION": exp.Union, "INTERSECT": exp.Intersect, "EXCEPT": exp.Except,
}  # fmt: skip


class QueryReader(SourceReader):
    """Reads queries."""

    def query(self) -> exp.Expr:
        """Read a query.

        Raises:
            BigQueryError: none is here.

        """
        ctes = self._with() if self.at("WITH") else None
        node = self._set_operation()
        if self.at("ORDER"):
            node.set("order", self.order())
        if self.at("LIMIT"):
            self.advance()
            node.set("limit", exp.Limit(expression=self._count()))
            if self.take("OFFSET"):
                node.set("offset", exp.Offset(expression=self._count()))
        if self.at("|>"):
            raise BigQueryError.lacking("pipe syntax", location="query")
        if ctes is not None:
            node.set("with_", ctes)
        return node

    def _count(self) -> exp.Expr:
        token = self.now
        if token.kind == "integer" or token.text in ("@", "?"):
            return self._primary()
        if token.upper == "CAST":
            return self._primary()
        raise self.unexpected()

    def _with(self) -> exp.Expr:
        self.advance()
        recursive = self.take("RECURSIVE")
        ctes: list[exp.Expr] = []
        while True:
            name = self.name()
            self.expect("AS")
            self.expect("(")
            query = self.query()
            self.expect(")")
            cte = exp.CTE(this=query, alias=exp.TableAlias(this=identifier(name)))
            ctes.append(placed(cte, name.place))
            if not self.take(","):
                return exp.With(expressions=ctes, recursive=recursive)

    def _set_operation(self) -> exp.Expr:
        left = self._query_primary()
        used: tuple[str, bool] | None = None
        while self.now.upper in _SET_OPERATIONS:
            token = self.advance()
            if self.take("ALL"):
                distinct = False
            elif self.take("DISTINCT"):
                distinct = True
            else:
                raise self.unexpected("keyword ALL or keyword DISTINCT")
            if used is not None and used != (token.upper, distinct):
                message = (
                    "Syntax error: Different set operations cannot be used in the same query"
                    " without using parentheses for grouping"
                )
                raise BigQueryError.query(message, token.place.line, token.place.column)
            used = (token.upper, distinct)
            if token.upper != "UNION" and not distinct:
                raise BigQueryError.lacking(f"{token.upper} ALL", location="query")
            if self.at("BY") or self.at("CORRESPONDING"):
                raise BigQueryError.lacking("set operations by name", location="query")
            right = self._query_primary()
            kind = _SET_OPERATIONS[token.upper]
            left = placed(kind(this=left, expression=right, distinct=distinct), token.place)
        return left

    def _query_primary(self) -> exp.Expr:
        token = self.now
        if self.take("("):
            inner = self.query()
            self.expect(")")
            return placed(exp.Subquery(this=inner), token.place)
        if self.at("FROM"):
            raise BigQueryError.lacking("pipe syntax", location="query")
        return self._select()

    def _select(self) -> exp.Expr:
        token = self.expect("SELECT") if self.at("SELECT") else None
        if token is None:
            raise self.unexpected()
        node = placed(exp.Select(), token.place)
        if self.at("WITH", "DIFFERENTIAL_PRIVACY") or self.at("WITH", "AGGREGATION_THRESHOLD"):
            raise BigQueryError.lacking("differential privacy", location="query")
        if self.take("DISTINCT"):
            node.set("distinct", exp.Distinct())
        else:
            self.take("ALL")
        if self.at("AS", "STRUCT") or self.at("AS", "VALUE"):
            self.advance()
            node.set("kind", self.advance().upper)
        node.set("expressions", self._select_list())
        if self.take("FROM"):
            node.set("from_", exp.From(this=self._item()))
            node.set("joins", self._joins() or None)
        if self.at("WHERE"):
            token = self.advance()
            node.set("where", placed(exp.Where(this=self.expression()), token.place))
        if self.at("GROUP"):
            node.set("group", self._group())
        if self.take("HAVING"):
            node.set("having", exp.Having(this=self.expression()))
        if self.take("QUALIFY"):
            node.set("qualify", exp.Qualify(this=self.expression()))
        if self.take("WINDOW"):
            node.set("windows", self._windows())
        return node

    def _select_list(self) -> list[exp.Expr]:
        if self.at("FROM"):
            token = self.now
            message = "Syntax error: SELECT list must not be empty"
            raise BigQueryError.query(message, token.place.line, token.place.column)
        items = [self._select_item()]
        while self.take(","):
            if self.now.upper in ("FROM", ")") or self.now.kind == "end":
                break  # GoogleSQL allows a comma after the last
            items.append(self._select_item())
        return items

    def _group(self) -> exp.Expr:
        token = self.expect("GROUP", "BY")
        if self.take("ALL"):
            return placed(exp.Group(all=True), token.place)
        items = [self._grouping()]
        while self.take(","):
            items.append(self._grouping())
        return placed(exp.Group(expressions=items), token.place)

    def _grouping(self) -> exp.Expr:
        for words, kind in (
            (("ROLLUP",), exp.Rollup),
            (("CUBE",), exp.Cube),
            (("GROUPING", "SETS"), exp.GroupingSets),
        ):
            if self.at(*words, "("):
                token = self.expect(*words)
                self.advance()
                items = [self._grouping() if self.now.upper in ("ROLLUP", "CUBE") else self._set()]
                while self.take(","):
                    items.append(self._set())
                self.expect(")")
                return placed(kind(expressions=items), token.place)
        return self.expression()

    def _set(self) -> exp.Expr:
        if self.at("(", ")"):
            self.advance()
            self.advance()
            return exp.Tuple(expressions=[])
        return self._grouping()

    def _windows(self) -> list[exp.Expr]:
        found: list[exp.Expr] = []
        while True:
            name = self.name()
            self.expect("AS")
            found.append(Named(this=identifier(name), expression=self._over()))
            if not self.take(","):
                return found
