"""Vertex AI's DatasetService, through Google's typed client."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.protobuf.field_mask_pb2 import FieldMask

from tests.gcp_local.emulators import Emulator

SCHEMAS = "gs://google-cloud-aiplatform/schema/dataset/metadata"
TABULAR = f"{SCHEMAS}/tabular_1.0.0.yaml"
FILES = {"inputConfig": {"gcsSource": {"uri": ["gs://some-bucket/churn.csv"]}}}


@pytest.fixture
def datasets(emulator: Emulator) -> aiplatform_v1.DatasetServiceClient:
    return aiplatform_v1.DatasetServiceClient(**emulator.gapic)


def create(
    datasets: aiplatform_v1.DatasetServiceClient, parent: str, **said: Any
) -> aiplatform_v1.Dataset:
    body = {"display_name": "churn", "metadata_schema_uri": TABULAR, "metadata": FILES, **said}
    operation: Any = datasets.create_dataset(
        parent=parent, dataset=aiplatform_v1.Dataset(**{k: v for k, v in body.items() if v})
    )
    dataset: aiplatform_v1.Dataset = operation.result(timeout=5)
    return dataset


def test_a_dataset_is_created_read_changed_and_deleted(
    datasets: aiplatform_v1.DatasetServiceClient, parent: str
) -> None:
    made = create(datasets, parent, description="bank", labels={"team": "ml"})
    assert made.name.split("/")[1].isdecimal()
    assert dict(made.labels) == {
        "team": "ml",
        "aiplatform.googleapis.com/dataset_metadata_schema": "TABLE",
    }
    assert datasets.get_dataset(name=made.name) == made
    only = datasets.get_dataset(request={"name": made.name, "read_mask": {"paths": ["labels"]}})
    assert (only.display_name, only.labels["team"]) == ("", "ml")
    made.display_name, made.labels["team"] = "renamed", "science"
    changed = datasets.update_dataset(
        dataset=made, update_mask=FieldMask(paths=["display_name", "labels"])
    )
    assert (changed.display_name, changed.labels["team"]) == ("renamed", "science")
    assert changed.description == "bank"
    assert len(changed.labels) == 2
    assert changed.etag != made.etag
    with pytest.raises(exceptions.Conflict):  # made has the older etag
        datasets.update_dataset(dataset=made, update_mask=FieldMask(paths=["description"]))
    with pytest.raises(exceptions.BadRequest, match="update mask"):
        datasets.update_dataset(dataset=changed, update_mask=FieldMask(paths=["metadata"]))
    operation: Any = datasets.delete_dataset(name=made.name)
    operation.result(timeout=5)
    with pytest.raises(exceptions.NotFound):
        datasets.get_dataset(name=made.name)


def test_lists_filter_order_and_stay_in_their_region(
    datasets: aiplatform_v1.DatasetServiceClient, parent: str
) -> None:
    for name in ("b", "a", "c"):
        create(datasets, parent, display_name=name, labels={"kind": "odd" if name == "a" else "x"})

    def listed(**request: str) -> list[str]:
        found = datasets.list_datasets(request={"parent": parent, **request})
        return [dataset.display_name for dataset in found]

    assert listed() == ["c", "a", "b"]
    assert listed(order_by="display_name desc") == ["c", "b", "a"]
    assert listed(filter='display_name!="a"', order_by="display_name") == ["b", "c"]
    assert listed(filter="labels.kind=odd") == ["a"]
    assert listed(filter=f'metadata_schema_uri="{TABULAR}"', order_by="create_time") == [
        "b",
        "a",
        "c",
    ]
    assert list(datasets.list_datasets(parent=parent.replace("west1", "west4"))) == []
    with pytest.raises(exceptions.BadRequest):
        listed(filter="etag=x")


def test_a_table_of_bigquery_is_accepted_by_its_form(
    datasets: aiplatform_v1.DatasetServiceClient, parent: str
) -> None:
    metadata = {"inputConfig": {"bigquerySource": {"uri": "bq://my-project.bank.churn"}}}
    assert create(datasets, parent, metadata=metadata).metadata == metadata


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"display_name": ""}, "display_name"),
        ({"metadata_schema_uri": ""}, "metadata_schema_uri is required"),
        ({"metadata_schema_uri": "gs://my/own.yaml"}, "no schema"),
        ({"metadata": None}, "dataset.metadata is required"),
        ({"metadata": {"inputConfig": {}}}, "Exactly one"),
        ({"metadata": {**FILES, "more": 1}}, "Unknown names in dataset.metadata: more"),
        ({"metadata": {"inputConfig": {"gcsSource": {"uri": []}}}}, "uri is required"),
        ({"metadata": {"inputConfig": {"gcsSource": {"uri": ["/a.csv"]}}}}, "gs://BUCKET/OBJECT"),
        (
            {"metadata": {"inputConfig": {"bigquerySource": {"uri": "a.b"}}}},
            "bq://PROJECT.DATASET.TABLE",
        ),
        ({"labels": {"Team": "x"}}, "Invalid label key"),
        (
            {"encryption_spec": {"kms_key_name": "my-key"}},  # pragma: allowlist secret
            "dataset.encryption_spec|Invalid encryption_spec",
        ),
    ],
)
def test_what_google_would_refuse_is_refused(
    datasets: aiplatform_v1.DatasetServiceClient, parent: str, said: dict[str, Any], error: str
) -> None:
    with pytest.raises(exceptions.BadRequest, match=error):
        create(datasets, parent, **said)


@pytest.mark.parametrize("kind", ["image", "text", "video", "time_series"])
def test_other_kinds_of_dataset_are_not_implemented(
    datasets: aiplatform_v1.DatasetServiceClient, parent: str, kind: str
) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=kind):
        create(datasets, parent, metadata_schema_uri=f"{SCHEMAS}/{kind}_1.0.0.yaml")
