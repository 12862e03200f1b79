from __future__ import annotations

import math
import re
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud.bigquery import Client

from gcp_local.bigquery.sql.queries.functions.calls import functions
from tests.gcp_local.bigquery.functions import CHAPTERS


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_functions_give_what_the_reference_says(client: Client, chapter: str) -> None:
    """All of a chapter in one query: many columns of one row."""
    cases = CHAPTERS[chapter]
    columns = ", ".join(f"{expression} AS x{at}" for at, (expression, _) in enumerate(cases))
    (row,) = client.query_and_wait(f"SELECT {columns}")

    wrong = [
        (expression, found, wanted)
        for (expression, wanted), found in zip(cases, row.values(), strict=True)
        if not _same(found, wanted)
    ]
    assert wrong == []


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float) and isinstance(found, float):
        return math.isclose(found, wanted, rel_tol=1e-12) or found == wanted
    return type(found) is type(wanted) and bool(found == wanted)


def test_every_function_that_is_there_has_an_example() -> None:
    said = " ".join(expression for cases in CHAPTERS.values() for expression, _ in cases).upper()
    missing = [name for name in functions() if not re.search(rf"\b{re.escape(name)}\(", said)]

    assert missing == []
    assert len(functions()) > 200


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("FOO(1)", r"Function not found: FOO at \[1:8\]"),
        (
            "ABS('x')",
            r"No matching signature for function ABS for argument types: STRING\. .*\[1:8\]",
        ),
        ("SUBSTR('a')", r"No matching signature for function SUBSTR for argument types: STRING"),
        ("1 + 'a'", r"No matching signature for operator \+ for argument types: INT64, STRING"),
        (
            "1 = 'a'",
            r"No matching signature for operator = .* Supported signature: ANY = ANY at \[1:8\]",
        ),
        ("1 / 0", "division by zero: 1 / 0"),
        ("MOD(1, 0)", r"division by zero: MOD\(1, 0\)"),
        ("9223372036854775807 + 1", r"int64 overflow: 9223372036854775807 \+ 1"),
        ("9223372036854775808", "Invalid integer literal: 9223372036854775808"),
        ("CAST('x' AS INT64)", "Bad int64 value: x"),
        ("CAST('x' AS FLOAT64)", "Bad double value: x"),
        ("CAST('2020-13-01' AS DATE)", "Invalid date: '2020-13-01'"),
        ("DATE '2020-13-01'", r"Invalid date literal at \[1:8\]"),
        ("CAST(DATE '2020-01-01' AS INT64)", "Invalid cast from DATE to INT64"),
        ("CAST(1 AS FOO)", r"Type not found: FOO at \[1:18\]"),
        (
            "DATE_ADD(DATE '2020-01-01', INTERVAL 1 HOUR)",
            "DATE_ADD does not support the HOUR date part",
        ),
        (
            "TIMESTAMP_TRUNC(CURRENT_TIMESTAMP(), BLUE)",
            "A valid date part name is required but found BLUE",
        ),
        ("REGEXP_CONTAINS('a', '(')", "Cannot parse regular expression"),
        ("REGEXP_EXTRACT('a', '(a)(b)')", "must not have more than 1 capturing group"),
        ("[1, 2][OFFSET(2)]", r"Array index 2 is out of bounds"),
        ("[1, 'a']", r"Array elements of types \{INT64, STRING\} do not have a common supertype"),
        ("[[1]]", "nested arrays are not supported"),
        ("JSON_VALUE('{}', 'a')", r"JSONPath must start with '\$'"),
        ("ROW_NUMBER()", "cannot be called without an OVER clause"),
        ("ERROR('my own words')", "my own words"),
        ("FORMAT('%d')", "too few arguments to FORMAT"),
        ("(SELECT 1 UNION ALL SELECT 2)", "Scalar subquery produced more than one element"),
        (
            "IF(1, 2, 3)",
            r"No matching signature for function IF for argument types: INT64, INT64, INT64",
        ),
        ("CASE WHEN TRUE THEN 1 ELSE 'a' END", "No matching signature for operator CASE"),
    ],
)
def test_what_bigquery_refuses_is_refused_in_its_words(
    client: Client, expression: str, message: str
) -> None:
    with pytest.raises(BadRequest, match=message):
        client.query_and_wait(f"SELECT {expression}")


@pytest.mark.parametrize(
    "expression", ["ST_GEOGPOINT(1, 2)", "NET.HOST('x')", "JSON_SET(JSON '{}', '$.a', 1)"]
)
def test_what_the_stand_in_has_not_says_so(client: Client, expression: str) -> None:
    with pytest.raises(
        GoogleAPICallError, match="The embedded cloud's BigQuery lacks the function"
    ):
        client.query_and_wait(f"SELECT {expression}")
