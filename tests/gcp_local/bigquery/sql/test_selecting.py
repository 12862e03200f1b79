# ruff: noqa: E501  (a case a line)
from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from google.cloud.bigquery import ArrayQueryParameter, Client, QueryJobConfig, ScalarQueryParameter

SALES = """(
  SELECT 'apple' AS item, 'north' AS region, 3 AS n UNION ALL SELECT 'apple', 'south', 4
  UNION ALL SELECT 'pear', 'north', 5)"""


def values(client: Client, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    config = QueryJobConfig(query_parameters=list(parameters))
    return [tuple(row.values()) for row in client.query_and_wait(query, job_config=config)]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (f"SELECT item, SUM(n) AS s FROM {SALES} GROUP BY item ORDER BY s DESC", [("apple", 7), ("pear", 5)]),
        (f"SELECT UPPER(item) AS item FROM {SALES} GROUP BY item ORDER BY 1", [("APPLE",), ("PEAR",)]),
        (f"SELECT item, SUM(n) FROM {SALES} GROUP BY ALL HAVING SUM(n) > 5", [("apple", 7)]),
        (f"SELECT item, region, SUM(n) FROM {SALES} GROUP BY ROLLUP (item, region) ORDER BY 3 DESC LIMIT 1", [(None, None, 12)]),
        (f"SELECT item, SUM(n) FROM {SALES} GROUP BY GROUPING SETS (item, ()) ORDER BY 2", [("pear", 5), ("apple", 7), (None, 12)]),
        (f"SELECT item, n FROM {SALES} QUALIFY ROW_NUMBER() OVER (PARTITION BY item ORDER BY n DESC) = 1 ORDER BY n", [("apple", 4), ("pear", 5)]),
        (f"SELECT * FROM {SALES} PIVOT (SUM(n) FOR region IN ('north', 'south' AS s)) ORDER BY item", [("apple", 3, 4), ("pear", 5, None)]),
        ("SELECT * FROM (SELECT 1 AS q1, 2 AS q2) UNPIVOT (n FOR q IN (q1, q2)) ORDER BY n", [(1, "q1"), (2, "q2")]),
        ("SELECT x FROM UNNEST([1, 2, 3]) AS x EXCEPT DISTINCT SELECT 2 ORDER BY x", [(1,), (3,)]),
        ("SELECT a.x, b.y FROM UNNEST([STRUCT(1 AS x)]) AS a FULL JOIN UNNEST([STRUCT(2 AS y)]) AS b ON a.x = b.y ORDER BY x", [(None, 2), (1, None)]),
        ("SELECT x FROM (SELECT 1 AS x) JOIN (SELECT 1 AS x) USING (x)", [(1,)]),
        ("SELECT x FROM UNNEST([2, NULL, 1]) AS x ORDER BY x", [(None,), (1,), (2,)]),
        ("SELECT x FROM UNNEST([2, NULL, 1]) AS x ORDER BY x DESC", [(2,), (1,), (None,)]),
        ("SELECT x FROM UNNEST([2, NULL, 1]) AS x ORDER BY x NULLS LAST LIMIT 1 OFFSET 2", [(None,)]),
        ("SELECT NULL UNION ALL SELECT 'a' ORDER BY 1", [(None,), ("a",)]),
        ("SELECT 1 UNION ALL SELECT 2.5 ORDER BY 1", [(1.0,), (2.5,)]),
        ("SELECT AS STRUCT 1 AS a, 'x' AS b", [(1, "x")]),
        ("SELECT t FROM (SELECT 1 AS a) AS t", [({"a": 1},)]),
        ("SELECT x FROM UNNEST([1, 2]) AS x WHERE EXISTS (SELECT 1 FROM UNNEST([2]) AS y WHERE y = x)", [(2,)]),
        ("SELECT SUM(x) OVER w FROM UNNEST([1, 2]) AS x WINDOW w AS (ORDER BY x) ORDER BY 1", [(1,), (3,)]),
        ("SELECT SUM(CAST(x AS NUMERIC)) / 3 FROM UNNEST([1]) AS x", [(Decimal("0.333333333"),)]),
        ("SELECT COUNT(*), SUM(x), ARRAY_AGG(x) FROM UNNEST(ARRAY<INT64>[]) AS x", [(0, None, [])]),
        ("SELECT COUNTIF(x > 1), COUNTIF(NULL) FROM UNNEST([CAST(NULL AS INT64)]) AS x", [(0, 0)]),
        ("SELECT x FROM UNNEST([1.0, CAST('nan' AS FLOAT64), 3.0]) AS x WHERE x > 1", [(3.0,)]),
        ("SELECT x > 1, x >= 1, x < 1, 1 < x, 1 <= x, x = x, x != x, x BETWEEN 1 AND x FROM UNNEST([CAST('nan' AS FLOAT64)]) AS x", [(False, False, False, False, False, False, True, False)]),
        ("SELECT CAST(MIN(x) AS STRING), CAST(MAX(x) AS STRING), MIN(IF(x > 0, x, NULL)), MIN(IF(x > 9, x, NULL)) FROM UNNEST([2.0, CAST('nan' AS FLOAT64), 1.0]) AS x", [("nan", "nan", 1.0, None)]),
        ("SELECT MIN(x) OVER (ORDER BY x ROWS 1 PRECEDING) FROM UNNEST([1.0, 2.0]) AS x ORDER BY x", [(1.0,), (1.0,)]),
        ("SELECT CAST(DATE '2024-03-01' - DATE '2024-02-01' AS STRING)", [("0-0 29 0:0:0",)]),
    ],
)  # fmt: skip
def test_queries_give_what_bigquery_gives(
    client: Client, query: str, rows: list[tuple[Any, ...]]
) -> None:
    assert values(client, query) == rows


def test_columns_without_names_are_numbered(client: Client) -> None:
    found = client.query_and_wait("SELECT 1, 2 AS b, 'x', NULL, STRUCT(1, 'a' AS y)")

    names = [(field.name, field.field_type, field.mode) for field in found.schema]
    assert names == [
        ("f0_", "INTEGER", "NULLABLE"),
        ("b", "INTEGER", "NULLABLE"),
        ("f1_", "STRING", "NULLABLE"),
        ("f2_", "INTEGER", "NULLABLE"),
        ("f3_", "RECORD", "NULLABLE"),
    ]
    assert [field.name for field in found.schema[4].fields] == ["_field_1", "y"]


def test_parameters_stand_for_values(client: Client) -> None:
    query = "SELECT @n + 1, @s || '!', x FROM UNNEST(@xs) AS x WHERE x > @n"
    found = values(
        client, query, ScalarQueryParameter("n", "INT64", 1), ScalarQueryParameter("s", "STRING", "it's"),
        ArrayQueryParameter("xs", "INT64", [1, 2]),
    )  # fmt: skip

    assert found == [(2, "it's!", 2)]
    positional = [
        ScalarQueryParameter(None, "INT64", 2),
        ScalarQueryParameter(None, "DATE", "2020-01-02"),
    ]
    assert (
        str(values(client, "SELECT ? * 2, DATE_ADD(?, INTERVAL 1 DAY)", *positional)[0][1])
        == "2020-01-03"
    )


def test_a_function_of_the_users_is_called(client: Client) -> None:
    query = "CREATE TEMP FUNCTION twice(x INT64) AS (x * 2); SELECT twice(twice(n)) AS n FROM UNNEST([5]) AS n"
    assert values(client, query) == [(20,)]
