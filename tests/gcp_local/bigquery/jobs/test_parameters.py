from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from google.cloud.bigquery import (
    ArrayQueryParameter,
    Client,
    QueryJobConfig,
    ScalarQueryParameter,
    StructQueryParameter,
)

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.jobs.parameters import read_parameters


def _said(kind: Any, value: Any, name: str = "p") -> dict[str, Any]:
    type_ = kind if isinstance(kind, dict) else {"type": kind}
    return {"name": name, "parameterType": type_, "parameterValue": value}


def test_parameters_of_all_kinds_reach_the_query(client: Client) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
    config = QueryJobConfig(
        query_parameters=[
            ScalarQueryParameter("n", "INT64", 5),
            ScalarQueryParameter("x", "NUMERIC", Decimal("1.5")),
            ScalarQueryParameter("t", "TIMESTAMP", moment),
            ScalarQueryParameter("d", "DATE", date(2026, 1, 2)),
            ScalarQueryParameter("b", "BYTES", b"ab"),  # type: ignore[arg-type]
            ScalarQueryParameter("gone", "STRING", None),
            ArrayQueryParameter("l", "INT64", [1, 2]),
            StructQueryParameter("r", ScalarQueryParameter("y", "STRING", "z")),
        ]
    )
    text = "SELECT @n AS n, @x AS x, @t AS t, @d AS d, @b AS b, @gone AS gone, @l AS l, @r.y AS y"
    (row,) = client.query_and_wait(text, job_config=config)
    expected = (5, Decimal("1.5"), moment, date(2026, 1, 2), b"ab", None, [1, 2], "z")
    assert row.values() == expected


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([_said("INT64", {"value": "x"})], "Unparseable query parameter `p` in type `TYPE_INT64`"),
        ([_said("NUMBER", {"value": "1"})], "Invalid value for type: NUMBER"),
        ([_said("GEOGRAPHY", {"value": "1"})], "lacks parameters of the type GEOGRAPHY"),
        ([_said("INT64", {"arrayValues": []})], "does not fit its type, a single value"),
        ([_said({"type": "ARRAY", "arrayType": {"type": "INT64"}}, {"value": "1"})], "an array"),
        ([_said("INT64", {}), _said("INT64", {}, "")], "Cannot mix named and positional"),
        ([_said("INT64", {}), _said("INT64", {}, "P")], "Duplicate parameter name P"),
    ],
)
def test_parameters_that_are_none_are_refused(said: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(BigQueryError) as caught:
        read_parameters(said)
    assert message in caught.value.message


def test_the_steps_of_a_script_are_its_children(client: Client) -> None:
    job = client.query("DECLARE x INT64 DEFAULT 2; SELECT x AS a; SELECT x * 2 AS b;")
    assert [row.values() for row in job.result()] == [(4,)]
    job.reload()
    assert job.statement_type == "SCRIPT"
    children = list(client.list_jobs(parent_job=job))
    assert len(children) == job.num_child_jobs >= 2
    assert [row.values() for row in children[0].result()] == [(4,)]
    assert {child.parent_job_id for child in children} == {job.job_id}
    assert [each.job_id for each in client.list_jobs()] == [job.job_id]
