from __future__ import annotations

from typing import Any

from google.cloud.bigquery import Client, Dataset

from tests.gcp_local.bigquery.conftest import Rest
from tests.gcp_local.emulators import Emulator


def test_a_project_that_was_used_is_listed(client: Client, dataset: Dataset) -> None:
    found = {each.project_id: each for each in client.list_projects()}

    mine = found[dataset.project]
    assert mine.numeric_id.isdecimal()
    # The number names the same project.
    assert client.get_dataset(f"{mine.numeric_id}.{dataset.dataset_id}").etag == dataset.etag


def test_bigquery_has_an_account_in_each_project(client: Client, emulator: Emulator) -> None:
    email = client.get_service_account_email()

    assert email.startswith("bq-")
    assert email.endswith("@bigquery-encryption.iam.gserviceaccount.com")
    assert client.get_service_account_email(emulator.new_project()) != email


def test_what_is_no_project_is_refused(emulator: Emulator) -> None:
    answer = emulator.call("GET", "/bigquery/v2/projects/No_Project/datasets")

    assert answer.status_code == 400
    assert "No_Project" in answer.json()["error"]["message"]


def test_the_rest_api_refuses_what_google_refuses(rest: Rest) -> None:
    rest("POST", "/datasets", {"datasetReference": {"datasetId": "shop"}})
    cases: list[tuple[str, str, dict[str, Any], str]] = [
        ("GET", "/datasets?size=3", {}, 'Unknown name "size": Cannot bind query parameter'),
        ("GET", "/datasets?maxResults=many", {}, "Invalid value at 'maxResults'"),
        ("GET", "/datasets?all=yes", {}, "Invalid value at 'all'"),
        ("GET", "/datasets/shop?datasetView=HALF", {}, "Invalid value at 'datasetView'"),
        ("GET", "/nothing", {}, "No method of BigQuery has the URL GET"),
        ("GET", "/datasets?alt=media", {}, "answers in the form alt=media"),
        ("GET", "/datasets?fields=x", {}, "Invalid field selection x"),
        ("GET", "/datasets?fields=datasets(", {}, "Invalid field selection datasets("),
        ("POST", "/datasets", {"data": b"{"}, "Invalid JSON payload"),
        ("POST", "/datasets", {"data": b"[]"}, "It must be an object"),
        ("PATCH", "/datasets/shop", {"json": {"labels": []}}, "Invalid value at 'labels'"),
        ("PATCH", "/datasets/shop", {"json": {"description": 3}}, "3 is no text"),
    ]
    for verb, path, said, message in cases:
        error = rest.error(verb, path, said.pop("json", None), **said)
        assert message in error["message"], error
        assert error["errors"][0]["domain"] == "global"


def test_an_answer_is_indented_unless_the_client_minds(rest: Rest) -> None:
    assert rest("GET", "/datasets").text.startswith('{\n  "kind"')
    assert rest("GET", "/datasets", params={"prettyPrint": "false"}).text.startswith('{"kind"')


def test_an_answer_can_be_asked_for_in_part(rest: Rest) -> None:
    for name in ("a", "b"):
        rest("POST", "/datasets", {"datasetReference": {"datasetId": name}, "labels": {"x": name}})
    asked = {"fields": "kind,datasets(datasetReference/datasetId,labels)"}
    answer = rest("GET", "/datasets", params=asked).json()

    assert answer == {
        "kind": "bigquery#datasetList",
        "datasets": [
            {"datasetReference": {"datasetId": name}, "labels": {"x": name}} for name in "ab"
        ],
    }
    assert rest("GET", "/datasets", params={"fields": "*/location"}).json() == {
        "datasets": [{"location": "US"}, {"location": "US"}]
    }
