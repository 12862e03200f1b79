"""CREATE SCHEMA, ALTER SCHEMA, DROP SCHEMA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.names import check_dataset_id
from gcp_local.bigquery.sql.ddl import options
from gcp_local.bigquery.sql.ddl.outcomes import Made, made

if TYPE_CHECKING:
    from gcp_local.bigquery.datasets import DatasetService
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.ddl.syntax import Alter, CreateSchema, Drop
    from gcp_local.bigquery.sql.session import Outcome, Session
    from gcp_local.bigquery.sql.tables import Tables


class Schemas:
    """Makes, changes and removes datasets, which SQL calls schemas."""

    def __init__(self, tables: Tables, asker: Asker, datasets: DatasetService) -> None:
        self._tables = tables
        self._asker = asker
        self._datasets = datasets

    def make(self, said: CreateSchema, session: Session, *, dry: bool) -> Outcome:
        """Make a dataset; where the job runs unless an option says where."""
        ref = self._tables.dataset(said.path, session)
        there = any(known == ref for known, _ in self._tables.catalog.datasets(ref.project))
        if there and said.lenient:
            return made("CREATE_SCHEMA", Made("SKIP", ref))
        if there:
            raise BigQueryError.duplicate("Dataset", ref)
        check_dataset_id(ref.dataset)
        body = options.changed({}, said.options, options.SCHEMA, self._asker, session)
        done = made("CREATE_SCHEMA", Made("CREATE", ref))
        if not dry:
            with self._tables.catalog.transaction():
                self._datasets.make(ref, {"location": session.location, **body})
                session.settle(done)
        return done

    def alter(self, said: Alter, session: Session, *, dry: bool) -> Outcome:
        """Change a dataset's options."""
        ref = self._tables.dataset(said.path, session)
        if said.lenient and not self._there(said.path, session):
            return made("ALTER_SCHEMA", Made("SKIP", ref))
        body = self._tables.catalog.dataset(ref).body
        known = {name: how for name, how in options.SCHEMA.items() if name != "location"}
        for action in said.actions:
            body = options.changed(body, action.options, known, self._asker, session)
        done = made("ALTER_SCHEMA", Made("ALTER", ref))
        if not dry:
            with self._tables.catalog.transaction():
                self._datasets.change(ref, body)
                session.settle(done)
        return done

    def drop(self, said: Drop, session: Session, *, dry: bool) -> Outcome:
        """Remove a dataset, which has to be empty but with CASCADE."""
        ref = self._tables.dataset(said.path, session)
        if said.lenient and not self._there(said.path, session):
            return made("DROP_SCHEMA", Made("SKIP", ref))
        self._tables.catalog.dataset(ref)
        done = made("DROP_SCHEMA", Made("DROP", ref))
        if not dry:
            with self._tables.catalog.transaction():
                self._datasets.drop(ref, contents=said.cascade)
                session.settle(done)
        return done

    def _there(self, path: tuple[str, ...], session: Session) -> bool:
        try:
            self._tables.catalog.dataset(self._tables.dataset(path, session))
        except BigQueryError:
            return False
        return True
