"""From text to statements, or to BigQuery's syntax error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    from sqlglot.expressions import Expr


def parse(text: str) -> list[Expr]:
    """Read statements.

    Raises:
        BigQueryError: `invalidQuery`, with line and column.

    """
    import sqlglot
    from sqlglot.errors import ParseError, TokenError

    try:
        found = [each for each in sqlglot.parse(text, read="bigquery") if each is not None]
    except ParseError as error:
        first = error.errors[0]
        message = f"Syntax error: {first['description']}"
        raise BigQueryError.query(message, first["line"], first["col"]) from None
    except TokenError as error:
        raise BigQueryError.query(f"Syntax error: {error}") from None
    if not found:
        raise BigQueryError.query("Syntax error: Unexpected end of script", 1, 1)
    return found
