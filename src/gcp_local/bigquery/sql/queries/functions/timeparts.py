"""Functions that take parts of dates and times: moving, cutting, counting, extracting.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions and its like.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.functions.signatures import (
    Build,
    Function,
    function,
)  # fmt: skip
from gcp_local.bigquery.sql.queries.functions.times import time_sql
from gcp_local.bigquery.sql.queries.literals import text_sql
from gcp_local.bigquery.sql.queries.typed import Typed, converted, fits
from gcp_local.bigquery.sql.runtime import timeparts, times
from gcp_local.bigquery.sql.types import INT64, Type

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.functions.reading import Reading

_CLOCK = ("MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR")
_WEEKS = ("WEEK", "ISOWEEK", *(
    f"WEEK({day})" for day in (
        "SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")
))  # fmt: skip
_MOVED = {
    "DATE": ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR"),
    "DATETIME": (*_CLOCK, "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"),
    "TIMESTAMP": (*_CLOCK, "DAY"),
    "TIME": _CLOCK,
}
_CUT = {
    "DATE": ("DAY", *_WEEKS, "MONTH", "QUARTER", "YEAR", "ISOYEAR"),
    "DATETIME": (*_CLOCK, "DAY", *_WEEKS, "MONTH", "QUARTER", "YEAR", "ISOYEAR"),
    "TIMESTAMP": (*_CLOCK, "DAY", *_WEEKS, "MONTH", "QUARTER", "YEAR", "ISOYEAR"),
    "TIME": _CLOCK,
}
_TAKEN = {
    "DATE": ("DAYOFWEEK", "DAY", "DAYOFYEAR", *_WEEKS, "MONTH", "QUARTER", "YEAR", "ISOYEAR"),
    "DATETIME": (*_CLOCK, "DAYOFWEEK", "DAY", "DAYOFYEAR", *_WEEKS, "MONTH", "QUARTER", "YEAR",
                 "ISOYEAR", "DATE", "TIME"),
    "TIMESTAMP": (*_CLOCK, "DAYOFWEEK", "DAY", "DAYOFYEAR", *_WEEKS, "MONTH", "QUARTER", "YEAR",
                  "ISOYEAR", "DATE", "TIME", "DATETIME"),
    "TIME": _CLOCK,
    "INTERVAL": (*_CLOCK, "DAY", "MONTH", "YEAR"),
}  # fmt: skip


def _held(part: Typed, allowed: tuple[str, ...], name: str) -> str:
    if part.value not in allowed:
        known = {each for parts in _TAKEN.values() for each in parts}
        if part.value in known:
            raise part.refuse(f"{name} does not support the {part.value} date part")
        raise part.refuse(f"A valid date part name is required but found {part.value}")
    return text_sql(str(part.value))


def _moving(name: str, kind: str) -> Function:
    sign = -1 if name.endswith("_SUB") else 1

    def build(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
        from sqlglot import exp as nodes

        step = node.expressions[1]
        if not isinstance(step, nodes.Interval) or step.args["unit"] is None:
            raise refusal(f"The second argument of {name} must be INTERVAL int64 part", node)
        part = step.args["unit"].name.upper()
        if part not in _MOVED[kind]:
            raise refusal(f"{name} does not support the {part} date part", step)
        count = reading.read(step.this)
        if count.constant and isinstance(count.value, str):
            raise count.refuse(f"{name} takes INTERVAL int64_expression date_part")
        if not fits(count, INT64):
            raise count.refuse(
                f"Interval value must be coercible to INT64 type, but is {count.type}"
            )
        number = f"({sign} * {converted(count, INT64).sql})"
        more = [(number, "BIGINT"), (text_sql(part), "VARCHAR")]
        if kind == "DATE":
            return reading.context.call(
                timeparts.move_date, [(values[0].sql, "DATE"), *more], "DATE"
            )
        act = timeparts.move_clock if kind == "TIME" else timeparts.move
        arguments = [(f"epoch_us({values[0].sql})", "BIGINT"), *more]
        return time_sql(reading.context.call(act, arguments, "BIGINT"), kind)

    return function(name, (f"{kind}, ANY -> {kind}", build))


def _cutting(name: str, *kinds: str) -> Function:
    def way(kind: str) -> Build:
        def build(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
            del node
            part = _held(values[1], _CUT[kind], name)
            if kind == "DATE":
                arguments = [(values[0].sql, "DATE"), (part, "VARCHAR")]
                return reading.context.call(timeparts.truncate_date, arguments, "DATE")
            arguments = [(f"epoch_us({values[0].sql})", "BIGINT"), (part, "VARCHAR")]
            if len(values) > 2:
                arguments.append((values[2].sql, "VARCHAR"))
            return time_sql(reading.context.call(timeparts.truncate, arguments, "BIGINT"), kind)

        return build

    zones = {"TIMESTAMP": ", [STRING]"}
    ways = [(f"{kind}, PART{zones.get(kind, '')} -> {kind}", way(kind)) for kind in kinds]
    return function(name, *ways)


def _difference(name: str, *kinds: str) -> Function:
    def way(kind: str) -> Build:
        def build(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
            del node
            allowed = _MOVED["TIMESTAMP"] if kind == "TIMESTAMP" else _CUT[kind]
            part = _held(values[2], allowed, name)
            if kind == "DATE":
                given = [(each.sql, "DATE") for each in values[:2]]
                act: Callable[..., Any] = timeparts.between_dates
            else:
                given = [(f"epoch_us({each.sql})", "BIGINT") for each in values[:2]]
                act = timeparts.elapsed if kind == "TIMESTAMP" else timeparts.between
            return reading.context.call(act, [*given, (part, "VARCHAR")], "BIGINT")

        return build

    return function(name, *((f"{kind}, {kind}, PART -> INT64", way(kind)) for kind in kinds))


def _extract(values: list[Typed], reading: Reading, node: exp.Expr) -> Typed:
    part, value, *zone = values
    kind = value.type.kind
    allowed = _TAKEN.get(kind)
    if allowed is None:
        raise value.refuse(f"EXTRACT from {value.type} is not supported")
    text = _held(part, allowed, f"EXTRACT from {kind}")
    del node
    if zone and kind != "TIMESTAMP":
        raise value.refuse("EXTRACT AT TIME ZONE is only supported for TIMESTAMP")
    call = reading.context.call
    if kind == "INTERVAL":
        sql = f"CAST(datepart({text}, {value.sql}) AS BIGINT)"
        return Typed(sql, INT64, parts=(value,))
    if kind == "DATE":
        arguments = [(value.sql, "DATE"), (text, "VARCHAR")]
        return Typed(call(timeparts.extract_date, arguments, "BIGINT"), INT64, parts=(value,))
    micros = f"epoch_us({value.sql})"
    if zone:
        micros = call(times.local, [(micros, "BIGINT"), (zone[0].sql, "VARCHAR")], "BIGINT")
    if part.value in ("DATE", "TIME", "DATETIME"):
        wanted = Type(str(part.value))
        sql = f"CAST(make_timestamp({micros}) AS {wanted.duckdb})"
        return Typed(sql, wanted, parts=tuple(values[1:]))
    sql = call(timeparts.extract, [(micros, "BIGINT"), (text, "VARCHAR")], "BIGINT")
    return Typed(sql, INT64, parts=tuple(values[1:]))


def _last_day(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    del node
    allowed = tuple(each for each in _CUT["DATE"] if each != "DAY")
    part = _held(values[1], allowed, "LAST_DAY") if len(values) > 1 else "'MONTH'"
    arguments = [(f"CAST({values[0].sql} AS DATE)", "DATE"), (part, "VARCHAR")]
    return reading.context.call(timeparts.last_day, arguments, "DATE")


FUNCTIONS = (
    *(_moving(f"{kind}_{verb}", kind)
      for kind in ("DATE", "DATETIME", "TIME", "TIMESTAMP") for verb in ("ADD", "SUB")),
    _cutting("DATE_TRUNC", "DATE", "DATETIME", "TIMESTAMP"),
    _cutting("DATETIME_TRUNC", "DATETIME"),
    _cutting("TIME_TRUNC", "TIME"),
    _cutting("TIMESTAMP_TRUNC", "TIMESTAMP", "DATETIME"),
    _difference("DATE_DIFF", "DATE", "DATETIME", "TIMESTAMP"),
    _difference("DATETIME_DIFF", "DATETIME"),
    _difference("TIME_DIFF", "TIME"),
    _difference("TIMESTAMP_DIFF", "TIMESTAMP"),
    function("EXTRACT", ("PART, ANY, [STRING] -> INT64", _extract)),
    function("LAST_DAY", ("DATE, [PART] -> DATE", _last_day),
             ("DATETIME, [PART] -> DATE", _last_day)),
)  # fmt: skip
