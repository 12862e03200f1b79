"""Functions of STRING.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.queries.functions.signatures import Function, Python, function
from gcp_local.bigquery.sql.queries.literals import text_sql
from gcp_local.bigquery.sql.queries.typed import Typed
from gcp_local.bigquery.sql.runtime import formats, texts
from gcp_local.bigquery.sql.types import STRING

if TYPE_CHECKING:
    from sqlglot import exp

    from gcp_local.bigquery.sql.queries.functions.reading import Reading


def _concat(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    del reading, node
    return f"({' || '.join(each.sql for each in values)})"


def _pattern(value: Typed) -> None:
    """Refuse a literal that is no regular expression; its groups are at most one."""
    if value.constant and isinstance(value.value, str):
        try:
            re.compile(_plain(value.value))
        except re.error as error:
            raise value.refuse(f"Cannot parse regular expression: {error}") from None


def _plain(pattern: str) -> str:
    """Give RE2's pattern in the words of Python's `re`, as far as counting groups needs."""
    return re.sub(r"\\[pP](\{\w+\}|\w)", ".", pattern.replace(r"\z", r"\Z")).replace("(?P<", "(?P<")


def _groups(value: Typed) -> int:
    if not value.constant or not isinstance(value.value, str):
        return 0
    try:
        return re.compile(_plain(value.value)).groups
    except re.error:
        return 0


def _extract(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    text, pattern, *rest = values
    _pattern(pattern)
    group = _groups(pattern)
    if group > 1:
        message = "Regular expressions passed into extraction functions must not have more than 1"
        raise pattern.refuse(f"{message} capturing group")
    source = text.sql
    if rest:
        start = rest[0].sql
        if not (rest[0].constant and rest[0].value >= 1):
            raise BigQueryError.lacking(
                "REGEXP_EXTRACT at positions that are no literals", location="query"
            )
        source = f"substring({source}, {start})"
    occurrence = rest[1].sql if len(rest) > 1 else "1"
    if not pattern.constant:
        return reading.context.call(
            texts.regexp_extract, [(source, "VARCHAR"), (pattern.sql, "VARCHAR")], "VARCHAR"
        )
    del node
    found = f"regexp_extract_all({source}, {pattern.sql}, {group})"
    return f"list_extract({found}, {occurrence})"


def _extract_all(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    _pattern(values[1])
    group = _groups(values[1])
    if group > 1:
        message = "Regular expressions passed into extraction functions must not have more than 1"
        raise values[1].refuse(f"{message} capturing group")
    del reading, node
    return f"regexp_extract_all({values[0].sql}, {values[1].sql}, {group})"


def _contains(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    _pattern(values[1])
    del reading, node
    return f"regexp_matches({values[0].sql}, {values[1].sql})"


def _replace(values: list[Typed], reading: Reading, node: exp.Expr) -> str:
    _pattern(values[1])
    del reading, node
    return f"regexp_replace({values[0].sql}, {values[1].sql}, {values[2].sql}, 'g')"


def _format(values: list[Typed], reading: Reading, node: exp.Expr) -> Typed:
    pattern, *rest = values
    sqls: list[tuple[str, str]] = [(pattern.sql, "VARCHAR")]
    kinds = []
    for each in rest:
        kinds.append(str(each.type))
        if each.type.kind in ("TIMESTAMP", "DATETIME", "TIME"):
            sqls.append((f"epoch_us({each.sql})", "BIGINT"))
        elif each.type.kind in ("STRUCT", "INTERVAL"):
            raise BigQueryError.lacking(f"FORMAT of {each.type.kind}", location="query")
        elif each.type.kind == "ARRAY" and each.type.of.kind in (
            "TIMESTAMP", "DATETIME", "TIME", "STRUCT", "INTERVAL",
        ):  # fmt: skip
            raise BigQueryError.lacking(f"FORMAT of {each.type}", location="query")
        else:
            sqls.append((each.sql, each.type.duckdb))
    sqls.insert(1, (text_sql("\n".join(kinds)), "VARCHAR"))
    del node
    sql = reading.context.call(formats.formatted, sqls, "VARCHAR", nulls=True)
    return Typed(sql, STRING, parts=tuple(values))


def _both(name: str, text: str, blob: str | None = None) -> Function:
    ways = [("STRING -> STRING", text)]
    if blob is not None:
        ways.append(("BYTES -> BYTES", blob))
    return function(name, *ways)


def _trim(name: str, sql: str) -> Function:
    return function(
        name,
        ("STRING -> STRING", f"{sql}({{0}}, {text_sql(texts.SPACES)})"),
        ("STRING, STRING -> STRING", f"{sql}({{0}}, {{1}})"),
    )


FUNCTIONS = (
    function("ASCII", ("STRING -> INT64", Python(texts.first_code))),
    function("UNICODE", ("STRING -> INT64", Python(texts.first_code))),
    function("BYTE_LENGTH", ("STRING -> INT64", "CAST(octet_length(encode({0})) AS BIGINT)"),
             ("BYTES -> INT64", "CAST(octet_length({0}) AS BIGINT)")),
    function("OCTET_LENGTH", ("STRING -> INT64", "CAST(octet_length(encode({0})) AS BIGINT)"),
             ("BYTES -> INT64", "CAST(octet_length({0}) AS BIGINT)")),
    function("CHAR_LENGTH", ("STRING -> INT64", "length({0})")),
    function("CHARACTER_LENGTH", ("STRING -> INT64", "length({0})")),
    function("LENGTH", ("STRING -> INT64", "length({0})"),
             ("BYTES -> INT64", "CAST(octet_length({0}) AS BIGINT)")),
    function("CHR", ("INT64 -> STRING", Python(texts.character))),
    function("CODE_POINTS_TO_STRING", ("ARRAY<INT64> -> STRING", Python(texts.from_codes))),
    function("TO_CODE_POINTS", ("STRING -> ARRAY<INT64>", Python(texts.codes))),
    function("CONCAT", ("STRING, STRING... -> STRING", _concat),
             ("BYTES, BYTES... -> BYTES", _concat)),
    function("CONTAINS_SUBSTR", ("STRING, STRING -> BOOL", Python(texts.contains_folded))),
    function("EDIT_DISTANCE", ("STRING, STRING -> INT64", "CAST(levenshtein({0}, {1}) AS BIGINT)")),
    function("ENDS_WITH", ("STRING, STRING -> BOOL", "ends_with({0}, {1})")),
    function("FORMAT", ("STRING -> STRING", _format), ("STRING, ANY... -> STRING", _format)),
    function("INITCAP", ("STRING, [STRING] -> STRING", Python(texts.initcap))),
    function("INSTR", ("STRING, STRING, [INT64], [INT64] -> INT64", Python(texts.instr))),
    function("LEFT", ("STRING, INT64 -> STRING", Python(texts.left)),
             ("BYTES, INT64 -> BYTES", Python(texts.left))),
    function("RIGHT", ("STRING, INT64 -> STRING", Python(texts.right)),
             ("BYTES, INT64 -> BYTES", Python(texts.right))),
    _both("LOWER", "lower({0})"),
    _both("UPPER", "upper({0})"),
    function("LPAD", ("STRING, INT64, [STRING] -> STRING", Python(texts.lpad))),
    function("RPAD", ("STRING, INT64, [STRING] -> STRING", Python(texts.rpad))),
    _trim("TRIM", "trim"),
    _trim("LTRIM", "ltrim"),
    _trim("RTRIM", "rtrim"),
    function("NORMALIZE", ("STRING -> STRING", Python(texts.normalize)),
             ("STRING, PART -> STRING", Python(texts.normalize))),
    function("NORMALIZE_AND_CASEFOLD", ("STRING -> STRING", Python(texts.normalize_folded)),
             ("STRING, PART -> STRING", Python(texts.normalize_folded))),
    function("REGEXP_CONTAINS", ("STRING, STRING -> BOOL", _contains)),
    function("REGEXP_EXTRACT", ("STRING, STRING, [INT64], [INT64] -> STRING", _extract)),
    function("REGEXP_SUBSTR", ("STRING, STRING, [INT64], [INT64] -> STRING", _extract)),
    function("REGEXP_EXTRACT_ALL", ("STRING, STRING -> ARRAY<STRING>", _extract_all)),
    function("REGEXP_REPLACE", ("STRING, STRING, STRING -> STRING", _replace)),
    function("REGEXP_INSTR", ("STRING, STRING -> INT64", Python(texts.regexp_instr))),
    function("REPEAT", ("STRING, INT64 -> STRING", Python(texts.repeat)),
             ("BYTES, INT64 -> BYTES", Python(texts.repeat))),
    function("REPLACE", ("STRING, STRING, STRING -> STRING", Python(texts.replace))),
    _both("REVERSE", "reverse({0})"),
    function("SOUNDEX", ("STRING -> STRING", Python(texts.soundex))),
    function("SPLIT", ("STRING, [STRING] -> ARRAY<STRING>", Python(texts.split))),
    function("STARTS_WITH", ("STRING, STRING -> BOOL", "starts_with({0}, {1})")),
    function("STRPOS", ("STRING, STRING -> INT64", "strpos({0}, {1})")),
    function("SUBSTR", ("STRING, INT64, [INT64] -> STRING", Python(texts.substring)),
             ("BYTES, INT64, [INT64] -> BYTES", Python(texts.substring))),
    function("SUBSTRING", ("STRING, INT64, [INT64] -> STRING", Python(texts.substring)),
             ("BYTES, INT64, [INT64] -> BYTES", Python(texts.substring))),
    function("TRANSLATE", ("STRING, STRING, STRING -> STRING", Python(texts.translate))),
)  # fmt: skip
