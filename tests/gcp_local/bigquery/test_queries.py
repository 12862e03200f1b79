from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest
from google.cloud.bigquery import Client


def test_a_query_gives_rows_with_their_types(client: Client) -> None:
    (row,) = client.query_and_wait("SELECT 1 AS one, 'a' AS letter, TRUE AS yes, [1, 2] AS list")

    assert dict(row) == {"one": 1, "letter": "a", "yes": True, "list": [1, 2]}


def test_a_syntax_error_names_line_and_column(client: Client) -> None:
    with pytest.raises(BadRequest, match=r"Syntax error: .* at \[1:\d+\]"):
        client.query_and_wait("SELECT FROM WHERE")
