"""DROP of what is in a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.ddl.outcomes import Made, made

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.ddl.syntax import Drop
    from gcp_local.bigquery.sql.session import Outcome, Session
    from gcp_local.bigquery.sql.tables import Tables

_TABLES = {
    "TABLE": "TABLE", "VIEW": "VIEW", "MATERIALIZED VIEW": "MATERIALIZED_VIEW",
    "SNAPSHOT TABLE": "SNAPSHOT", "EXTERNAL TABLE": "EXTERNAL",
}  # fmt: skip
_ROUTINES = {
    "FUNCTION": "SCALAR_FUNCTION", "TABLE FUNCTION": "TABLE_VALUED_FUNCTION",
    "PROCEDURE": "PROCEDURE",
}  # fmt: skip


def drop(said: Drop, tables: Tables, session: Session, *, dry: bool) -> Outcome:
    """Remove a table, view, snapshot or routine.

    Raises:
        BigQueryError: there is none; it is of another kind.

    """
    noun = "routine" if said.kind in _ROUTINES else "table"
    ref = tables.ref(said.path, session)
    statement = f"DROP_{said.kind.replace(' ', '_')}"
    with tables.catalog.transaction():
        entry = tables.catalog.find(ref, noun)
        if entry is None:
            if said.lenient:
                return made(statement, Made("SKIP", ref, noun.capitalize()))
            tables.catalog.get(ref, noun)
        assert entry is not None
        if noun == "table" and entry.kind != _TABLES[said.kind]:
            raise BigQueryError.query(
                f"{ref} is not allowed for this operation because it is currently a {entry.kind}."
            )
        wanted = _ROUTINES.get(said.kind)
        if wanted and entry.body.get("routineType") != wanted:
            raise BigQueryError.query(
                f"{ref} is not allowed for this operation because it is currently a"
                f" {entry.body.get('routineType')}."
            )
        done = made(statement, Made("DROP", ref, noun.capitalize()))
        if not dry:
            tables.catalog.delete(ref, noun)
            if session.transaction is not None:
                session.transaction.forget(ref)
            session.settle(done)
    return done
