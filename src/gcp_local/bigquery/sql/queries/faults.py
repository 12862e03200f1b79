"""DuckDB's errors while a query runs, in BigQuery's words."""

from __future__ import annotations

import re

from gcp_local.bigquery.errors import BigQueryError

_PYTHON = re.compile(
    r"Python exception occurred while executing the UDF: (?P<kind>\w+): (?P<message>.*)", re.DOTALL
)
# What DuckDB says, and what BigQuery says then.
_WORDS = (
    (r"Overflow in (?:addition|subtraction|multiplication|negation) of \w+ \(([^)]*)\)",
     "int64 overflow: {}"),
    (r"with value (\S+) can't be cast because the value is out of range", "int64 overflow: {}"),
    (r"(More than one row returned by a subquery)",
     "Scalar subquery produced more than one element"),
    (r"(DECIMAL)", "numeric overflow"),
    (r"Out of Range Error: ([^\n]*)", "{}"),
    (r"(?:Conversion|Invalid Input) Error: ([^\n]*)", "{}"),
)  # fmt: skip


def refused(message: str) -> BigQueryError:
    """Say what DuckDB said as BigQuery would; what it would not say is the stand-in's lack."""
    if found := _PYTHON.search(message):
        said = found["message"].strip()
        if found["kind"] in ("QueryError", "RuntimeError"):
            return BigQueryError.query(said)
        return BigQueryError.lacking(f"this ({said})", location="query")
    if "Out of Memory" in message:
        return BigQueryError("resourcesExceeded", "Resources exceeded during query execution")
    for pattern, words in _WORDS:
        if match := re.search(pattern, message):
            return BigQueryError.query(words.format(match[1].strip()))
    first = message.partition("\n")[0]
    return BigQueryError.lacking(f"what this query needs ({first})", location="query")
