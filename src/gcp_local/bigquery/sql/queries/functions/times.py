"""Functions that make dates, times and intervals, and write and read them.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions and its like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.sql.queries.casts import cast_sql
from gcp_local.bigquery.sql.queries.functions.signatures import (
    Build,
    Function,
    Python,
    function,
)  # fmt: skip
from gcp_local.bigquery.sql.queries.literals import sql_of
from gcp_local.bigquery.sql.queries.typed import Typed
from gcp_local.bigquery.sql.runtime import documents, timeformats, timeparts, times, timetexts
from gcp_local.bigquery.sql.runtime.numbers import QueryError
from gcp_local.bigquery.sql.types import Type

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.functions.reading import Reading


def time_sql(sql: str, kind: str) -> str:
    """Write the DATETIME, TIMESTAMP or TIME of microseconds."""
    if kind == "DATETIME":
        return f"make_timestamp({sql})"
    return f"CAST(make_timestamp({sql}) AS {'TIMESTAMPTZ' if kind == 'TIMESTAMP' else 'TIME'})"


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
                return time_sql(call(timetexts.timestamp_micros, arguments, "BIGINT"), "TIMESTAMP")
            local = f"epoch_us(CAST({value.sql} AS TIMESTAMP))"
            arguments = [(local, "BIGINT"), (zone[0].sql, "VARCHAR")]
            return time_sql(call(times.absolute, arguments, "BIGINT"), "TIMESTAMP")
        if zone and wanted == "STRING":
            arguments = [(f"epoch_us({value.sql})", "BIGINT"), (zone[0].sql, "VARCHAR")]
            return call(timetexts.timestamp_text, arguments, "VARCHAR")
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
    function("DATE", ("INT64, INT64, INT64 -> DATE", Python(timeparts.date_from)),
             ("DATE -> DATE", "{0}"), ("TIMESTAMP, [STRING] -> DATE", _casting("DATE")),
             ("DATETIME -> DATE", _casting("DATE")), ("STRING -> DATE", _casting("DATE"))),
    function("DATETIME",
             ("INT64, INT64, INT64, INT64, INT64, INT64 -> DATETIME",
              Python(timeparts.datetime_from)),
             ("DATE, TIME -> DATETIME", _together), ("DATE -> DATETIME", _casting("DATETIME")),
             ("TIMESTAMP, [STRING] -> DATETIME", _casting("DATETIME")),
             ("DATETIME -> DATETIME", "{0}"), ("STRING -> DATETIME", _casting("DATETIME"))),
    function("TIME", ("INT64, INT64, INT64 -> TIME", Python(timeparts.time_from)),
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
