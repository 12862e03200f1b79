"""Values that are given from outside the text: parameters and variables."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.expressions.reader import Reader
from gcp_local.bigquery.sql.queries.literals import sql_of
from gcp_local.bigquery.sql.queries.typed import Typed
from gcp_local.bigquery.sql.types import INT64, STRING, Type, type_of

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.session import Parameter

# https://cloud.google.com/bigquery/docs/reference/system-variables
_LACKING = (
    "current_job_id", "error.stack_trace", "last_job_id", "query_label", "reservation",
    "script.bytes_billed", "script.bytes_processed", "script.creation_time",
    "script.num_child_jobs", "script.slot_ms", "session_id", "transaction_id",
)  # fmt: skip


def parameter_value(parameter: Parameter) -> Typed:
    """Give the value of a parameter or variable."""
    kind = type_of(parameter.field)
    value = parameter.value
    literal = kind.kind not in ("ARRAY", "STRUCT")
    if isinstance(value, Decimal):
        value = +value
    if literal:
        return Typed(sql_of(value, kind), kind, literal=True, value=value)
    return Typed(sql_of(value, kind), kind)


class Parameters(Reader):
    """Reads the names of values that are given."""

    def _parameter(self, node: exp.Parameter) -> Typed:
        name = node.this.name
        for parameter in self.context.session.parameters:
            if parameter.field.name.lower() == name.lower() and name:
                return parameter_value(parameter)
        raise refusal(f"Query parameter '{name}' not found", node)

    def _placeholder(self, node: exp.Placeholder) -> Typed:
        position = node.meta.get("position", 0)
        given = [each for each in self.context.session.parameters if not each.field.name]
        if position < 1 or position > len(given):
            raise refusal(
                f"Query parameter number {position} is not defined ({len(given)} provided)", node
            )
        return parameter_value(given[position - 1])

    def _sessionparameter(self, node: exp.SessionParameter) -> Typed:
        session = self.context.session
        name = node.this.name.lower()
        if name in session.variables:
            return parameter_value(session.variables[name])
        if f"@@{name}" in session.variables:
            return parameter_value(session.variables[f"@@{name}"])
        default = session.default_dataset
        values: dict[str, tuple[Any, Type]] = {
            "project_id": (session.project, STRING),
            "dataset_project_id": (default.project if default else session.project, STRING),
            "dataset_id": (default.dataset if default else None, STRING),
            "time_zone": ("UTC", STRING),
            "script.job_id": (session.job, STRING),
            "location": (session.location, STRING),
            # What no statement, or no error, has given a value yet.
            "row_count": (None, INT64),
            "error.message": (None, STRING),
            "error.statement_text": (None, STRING),
            "error.formatted_stack_trace": (None, STRING),
        }
        if name in _LACKING:
            raise BigQueryError.lacking(f"the system variable @@{name}", location="query")
        if name not in values:
            raise refusal(f"Unrecognized name: @@{node.this.name}", node)
        value, kind = values[name]
        return Typed(sql_of(value, kind), kind)
