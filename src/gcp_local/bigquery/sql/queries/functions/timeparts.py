"""Functions of DATE, DATETIME, TIME, TIMESTAMP and INTERVAL.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions and its like.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.casts import cast_sql
from gcp_local.bigquery.sql.queries.functions.signatures import (
    Build,
    Function,
    Python,
    function,
)  # fmt: skip
from gcp_local.bigquery.sql.queries.literals import sql_of, text_sql
from gcp_local.bigquery.sql.queries.typed import Typed, converted, fits
from gcp_local.bigquery.sql.runtime import documents, timeformats, times
from gcp_local.bigquery.sql.runtime.numbers import QueryError
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
            return reading.context.call(times.move_date, [(values[0].sql, "DATE"), *more], "DATE")
        act = times.move_clock if kind == "TIME" else times.move
        arguments = [(f"epoch_us({values[0].sql})", "BIGINT"), *more]
        return _back(reading.context.call(act, arguments, "BIGINT"), kind)

    return function(name, (f"{kind}, ANY -> {kind}", build))


def _back(sql: str, kind: str) -> str:
    if kind == "DATETIME":
        return f"make_timestamp({sql})"
    return f"CAST(make_timestamp({sql}) AS {'TIMESTAMPTZ' if kind == 'TIMESTAMP' else 'TIME'})"


def _cutting(name: str, *kinds: str) -> Function:
    def way(kind: str) -> Build:
        def build(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
            del node
            part = _held(values[1], _CUT[kind], name)
            if kind == "DATE":
                arguments = [(values[0].sql, "DATE"), (part, "VARCHAR")]
                return reading.context.call(times.truncate_date, arguments, "DATE")
            arguments = [(f"epoch_us({values[0].sql})", "BIGINT"), (part, "VARCHAR")]
            if len(values) > 2:
                arguments.append((values[2].sql, "VARCHAR"))
            return _back(reading.context.call(times.truncate, arguments, "BIGINT"), kind)

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
                act: Callable[..., Any] = times.between_dates
            else:
                given = [(f"epoch_us({each.sql})", "BIGINT") for each in values[:2]]
                act = times.elapsed if kind == "TIMESTAMP" else times.between
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
        return Typed(call(times.extract_date, [(value.sql, "DATE"), (text, "VARCHAR")], "BIGINT"),
                     INT64, parts=(value,))  # fmt: skip
    micros = f"epoch_us({value.sql})"
    if zone:
        micros = call(times.local, [(micros, "BIGINT"), (zone[0].sql, "VARCHAR")], "BIGINT")
    if part.value in ("DATE", "TIME", "DATETIME"):
        wanted = Type(str(part.value))
        sql = f"CAST(make_timestamp({micros}) AS {wanted.duckdb})"
        return Typed(sql, wanted, parts=tuple(values[1:]))
    sql = call(times.extract, [(micros, "BIGINT"), (text, "VARCHAR")], "BIGINT")
    return Typed(sql, INT64, parts=tuple(values[1:]))


def _current(name: str, kind: str) -> Function:
    def build(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
        del node
        micros = times.micros_of(reading.context.session.now)
        zone = values[0] if values else None
        if kind == "TIMESTAMP":
            return sql_of(times.from_micros(micros), Type("TIMESTAMP"))
        if zone is not None and not (zone.constant and isinstance(zone.value, str)):
            shown = reading.context.call(
                times.local,
                [(f"CAST({micros} AS BIGINT)", "BIGINT"), (zone.sql, "VARCHAR")],
                "BIGINT",
            )
            return f"CAST(make_timestamp({shown}) AS {Type(kind).duckdb})"
        try:
            shown_at = times.local(micros, str(zone.value) if zone is not None else "UTC")
        except QueryError as error:
            assert zone is not None
            raise zone.refuse(str(error)) from None
        return f"CAST(make_timestamp(CAST('{shown_at}' AS BIGINT)) AS {Type(kind).duckdb})"

    if kind == "TIMESTAMP":
        return function(name, (f"-> {kind}", build))
    return function(name, (f"[STRING] -> {kind}", build))


def _casting(wanted: str) -> Build:
    """Make what DATE(x), DATETIME(x, zone) and their like do."""

    def build(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
        value, *zone = values
        kind = value.type.kind
        call = reading.context.call
        if zone and kind == "TIMESTAMP" and wanted not in ("TIMESTAMP", "STRING"):
            arguments = [(f"epoch_us({value.sql})", "BIGINT"), (zone[0].sql, "VARCHAR")]
            shown = call(times.local, arguments, "BIGINT")
            return f"CAST(make_timestamp({shown}) AS {Type(wanted).duckdb})"
        if zone and wanted == "TIMESTAMP":
            if kind == "STRING":
                arguments = [(value.sql, "VARCHAR"), (zone[0].sql, "VARCHAR")]
                return _back(call(times.timestamp_micros, arguments, "BIGINT"), "TIMESTAMP")
            local = f"epoch_us(CAST({value.sql} AS TIMESTAMP))"
            arguments = [(local, "BIGINT"), (zone[0].sql, "VARCHAR")]
            return _back(call(times.absolute, arguments, "BIGINT"), "TIMESTAMP")
        if zone and wanted == "STRING":
            arguments = [(f"epoch_us({value.sql})", "BIGINT"), (zone[0].sql, "VARCHAR")]
            return call(times.timestamp_text, arguments, "VARCHAR")
        return cast_sql(value.sql, value.type, Type(wanted), node, reading.context)

    return build


def _formatting(name: str, kind: str) -> Function:
    def build(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
        del node
        pattern, value, *zone = values
        if value.type.kind == "DATE":
            arguments = [(pattern.sql, "VARCHAR"), (value.sql, "DATE")]
            return reading.context.call(timeformats.formatted_date, arguments, "VARCHAR")
        arguments = [(pattern.sql, "VARCHAR"), (f"epoch_us({value.sql})", "BIGINT")]
        arguments += [(each.sql, "VARCHAR") for each in zone]
        return reading.context.call(timeformats.formatted, arguments, "VARCHAR")

    zones = ", [STRING]" if kind == "TIMESTAMP" else ""
    return function(name, (f"STRING, {kind}{zones} -> STRING", build))


def _since(name: str, kind: str, step: int) -> Function:
    source = "{0}" if kind == "DATE" else "epoch_us({0})"
    # Towards minus infinity, also before 1970.
    sql = f"CAST(floor({source} / {step}.0) AS BIGINT)" if step != 1 else source
    return function(name, (f"{kind} -> INT64", sql))


def _at(name: str, factor: int) -> Function:
    sql = f"CAST(make_timestamp({{0}} * {factor}) AS TIMESTAMPTZ)"
    return function(name, ("INT64 -> TIMESTAMP", sql))


def _interval(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    makers = ("to_years", "to_months", "to_days", "to_hours", "to_minutes", "to_seconds")
    names = ("year", "month", "day", "hour", "minute", "second")
    given: dict[str, str] = {}
    for at, value in enumerate(values):
        name = value.name[2:] if value.name.startswith("=>") else names[at]
        if name not in names or name in given:
            raise refusal(
                f"Named argument {name} not found in signature for call to MAKE_INTERVAL", node
            )
        given[name] = value.sql
    del reading
    parts = [
        f"{maker}(CAST({given.get(name, '0')} AS {'INTEGER' if at < 3 else 'BIGINT'}))"
        for at, (maker, name) in enumerate(zip(makers, names, strict=True))
    ]
    return f"({' + '.join(parts)})"


def _last_day(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    del node
    allowed = tuple(each for each in _CUT["DATE"] if each != "DAY")
    part = _held(values[1], allowed, "LAST_DAY") if len(values) > 1 else "'MONTH'"
    arguments = [(f"CAST({values[0].sql} AS DATE)", "DATE"), (part, "VARCHAR")]
    return reading.context.call(times.last_day, arguments, "DATE")


def _together(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    del reading, node
    return f"(CAST({values[0].sql} AS DATE) + {values[1].sql})"


def _json_string(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    del node
    return reading.context.call(documents.as_string, [(values[0].sql, "JSON")], "VARCHAR")


FUNCTIONS = (
    _current("CURRENT_DATE", "DATE"),
    _current("CURRENT_DATETIME", "DATETIME"),
    _current("CURRENT_TIME", "TIME"),
    _current("CURRENT_TIMESTAMP", "TIMESTAMP"),
    function("DATE", ("INT64, INT64, INT64 -> DATE", Python(times.date_from)),
             ("DATE -> DATE", "{0}"), ("TIMESTAMP, [STRING] -> DATE", _casting("DATE")),
             ("DATETIME -> DATE", _casting("DATE")), ("STRING -> DATE", _casting("DATE"))),
    function("DATETIME",
             ("INT64, INT64, INT64, INT64, INT64, INT64 -> DATETIME", Python(times.datetime_from)),
             ("DATE, TIME -> DATETIME", _together), ("DATE -> DATETIME", _casting("DATETIME")),
             ("TIMESTAMP, [STRING] -> DATETIME", _casting("DATETIME")),
             ("DATETIME -> DATETIME", "{0}"), ("STRING -> DATETIME", _casting("DATETIME"))),
    function("TIME", ("INT64, INT64, INT64 -> TIME", Python(times.time_from)),
             ("TIME -> TIME", "{0}"), ("TIMESTAMP, [STRING] -> TIME", _casting("TIME")),
             ("DATETIME -> TIME", _casting("TIME"))),
    function("TIMESTAMP", ("TIMESTAMP -> TIMESTAMP", "{0}"),
             ("STRING, [STRING] -> TIMESTAMP", _casting("TIMESTAMP")),
             ("DATE, [STRING] -> TIMESTAMP", _casting("TIMESTAMP")),
             ("DATETIME, [STRING] -> TIMESTAMP", _casting("TIMESTAMP"))),
    function("STRING", ("TIMESTAMP, [STRING] -> STRING", _casting("STRING")),
             ("DATE -> STRING", _casting("STRING")), ("DATETIME -> STRING", _casting("STRING")),
             ("TIME -> STRING", _casting("STRING")),
             ("JSON -> STRING", _json_string)),
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
    _formatting("FORMAT_DATE", "DATE"),
    _formatting("FORMAT_DATETIME", "DATETIME"),
    _formatting("FORMAT_TIME", "TIME"),
    _formatting("FORMAT_TIMESTAMP", "TIMESTAMP"),
    function("PARSE_DATE", ("STRING, STRING -> DATE", Python(timeformats.parsed_date))),
    function("PARSE_DATETIME", ("STRING, STRING -> DATETIME", Python(timeformats.parsed))),
    function("PARSE_TIME", ("STRING, STRING -> TIME", Python(timeformats.parsed_time))),
    function("PARSE_TIMESTAMP",
             ("STRING, STRING, [STRING] -> TIMESTAMP", Python(timeformats.parsed_timestamp))),
    function("DATE_FROM_UNIX_DATE",
             ("INT64 -> DATE", "(DATE '1970-01-01' + CAST({0} AS INTEGER))")),
    function("UNIX_DATE", ("DATE -> INT64", "CAST({0} - DATE '1970-01-01' AS BIGINT)")),
    _since("UNIX_SECONDS", "TIMESTAMP", 1_000_000),
    _since("UNIX_MILLIS", "TIMESTAMP", 1_000),
    _since("UNIX_MICROS", "TIMESTAMP", 1),
    _at("TIMESTAMP_SECONDS", 1_000_000),
    _at("TIMESTAMP_MILLIS", 1_000),
    _at("TIMESTAMP_MICROS", 1),
    function("MAKE_INTERVAL",
             ("[INT64], [INT64], [INT64], [INT64], [INT64], [INT64] -> INTERVAL", _interval)),
)  # fmt: skip
