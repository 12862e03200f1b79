"""One call of a table function, read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.engine import RowRelation
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml.reading import check_columns, column, fitted, settings
from gcp_local.bigquery.references import TableRef
from gcp_local.bigquery.schema import Schema, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot.expressions import Expr

    from gcp_local.bigquery.catalog import Entry
    from gcp_local.bigquery.ml.model import TrainedModel
    from gcp_local.bigquery.sql.executor import Executor
    from gcp_local.bigquery.sql.session import Outcome, Session
    from gcp_local.bigquery.sql.table_functions import RunQuery

INPUT = TableRef("gcp-local", "ml", "input")
"""By which name a query reads rows that a function was given."""


@dataclass(frozen=True)
class Request:
    """What a function is called with.

    Attributes:
        name: the function's, without `ML.`, in capitals.
        model: the model, and `entry` how it is described.
        data: the query or table that it is given, if any, run; without rows in a dry run.
        arguments: what else it is given.
        query: runs a query that is an argument.
        executor: runs other queries.
        dry: nothing is to be computed.
        holdout: reads the rows that the model was judged by: labels and scores.

    """

    name: str
    entry: Entry
    model: TrainedModel
    data: Outcome | None
    arguments: Sequence[Expr]
    query: RunQuery
    executor: Executor
    session: Session
    dry: bool
    holdout: Callable[[], pa.Table]

    def settings(self, known: Mapping[str, type]) -> dict[str, Any]:
        """Read the one further argument that there may be, a STRUCT."""
        if len(self.arguments) > 1:
            raise self.refusal("Too many arguments")
        node = self.arguments[0] if self.arguments else None
        return settings(node, known, self.query, f"ML.{self.name}")

    def refusal(self, message: str) -> BigQueryError:
        """Refuse the call, as BigQuery words it."""
        return BigQueryError(
            "invalidQuery",
            f"Invalid table-valued function ML.{self.name}: {message}",
            location="query",
        )

    def answer(self, schema: Schema, columns: Mapping[str, Sequence[Any]]) -> Outcome:
        """Give rows by the columns' names."""
        import pyarrow as pa

        from gcp_local.bigquery.sql.session import Outcome

        data = self.data
        size, read = (0, ()) if data is None else (data.bytes, data.referenced)
        if self.dry:
            return Outcome("SELECT", schema, None, size, read)
        rows = pa.table(
            [pa.array(columns[field.name], type=field.arrow) for field in schema],
            schema=arrow_schema(schema),
        )
        return Outcome("SELECT", schema, rows, size, read)

    # The rows that it is given

    def given(self) -> Outcome:
        """Give the input, which there must be."""
        if self.data is None:
            raise self.refusal("The input data is missing")
        return self.data

    def features(self, data: Outcome, *, labels: bool = False) -> tuple[Any, list[Any]]:
        """Make the features of the input's rows.

        Args:
            data: the input, with rows.
            labels: read the labels, too, which there must be.

        Raises:
            BigQueryError: a column that is missing, or of another type.

        """
        from gcp_local.bigquery.ml.encoding import ColumnError

        model = self.model
        self.check(data.schema)
        rows, schema = data.rows, data.schema
        if model.transform:
            outcome = self._transformed(data, labels=labels)
            rows, schema = outcome.rows, outcome.schema
        values: list[Any] = []
        if labels:
            found = column(schema, model.label.name)
            if found is None:
                raise self.refusal(
                    f"Label column {model.label.name} is not found in the input data"
                )
            values = fitted(rows, schema, (found,)).column(0).to_pylist()
            if None in values:
                raise self.refusal(f"Label column {model.label.name} contains NULL values")
        try:
            return model.encoded(fitted(rows, schema, model.features)), values
        except ColumnError as error:
            raise self.refusal(str(error)) from None

    def check(self, schema: Schema) -> None:
        """Refuse an input that the model cannot take."""
        check_columns(self.model.inputs, schema, self.name)

    def _transformed(self, data: Outcome, *, labels: bool) -> Outcome:
        model = self.model
        items = model.transform
        if labels and model.target:
            items += f", {model.target}"
        return transformed(items, RowRelation(data.schema, data.rows), self.session, self.executor)


def transformed(items: str, rows: RowRelation, session: Session, executor: Executor) -> Outcome:
    """Give what a select list makes of rows, in their order."""
    from gcp_local.bigquery.sql.parsing import parse_query

    query = parse_query(f"SELECT {items} FROM `{INPUT.dotted}`")  # noqa: S608  (GoogleSQL of ours)
    inner = replace(session, relations={**session.relations, INPUT: rows})
    return executor.run(query, inner)
