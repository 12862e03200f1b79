# ruff: noqa: E501  (a case a line)
from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError, NotFound
from google.cloud.bigquery import Client

T = "(SELECT 1 AS a, 'x' AS b)"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 1 FROM", r"Syntax error: Unexpected end of script at \[1:14\]"),
        ("SELECT 1\nFROM WHERE", r"Syntax error: Unexpected keyword WHERE at \[2:6\]"),
        ("SELECT a b c", r'Syntax error: Expected end of input but got identifier "c" at \[1:12\]'),
        ("SELECT 'x", r"Syntax error: Unclosed string literal at \[1:8\]"),
        ("SELECT '\\q'", r"Syntax error: Invalid string literal: Illegal escape sequence: \\q at \[1:8\]"),
        ("SELECT 1::INT64", r"Syntax error: .*\":\" at \[1:9\]"),
        ("SELECT 'a' ILIKE 'b'", r"Syntax error: Expected end of input but got string literal 'b'"),
        ("SELECT 1 LIMIT ALL", r"Syntax error: Unexpected keyword ALL at \[1:16\]"),
        ("SELECT DISTINCT ON (a) a FROM x", r"Syntax error"),
        ("SELECT $1", r'Syntax error: Illegal input character "\$" at \[1:8\]'),
        ("SELECT 1 UNION SELECT 2", r"Expected keyword ALL or keyword DISTINCT but got keyword SELECT at \[1:16\]"),
        ("SELECT 1 = 1 = 1", r"Syntax error: .*at \[1:14\]"),
        ("SELECT (1", r'Syntax error: Expected "\)" but got end of script at \[1:10\]'),
        (f"SELECT foo FROM {T}", r"Unrecognized name: foo at \[1:8\]"),
        ("SELECT nam FROM (SELECT 1 AS name)", r"Unrecognized name: nam; Did you mean name\? at \[1:8\]"),
        (f"SELECT t.c FROM {T} AS t", r"Name c not found inside t at \[1:10\]"),
        (f"SELECT a FROM {T} AS x, {T} AS y", r"Column name a is ambiguous at \[1:8\]"),
        (f"SELECT 1 FROM {T} AS x, {T} AS x", r"Duplicate table alias x in the same FROM clause"),
        (f"SELECT a, COUNT(*) FROM {T}", r"SELECT list expression references column a which is neither grouped nor aggregated at \[1:8\]"),
        (f"SELECT a + 1 FROM {T} GROUP BY b", r"column a which is neither grouped nor aggregated at \[1:8\]"),
        (f"SELECT 1 FROM {T} WHERE COUNT(*) > 1", r"Aggregate function COUNT not allowed in WHERE clause"),
        (f"SELECT SUM(SUM(a)) FROM {T}", r"Aggregations of aggregations are not allowed"),
        (f"SELECT a AS z FROM {T} WHERE z = 1", r"Unrecognized name: z"),
        (f"SELECT 1 FROM {T} WHERE a", r"WHERE clause should return type BOOL, but returns INT64"),
        (f"SELECT a FROM {T} ORDER BY 3", r"ORDER BY column number item is out of range\. Index must be between 1 and 1"),
        (f"SELECT a FROM {T} HAVING a > 1", r"The HAVING clause requires GROUP BY or aggregation"),
        (f"SELECT a FROM {T} QUALIFY a > 1", r"The QUALIFY clause requires analytic function"),
        ("SELECT 1 AS a, 2 AS A", r"Duplicate column names in the result are not supported"),
        ("SELECT 1 UNION ALL SELECT 'a'", r"Column 1 in UNION ALL has incompatible types: INT64, STRING"),
        ("SELECT 1 UNION ALL SELECT 1, 2", r"Queries in UNION ALL have mismatched column count; query 1 has 1 column, query 2 has 2 columns"),
        ("SELECT *", r"SELECT \* must have a FROM clause"),
        ("SELECT @x", r"Query parameter 'x' not found at \[1:8\]"),
        ("SELECT (SELECT 1, 2)", r"Scalar subquery cannot have more than one column"),
        ("SELECT [1, NULL]", r"Array cannot have a null element"),
        ("SELECT x FROM UNNEST([STRUCT(1 AS a)]) AS x GROUP BY [1]", r"Grouping by expressions of type ARRAY is not allowed"),
        (f"SELECT SUM(b) FROM {T}", r"No matching signature for aggregate function SUM for argument types: STRING\. "),
        (f"SELECT DISTINCT a FROM {T} ORDER BY LOWER(b)", r"ORDER BY clause expression references column b which is not visible after SELECT DISTINCT at \[1:65\]"),
        ("SELECT [1] = [1]", r"Equality is not defined for arguments of type ARRAY<INT64> at \[1:8\]"),
        ("SELECT JSON '1' != JSON '2'", r"Inequality is not defined for arguments of type JSON at \[1:8\]"),
        ("SELECT (1, 2) < (1, 3)", r"Less than is not defined for arguments of type STRUCT<INT64, INT64> at \[1:8\]"),
        ("SELECT EXTRACT(HOUR FROM DATE '2024-01-01')", r"EXTRACT from DATE does not support the HOUR date part at \[1:16\]"),
        ("SELECT CAST(DATE '2024-01-01' AS INT64)", r"Invalid cast from DATE to INT64 at \[1:13\]"),
        (f"SELECT SUM(a) OVER (ORDER BY a ROWS BETWEEN CURRENT ROW AND 1 PRECEDING) FROM {T}", r"Starting window framing expression cannot be CURRENT ROW when the ending window framing expression is OFFSET PRECEDING"),
        (f"SELECT SUM(a) OVER (ORDER BY a ROWS BETWEEN 1 FOLLOWING AND CURRENT ROW) FROM {T}", r"Ending window framing expression cannot be CURRENT ROW when the starting window framing expression is OFFSET FOLLOWING"),
        ("SELECT 1 FROM test-5cf9a-2x.d.t", r"Not found: Dataset test-5cf9a-2x:d"),
        ("SELECT a.b FROM (SELECT 1 AS a)", r"Cannot access field b on a value with type INT64 at \[1:10\]"),
    ],
)  # fmt: skip
def test_a_query_that_bigquery_refuses_is_refused_in_its_words(
    client: Client, query: str, message: str
) -> None:
    with pytest.raises((BadRequest, NotFound), match=message):
        client.query_and_wait(query)


@pytest.mark.parametrize(
    "query",
    [
        "FROM x |> SELECT 1",
        "SELECT BIGNUMERIC '1'",
        "SELECT 1 INTERSECT ALL SELECT 1",
        "SELECT DATE '2024-03-01' - DATE '2024-02-01'",
    ],
)
def test_a_query_that_the_stand_in_cannot_run_says_so(client: Client, query: str) -> None:
    with pytest.raises(GoogleAPICallError, match="The embedded cloud's BigQuery lacks"):
        client.query_and_wait(query)
