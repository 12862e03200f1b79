"""From text to statements, or to BigQuery's syntax error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    from sqlglot.errors import ParseError
    from sqlglot.expressions import Expr

    from gcp_local.bigquery.sql.grammar.lexer import Token


def parse(text: str) -> list[Expr]:
    """Read statements.

    Raises:
        BigQueryError: `invalidQuery`, with line and column.

    """
    from gcp_local.bigquery.sql.grammar.lexer import read_tokens

    try:
        return _parsed(text, read_tokens(text))
    except RecursionError:
        message = "Resources exceeded during query execution: query is too complex."
        raise BigQueryError("resourcesExceeded", message) from None


def _parsed(text: str, tokens: list[Token]) -> list[Expr]:
    semicolons = [at for at, token in enumerate(tokens) if token.text == ";"]
    one = not semicolons or all(at >= len(tokens) - 2 for at in semicolons)
    query = one and next((each.upper for each in tokens if each.text != "("), "") in (
        "SELECT",
        "WITH",
        "FROM",
    )
    found = [_query(tokens)] if query else _statements(text, tokens)
    if not found:
        end = tokens[-1].place
        raise BigQueryError.query("Syntax error: Unexpected end of script", end.line, end.column)
    return found


def parse_query(text: str) -> Expr:
    """Read a text that is one query, as that of a view; errors as `parse`."""
    from gcp_local.bigquery.sql.grammar.lexer import read_tokens

    return _query(read_tokens(text))


def parse_expression(text: str) -> Expr:
    """Read a text that is one expression, as the body of a function; errors as `parse`."""
    from gcp_local.bigquery.sql.grammar.lexer import read_tokens
    from gcp_local.bigquery.sql.grammar.queries import QueryReader

    reader = QueryReader(read_tokens(text))
    node = reader.expression()
    if reader.now.kind != "end":
        raise reader.unexpected("end of input")
    return node


def _query(tokens: list[Token]) -> Expr:
    from gcp_local.bigquery.sql.grammar.queries import QueryReader

    reader = QueryReader(tokens)
    node = reader.query()
    reader.take(";")
    if reader.now.kind != "end":
        raise reader.unexpected("end of input")
    return node


def _statements(text: str, tokens: list[Token]) -> list[Expr]:
    import sqlglot
    from sqlglot.errors import ParseError, TokenError

    from gcp_local.bigquery.sql.dialect import GoogleSQL

    try:
        return [each for each in sqlglot.parse(text, read=GoogleSQL) if each is not None]
    except ParseError as error:
        raise _refused(error, tokens) from None
    except TokenError as error:
        raise BigQueryError.query(f"Syntax error: {error}") from None


def _refused(error: ParseError, tokens: list[Token]) -> BigQueryError:
    """Say sqlglot's error in BigQuery's words: it names the last character of a word."""
    first = error.errors[0]
    line, column = first["line"] or 1, first["col"] or 1
    token = next(
        (
            each
            for each in tokens
            if (each.place.line, each.place.column + len(each.text) - 1) >= (line, column)
        ),
        tokens[-1],
    )
    what = f"Syntax error: Unexpected {token.described}"
    return BigQueryError.query(what, token.place.line, token.place.column)
