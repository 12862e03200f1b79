from __future__ import annotations

import re
from typing import Any

import pytest
from google.cloud.bigquery import Dataset

from tests.gcp_local.bigquery.conftest import Rest


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"routineReference": {"routineId": "1st"}}, 400, 'Invalid routine ID "1st"'),
        ({"routineType": None}, 400, "Required parameter is missing: routineType"),
        ({"definitionBody": " "}, 400, "Required parameter is missing: definitionBody"),
        ({"language": "JAVASCRIPT"}, 501, "lacks routines in JAVASCRIPT"),
        ({"language": "PYTHON"}, 501, "lacks routines in PYTHON"),
        ({"routineType": "AGGREGATE_FUNCTION"}, 501, "lacks routines of the type AGGREGATE"),
        ({"remoteFunctionOptions": {"endpoint": "x"}}, 501, "lacks remote functions"),
        ({"arguments": [{"name": "a b"}]}, 400, r"Invalid name in arguments\[0\]: 'a b'"),
        (
            {"arguments": [{"name": "x"}]},
            400,
            r"Required parameter is missing: arguments\[0\]\.dataType\.typeKind",
        ),
        (
            {"arguments": [{"name": "x", "argumentKind": "ANY_TABLE"}]},
            501,
            "lacks arguments that are tables",
        ),
        ({"returnTableType": {"columns": []}}, 400, "A SCALAR_FUNCTION has no returnTableType"),
    ],
)
def test_a_routine_that_cannot_be_kept_is_refused(
    rest: Rest, dataset: Dataset, body: dict[str, Any], code: int, message: str
) -> None:
    whole = {
        "routineReference": {"routineId": "twice"},
        "routineType": "SCALAR_FUNCTION",
        "definitionBody": "x * 2",
    }
    path = f"/datasets/{dataset.dataset_id}/routines"
    error = rest.error("POST", path, {**whole, **body})

    assert error["code"] == code, error
    assert re.search(message, error["message"]), error
    assert rest("GET", path).json() == {}
