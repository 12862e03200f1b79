from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud.bigquery import (
    Client,
    Dataset,
    PartitionRange,
    RangePartitioning,
    SchemaField,
    Table,
    TimePartitioning,
    TimePartitioningType,
)
from google.cloud.bigquery.table import (
    ColumnReference,
    ForeignKey,
    PrimaryKey,
    TableConstraints,
)

from tests.gcp_local.bigquery.conftest import Rest

PEOPLE = [
    SchemaField("name", "STRING", mode="REQUIRED", description="What they are called."),
    SchemaField("age", "INT64"),
    SchemaField("scores", "FLOAT64", mode="REPEATED"),
    SchemaField("address", "STRUCT", fields=[SchemaField("city", "STRING")]),
    SchemaField("born", "DATE"),
    SchemaField("seen", "TIMESTAMP"),
]


@pytest.fixture
def table(client: Client, dataset: Dataset) -> Table:
    return client.create_table(Table(dataset.table("people"), schema=PEOPLE))


@pytest.fixture
def path(dataset: Dataset) -> str:
    return f"/datasets/{dataset.dataset_id}/tables"


def test_a_new_table_is_described_as_bigquery_does(client: Client, table: Table) -> None:
    kept = client.get_table(table)

    assert [(field.name, field.field_type, field.mode) for field in kept.schema] == [
        ("name", "STRING", "REQUIRED"), ("age", "INTEGER", "NULLABLE"),
        ("scores", "FLOAT", "REPEATED"), ("address", "RECORD", "NULLABLE"),
        ("born", "DATE", "NULLABLE"), ("seen", "TIMESTAMP", "NULLABLE"),
    ]  # fmt: skip
    assert kept.schema[0].description == "What they are called."
    assert (kept.table_type, kept.location) == ("TABLE", "US")
    assert (kept.num_rows, kept.num_bytes) == (0, 0)
    assert kept.full_table_id == f"{table.project}:{table.dataset_id}.people"
    assert kept.etag == table.etag
    assert kept.streaming_buffer is None
    assert kept.expires is None


def test_a_table_needs_its_dataset_and_a_name_of_its_own(client: Client, table: Table) -> None:
    with pytest.raises(Conflict, match=f"Already Exists: Table {table.full_table_id}"):
        client.create_table(table)
    assert client.create_table(table, exists_ok=True).etag == table.etag
    with pytest.raises(NotFound, match=f"Not found: Dataset {client.project}:nowhere"):
        client.create_table(f"{client.project}.nowhere.people")
    with pytest.raises(NotFound, match=rf"Not found: Table {client.project}:{table.dataset_id}.x"):
        client.get_table(f"{table.dataset_id}.x")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"tableReference": {"tableId": "a/b"}}, 'Invalid table ID "a/b"'),
        ({"tableReference": {"tableId": "a$20240101"}}, "Table decorators cannot be used"),
        ({"tableReference": {"tableId": "é" * 513}}, "at most 1024 characters"),
        ({"tableReference": {}}, "Required parameter is missing: tableId"),
        ({"tableReference": {"tableId": "a", "datasetId": "b"}}, "does not agree with value"),
        ({"schema": {"fields": [{"name": "1st", "type": "STRING"}]}}, 'Invalid field name "1st"'),
        ({"schema": {"fields": [{"name": "a", "type": "TEXT"}]}}, "Invalid value for type: TEXT"),
        (
            {"schema": {"fields": [{"name": "_PARTITION_x", "type": "STRING"}]}},
            "Field names are not allowed to start with",
        ),
        (
            {
                "schema": {
                    "fields": [{"name": "a", "type": "STRING"}, {"name": "A", "type": "STRING"}]
                }
            },
            "Duplicate field names in schema: A",
        ),
        (
            {"schema": {"fields": [{"name": "a", "type": "INT64", "maxLength": "3"}]}},
            "only STRING and BYTES have a maxLength",
        ),
        (
            {"schema": {"fields": [{"name": "a", "type": "NUMERIC", "precision": "39"}]}},
            "NUMERIC has a scale from 0 to 9",
        ),
        (
            {"schema": {"fields": [{"name": "a", "type": "INT64", "scale": "1"}]}},
            "only numerics have a precision",
        ),
        ({"timePartitioning": {"type": "WEEK"}}, "Invalid value for timePartitioning.type: WEEK"),
        ({"timePartitioning": {}}, "Required parameter is missing: timePartitioning.type"),
        (
            {"timePartitioning": {"type": "DAY", "field": "day"}},
            "The field specified for partitioning cannot be found in the schema",
        ),
        (
            {"timePartitioning": {"type": "DAY", "field": "text"}},
            "can only be of type DATE, TIMESTAMP, DATETIME. The type found is: STRING",
        ),
        (
            {"timePartitioning": {"type": "HOUR", "field": "date"}},
            "can only be of type TIMESTAMP, DATETIME. The type found is: DATE",
        ),
        (
            {
                "rangePartitioning": {
                    "field": "text",
                    "range": {"start": 0, "end": 1, "interval": 1},
                }
            },
            "can only be of type INTEGER. The type found is: STRING",
        ),
        (
            {"rangePartitioning": {"field": "n", "range": {"start": 1, "end": 1, "interval": 1}}},
            "start must be below end",
        ),
        (
            {
                "rangePartitioning": {
                    "field": "n",
                    "range": {"start": 0, "end": 10_001, "interval": 1},
                }
            },
            "more than 10000 partitions",
        ),
        (
            {"rangePartitioning": {"field": "n", "range": {"start": 0, "end": 1}}},
            "Required parameter is missing: rangePartitioning.range.interval",
        ),
        (
            {
                "timePartitioning": {"type": "DAY"},
                "rangePartitioning": {
                    "field": "n",
                    "range": {"start": 0, "end": 9, "interval": 1},
                },
            },
            "Cannot specify both",
        ),
        ({"requirePartitionFilter": True}, "only for a partitioned table"),
        ({"clustering": {"fields": ["x"]}}, "clustering cannot be found in the schema"),
        (
            {"clustering": {"fields": ["ratio"]}},
            "Field ratio has type FLOAT64, which is not supported for clustering",
        ),
        ({"clustering": {"fields": ["n", "N"]}}, "Clustering names a field twice"),
        ({"clustering": {"fields": []}}, "Clustering takes from 1 to 4 fields"),
        ({"expirationTime": "1"}, "Invalid value for expirationTime: 1 is in the past"),
        ({"labels": {"A": "b"}}, "Invalid label key 'A'"),
        ({"tableConstraints": {"primaryKey": {"columns": ["x"]}}}, "The column 'x' of a"),
        ({"numRows": "1", "colour": "red"}, 'Unknown name "colour"'),
        ({"view": {"query": ""}}, "Required parameter is missing: view.query"),
    ],
)
def test_a_table_that_bigquery_would_refuse_is_refused(
    rest: Rest, path: str, body: dict[str, Any], message: str
) -> None:
    columns = {"text": "STRING", "date": "DATE", "n": "INT64", "ratio": "FLOAT64"}
    fields = [{"name": name, "type": kind} for name, kind in columns.items()]
    whole: dict[str, Any] = {"tableReference": {"tableId": "t"}, "schema": {"fields": fields}}
    if "view" in body:
        del whole["schema"]
    error = rest.error("POST", path, {**whole, **body})

    assert error["code"] == 400
    assert re.search(message, error["message"]), error["message"]
    assert rest("GET", path).json()["totalItems"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"externalDataConfiguration": {"sourceUris": ["gs://b/x"], "sourceFormat": "CSV"}},
        {"encryptionConfiguration": {"kmsKeyName": "k"}},
        {"schema": {"foreignTypeInfo": {"typeSystem": "HIVE"}}},
        {"materializedView": {"query": "SELECT 1"}},
        {"view": {"query": "SELECT 1"}},
        {"schema": {"fields": [{"name": "a", "type": "GEOGRAPHY"}]}},
        {"schema": {"fields": [{"name": "a", "type": "STRING", "policyTags": {"names": ["x"]}}]}},
    ],
)
def test_what_the_stand_in_lacks_it_says(rest: Rest, path: str, body: dict[str, Any]) -> None:
    error = rest.error("POST", path, {"tableReference": {"tableId": "t"}, **body})

    assert error["code"] == 501
    assert error["message"].startswith("The embedded cloud's BigQuery lacks ")


def test_columns_may_be_added_and_relaxed(client: Client, table: Table) -> None:
    client.update_table(table, ["schema"])
    table = client.get_table(table)
    table.schema = [
        SchemaField("name", "STRING", description="Their name."),
        *table.schema[1:3],
        SchemaField("address", "RECORD", fields=[
            SchemaField("city", "STRING"), SchemaField("zip", "STRING", mode="REPEATED"),
        ]),
        *table.schema[4:],
        SchemaField("email", "STRING"),
    ]  # fmt: skip
    changed = client.update_table(table, ["schema"])

    assert changed.schema[0].mode == "NULLABLE"
    assert changed.schema[0].description == "Their name."
    assert [field.name for field in changed.schema[3].fields] == ["city", "zip"]
    assert changed.schema[-1].name == "email"
    assert client.get_table(table).schema == changed.schema


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (PEOPLE[1:], "Field name is missing in new schema"),
        (
            [*PEOPLE, SchemaField("email", "STRING", mode="REQUIRED")],
            r"Cannot add required fields to an existing schema. \(field: email\)",
        ),
        (
            [PEOPLE[0], SchemaField("age", "STRING"), *PEOPLE[2:]],
            "Field age has changed type from INTEGER to STRING",
        ),
        (
            [PEOPLE[0], SchemaField("age", "INT64", mode="REQUIRED"), *PEOPLE[2:]],
            "Field age has changed mode from NULLABLE to REQUIRED",
        ),
        (
            [*PEOPLE[:3], SchemaField("address", "RECORD", fields=[PEOPLE[1]]), *PEOPLE[4:]],
            "Field address.city is missing in new schema",
        ),
    ],
)
def test_columns_may_not_change_otherwise(
    client: Client, table: Table, columns: list[SchemaField], message: str
) -> None:
    table.schema = columns

    complaint = f"Provided Schema does not match Table {table.full_table_id}. "
    with pytest.raises(BadRequest, match=complaint + message):
        client.update_table(table, ["schema"])


def test_a_table_may_be_partitioned_by_time(client: Client, dataset: Dataset, rest: Rest) -> None:
    wanted = Table(dataset.table("events"), schema=PEOPLE)
    wanted.time_partitioning = TimePartitioning(TimePartitioningType.MONTH, field="BORN")
    wanted.require_partition_filter = True
    wanted.clustering_fields = ["name", "age"]
    kept = client.create_table(wanted)

    assert (kept.time_partitioning.type_, kept.time_partitioning.field) == ("MONTH", "born")
    assert kept.require_partition_filter is True
    assert kept.clustering_fields == ["name", "age"]
    kept.time_partitioning = TimePartitioning(TimePartitioningType.MONTH, "born", 86_400_000)
    kept.clustering_fields = ["seen"]
    kept.require_partition_filter = False
    changed = client.update_table(
        kept, ["time_partitioning", "clustering_fields", "require_partition_filter"]
    )
    assert changed.time_partitioning.expiration_ms == 86_400_000
    assert (changed.clustering_fields, changed.require_partition_filter) == (["seen"], False)
    said = {"timePartitioning": {"requirePartitionFilter": True, "expirationMs": None}}
    path = f"/datasets/{dataset.dataset_id}/tables/events"
    answer = rest("PATCH", path, said).json()
    assert answer["requirePartitionFilter"] is True
    assert answer["timePartitioning"] == {"type": "MONTH", "field": "born"}
    changed = client.get_table(changed)
    changed.time_partitioning = TimePartitioning(TimePartitioningType.DAY, field="born")
    with pytest.raises(BadRequest, match="Cannot change partitioning spec"):
        client.update_table(changed, ["time_partitioning"])


def test_a_table_may_be_partitioned_by_ranges(client: Client, dataset: Dataset) -> None:
    wanted = Table(dataset.table("events"), schema=PEOPLE)
    wanted.range_partitioning = RangePartitioning(PartitionRange(0, 100, 10), field="age")
    kept = client.create_table(wanted)

    assert kept.range_partitioning == wanted.range_partitioning
    plain = client.create_table(Table(dataset.table("plain"), schema=PEOPLE))
    plain.range_partitioning = wanted.range_partitioning
    message = "Cannot convert non partitioned/clustered table to partitioned/clustered table"
    with pytest.raises(BadRequest, match=message):
        client.update_table(plain, ["range_partitioning"])


def test_a_tables_texts_labels_and_constraints_are_kept(client: Client, table: Table) -> None:
    table.description, table.friendly_name = "Who there is.", "People"
    table.labels = {"team": "growth"}
    table.table_constraints = TableConstraints(
        PrimaryKey(["name"]),
        [ForeignKey("home", table.reference, [ColumnReference("age", "age")])],
    )
    names = ["description", "friendly_name", "labels", "table_constraints"]
    client.update_table(table, names)
    kept = client.get_table(table)

    assert (kept.description, kept.friendly_name) == ("Who there is.", "People")
    assert kept.labels == {"team": "growth"}
    constraints = kept.table_constraints
    assert constraints is not None
    assert constraints.primary_key == PrimaryKey(["name"])
    assert constraints.foreign_keys is not None
    assert constraints.foreign_keys[0].referenced_table == table.reference
    kept.labels = {"team": None}
    kept.description = None
    kept = client.update_table(kept, ["labels", "description"])
    assert (kept.labels, kept.description, kept.friendly_name) == ({}, None, "People")


def test_an_update_of_a_state_that_is_past_is_refused(client: Client, table: Table) -> None:
    other = client.get_table(table)
    other.description = "theirs"
    client.update_table(other, ["description"])
    table.description = "mine"

    with pytest.raises(PreconditionFailed, match="Precondition check failed"):
        client.update_table(table, ["description"])


def test_a_table_expires(client: Client, table: Table, rest: Rest, path: str) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    table.expires = soon
    kept = client.update_table(table, ["expires"])

    assert abs(kept.expires - soon) < timedelta(milliseconds=1)
    kept.expires = None
    assert client.update_table(kept, ["expires"]).expires is None
    error = rest.error("PATCH", f"{path}/people", {"expirationTime": "1000"})
    assert error["message"] == "Invalid value for expirationTime: 1000 is in the past."


def test_a_dataset_gives_its_tables_an_end(client: Client, dataset: Dataset) -> None:
    dataset.default_table_expiration_ms = 3_600_000
    dataset.default_partition_expiration_ms = 7_200_000
    client.update_dataset(
        dataset, ["default_table_expiration_ms", "default_partition_expiration_ms"]
    )
    plain = client.create_table(Table(dataset.table("plain"), schema=PEOPLE))
    wanted = Table(dataset.table("events"), schema=PEOPLE)
    wanted.time_partitioning = TimePartitioning(field="born")
    parted = client.create_table(wanted)

    assert abs(plain.expires - plain.created - timedelta(hours=1)) < timedelta(seconds=1)
    assert parted.expires is None
    assert parted.time_partitioning.expiration_ms == 7_200_000


def test_tables_are_listed_in_pages(client: Client, dataset: Dataset) -> None:
    for name in ("c", "a", "b"):
        wanted = Table(dataset.table(name), schema=PEOPLE)
        wanted.time_partitioning = TimePartitioning(field="born")
        wanted.labels = {"name": name}
        client.create_table(wanted)
    pages = list(client.list_tables(dataset, page_size=2).pages)
    items = [item for page in pages for item in page]

    assert [page.num_items for page in pages] == [2, 1]
    assert [item.table_id for item in items] == ["a", "b", "c"]
    assert items[0].labels == {"name": "a"}
    assert items[0].time_partitioning.field == "born"
    assert items[0].table_type == "TABLE"
    with pytest.raises(NotFound, match="Not found: Dataset"):
        list(client.list_tables("nowhere"))


def test_a_table_is_deleted_once(client: Client, table: Table) -> None:
    client.delete_table(table)

    with pytest.raises(NotFound, match=f"Not found: Table {table.full_table_id}"):
        client.delete_table(table)
    client.delete_table(table, not_found_ok=True)
    assert client.create_table(table).created > table.created


def test_a_put_keeps_nothing_that_it_does_not_say(rest: Rest, path: str) -> None:
    fields = [{"name": "a", "type": "STRING"}]
    made = {"tableReference": {"tableId": "t"}, "schema": {"fields": fields}, "description": "x"}
    rest("POST", path, made)
    after = rest("PUT", f"{path}/t", {"schema": {"fields": fields}, "friendlyName": "T"}).json()

    assert (after["friendlyName"], after["type"]) == ("T", "TABLE")
    assert "description" not in after
    message = rest.error("PUT", f"{path}/t", {"friendlyName": "T"})["message"]
    assert "Field a is missing in new schema" in message


def test_parts_of_a_table_can_be_asked_for(rest: Rest, path: str) -> None:
    fields = [{"name": "a", "type": "STRING"}, {"name": "b", "type": "INT64"}]
    rest("POST", path, {"tableReference": {"tableId": "t"}, "schema": {"fields": fields}})
    basic = rest("GET", f"{path}/t", params={"view": "BASIC"}).json()
    some = rest("GET", f"{path}/t", params={"selectedFields": "b"}).json()
    partial = rest("GET", f"{path}/t", params={"fields": "schema/fields/name,numRows"}).json()

    assert "numRows" not in basic
    assert [field["name"] for field in some["schema"]["fields"]] == ["b"]
    assert partial == {"schema": {"fields": [{"name": "a"}, {"name": "b"}]}, "numRows": "0"}
    error = rest.error("GET", f"{path}/t", params={"fields": "schema/colour"})
    assert error["message"] == "Invalid field selection schema/colour"


def test_a_view_has_the_columns_of_its_query(client: Client, dataset: Dataset) -> None:
    view = Table(dataset.table("numbers"))
    view.view_query = "SELECT 1 AS one, 'a' AS letter"
    made = client.create_table(view)

    assert made.table_type == "VIEW"
    assert made.view_query == view.view_query
    assert made.view_use_legacy_sql is False
    assert [(field.name, field.field_type) for field in made.schema] == [
        ("one", "INTEGER"), ("letter", "STRING"),
    ]  # fmt: skip
    made.schema = [SchemaField("one", "INTEGER", description="The first."), made.schema[1]]
    made = client.update_table(made, ["schema"])
    assert made.schema[0].description == "The first."
    made.view_query = "SELECT 2 AS two"
    changed = client.update_table(made, ["view_query"])
    assert [field.name for field in changed.schema] == ["two"]
    (item,) = client.list_tables(dataset)
    assert (item.table_type, item.view_use_legacy_sql) == ("VIEW", False)


def test_a_view_that_cannot_be_read_is_refused(
    client: Client, dataset: Dataset, table: Table
) -> None:
    for query, message in {
        "SELECT FROM": "Syntax error",
        f"SELECT * FROM {dataset.dataset_id}.nowhere": "Not found: Table",
        "SELECT 1 AS a; SELECT 2 AS b": "Syntax error",
        "CREATE TABLE x (a INT64)": "Syntax error",
        "SELECT 1 AS a, 2 AS a": "Duplicate",
        "SELECT 1 AS a, 2": "CREATE VIEW columns must be named, but column 2 has no name",
    }.items():
        view = Table(dataset.table("broken"))
        view.view_query = query
        with pytest.raises((BadRequest, NotFound), match=message):
            client.create_table(view)
    view = Table(dataset.table("typed"), schema=PEOPLE)
    view.view_query = "SELECT 1 AS one"
    with pytest.raises(BadRequest, match="Schema field shouldn't be used as input with a view"):
        client.create_table(view)
    table.view_query = "SELECT 1 AS one"
    with pytest.raises(BadRequest, match="Cannot convert a TABLE to a VIEW"):
        client.update_table(table, ["view_query"])


def test_a_view_reads_tables_and_views_but_never_itself(
    client: Client, dataset: Dataset, table: Table
) -> None:
    client.insert_rows_json(table, [{"name": "Anna", "age": 41}, {"name": "Ben", "age": 3}])
    home = dataset.dataset_id
    grown = Table(dataset.table("grown"))
    grown.view_query = f"SELECT name, age FROM {home}.people WHERE age >= 18"
    grown = client.create_table(grown)
    names = Table(dataset.table("names"))
    names.view_query = f"SELECT name FROM {home}.grown"
    client.create_table(names)

    (row,) = client.query_and_wait(f"SELECT * FROM {home}.names")
    assert dict(row) == {"name": "Anna"}
    grown.view_query = f"SELECT name, 1 AS age FROM {home}.names"
    with pytest.raises(BadRequest, match="names itself"):
        client.update_table(grown, ["view_query"])
    assert len(list(client.query_and_wait(f"SELECT * FROM {home}.names"))) == 1


def test_default_values_of_columns_are_checked(client: Client, dataset: Dataset) -> None:
    good = SchemaField("made", "INT64", default_value_expression="40 + 2")
    made = client.create_table(Table(dataset.table("good"), schema=[good]))

    assert made.schema[0].default_value_expression == "40 + 2"
    day = SchemaField("day", "DATE", default_value_expression="'2026-01-31'")
    client.create_table(Table(dataset.table("days"), schema=[day]))
    for expression, message in {
        "1), (2": "",
        "'now'||1": "",
        "'3'": "it has the type STRING, not INT64",
        "CURRENT_DATE()": "it has the type DATE, not INT64",
        "(SELECT 1)": "it must not have a subquery",
        "other": "",
    }.items():
        bad = SchemaField("made", "INT64", default_value_expression=expression)
        complaint = f"Invalid default value of the column made: .*{message}"
        with pytest.raises(BadRequest, match=complaint):
            client.create_table(Table(dataset.table("bad"), schema=[bad]))


def test_decorators_that_name_no_partition_are_refused(client: Client, table: Table) -> None:
    with pytest.raises(BadRequest, match="a table that is not partitioned"):
        client.get_table(f"{table.dataset_id}.people$20240101")
