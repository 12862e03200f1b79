"""GoogleSQL for sqlglot: its own reading of DDL, DML and scripts, ours of queries and expressions.

Wherever sqlglot comes to a query or an expression, `grammar` reads it from the same text, and
sqlglot goes on behind it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.generators.bigquery import BigQueryGenerator
from sqlglot.parsers.bigquery import BigQueryParser
from sqlglot.tokenizer_core import TokenType

from gcp_local.bigquery.sql.grammar.lexer import Token, read_tokens
from gcp_local.bigquery.sql.grammar.models import ModelReader
from gcp_local.bigquery.sql.grammar.nodes import Call, ModelName
from gcp_local.bigquery.sql.grammar.precedence import BIT_OR, COMPARISON, NOT, OR
from gcp_local.bigquery.sql.grammar.queries import QueryReader

_BEGINS = {
    "(", "[", "-", "+", "~", "@", "@@", "?", "NULL", "TRUE", "FALSE", "CASE", "CAST", "EXTRACT",
    "EXISTS", "ARRAY", "STRUCT", "INTERVAL", "NOT", "IF", "LEFT", "RIGHT", "GROUPING",
}  # fmt: skip


class GoogleSQLParser(BigQueryParser):
    """Reads statements."""

    _words: list[Token]

    def reset(self) -> None:
        """Forget the text that was read."""
        super().reset()
        self._words = []

    def reader(self) -> ModelReader:
        """Give a reader that begins where this parser is."""
        if not self._words:
            self._words = read_tokens(self.sql)
        start = self._curr.start if self._curr else len(self.sql)
        index = next(
            (at for at, token in enumerate(self._words) if token.place.index >= start),
            len(self._words) - 1,
        )
        return ModelReader(self._words, index)

    def follow(self, reader: QueryReader) -> None:
        """Go on behind what a reader read."""
        end = reader.now.place.index
        while self._curr and self._curr.start < end:
            self._advance()

    def _parse_statement(self) -> exp.Expr | None:
        if self._curr and self._curr.text.upper() in ("CREATE", "ALTER", "DROP", "EXPORT"):
            reader = self.reader()
            if reader.at_model():
                node = reader.statement()
                self.follow(reader)
                return node
        if self._at_query():
            return self._query()
        return super()._parse_statement()

    def _parse_select(self, *args: Any, **options: Any) -> exp.Expr | None:
        nested = options.get("table") or options.get("nested") or (args and any(args[:2]))
        if self._at_query() and not (nested and self._curr.token_type == TokenType.L_PAREN):
            return self._query()
        return super()._parse_select(*args, **options)

    def _at_query(self) -> bool:
        return bool(self._curr) and (
            self._curr.token_type in (TokenType.SELECT, TokenType.WITH)
            or (self._curr.token_type == TokenType.L_PAREN and self.reader().at_query())
        )

    def _query(self) -> exp.Expr:
        reader = self.reader()
        node = reader.query()
        self.follow(reader)
        return node

    def _own(self, level: int) -> exp.Expr | None:
        reader = self.reader()
        token = reader.now
        if token.kind == "end" or (
            (token.kind == "symbol" or token.reserved) and token.upper not in _BEGINS
        ):
            return None
        node = reader.expression(level)
        self.follow(reader)
        return node

    def _parse_assignment(self) -> exp.Expr | None:
        return self._own(OR)

    def _parse_disjunction(self) -> exp.Expr | None:
        return self._own(OR)

    def _parse_conjunction(self) -> exp.Expr | None:
        return self._own(NOT)

    def _parse_equality(self, parse_is: bool = True) -> exp.Expr | None:  # noqa: ARG002
        return self._own(COMPARISON)

    def _parse_bitwise(self) -> exp.Expr | None:
        return self._own(BIT_OR)

    def _parse_lambda(self, alias: bool = False) -> exp.Expr | None:  # noqa: ARG002
        return self._own(OR)


class GoogleSQLGenerator(BigQueryGenerator):
    """Writes statements."""

    TRANSFORMS: ClassVar[dict[Any, Any]] = {
        **BigQueryGenerator.TRANSFORMS,
        Call: lambda self, node: self.call(node),
        ModelName: lambda _self, node: f"MODEL `{'.'.join(node.meta['path'])}`",
    }

    def call(self, node: Call) -> str:
        """Write a call of a function as it was."""
        inner = self.expressions(node, flat=True)
        text = f"DISTINCT {inner}" if node.args.get("distinct") else inner
        if nulls := node.args.get("nulls"):
            text += f" {nulls} NULLS"
        for clause in ("order", "limit"):
            text += self.sql(node, clause)
        return f"{node.name}({text})"


class GoogleSQL(BigQuery):
    """The dialect."""

    Parser = GoogleSQLParser
    Generator = GoogleSQLGenerator
