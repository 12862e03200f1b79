"""Queries and expressions that stand in other statements: put together, and asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.parsing import parse_expression, parse_query
from gcp_local.bigquery.sql.session import Parameter

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.expressions import Expr

    from gcp_local.bigquery.references import TableRef
    from gcp_local.bigquery.sql.cursor import Fragment
    from gcp_local.bigquery.sql.executor import Executor
    from gcp_local.bigquery.sql.session import Outcome, Session

_AT_ONCE = 200  # expressions in one query


def select_of(text: str) -> exp.Select:
    """Read a text that is one SELECT."""
    from sqlglot import exp

    found = parse_query(text)
    assert isinstance(found, exp.Select)
    return found


def expression(fragment: Fragment) -> Expr:
    """Read an expression.

    Raises:
        BigQueryError: `invalidQuery`; it is none.

    """
    return parse_expression(fragment.padded)


def query(fragment: Fragment) -> Expr:
    """Read a query.

    Raises:
        BigQueryError: `invalidQuery`; it is none.

    """
    return parse_query(fragment.padded)


def named(ref: TableRef, alias: str = "") -> str:
    """Name a table in a query that is made here."""
    path = f"`{ref.project}`.`{ref.dataset}`.`{ref.table}`"
    return f"{path} AS `{alias}`" if alias else path


def sources(fragment: Fragment) -> exp.Select:
    """Read what stands behind FROM, as `SELECT *` from it.

    Raises:
        BigQueryError: `invalidQuery`.

    """
    return select_of(fragment.after("SELECT * FROM"))


class Asker:
    """Runs queries for whoever needs what they give."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def rows(self, statement: Expr, session: Session, *, dry: bool = False) -> Outcome:
        """Run a query."""
        return self._executor.run(statement, session, dry=dry)

    def value(self, fragment: Fragment, session: Session) -> Parameter:
        """Evaluate an expression."""
        (found,) = self.values([expression(fragment)], session)
        return found

    def values(self, expressions: list[Expr], session: Session) -> list[Parameter]:
        """Evaluate expressions that stand by themselves."""
        from sqlglot import exp

        found: list[Parameter] = []
        for at in range(0, len(expressions), _AT_ONCE):
            some = expressions[at : at + _AT_ONCE]
            outcome = self.rows(
                exp.select(
                    *[exp.alias_(each, f"c{n}", quoted=True) for n, each in enumerate(some)]
                ),
                session,
            )
            assert outcome.rows is not None
            columns = zip(outcome.schema, outcome.rows.columns, strict=True)
            found += [
                Parameter(replace(field, name=""), column[0].as_py()) for field, column in columns
            ]
        return found

    def truth(self, fragment: Fragment, session: Session) -> bool:
        """Evaluate a condition; NULL is not true.

        Raises:
            BigQueryError: it is no BOOL.

        """
        found = self.value(fragment, session)
        if found.field.type != "BOOLEAN" and found.value is not None:
            raise BigQueryError.query(
                f"Expected a BOOL expression but got {found.field.sql}",
                fragment.start.line,
                fragment.start.column,
            )
        return bool(found.value)
