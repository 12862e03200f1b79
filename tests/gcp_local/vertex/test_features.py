"""Feature groups and features, through Google's typed client."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.protobuf import field_mask_pb2

from tests.gcp_local.emulators import Emulator

TABLE = "bq://my-project.churn.customers"


class Registry:
    """A project's feature registry."""

    def __init__(self, emulator: Emulator, project: str) -> None:
        self.parent = f"projects/{project}/locations/europe-west1"
        self.client: Any = aiplatform_v1.FeatureRegistryServiceClient(**emulator.gapic)

    def group(self, identity: str = "customers", table: str = TABLE, **fields: Any) -> Any:
        source = {"big_query_source": {"input_uri": table}, **fields.pop("source", {})}
        return self.client.create_feature_group(
            parent=self.parent,
            feature_group={"big_query": source, **fields},
            feature_group_id=identity,
        ).result()

    def feature(self, group: Any, identity: str, **fields: Any) -> Any:
        return self.client.create_feature(
            parent=group.name, feature=fields, feature_id=identity
        ).result()

    def update_group(self, name: str, *paths: str, **fields: Any) -> Any:
        return self.client.update_feature_group(
            feature_group={"name": name, **fields},
            update_mask=field_mask_pb2.FieldMask(paths=paths) if paths else None,
        ).result()

    def update_feature(self, name: str, *paths: str, **fields: Any) -> Any:
        return self.client.update_feature(
            feature={"name": name, **fields},
            update_mask=field_mask_pb2.FieldMask(paths=paths) if paths else None,
        ).result()


@pytest.fixture
def registry(emulator: Emulator, project: str) -> Registry:
    return Registry(emulator, project)


def test_a_group_is_kept_with_its_source(registry: Registry) -> None:
    made = registry.group(
        source={"entity_id_columns": ["customer_id"], "time_series": {"timestamp_column": "at"}},
        labels={"team": "ml"},
        description="all of them",
    )
    assert made.name.split("/")[1].isdecimal()
    assert made.name.endswith("/locations/europe-west1/featureGroups/customers")
    assert made == registry.client.get_feature_group(name=made.name)
    assert made.big_query.big_query_source.input_uri == TABLE
    assert list(made.big_query.entity_id_columns) == ["customer_id"]
    assert made.big_query.time_series.timestamp_column == "at"
    assert made.create_time == made.update_time
    assert made.etag
    with pytest.raises(exceptions.Conflict):
        registry.group()
    elsewhere = made.name.replace("europe-west1", "us-central1")
    with pytest.raises(exceptions.NotFound):
        registry.client.get_feature_group(name=elsewhere)


@pytest.mark.parametrize(
    ("identity", "fields", "message"),
    [
        ("", {}, "feature_group_id"),
        ("Upper", {}, "Invalid feature_group_id"),
        ("1st", {}, "Invalid feature_group_id"),
        ("g" * 129, {}, "Invalid feature_group_id"),
        ("group", {"table": ""}, "input_uri is required"),
        ("group", {"table": "my-project.churn.customers"}, "Invalid input_uri"),
        ("group", {"table": "bq://my-project.churn"}, "Invalid input_uri"),
        ("group", {"table": "bq://my-project.ch-urn.customers"}, "Invalid input_uri"),
        ("group", {"source": {"entity_id_columns": ["1st"]}}, "not the name of a BigQuery column"),
        ("group", {"source": {"entity_id_columns": ["id", "ID"]}}, "named twice"),
        (
            "group",
            {"source": {"static_data_source": True, "time_series": {"timestamp_column": "at"}}},
            "no time_series",
        ),
        ("group", {"labels": {"Upper": "case"}}, "Invalid label key"),
    ],
)
def test_a_group_that_google_would_refuse_is_refused(
    registry: Registry, identity: str, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(exceptions.BadRequest, match=message):
        registry.group(identity, **fields)
    assert not list(registry.client.list_feature_groups(parent=registry.parent))


def test_a_group_without_a_source_is_refused(registry: Registry) -> None:
    with pytest.raises(exceptions.BadRequest, match="big_query is required"):
        registry.client.create_feature_group(
            parent=registry.parent, feature_group={}, feature_group_id="group"
        )


def test_an_update_of_a_group_changes_what_its_mask_names_and_never_the_table(
    registry: Registry,
) -> None:
    group = registry.group(labels={"team": "ml"}, description="first")
    changed = registry.update_group(
        group.name,
        *("description", "big_query.entity_id_columns"),
        description="second",
        labels={"team": "other"},
        big_query={"entity_id_columns": ["id"]},
    )
    assert (changed.description, dict(changed.labels)) == ("second", {"team": "ml"})
    assert list(changed.big_query.entity_id_columns) == ["id"]
    assert changed.big_query.big_query_source.input_uri == TABLE
    assert changed.update_time > group.update_time
    unmasked = registry.update_group(group.name, labels={"stage": "prod"})
    assert (unmasked.description, dict(unmasked.labels)) == ("second", {"stage": "prod"})
    cleared = registry.update_group(group.name, "description")
    assert cleared.description == ""
    other = {"big_query_source": {"input_uri": "bq://my-project.churn.others"}}
    for paths, fields, error, message in (
        (("big_query",), {"big_query": other}, exceptions.BadRequest, "immutable"),
        (("*",), {"description": "no source"}, exceptions.BadRequest, "immutable|required"),
        (("name",), {}, exceptions.BadRequest, "Invalid update mask path"),
        (("labels",), {"labels": {"": ""}}, exceptions.BadRequest, "Invalid label key"),
        (("description",), {"etag": group.etag}, exceptions.Conflict, "etag"),
    ):
        with pytest.raises(error, match=message):
            registry.update_group(group.name, *paths, **fields)
    assert registry.client.get_feature_group(name=group.name) == cleared


def test_groups_are_listed_by_filter_order_and_page(registry: Registry) -> None:
    first = registry.group("first", labels={"env": "prod"})
    second = registry.group("second", labels={"env": "test", "extra": ""})

    def listed(**asked: str | int) -> list[str]:
        pages = registry.client.list_feature_groups(request={"parent": registry.parent, **asked})
        return [group.name for group in pages]

    assert listed() == [first.name, second.name]
    assert listed(order_by="create_time desc", page_size=1) == [second.name, first.name]
    assert listed(filter='labels.env = "prod"') == [first.name]
    assert listed(filter="labels.extra:*") == [second.name]
    assert listed(filter='create_time > "2020-01-01T00:00:00Z" AND NOT labels.env=prod') == [
        second.name
    ]
    with pytest.raises(exceptions.BadRequest, match="one can filter by"):
        listed(filter="description=x")


def test_features_are_columns_of_their_group(registry: Registry) -> None:
    group = registry.group()
    age = registry.feature(group, "age", description="in years", labels={"pii": "yes"})
    income = registry.feature(
        group, "income", version_column_name="Income_v2", point_of_contact="ml@example.com"
    )
    assert (age.name, age.version_column_name) == (f"{group.name}/features/age", "age")
    assert registry.client.get_feature(name=income.name) == income
    assert income.version_column_name == "Income_v2"
    batch = registry.client.batch_create_features(
        parent=group.name,
        requests=[
            {"parent": group.name, "feature": {}, "feature_id": "tenure"},
            {"parent": group.name, "feature": {}, "feature_id": "balance"},
        ],
    ).result()
    assert [feature.name.rpartition("/")[2] for feature in batch.features] == ["tenure", "balance"]

    def listed(**asked: Any) -> list[str]:
        pages = registry.client.list_features(request={"parent": group.name, **asked})
        return [feature.name.rpartition("/")[2] for feature in pages]

    assert listed() == ["age", "income", "tenure", "balance"]
    assert listed(order_by="feature_id", page_size=3) == ["age", "balance", "income", "tenure"]
    assert listed(filter="labels.pii=yes") == ["age"]
    (shown, *_) = registry.client.list_features(
        request={"parent": group.name, "read_mask": {"paths": ["name"]}}
    )
    assert (shown.name, shown.description) == (age.name, "")
    changed = registry.update_feature(age.name, "description", description="whole years")
    assert (changed.description, dict(changed.labels)) == ("whole years", {"pii": "yes"})
    registry.client.delete_feature(name=age.name).result()
    assert listed() == ["income", "tenure", "balance"]


def test_a_batch_is_made_whole_or_not_at_all(registry: Registry) -> None:
    group = registry.group()
    for bad, error in (({"feature_id": "Bad"}, "BadRequest"), ({"feature_id": "good"}, "Conflict")):
        with pytest.raises(getattr(exceptions, error)):
            registry.client.batch_create_features(
                parent=group.name,
                requests=[
                    {"parent": group.name, "feature": {}, "feature_id": "good"},
                    {"parent": group.name, "feature": {}, **bad},
                ],
            )
        assert not list(registry.client.list_features(parent=group.name))


def test_a_feature_that_google_would_refuse_is_refused(registry: Registry) -> None:
    group = registry.group()
    age = registry.feature(group, "age")
    for identity, fields, message in (
        ("Age", {}, "Invalid feature_id"),
        ("age2", {"value_type": "DOUBLE"}, "legacy"),
        ("age2", {"disable_monitoring": True}, "legacy"),
        ("age2", {"version_column_name": "a b"}, "not the name of a BigQuery column"),
        ("age2", {"labels": {"Upper": "case"}}, "Invalid label key"),
    ):
        with pytest.raises(exceptions.BadRequest, match=message):
            registry.feature(group, identity, **fields)
    with pytest.raises(exceptions.Conflict):
        registry.feature(group, "age")
    with pytest.raises(exceptions.NotFound):
        registry.client.create_feature(
            parent=f"{registry.parent}/featureGroups/missing", feature={}, feature_id="age"
        )
    with pytest.raises(exceptions.BadRequest, match="Invalid update mask path"):
        registry.update_feature(age.name, "version_column_name", version_column_name="other")
    with pytest.raises(exceptions.Conflict, match="etag"):
        registry.update_feature(age.name, "description", etag="stale")
    assert [feature.name for feature in registry.client.list_features(parent=group.name)] == [
        age.name
    ]


def test_a_group_goes_with_its_features_only_if_forced(registry: Registry) -> None:
    group = registry.group()
    feature = registry.feature(group, "age")
    with pytest.raises(exceptions.BadRequest, match="set force"):
        registry.client.delete_feature_group(name=group.name)
    registry.client.delete_feature_group(request={"name": group.name, "force": True}).result()
    for get, name in (
        (registry.client.get_feature_group, group.name),
        (registry.client.get_feature, feature.name),
        (registry.client.delete_feature, feature.name),
    ):
        with pytest.raises(exceptions.NotFound):
            get(name=name)
    assert registry.group().name == group.name
    assert not list(registry.client.list_features(parent=group.name))
