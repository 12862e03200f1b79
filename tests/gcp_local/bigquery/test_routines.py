from __future__ import annotations

import re
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud.bigquery import (
    Client,
    Dataset,
    Routine,
    RoutineArgument,
    StandardSqlDataType,
    StandardSqlTypeNames,
)

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


def routine(dataset: Dataset, name: str, **said: Any) -> Routine:
    made = Routine(f"{dataset.project}.{dataset.dataset_id}.{name}")
    for field, value in {"type_": "SCALAR_FUNCTION", "language": "SQL", **said}.items():
        setattr(made, field, value)
    return made


def test_a_function_is_kept(client: Client, dataset: Dataset) -> None:
    number = StandardSqlDataType(StandardSqlTypeNames.INT64)
    wanted = routine(
        dataset,
        "twice",
        arguments=[RoutineArgument(name="x", data_type=number)],
        return_type=number,
        body="x * 2",
        description="Double it.",
    )
    made = client.create_routine(wanted)
    kept = client.get_routine(made)

    assert (kept.body, kept.description, kept.type_) == ("x * 2", "Double it.", "SCALAR_FUNCTION")
    assert kept.arguments == wanted.arguments
    assert kept.return_type == number
    assert (kept.etag, kept.created) == (made.etag, made.created)
    with pytest.raises(Conflict, match="Already Exists: Routine"):
        client.create_routine(wanted)
    assert client.create_routine(wanted, exists_ok=True).etag == made.etag


def test_routines_are_listed_changed_and_deleted(
    client: Client, dataset: Dataset, rest: Rest
) -> None:
    client.create_routine(routine(dataset, "one", body="1"))
    client.create_routine(
        routine(dataset, "rows", type_="TABLE_VALUED_FUNCTION", body="SELECT 1 AS n")
    )
    client.create_routine(routine(dataset, "steps", type_="PROCEDURE", body="SELECT 1;"))
    path = f"/datasets/{dataset.dataset_id}/routines"

    assert [(each.routine_id, each.type_) for each in client.list_routines(dataset)] == [
        ("one", "SCALAR_FUNCTION"), ("rows", "TABLE_VALUED_FUNCTION"), ("steps", "PROCEDURE"),
    ]  # fmt: skip
    some = rest("GET", path, params={"filter": "routineType:PROCEDURE", "readMask": "etag"}).json()
    assert [each.keys() for each in some["routines"]] == [{"routineReference", "etag"}]
    one = client.get_routine(f"{dataset.dataset_id}.one")
    other = client.get_routine(f"{dataset.dataset_id}.one")
    one.body = "2"
    with pytest.raises(BadRequest, match="Required parameter is missing: routineType"):
        client.update_routine(one, ["body"])
    assert client.update_routine(one, ["body", "type_", "language"]).body == "2"
    other.body = "3"
    with pytest.raises(PreconditionFailed):
        client.update_routine(other, ["body", "type_", "language"])
    client.delete_routine(one)
    with pytest.raises(NotFound, match=f"Not found: Routine {client.project}:"):
        client.get_routine(one)


def test_a_body_that_is_no_sql_is_refused(client: Client, dataset: Dataset) -> None:
    for body, message in {
        "1 +": "Syntax error",
        "1); DROP SCHEMA x; SELECT (1": "holds more than a routine's body",
    }.items():
        with pytest.raises(BadRequest, match=message):
            client.create_routine(routine(dataset, "broken", body=body))
    assert list(client.list_routines(dataset)) == []
