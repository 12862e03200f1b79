"""Carries out the statements that make, change and remove things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.ddl.alterations import Alterations
from gcp_local.bigquery.sql.ddl.drops import drop
from gcp_local.bigquery.sql.ddl.reading import KINDS, read_ddl
from gcp_local.bigquery.sql.ddl.routines import RoutineMaker
from gcp_local.bigquery.sql.ddl.schemas import Schemas
from gcp_local.bigquery.sql.ddl.syntax import (
    Alter,
    CreateRoutine,
    CreateSchema,
    CreateTable,
    CreateView,
    Drop,
    Statement,
)
from gcp_local.bigquery.sql.ddl.tables import TableMaker
from gcp_local.bigquery.sql.ddl.views import ViewMaker

if TYPE_CHECKING:
    from gcp_local.bigquery.datasets import DatasetService
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.session import Outcome, Session
    from gcp_local.bigquery.sql.tables import Tables
    from gcp_local.bigquery.tables.queries import TableQueries


class Ddl:
    """Runs CREATE, ALTER and DROP (but for those of models)."""

    words = KINDS

    def __init__(
        self, tables: Tables, asker: Asker, queries: TableQueries, datasets: DatasetService
    ) -> None:
        self._tables = tables
        self._made = TableMaker(tables, asker, queries)
        self._views = ViewMaker(tables, asker, queries)
        self._schemas = Schemas(tables, asker, datasets)
        self._alterations = Alterations(tables, asker, queries)
        self.routines = RoutineMaker(tables, asker)

    def run(self, text: str, session: Session, *, dry: bool) -> Outcome:
        """Run a statement.

        Raises:
            BigQueryError: it is refused.

        """
        statement = read_ddl(text)
        self._refuse_in_transaction(statement, session)
        outcome: Outcome
        match statement:
            case CreateTable():
                outcome = self._made.make(statement, session, dry=dry)
            case CreateView():
                outcome = self._views.make(statement, session, dry=dry)
            case CreateSchema():
                outcome = self._schemas.make(statement, session, dry=dry)
            case CreateRoutine():
                outcome = self.routines.make(statement, session, dry=dry)
            case Drop(kind="SCHEMA"):
                outcome = self._schemas.drop(statement, session, dry=dry)
            case Drop():
                outcome = drop(statement, self._tables, session, dry=dry)
            case Alter(kind="SCHEMA"):
                outcome = self._schemas.alter(statement, session, dry=dry)
            case Alter():
                outcome = self._alterations.alter(statement, session, dry=dry)
        return outcome

    def _refuse_in_transaction(self, statement: Statement, session: Session) -> None:
        if session.transaction is None or getattr(statement, "temporary", False):
            return
        dropped = isinstance(statement, Drop) and statement.kind == "TABLE"
        if dropped and self._tables.ref(statement.path, session).parent == session.temporary:
            return
        raise BigQueryError.query(
            "DDL statements, but for those of temporary tables and functions, are not supported in"
            " a transaction"
        )
