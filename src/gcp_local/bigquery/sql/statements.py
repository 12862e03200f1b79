"""Runs one statement, given as it stands in a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.cursor import Cursor, Fragment
from gcp_local.bigquery.sql.ddl.outcomes import Made, made
from gcp_local.bigquery.sql.parsing import parse
from gcp_local.bigquery.sql.session import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.executor import Executor
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.tables import Tables

_LACKING = ("GRANT", "REVOKE", "CLONE", "RENAME", "DEFINE")
_QUERIES = ("SELECT", "WITH", "FROM", "(")


class Family(Protocol):
    """Runs statements that begin with certain words, reading them itself."""

    @property
    def words(self) -> Sequence[str]:
        """The first words of its statements."""
        ...

    def run(self, text: str, session: Session, *, dry: bool) -> Outcome:
        """Run a statement, or with `dry` check it; BigQueryError if it is refused."""
        ...


class Statements:
    """Runs any statement that is not procedural.

    Args:
        executor: runs what is read into sqlglot's nodes: queries, and statements about models.
        families: run the others.
        asker: evaluates expressions.
        tables: finds datasets.

    """

    def __init__(
        self, executor: Executor, families: Sequence[Family], asker: Asker, tables: Tables
    ) -> None:
        self._executor = executor
        self._families: Mapping[str, Family] = {
            word: family for family in families for word in family.words
        }
        self._asker = asker
        self._tables = tables

    def run(self, source: Fragment, session: Session, *, dry: bool = False) -> Outcome:
        """Run a statement.

        Raises:
            BigQueryError: it is refused, with its place in the whole text.

        """
        tokens = source.tokens
        words = [token.upper for token in tokens[:6]]
        first = words[0]
        if first == "ASSERT":
            return self._assert(source, session, dry=dry)
        if first == "UNDROP":
            return self._undrop(source, session, dry=dry)
        if first in _QUERIES or _about_models(words):
            (statement,) = parse(source.padded)
            return self._executor.run(statement, session, dry=dry)
        family = self._families.get(first)
        if family is not None:
            return family.run(source.padded, session, dry=dry)
        if first in _LACKING:
            raise BigQueryError.lacking(f"{first} statements", location="query")
        raise source.error(f"Syntax error: Unexpected {tokens[0].described}")

    def _assert(self, source: Fragment, session: Session, *, dry: bool) -> Outcome:
        cursor = Cursor(source.padded)
        cursor.expect("ASSERT")
        condition = cursor.query("AS")
        message = cursor.string() if cursor.skip("AS") else ""
        cursor.expect_end()
        if not dry and not self._asker.truth(condition, session):
            raise source.error(message or "Assertion failed")
        return Outcome("ASSERT")

    def _undrop(self, source: Fragment, session: Session, *, dry: bool) -> Outcome:
        cursor = Cursor(source.padded)
        cursor.expect("UNDROP", "SCHEMA")
        lenient = cursor.skip("IF", "NOT", "EXISTS")
        ref = self._tables.dataset(cursor.path(), session)
        cursor.expect_end()
        there = any(known == ref for known, _ in self._tables.catalog.datasets(ref.project))
        if there and lenient:
            return made("UNDROP_SCHEMA", Made("SKIP", ref))
        done = made("UNDROP_SCHEMA", Made("UNDROP", ref))
        if not dry:
            with self._tables.catalog.transaction():
                self._tables.catalog.undelete_dataset(ref)
                session.settle(done)
        return done


def _about_models(words: Sequence[str]) -> bool:
    """Tell whether it is CREATE, ALTER, DROP or EXPORT MODEL."""
    kept = [word for word in words if word not in ("OR", "REPLACE", "TEMP", "TEMPORARY")]
    return kept[1:2] == ["MODEL"]
