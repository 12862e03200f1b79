"""The rows of a table with numbers, so that a query can say which ones it means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gcp_local.bigquery.engine import RowRelation
from gcp_local.bigquery.schema import Field, Schema
from gcp_local.bigquery.sql.asking import named, select_of

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

    from gcp_local.bigquery.references import TableRef
    from gcp_local.bigquery.sql.session import Session

NUMBER = "__row"


@dataclass(frozen=True)
class Numbered:
    """Rows that a query reads under a name of their own, with a column NUMBER besides theirs.

    Attributes:
        ref: that name, which nothing else has.
        alias: what the statement calls them.

    """

    ref: TableRef
    alias: str
    schema: Schema
    rows: pa.Table

    @classmethod
    def of(
        cls, beside: TableRef, mark: str, alias: str, schema: Schema, rows: pa.Table
    ) -> Numbered:
        """Give rows numbers, from 0.

        Args:
            beside: a table in whose dataset they get their name.
            mark: makes the name another than that of others.
            alias: what the statement calls them.
            schema: of the rows.
            rows: themselves.

        """
        import pyarrow as pa

        ref = replace(beside, table=f"{beside.table}${mark}")
        numbers = pa.array(range(rows.num_rows), type=pa.int64())
        return cls(ref, alias, schema, rows.append_column(NUMBER, numbers))

    def only(self, numbers: pa.Array) -> Numbered:
        """Give some of them, which keep their numbers."""
        return replace(self, rows=self.rows.take(numbers))

    def select(self) -> exp.Select:
        """Build the query that gives their numbers, to be extended."""
        columns = f"`{self.alias}`.`{NUMBER}` AS `{NUMBER}`"
        source = named(self.ref, self.alias)
        return select_of(f"SELECT {columns} FROM {source}")  # noqa: S608  (quoted names)

    def seen(self, session: Session) -> Session:
        """Give a session in which a query can read them."""
        relation = RowRelation((*self.schema, Field(NUMBER, "INTEGER")), self.rows)
        return replace(session, relations={**session.relations, self.ref: relation})
