"""Carries out the statements that change rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.dml.inserting import insert
from gcp_local.bigquery.sql.dml.merging import Merging
from gcp_local.bigquery.sql.dml.reading import KINDS, read_dml
from gcp_local.bigquery.sql.dml.syntax import Delete, Insert, Merge, Statement, Truncate, Update
from gcp_local.bigquery.sql.dml.updating import delete, truncate, update
from gcp_local.bigquery.sql.session import Outcome
from gcp_local.bigquery.warehouse import StaleError

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.dml.writing import Result
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.tables import Held, Tables

# How often a statement is computed anew whose table was changed meanwhile.
_TRIES = 4
_TYPES = {Insert: "INSERT", Update: "UPDATE", Delete: "DELETE", Merge: "MERGE"}


class Dml:
    """Runs INSERT, UPDATE, DELETE, MERGE and TRUNCATE TABLE."""

    words = KINDS

    def __init__(self, tables: Tables, asker: Asker) -> None:
        self._tables = tables
        self._asker = asker

    def run(self, text: str, session: Session, *, dry: bool) -> Outcome:
        """Run a statement.

        Raises:
            BigQueryError: it is refused, or other statements changed its table again and again.

        """
        statement = read_dml(text)
        for _ in range(_TRIES):
            held = self._tables.held(statement.target.path, session)
            result = self._result(statement, held, session, dry=dry)
            outcome = _outcome(statement, held, result, dry=dry)
            session.cancellation.check()
            try:
                if result.rows is not None and not dry:
                    self._tables.write(held, result.rows, session, outcome, append=result.append)
            except StaleError:
                continue
            return outcome
        raise BigQueryError.query(
            f"Could not serialize access to table {held.ref} due to concurrent update"
        )

    def _result(self, statement: Statement, held: Held, session: Session, *, dry: bool) -> Result:
        asker = self._asker
        if isinstance(statement, Insert):
            return insert(statement, held, asker, session, dry=dry)
        rows = self._tables.rows(held)
        match statement:
            case Update():
                return update(statement, held, rows, asker, session, dry=dry)
            case Delete():
                return delete(statement, held, rows, asker, session, dry=dry)
            case Merge():
                result = Merging(statement, held, rows, asker, session).result()
                return replace(result, rows=None) if dry else result
            case Truncate():
                held.check_settled(range(rows.num_rows))
                return truncate(rows)


def _outcome(statement: Statement, held: Held, result: Result, *, dry: bool) -> Outcome:
    kind = _TYPES.get(type(statement), "TRUNCATE_TABLE")
    counts = {
        "insertedRowCount": str(result.inserted),
        "updatedRowCount": str(result.updated),
        "deletedRowCount": str(result.deleted),
    }
    affected = result.inserted + result.updated + result.deleted
    said = {} if dry else {"dmlStats": counts, "numDmlAffectedRows": str(affected)}
    referenced = dict.fromkeys([*result.referenced, held.ref])
    return Outcome(kind, bytes=result.bytes, referenced=tuple(referenced), statistics=said)
