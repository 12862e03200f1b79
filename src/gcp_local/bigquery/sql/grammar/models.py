"""Statements about models: CREATE, ALTER, DROP and EXPORT MODEL.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create and
the pages beside it.
"""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.nodes import Node, placed
from gcp_local.bigquery.sql.grammar.queries import QueryReader


class ModelStatement(exp.Expression):
    """A statement about a model, whose name's parts are `meta["path"]`.

    `options` are tuples of an option's name and its value.
    """

    arg_types: ClassVar[dict[str, bool]] = {"exists": False, "options": False}


class CreateModel(ModelStatement):
    """CREATE [OR REPLACE] MODEL [IF NOT EXISTS]: `transform` is a select list, `query` the rows.

    `meta["transform"]` has the texts of the items of the list.
    """

    arg_types: ClassVar[dict[str, bool]] = {
        **ModelStatement.arg_types,
        "replace": False,
        "transform": False,
        "query": False,
    }


class AlterModel(ModelStatement):
    """ALTER MODEL [IF EXISTS] … SET OPTIONS."""


class DropModel(ModelStatement):
    """DROP MODEL [IF EXISTS]."""


class ExportModel(ModelStatement):
    """EXPORT MODEL … OPTIONS."""


class ModelReader(QueryReader):
    """Reads statements about models."""

    def at_model(self) -> bool:
        """Tell whether such a statement follows."""
        if self.at("CREATE"):
            return self.at("CREATE", "MODEL") or self.at("CREATE", "OR", "REPLACE", "MODEL")
        return any(self.at(verb, "MODEL") for verb in ("ALTER", "DROP", "EXPORT"))

    def statement(self) -> ModelStatement:
        """Read it.

        Raises:
            BigQueryError: a syntax error; what the stand-in lacks.

        """
        verb = self.advance().upper
        replace = verb == "CREATE" and self.take("OR", "REPLACE")
        self.expect("MODEL")
        node: ModelStatement
        match verb:
            case "CREATE":
                exists = self.take("IF", "NOT", "EXISTS")
                node = self._named(CreateModel(exists=exists, replace=replace))
                self._create(node)
            case "ALTER":
                node = self._named(AlterModel(exists=self.take("IF", "EXISTS")))
                self.expect("SET", "OPTIONS")
                node.set("options", self._options())
            case "DROP":
                node = self._named(DropModel(exists=self.take("IF", "EXISTS")))
            case _:
                node = self._named(ExportModel())
                self.expect("OPTIONS")
                node.set("options", self._options())
        return node

    def _named(self, node: Node) -> Node:
        parts = self.path()
        node.meta["path"] = [str(part.value) for part in parts]
        return placed(node, parts[0].place)

    def _create(self, node: ModelStatement) -> None:
        if self.take("TRANSFORM"):
            self.expect("(")
            items = [self._transformed()]
            while self.take(","):
                if self.at(")"):
                    break
                items.append(self._transformed())
            self.expect(")")
            node.set("transform", [item for item, _ in items])
            node.meta["transform"] = [text for _, text in items]
        for word, what in (("INPUT", "INPUT and OUTPUT"), ("REMOTE", "remote models")):
            if self.at(word):
                raise BigQueryError.lacking(f"{what} of CREATE MODEL", location="query")
        if self.take("OPTIONS"):
            node.set("options", self._options())
        self.expect("AS")
        if self.at("(") and self.ahead().kind in ("word", "quoted") and not self.at_query():
            raise BigQueryError.lacking("CREATE MODEL with several named queries", location="query")
        node.set("query", self.query())

    def _transformed(self) -> tuple[exp.Expr, str]:
        """Read an item of a TRANSFORM clause, and its text."""
        begun = self.index
        item = self._select_item()
        return item, " ".join(token.text for token in self.tokens[begun : self.index])

    def _options(self) -> list[exp.Expr]:
        self.expect("(")
        found: list[exp.Expr] = []
        while not self.take(")"):
            token = self.name()
            self.expect("=")
            pair = exp.Tuple(expressions=[exp.Identifier(this=str(token.value)), self.expression()])
            found.append(placed(pair, token.place))
            if not self.take(","):
                self.expect(")")
                break
        return found
