"""CREATE VIEW, CREATE MATERIALIZED VIEW."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import schema_json
from gcp_local.bigquery.sql.ddl import options
from gcp_local.bigquery.sql.ddl.outcomes import Made, made
from gcp_local.bigquery.tables.queries import check_named

if TYPE_CHECKING:
    from gcp_local.bigquery.references import TableRef
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.ddl.syntax import CreateView
    from gcp_local.bigquery.sql.session import Outcome, Session
    from gcp_local.bigquery.sql.tables import Tables
    from gcp_local.bigquery.tables.queries import TableQueries


class ViewMaker:
    """Makes views."""

    def __init__(self, tables: Tables, asker: Asker, queries: TableQueries) -> None:
        self._tables = tables
        self._asker = asker
        self._queries = queries

    def make(self, said: CreateView, session: Session, *, dry: bool) -> Outcome:
        """Make a view, or with `dry` only check the statement.

        Raises:
            BigQueryError: it is refused; it is a materialized view.

        """
        if said.materialized:
            raise BigQueryError.lacking("materialized views", location="query")
        if said.temporary:
            raise BigQueryError.query("CREATE TEMP VIEW is not supported")
        ref = self._tables.ref(said.path, session)
        home = self._tables.catalog.dataset(ref.parent)
        there = self._tables.catalog.find(ref)
        if there is not None and said.lenient:
            return made("CREATE_VIEW", Made("SKIP", ref))
        if there is not None and not said.replace:
            raise BigQueryError.duplicate("Table", ref)
        if there is not None and there.kind != "VIEW":
            raise BigQueryError.query(
                f"{ref} is not allowed for this operation because it is currently a {there.kind}."
            )
        body = self._body(said, ref, str(home.body.get("location", "US")), session)
        done = made("CREATE_VIEW", Made("CREATE" if there is None else "REPLACE", ref))
        if not dry:
            with self._tables.catalog.transaction():
                if said.replace and self._tables.catalog.find(ref) is not None:
                    self._tables.catalog.delete(ref)
                self._tables.catalog.add(ref, body)
                session.settle(done)
        return done

    def _body(
        self, said: CreateView, ref: TableRef, place: str, session: Session
    ) -> dict[str, Any]:
        text = said.query.text
        schema = self._queries.view(ref, {"query": text, "useLegacySql": False}, place)
        if not said.columns:
            check_named(schema, text)
        else:
            if len(said.columns) != len(schema):
                raise said.query.error(
                    f"CREATE VIEW has {len(said.columns)} columns in its list, but its query has"
                    f" {len(schema)}"
                )
            renamed = ", ".join(
                f"`{field.name}` AS `{name}`"
                for field, (name, _) in zip(schema, said.columns, strict=True)
            )
            text = f"SELECT {renamed} FROM (\n{text}\n)"  # noqa: S608  (names are quoted)
            schema = self._queries.view(ref, {"query": text, "useLegacySql": False}, place)
        columns = schema_json(schema)["fields"]
        if said.columns:
            columns = [
                options.changed(column, each, options.COLUMN, self._asker, session)
                for column, (_, each) in zip(columns, said.columns, strict=True)
            ]
        body = {
            "type": "VIEW",
            "view": {"query": text, "useLegacySql": False},
            "schema": {"fields": columns},
        }
        return options.changed(body, said.options, options.VIEW, self._asker, session)
