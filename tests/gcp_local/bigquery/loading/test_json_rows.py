from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from gcp_local.bigquery.loading.json_rows import arrow_rows
from gcp_local.bigquery.schema import read_schema


def _one(kind: str, value: Any, **more: Any) -> Any:
    schema = read_schema([{"name": "x", "type": kind, **more}])
    rows, problems = arrow_rows([{"x": value}], schema)
    assert not problems, problems
    return rows.column("x").to_pylist()[0]


def _refusal(kind: str, value: Any, **more: Any) -> str:
    schema = read_schema([{"name": "x", "type": kind, **more}])
    rows, problems = arrow_rows([value], schema)
    assert rows.num_rows == 0
    return problems[0][0].loading


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("INTEGER", "12", 12),
        ("INTEGER", -3, -3),
        ("INTEGER", 4.0, 4),
        ("FLOAT", "1e3", 1000.0),
        ("FLOAT", "-inf", float("-inf")),
        ("NUMERIC", "1.0000000005", Decimal("1.000000001")),
        ("NUMERIC", "-1.0000000005", Decimal("-1.000000001")),
        ("NUMERIC", "9" * 29 + ".999999999", Decimal("9" * 29 + ".999999999")),
        ("BOOLEAN", "True", True),
        ("BOOLEAN", False, False),
        ("STRING", 1.5, "1.5"),
        ("STRING", True, "true"),
        ("BYTES", "AAE=", b"\0\1"),
        ("DATE", "2026-2-3", date(2026, 2, 3)),
        ("TIME", "9:30:01.5", time(9, 30, 1, 500000)),
        ("DATETIME", "2026-02-03 04:05:06", datetime.fromisoformat("2026-02-03T04:05:06")),
        ("DATETIME", "2026-02-03", datetime.fromisoformat("2026-02-03")),
        ("TIMESTAMP", "2026-02-03T04:05:06.789Z", datetime(2026, 2, 3, 4, 5, 6, 789000, UTC)),
        ("TIMESTAMP", "2026-02-03 04:05:06 UTC", datetime(2026, 2, 3, 4, 5, 6, 0, UTC)),
        ("TIMESTAMP", "2026-02-03 04:05:06+05:30", datetime(2026, 2, 2, 22, 35, 6, 0, UTC)),
        ("TIMESTAMP", "2026/02/03 04:05 Europe/Paris", datetime(2026, 2, 3, 3, 5, 0, 0, UTC)),
        ("TIMESTAMP", 1.5, datetime(1970, 1, 1, 0, 0, 1, 500000, UTC)),
        ("JSON", '{"b": 1, "a": [true]}', '{"a":[true],"b":1}'),
        ("JSON", {"a": None}, '{"a":null}'),
    ],
)
def test_a_value_is_read_as_bigquery_does(kind: str, value: Any, read: Any) -> None:
    assert _one(kind, value) == read


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("INTEGER", "1.5", "Could not convert value to integer. Field: x; Value: 1.5"),
        ("INTEGER", True, "Could not convert value to integer. Field: x; Value: True"),
        ("INTEGER", 2**63, f"Could not convert value to integer. Field: x; Value: {2**63}"),
        ("FLOAT", "--inf", "Could not convert value to double. Field: x; Value: --inf"),
        ("NUMERIC", "1e30", "Invalid NUMERIC value. Field: x; Value: 1e30"),
        ("NUMERIC", "NaN", "Invalid NUMERIC value. Field: x; Value: NaN"),
        ("BOOLEAN", 1, "Could not convert value to boolean. Field: x; Value: 1"),
        ("STRING", {}, "Could not convert value to string. Field: x; Value: {}"),
        ("BYTES", "a", "Could not decode base64 string to bytes. Field: x; Value: a"),
        ("DATE", "2026-02-30", "Invalid date. Field: x; Value: 2026-02-30"),
        ("TIME", "25:00:00", "Invalid time. Field: x; Value: 25:00:00"),
        ("DATETIME", "now", "Invalid datetime string. Field: x; Value: now"),
        ("TIMESTAMP", 1e18, "Timestamp field value is out of range. Field: x; Value: 1e+18"),
        ("JSON", "{", "Could not parse value as JSON. Field: x; Value: {"),
        ("INTEGER", [1], "Array specified for non-repeated field: x."),
    ],
)
def test_a_value_of_another_type_is_refused(kind: str, value: Any, message: str) -> None:
    assert _refusal(kind, {"x": value}) == message


def test_what_is_required_must_be_there() -> None:
    assert _refusal("STRING", {}, mode="REQUIRED") == "Missing required field: x."
    expected = "Only optional fields can be set to NULL. Field: x; Value: NULL"
    assert _refusal("STRING", {"x": None}, mode="REQUIRED") == expected


def test_arrays_hold_no_nulls_and_may_be_missing() -> None:
    assert _one("INTEGER", ["1", 2], mode="REPEATED") == [1, 2]
    assert _one("INTEGER", None, mode="REPEATED") == []
    assert "NULL" in _refusal("INTEGER", {"x": [None]}, mode="REPEATED")
    assert "outside of an array" in _refusal("INTEGER", {"x": 1}, mode="REPEATED")


def test_records_are_read_through() -> None:
    inner = [{"name": "City", "type": "STRING"}, {"name": "zip", "type": "INTEGER"}]
    assert _one("RECORD", {"city": "Paris"}, fields=inner) == {"City": "Paris", "zip": None}
    message = _refusal("RECORD", {"x": {"zip": "x"}}, fields=inner)
    assert message == "Could not convert value to integer. Field: x.zip; Value: x"
    assert "not a record" in _refusal("RECORD", {"x": 1}, fields=inner)


def test_unknown_fields_are_named_or_passed_over() -> None:
    schema = read_schema([{"name": "x", "type": "STRING"}])
    given = [{"x": "a", "y": 1}, {"X": "b"}]

    rows, problems = arrow_rows(given, schema)
    assert rows.to_pylist() == [{"x": "b"}]
    assert [each.loading for each in problems[0]] == ["No such field: y."]
    assert [each.streaming for each in problems[0]] == ["no such field: y."]

    rows, problems = arrow_rows(given, schema, ignore_unknown=True)
    assert rows.to_pylist() == [{"x": "a"}, {"x": "b"}]
    assert not problems
