"""Literals: of numbers, texts, bytes, intervals."""

from __future__ import annotations

from sqlglot import exp

from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries import operators
from gcp_local.bigquery.sql.queries.expressions.reader import Reader
from gcp_local.bigquery.sql.queries.literals import sql_of, text_sql
from gcp_local.bigquery.sql.queries.typed import Typed, converted, fits, made
from gcp_local.bigquery.sql.runtime import timetexts
from gcp_local.bigquery.sql.types import BOOL, BYTES, FLOAT64, INT64, INTERVAL, NULL, STRING

_PARTS = {
    "YEAR": "to_years", "MONTH": "to_months", "DAY": "to_days", "HOUR": "to_hours",
    "MINUTE": "to_minutes", "SECOND": "to_seconds", "MILLISECOND": "to_milliseconds",
    "MICROSECOND": "to_microseconds", "WEEK": "to_weeks",
}  # fmt: skip


def interval_sql(number: str, part: str, node: exp.Expr) -> str:
    """Write an interval of so many parts."""
    if part == "QUARTER":
        return f"to_months(CAST({number} * 3 AS INTEGER))"
    if part not in _PARTS:
        raise refusal(f"Invalid date part: {part}", node)
    cast_to = "INTEGER" if part in ("YEAR", "MONTH", "DAY", "WEEK") else "BIGINT"
    return f"{_PARTS[part]}(CAST({number} AS {cast_to}))"


def _interval_sql(months: int, days: int, micros: int) -> str:
    return (
        f"(to_months(CAST('{months}' AS INTEGER)) + to_days(CAST('{days}' AS INTEGER))"
        f" + to_microseconds(CAST('{micros}' AS BIGINT)))"
    )


class Literals(Reader):
    """Reads literals."""

    def _literal(self, node: exp.Literal) -> Typed:
        text = node.this
        if node.is_string:
            return Typed(text_sql(text), STRING, literal=True, value=text)
        if any(letter in text for letter in ".eE") and not text.startswith("0x"):
            value = float(text)
            return Typed(sql_of(value, FLOAT64), FLOAT64, literal=True, value=value)
        number = int(text)
        if number > 2**63 - 1:
            raise refusal(f"Invalid integer literal: {text}", node)
        return Typed(sql_of(number, INT64), INT64, literal=True, value=number)

    def _bytestring(self, node: exp.ByteString) -> Typed:
        value = str(node.this).encode("latin-1")
        return Typed(sql_of(value, BYTES), BYTES, literal=True, value=value)

    def _null(self, _node: exp.Null) -> Typed:
        return Typed("NULL", NULL, literal=True, value=None)

    def _boolean(self, node: exp.Boolean) -> Typed:
        return Typed("true" if node.this else "false", BOOL, literal=True, value=bool(node.this))

    def _neg(self, node: exp.Neg) -> Typed:
        inner = node.this
        if isinstance(inner, exp.Literal) and not inner.is_string:
            if "." not in inner.this and "e" not in inner.this.lower():
                number = -int(inner.this)
                if number < -(2**63):
                    raise refusal(f"Invalid integer literal: -{inner.this}", node)
                return Typed(sql_of(number, INT64), INT64, literal=True, value=number)
            value = -float(inner.this)
            return Typed(sql_of(value, FLOAT64), FLOAT64, literal=True, value=value)
        return operators.negative(self.read(inner), node, self.context)

    def _interval(self, node: exp.Interval) -> Typed:
        value = self.read(node.this)
        unit = node.args["unit"]
        if isinstance(unit, exp.IntervalSpan) or (value.constant and isinstance(value.value, str)):
            span = (
                f"{unit.this.name} TO {unit.expression.name}"
                if isinstance(unit, exp.IntervalSpan)
                else unit.name
            ).upper()
            if not (value.constant and isinstance(value.value, str)):
                raise refusal("INTERVAL with TO requires a string literal", node)
            try:
                months, days, micros = timetexts.interval_of(value.value, span)
            except RuntimeError as error:
                raise refusal(str(error), node) from None
            return Typed(_interval_sql(months, days, micros), INTERVAL, literal=True)
        if not fits(value, INT64):
            message = f"Invalid type for INTERVAL: expected INT64, found {value.type}"
            raise value.refuse(message)
        number, part = converted(value, INT64).sql, unit.name.upper()
        return made(interval_sql(number, part, node), INTERVAL, value, node=node)
