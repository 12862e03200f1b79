"""Runs what a query job was given: one statement, or a script."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import DatasetRef
from gcp_local.bigquery.sql.ddl.reading import read_ddl
from gcp_local.bigquery.sql.ddl.syntax import CreateRoutine
from gcp_local.bigquery.sql.scripts.reading import read_script
from gcp_local.bigquery.sql.scripts.run import Run
from gcp_local.bigquery.sql.scripts.state import State, Tools
from gcp_local.bigquery.sql.scripts.syntax import Body, Node, Plain
from gcp_local.bigquery.sql.session import Outcome

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.scripts.steps import Children
    from gcp_local.bigquery.sql.session import Session

# Temporary tables are gone after a day at the latest.
_DAY = 86_400_000
_PREFIX = "_script"


class Scripts:
    """Runs the text of a query job."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def run(self, text: str, session: Session, children: Children, *, dry: bool = False) -> Outcome:
        """Run a text.

        Args:
            text: one statement, which runs by itself, or a script.
            session: what it runs in.
            children: keeps what a script does step by step.
            dry: check a statement and tell what it would do; of a script, check its syntax.

        Raises:
            BigQueryError: a statement is refused, or fails and nothing handles that.

        """
        body = read_script(text)
        *before, last = body
        if not before and isinstance(last, Plain):
            return self._tools.statements.run(last.source, session, dry=dry)
        home = _temporary(session)
        state = State(self._tools, session, children, home)
        if all(map(_makes_function, before)) and isinstance(last, Plain):
            # Functions for one query make no script of it.
            for node in before:
                state.define(node)
            return self._tools.statements.run(last.source, state.session(), dry=dry)
        if dry:
            _check(body)
            return Outcome("SCRIPT")
        self._make_home(home, session)
        try:
            return Run(state).whole(body)
        finally:
            self._empty(home)

    @staticmethod
    def is_query(text: str) -> bool:
        """Tell whether a text is one query, functions for it aside."""
        try:
            *before, last = read_script(text)
        except BigQueryError:
            return True  # it fails anyway, and says why
        first = next(token for token in last.source.tokens if token.text != "(")
        return all(map(_makes_function, before)) and first.upper in ("SELECT", "WITH", "FROM")

    def recover(self) -> None:
        """Remove the temporary tables of scripts that ran when an earlier server stopped."""
        for row in self._tools.tables.database.rows(
            "SELECT project, dataset FROM bigquery_datasets WHERE dataset GLOB ?", f"{_PREFIX}*"
        ):
            self._empty(DatasetRef(row["project"], row["dataset"]))

    def _make_home(self, home: DatasetRef, session: Session) -> None:
        """Make the hidden dataset of the script's temporary tables."""
        body = {"location": session.location, "defaultTableExpirationMs": str(_DAY)}
        self._tools.tables.catalog.add_dataset(home, body)

    def _empty(self, home: DatasetRef) -> None:
        catalog = self._tools.tables.catalog
        with catalog.transaction():
            entry = catalog.dataset(home)
            catalog.delete_dataset(home)
            catalog.deleted.release(entry)  # nobody can have it back


def _temporary(session: Session) -> DatasetRef:
    mark = hashlib.sha256(f"{session.project}:{session.location}.{session.job}".encode())
    return DatasetRef(session.project, f"{_PREFIX}{mark.hexdigest()[:40]}")


def _makes_function(node: Node) -> bool:
    words = [token.upper for token in node.source.tokens[:5]]
    kept = [word for word in words if word not in ("OR", "REPLACE")]
    return (
        kept[:1] == ["CREATE"]
        and kept[1:2] in (["TEMP"], ["TEMPORARY"])
        and (kept[2:3] == ["FUNCTION"])
    )


def _check(body: Body) -> None:
    """Look at the syntax of what can be read without being run."""
    for node in body:
        if _makes_function(node) and not isinstance(read_ddl(node.source.padded), CreateRoutine):
            raise BigQueryError.query("Syntax error")
