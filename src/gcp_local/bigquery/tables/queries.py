"""The SQL that a table's resource may hold: a view's query, a column's default value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import Field, Schema
from gcp_local.bigquery.sql.parsing import parse_expression, parse_query
from gcp_local.bigquery.sql.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.references import DatasetRef, TableRef
    from gcp_local.bigquery.sql.executor import Executor
    from gcp_local.bigquery.sql.session import Outcome


_SELECT = re.compile(r"\bSELECT\b", re.IGNORECASE)
# A literal of text may stand for a day or a time.
_TEXT = re.compile(r"\s*('[^'\\]*'|\"[^\"\\]*\")\s*")
_FROM_TEXT = ("DATE", "DATETIME", "TIME", "TIMESTAMP")
_COERCED = {"FLOAT": ("FLOAT", "NUMERIC", "INTEGER"), "NUMERIC": ("NUMERIC", "INTEGER")}

# An array has a million elements at most; a table may get more rows at once.
_BLOCK = 1000
_ANONYMOUS = re.compile(r"f[0-9]+_")


def check_named(schema: Schema, query: str) -> None:
    """Refuse a view some of whose columns have no name but the one that a result gets.

    Raises:
        BigQueryError: `invalidQuery`.

    """
    for at, field in enumerate(schema, 1):
        if _ANONYMOUS.fullmatch(field.name) and field.name not in query:
            message = f"CREATE VIEW columns must be named, but column {at} has no name"
            raise BigQueryError.query(message)


class TableQueries:
    """Checks SQL by a dry run, and runs it where a value is needed."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def view(self, ref: TableRef, said: Mapping[str, Any], location: str) -> Schema:
        """Check a view's query, and tell its columns.

        Args:
            ref: the view's name.
            said: its `ViewDefinition`.
            location: its dataset's.

        Raises:
            BigQueryError: BigQuery would refuse it, or the stand-in cannot run it.

        """
        if not said.get("query"):
            raise BigQueryError("required", "Required parameter is missing: view.query")
        if said.get("useLegacySql", True):
            raise BigQueryError.lacking("legacy SQL; set view.useLegacySql to false")
        for name in ("foreignDefinitions", "privacyPolicy", "userDefinedFunctionResources"):
            if said.get(name):
                raise BigQueryError.lacking(f"views with {name}")
        outcome = self._run(said["query"], ref.parent, location, dry=True)
        return tuple(outcome.schema)

    def check_defaults(self, ref: TableRef, schema: Schema, location: str) -> None:
        """Check the default values of columns; errors as `view`."""
        for field in schema:
            said = dict(field.more).get("defaultValueExpression")
            if said is None:
                continue
            complaint = f"Invalid default value of the column {field.name}: "
            if _SELECT.search(said):
                raise BigQueryError("invalid", f"{complaint}it must not have a subquery.")
            try:
                parse_expression(said)
                found = self._run(f"SELECT ({said}) AS value", ref.parent, location, dry=True)
                self._check_type(field, said, found.schema[0])
                cast = f"SELECT CAST(({said}) AS {field.sql}) AS value"
                self._run(cast, ref.parent, location, dry=True)
            except BigQueryError as error:
                raise BigQueryError("invalid", complaint + error.message) from None

    def _check_type(self, field: Field, said: str, given: Field) -> None:
        fits = given.type in _COERCED.get(field.type, (field.type,))
        text = field.type in _FROM_TEXT and _TEXT.fullmatch(said)
        if not (fits or text or given.repeated or said.strip().upper() == "NULL"):
            raise BigQueryError("invalid", f"it has the type {given.sql}, not {field.sql}.")

    def defaults(self, ref: TableRef, schema: Schema, location: str, count: int) -> pa.Table:
        """Compute the default values that columns have, for so many new rows, each anew.

        Args:
            ref: the table.
            schema: its columns; those without a default value are left out.
            location: its dataset's.
            count: how many rows.

        """
        import pyarrow as pa

        said = [(field, dict(field.more).get("defaultValueExpression")) for field in schema]
        values = [(field, f"CAST(({text}) AS {field.sql})") for field, text in said if text]
        if not values or not count:
            return pa.table({field.name: pa.array([], field.arrow) for field, _ in values})
        blocks, block = (
            f"UNNEST(GENERATE_ARRAY(1, {most}))" for most in (-(-count // _BLOCK), _BLOCK)
        )
        asked = ", ".join(text for _, text in values)
        # They were checked when the table was made.
        query = f"SELECT {asked} FROM {blocks}, {block} LIMIT {count}"  # noqa: S608
        rows = self._run(query, ref.parent, location, dry=False).rows
        assert rows is not None
        columns = zip(values, rows.columns, strict=True)
        return pa.table({field.name: column.cast(field.arrow) for (field, _), column in columns})

    def _run(self, query: str, home: DatasetRef, location: str, *, dry: bool) -> Outcome:
        session = Session(home.project, location, clock.now())
        return self._executor.run(parse_query(query), session, dry=dry)
