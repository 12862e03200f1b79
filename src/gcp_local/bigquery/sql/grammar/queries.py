"""Queries.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax.
"""

from __future__ import annotations

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.expressions import ExpressionReader, identifier
from gcp_local.bigquery.sql.grammar.lexer import Token
from gcp_local.bigquery.sql.grammar.nodes import Call, ModelName, Named, placed

_SET_OPERATIONS: dict[str, type[exp.Expr]] = {
    "UNION": exp.Union, "INTERSECT": exp.Intersect, "EXCEPT": exp.Except,
}  # fmt: skip
_NO_ALIAS = {"PIVOT", "UNPIVOT", "TABLESAMPLE", "MATCH_RECOGNIZE"}


class QueryReader(ExpressionReader):
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

    def _select_item(self) -> exp.Expr:
        token = self.now
        if self.take("*"):
            return placed(self._star(), token.place)
        value = self.expression()
        if self.at(".", "*"):
            self.advance()
            self.advance()
            return placed(exp.Dot(this=value, expression=self._star()), token.place)
        if self.take("AS"):
            return placed(exp.Alias(this=value, alias=identifier(self.name())), token.place)
        if self.at_name():
            return placed(exp.Alias(this=value, alias=identifier(self.name())), token.place)
        return value

    def _star(self) -> exp.Star:
        star = exp.Star()
        if self.take("EXCEPT"):
            self.expect("(")
            names = [identifier(self.name())]
            while self.take(","):
                names.append(identifier(self.name()))
            self.expect(")")
            star.set("except_", names)
        if self.take("REPLACE"):
            self.expect("(")
            items = [self._replaced()]
            while self.take(","):
                items.append(self._replaced())
            self.expect(")")
            star.set("replace", items)
        return star

    def _replaced(self) -> exp.Expr:
        value = self.expression()
        self.take("AS")
        return exp.Alias(this=value, alias=identifier(self.name()))

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

    # FROM

    def _joins(self) -> list[exp.Expr]:
        joins: list[exp.Expr] = []
        while True:
            token = self.now
            if self.take(","):
                joins.append(placed(exp.Join(this=self._item(), kind="COMMA"), token.place))
                continue
            if self.take("CROSS", "JOIN"):
                joins.append(placed(exp.Join(this=self._item(), kind="CROSS"), token.place))
                continue
            side = None
            if token.upper in ("LEFT", "RIGHT", "FULL"):
                side = self.advance().upper
                self.take("OUTER")
                self.expect("JOIN")
            elif not (self.take("INNER", "JOIN") or self.take("JOIN")):
                return joins
            join = placed(exp.Join(this=self._item(), side=side), token.place)
            if self.take("ON"):
                join.set("on", self.expression())
            elif self.take("USING"):
                self.expect("(")
                names = [identifier(self.name())]
                while self.take(","):
                    names.append(identifier(self.name()))
                self.expect(")")
                join.set("using", names)
            elif not _may_be_array(join.this):
                what = f"{side or 'INNER'} JOIN must have an immediately following ON or USING"
                place = self.now.place
                raise BigQueryError.query(f"Syntax error: {what} clause", place.line, place.column)
            joins.append(join)

    def _item(self) -> exp.Expr:
        token = self.now
        if self.at("LATERAL"):
            raise self.unexpected()
        if self.take("UNNEST"):
            self.expect("(")
            array = self.expression()
            if self.at(","):
                raise BigQueryError.lacking("UNNEST of several arrays", location="query")
            self.expect(")")
            node: exp.Expr = placed(exp.Unnest(expressions=[array]), token.place)
        elif self.at("("):
            if self.at_query():
                self.advance()
                query = self.query()
                if self.at(")"):
                    self.advance()
                    node = placed(exp.Subquery(this=query), token.place)
                else:
                    raise self.unexpected('")"')
            else:
                self.advance()
                inner = self._item()
                inner.set("joins", self._joins() or None)
                self.expect(")")
                return placed(exp.Paren(this=inner), token.place)
        else:
            node = self._table()
        return self._suffixes(node)

    def _table(self) -> exp.Expr:
        parts = self.path()
        if self.at("("):
            return self._table_function(parts)
        names = [str(part.value) for part in parts]
        node = exp.Table(this=exp.Identifier(this=names[-1], quoted=parts[-1].kind == "quoted"))
        if len(names) > 1:
            node.set("db", exp.to_identifier(names[-2]))
        if len(names) > 2:
            node.set("catalog", exp.to_identifier(".".join(names[:-2])))
        node.meta["path"] = names
        if self.take("FOR"):
            if not (self.take("SYSTEM_TIME") or self.take("SYSTEM", "TIME")):
                raise self.unexpected("keyword SYSTEM_TIME")
            self.expect("AS", "OF")
            version = exp.Version(this="TIMESTAMP", kind="AS OF", expression=self.expression())
            node.set("version", version)
        return placed(node, parts[0].place)

    def _table_function(self, parts: list[Token]) -> exp.Expr:
        node = Call(this=".".join(str(part.value) for part in parts))
        node.meta["path"] = [str(part.value) for part in parts]
        self.expect("(")
        node.set("expressions", self._list(self._table_argument, ")"))
        return placed(node, parts[0].place)

    def _table_argument(self) -> exp.Expr:
        if self.now.upper in ("TABLE", "MODEL") and self.ahead().kind in ("word", "quoted"):
            word = self.advance().upper
            parts = self.path()
            names = [str(part.value) for part in parts]
            node = ModelName() if word == "MODEL" else exp.Table(this=exp.to_identifier(names[-1]))
            node.meta["path"] = names
            return placed(node, parts[0].place)
        if self.at_query():
            token = self.expect("(")
            query = self.query()
            self.expect(")")
            return placed(exp.Subquery(this=query), token.place)
        return self._argument()

    def path(self) -> list[Token]:
        """Read `a.b.c`; dashes are part of the first name, as projects have them."""
        first = self.name()
        if first.kind == "word":
            end = first.end
            text = first.text
            while self.now.text == "-" and self.now.place.index == end:
                after = self.ahead()
                if (
                    after.kind not in ("word", "integer", "float")
                    or "." in after.text
                    or after.place.index != end + 1
                ):
                    break
                self.advance()
                self.advance()
                text += f"-{after.text}"
                end = after.end
            if text != first.text:
                first = Token("word", text, text, first.place, end)
        parts = [first]
        while self.at("."):
            if self.ahead().kind not in ("word", "quoted", "integer"):
                self.advance()
                raise self.unexpected()
            self.advance()
            parts.append(self.advance())
        return parts

    def _suffixes(self, node: exp.Expr) -> exp.Expr:
        self._alias(node)
        if self.at("WITH", "OFFSET"):
            token = self.expect("WITH", "OFFSET")
            name = "offset"
            if self.take("AS") or (self.at_name() and self.now.upper not in _NO_ALIAS):
                name = str(self.name().value)
            node.meta["offset"] = name
            if isinstance(node, exp.Unnest):
                node.set("offset", placed(exp.to_identifier(name), token.place))
        while self.now.upper in ("PIVOT", "UNPIVOT") and self.ahead().upper in (
            "(", "INCLUDE", "EXCLUDE",
        ):  # fmt: skip
            pivot = self._pivot()
            node.set("pivots", [*(node.args.get("pivots") or []), pivot])
            if isinstance(node, (exp.Unnest,)) or "pivots" not in node.arg_types:
                raise self.unexpected()
        if self.take("TABLESAMPLE"):
            self.expect("SYSTEM", "(")
            size = self.advance()
            self.expect("PERCENT", ")")
            node.meta["sample"] = float(size.text)
        return node

    def _alias(self, node: exp.Expr) -> None:
        explicit = self.take("AS")
        if explicit or (self.at_name() and self.now.upper not in _NO_ALIAS):
            alias = exp.TableAlias(this=identifier(self.name()))
            if "alias" in node.arg_types:
                node.set("alias", alias)
            else:
                node.meta["alias"] = alias.name

    def _pivot(self) -> exp.Expr:
        token = self.advance()
        unpivot = token.upper == "UNPIVOT"
        include = False
        if unpivot and self.now.upper in ("INCLUDE", "EXCLUDE"):
            include = self.advance().upper == "INCLUDE"
            self.expect("NULLS")
        self.expect("(")
        node = placed(exp.Pivot(unpivot=unpivot, include_nulls=include), token.place)
        if unpivot:
            self._unpivoted(node)
        else:
            items = [self._select_item()]
            while self.take(","):
                items.append(self._select_item())
            self.expect("FOR")
            column = self._postfix(self._primary())
            self.expect("IN", "(")
            values = [self._select_item()]
            while self.take(","):
                values.append(self._select_item())
            self.expect(")")
            node.set("expressions", items)
            node.set("fields", [exp.In(this=column, expressions=values)])
        self.expect(")")
        self._alias(node)
        return node

    def _unpivoted(self, node: exp.Expr) -> None:
        if self.at("("):
            raise BigQueryError.lacking("UNPIVOT of several columns at once", location="query")
        value = identifier(self.name())
        self.expect("FOR")
        name = identifier(self.name())
        self.expect("IN", "(")
        columns: list[exp.Expr] = []
        while True:
            column: exp.Expr = identifier(self.name())
            if self.take("AS"):
                label = self.advance()
                if label.kind not in ("string", "integer"):
                    self.index -= 1
                    raise self.unexpected()
                literal = (
                    exp.Literal.string(str(label.value))
                    if label.kind == "string"
                    else exp.Literal.number(label.text)
                )
                column = exp.Tuple(expressions=[column, literal])
            columns.append(column)
            if not self.take(","):
                break
        self.expect(")")
        node.set("expressions", [value])
        node.set("fields", [exp.In(this=name, expressions=columns)])


def _may_be_array(node: exp.Expr) -> bool:
    """Tell whether what is joined may be an array, which needs no condition."""
    return isinstance(node, exp.Unnest) or (
        isinstance(node, exp.Table) and len(node.meta.get("path", ())) > 1
    )
