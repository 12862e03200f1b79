from __future__ import annotations

import re
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud.bigquery import AccessEntry, Client, Dataset, SchemaField, Table

from gcp_local.metadata_server.rest import EMAIL
from tests.gcp_local.bigquery.conftest import Rest
from tests.gcp_local.emulators import Emulator


def test_a_new_dataset_has_bigquerys_defaults(client: Client) -> None:
    made = client.create_dataset("shop")

    assert made.location == "US"
    assert made.full_dataset_id == f"{client.project}:shop"
    assert made.created is not None
    assert made.created == made.modified
    assert made.max_time_travel_hours == "168"
    assert made.default_table_expiration_ms is None
    assert made.self_link.endswith(f"/bigquery/v2/projects/{client.project}/datasets/shop")
    assert {(entry.role, entry.entity_type, entry.entity_id) for entry in made.access_entries} == {
        ("WRITER", "specialGroup", "projectWriters"),
        ("OWNER", "specialGroup", "projectOwners"),
        ("OWNER", "userByEmail", EMAIL),
        ("READER", "specialGroup", "projectReaders"),
    }
    assert client.get_dataset("shop").etag == made.etag


def test_a_dataset_keeps_what_it_was_made_with(client: Client) -> None:
    wanted = Dataset(f"{client.project}.shop")
    wanted.location = "EUROPE-WEST1"
    wanted.description, wanted.friendly_name = "All about the shop.", "Shop"
    wanted.labels = {"team": "growth"}
    wanted.default_table_expiration_ms = 3_600_000
    wanted.default_partition_expiration_ms = 86_400_000
    wanted.max_time_travel_hours = 48  # the client gives back a text
    wanted.storage_billing_model = "PHYSICAL"
    client.create_dataset(wanted)
    kept = client.get_dataset("shop")

    assert kept.location == "europe-west1"
    assert (kept.description, kept.friendly_name) == ("All about the shop.", "Shop")
    assert kept.labels == {"team": "growth"}
    assert kept.default_table_expiration_ms == 3_600_000
    assert kept.default_partition_expiration_ms == 86_400_000
    assert kept.max_time_travel_hours == "48"
    assert kept.storage_billing_model == "PHYSICAL"


def test_a_dataset_is_made_once(client: Client) -> None:
    client.create_dataset("shop")

    with pytest.raises(Conflict, match=f"Already Exists: Dataset {client.project}:shop"):
        client.create_dataset("shop")
    assert client.create_dataset("shop", exists_ok=True).dataset_id == "shop"


def test_a_dataset_that_is_not_there_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound, match=f"Not found: Dataset {client.project}:nowhere"):
        client.get_dataset("nowhere")
    with pytest.raises(NotFound, match="Not found: Dataset"):
        client.delete_dataset("nowhere")
    client.delete_dataset("nowhere", not_found_ok=True)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"datasetReference": {"datasetId": "with-dash"}}, 'Invalid dataset ID "with-dash"'),
        ({"datasetReference": {"datasetId": "x" * 1025}}, "at most 1024 characters"),
        ({"datasetReference": {}}, "Required parameter is missing: datasetId"),
        ({"datasetReference": {"datasetId": "a", "projectId": "other"}}, "does not agree with"),
        ({"location": "atlantis"}, "Invalid value for location: 'atlantis'"),
        ({"labels": {"Team": "a"}}, "Invalid label key 'Team'"),
        ({"labels": {"team": "A"}}, "Invalid value 'A' of label 'team'"),
        ({"maxTimeTravelHours": "50"}, "Invalid value for maxTimeTravelHours"),
        ({"defaultTableExpirationMs": "3599999"}, "Invalid value for defaultTableExpirationMs"),
        ({"defaultTableExpirationMs": "soon"}, "Invalid value at 'defaultTableExpirationMs'"),
        ({"storageBillingModel": "FREE"}, "Invalid value at 'storageBillingModel'"),
        ({"access": [{"role": "READER"}]}, "Exactly one of .* must be set in access\\[0\\]"),
        (
            {"access": [{"role": "READER", "userByEmail": "me"}]},
            "Invalid value for userByEmail in access\\[0\\]",
        ),
        (
            {"access": [{"role": "BOSS", "userByEmail": "me@example.com"}]},
            "Invalid value for role in access\\[0\\]",
        ),
        (
            {"access": [{"role": "READER", "specialGroup": "everybody"}]},
            "Invalid value for specialGroup",
        ),
        (
            {"access": [{"view": {"projectId": "p-12345", "datasetId": "d", "tableId": "v"}}]},
            "Not found: Table p-12345:d.v",
        ),
        ({"colour": "red"}, 'Unknown name "colour": Cannot find field'),
    ],
)
def test_a_dataset_that_bigquery_would_refuse_is_refused(
    rest: Rest, body: dict[str, Any], message: str
) -> None:
    error = rest.error("POST", "/datasets", {"datasetReference": {"datasetId": "shop"}, **body})

    assert error["code"] in (400, 404)
    assert re.search(message, error["message"]), error
    assert rest("GET", "/datasets").json().get("datasets") is None


@pytest.mark.parametrize(
    "body",
    [
        {"defaultEncryptionConfiguration": {"kmsKeyName": "projects/p/k"}},
        {"isCaseInsensitive": True},
        {"defaultCollation": "und:ci"},
        {"location": "aws-us-east-1"},
    ],
)
def test_what_the_stand_in_lacks_it_says(rest: Rest, body: dict[str, Any]) -> None:
    error = rest.error("POST", "/datasets", {"datasetReference": {"datasetId": "shop"}, **body})

    assert (error["code"], error["errors"][0]["reason"]) == (501, "notImplemented")
    assert error["message"].startswith("The embedded cloud's BigQuery lacks ")


def test_datasets_are_listed_by_label_and_in_pages(client: Client) -> None:
    for name, labels in {"a": {"env": "dev"}, "b": {"env": "prod"}, "_c": {}, "d": {}}.items():
        wanted = Dataset(f"{client.project}.{name}")
        wanted.labels = labels
        client.create_dataset(wanted)

    assert [each.dataset_id for each in client.list_datasets()] == ["a", "b", "d"]
    assert [each.dataset_id for each in client.list_datasets(include_all=True)] == [
        "_c", "a", "b", "d",
    ]  # fmt: skip
    assert [each.dataset_id for each in client.list_datasets(filter="labels.env:prod")] == ["b"]
    assert [each.dataset_id for each in client.list_datasets(filter="labels.env")] == ["a", "b"]
    assert next(iter(client.list_datasets())).labels == {"env": "dev"}
    pages = [[each.dataset_id for each in page] for page in client.list_datasets(page_size=2).pages]
    assert pages == [["a", "b"], ["d"]]
    with pytest.raises(BadRequest, match="Invalid value for filter"):
        list(client.list_datasets(filter="name:a"))
    with pytest.raises(BadRequest, match="page token"):
        list(client.list_datasets(page_token="bm9uc2Vuc2U="))


def test_an_update_changes_only_the_fields_that_it_names(client: Client) -> None:
    made = client.create_dataset("shop")
    made.description, made.labels = "All about the shop.", {"team": "growth", "env": "dev"}
    made = client.update_dataset(made, ["description", "labels"])
    made.description, made.labels = None, {"team": None, "tier": "gold"}
    made.default_table_expiration_ms = 3_600_000
    client.update_dataset(made, ["description", "labels"])
    kept = client.get_dataset("shop")

    assert kept.description is None
    assert kept.labels == {"env": "dev", "tier": "gold"}
    assert kept.default_table_expiration_ms is None
    assert kept.modified > kept.created


def test_an_update_of_a_state_that_is_past_is_refused(client: Client) -> None:
    mine = client.create_dataset("shop")
    other = client.get_dataset("shop")
    other.description = "theirs"
    client.update_dataset(other, ["description"])
    mine.description = "mine"

    with pytest.raises(PreconditionFailed, match="Precondition check failed"):
        client.update_dataset(mine, ["description"])
    mine = client.get_dataset("shop")
    mine.description = "mine"
    assert client.update_dataset(mine, ["description"]).description == "mine"


def test_a_put_replaces_and_keeps_what_never_changes(rest: Rest) -> None:
    made = {"datasetReference": {"datasetId": "shop"}, "location": "EU", "description": "old"}
    before = rest("POST", "/datasets", {**made, "labels": {"a": "b"}}).json()
    after = rest("PUT", "/datasets/shop", {"friendlyName": "Shop"}).json()

    assert after["friendlyName"] == "Shop"
    assert after["location"] == "EU"
    assert after["access"] == before["access"]
    assert after["creationTime"] == before["creationTime"]
    assert not {"description", "labels"} & after.keys()
    message = rest.error("PUT", "/datasets/shop", {"location": "US"})["message"]
    assert message == "The location of a dataset cannot be changed (it is EU)."
    reference = {"datasetReference": {"datasetId": "other"}}
    assert "does not agree" in rest.error("PUT", "/datasets/shop", reference)["message"]


def test_access_entries_are_kept_in_bigquerys_words(client: Client, dataset: Dataset) -> None:
    view = Table(f"{client.project}.{dataset.dataset_id}.numbers")
    view.view_query = "SELECT 1 AS one"
    client.create_table(view)
    shared = client.create_dataset("shared")
    shared.access_entries = [
        AccessEntry("roles/bigquery.dataOwner", "userByEmail", "owner@example.com"),
        AccessEntry("READER", "groupByEmail", "team@example.com"),
        AccessEntry("READER", "domain", "example.com"),
        AccessEntry("roles/bigquery.metadataViewer", "iamMember", "allUsers"),
        AccessEntry(None, "view", view.reference.to_api_repr()),
    ]
    client.update_dataset(shared, ["access_entries"])
    kept = client.get_dataset("shared").access_entries

    assert [entry.role for entry in kept] == [
        "OWNER", "READER", "READER", "roles/bigquery.metadataViewer", None,
    ]  # fmt: skip
    assert kept[4].entity_id == view.reference.to_api_repr()


def test_views_of_a_dataset_show_its_parts(rest: Rest) -> None:
    rest("POST", "/datasets", {"datasetReference": {"datasetId": "shop"}, "description": "It."})

    metadata = rest("GET", "/datasets/shop", params={"datasetView": "METADATA"}).json()
    acl = rest("GET", "/datasets/shop", params={"datasetView": "ACL"}).json()
    assert metadata["description"] == "It."
    assert "access" not in metadata
    assert acl.keys() == {"kind", "id", "etag", "selfLink", "datasetReference", "access"}
    entry = {"role": "OWNER", "userByEmail": "me@example.com"}
    said = {"access": [entry], "description": "Another."}
    after = rest("PATCH", "/datasets/shop", said, params={"updateMode": "UPDATE_ACL"}).json()
    assert (after["access"], after["description"]) == ([entry], "It.")


def test_a_dataset_with_something_in_it_is_not_deleted_unasked(
    client: Client, dataset: Dataset
) -> None:
    table = client.create_table(Table(dataset.table("t"), schema=[SchemaField("a", "STRING")]))

    with pytest.raises(BadRequest, match=f"Dataset {dataset.full_dataset_id} is still in use"):
        client.delete_dataset(dataset)
    assert client.get_table(table).table_id == "t"
    client.delete_dataset(dataset, delete_contents=True)
    with pytest.raises(NotFound, match="Not found: Dataset"):
        client.get_table(table)
    again = client.create_dataset(dataset.dataset_id)
    assert list(client.list_tables(again)) == []


def test_a_deleted_dataset_can_be_had_back(client: Client, dataset: Dataset, rest: Rest) -> None:
    table = client.create_table(Table(dataset.table("t"), schema=[SchemaField("a", "STRING")]))
    client.delete_dataset(dataset, delete_contents=True)
    path = f"/datasets/{dataset.dataset_id}"
    back = rest("POST", f"{path}:undelete", {}).json()

    assert back["creationTime"] == str(round(dataset.created.timestamp() * 1000))
    assert client.get_table(table).schema == table.schema
    assert rest.error("POST", f"{path}:undelete", {})["code"] == 404
    client.delete_dataset(dataset, delete_contents=True)
    client.create_dataset(dataset.dataset_id)
    assert rest.error("POST", f"{path}:undelete", {})["code"] == 409


def test_etags_spare_a_client_what_it_has(rest: Rest) -> None:
    etag = rest("POST", "/datasets", {"datasetReference": {"datasetId": "shop"}}).json()["etag"]

    assert rest("GET", "/datasets/shop", headers={"If-None-Match": etag}).status_code == 304
    assert rest("GET", "/datasets/shop", headers={"If-None-Match": '"x"'}).status_code == 200
    headers = {"If-Match": "stale"}
    assert rest.error("DELETE", "/datasets/shop", headers=headers)["code"] == 412
    assert rest("DELETE", "/datasets/shop", headers={"If-Match": etag}).status_code == 204


def test_projects_have_datasets_of_their_own(client: Client, emulator: Emulator) -> None:
    client.create_dataset("shop")
    other = Client(
        project=emulator.new_project(),
        credentials=emulator.credentials,
        client_options=emulator.client_options,
    )

    assert list(other.list_datasets()) == []
    other.create_dataset("shop")
    assert [each.project for each in other.list_datasets()] == [other.project]
