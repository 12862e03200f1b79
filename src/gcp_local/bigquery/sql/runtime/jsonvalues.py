"""What JSON has for GoogleSQL's values.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#json_encodings.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

from gcp_local.bigquery.sql.runtime import numbers, times, timetexts
from gcp_local.bigquery.sql.runtime.documents import dumps, loads


def json_of(value: Any, shape: Any) -> Any:
    """Give what JSON has for a value of DuckDB's.

    Args:
        value: as DuckDB hands it over.
        shape: its type in GoogleSQL: a kind, `[shape]`, or `{name: shape}`.

    """
    if value is None:
        return None
    if isinstance(shape, list):
        return [json_of(each, shape[0]) for each in value]
    if isinstance(shape, dict):
        values = value.values() if isinstance(value, dict) else value
        return {n: json_of(v, s) for (n, s), v in zip(shape.items(), values, strict=True)}
    return _json_scalar(value, shape)


def _json_scalar(value: Any, shape: str) -> Any:
    writer = _WRITERS.get(shape)
    if writer is not None:
        return writer(value)
    return value.isoformat() if isinstance(value, (date, time)) else value


def _json_int64(value: int) -> Any:
    # A number that readers of JSON would round is written as text.
    return value if abs(value) <= 2**53 else str(value)


def _json_float64(value: float) -> Any:
    if math.isnan(value) or math.isinf(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[numbers.float_text(value)]
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _json_time(value: Any) -> str:
    micros = times.micros_of(value) if isinstance(value, datetime) else int(value)
    return timetexts.datetime_text(micros).replace(" ", "T")


_WRITERS: dict[str, Callable[[Any], Any]] = {
    "JSON": loads,
    "INT64": _json_int64,
    "FLOAT64": _json_float64,
    "NUMERIC": lambda value: float(value) if value % 1 else int(value),
    "BYTES": lambda value: b64encode(value).decode(),
    "TIMESTAMP": lambda value: f"{_json_time(value)}Z",
    "DATETIME": _json_time,
}


def written(value: Any, shape: str) -> str:
    """Write a value as TO_JSON_STRING does.

    Args:
        value: as DuckDB hands it over.
        shape: see `json_of`, as JSON.

    """
    return dumps(json_of(value, loads(shape)))
