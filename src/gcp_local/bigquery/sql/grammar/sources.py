"""What stands in FROM.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#from_clause.
"""

from __future__ import annotations

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.lexer import Token
from gcp_local.bigquery.sql.grammar.nodes import Call, ModelName, identifier, placed
from gcp_local.bigquery.sql.grammar.pivots import PivotReader

_NO_ALIAS = {"PIVOT", "UNPIVOT", "TABLESAMPLE", "MATCH_RECOGNIZE"}


class SourceReader(PivotReader):
    """Reads tables, joins, arrays and calls of table functions."""

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


def _may_be_array(node: exp.Expr) -> bool:
    """Tell whether what is joined may be an array, which needs no condition."""
    return isinstance(node, exp.Unnest) or (
        isinstance(node, exp.Table) and len(node.meta.get("path", ())) > 1
    )
