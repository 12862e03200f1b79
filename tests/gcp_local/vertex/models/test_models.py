"""Vertex AI's ModelService, through Google's typed client."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.protobuf.field_mask_pb2 import FieldMask

from tests.gcp_local.emulators import Emulator


@pytest.fixture
def models(emulator: Emulator) -> aiplatform_v1.ModelServiceClient:
    return aiplatform_v1.ModelServiceClient(**emulator.gapic)


def upload(
    models: aiplatform_v1.ModelServiceClient, parent: str, *aliases: str, **request: Any
) -> aiplatform_v1.UploadModelResponse:
    model = aiplatform_v1.Model(
        display_name="churn",
        version_aliases=aliases,
        artifact_uri="gs://bucket/model",
        labels={"team": "ml"},
        container_spec=aiplatform_v1.ModelContainerSpec(image_uri="python:3.11"),
    )
    operation: Any = models.upload_model(request={"parent": parent, "model": model, **request})
    response: aiplatform_v1.UploadModelResponse = operation.result(timeout=5)
    return response


def test_the_first_version_is_the_default(
    models: aiplatform_v1.ModelServiceClient, parent: str
) -> None:
    uploaded = upload(models, parent, "champion", model_id="churn")
    assert uploaded.model.endswith("/locations/europe-west1/models/churn")
    assert uploaded.model_version_id == "1"
    model = models.get_model(name=f"{parent}/models/churn")
    assert model.name == uploaded.model
    assert sorted(model.version_aliases) == ["champion", "default"]
    assert (model.version_id, model.labels["team"]) == ("1", "ml")


def test_versions_and_aliases(models: aiplatform_v1.ModelServiceClient, parent: str) -> None:
    name = upload(models, parent, "champion").model
    assert upload(models, parent, "champion", parent_model=name).model_version_id == "2"
    assert models.get_model(name=name).version_id == "1"
    assert models.get_model(name=f"{name}@champion").version_id == "2"
    assert models.get_model(name=f"{name}@1").version_aliases == ["default"]
    merged = models.merge_version_aliases(
        name=f"{name}@2", version_aliases=["default", "-champion"]
    )
    assert merged.version_aliases == ["default"]
    assert models.get_model(name=name).version_id == "2"
    versions = models.list_model_versions(name=name)
    assert [version.name for version in versions] == [f"{name}@2", f"{name}@1"]
    for asked, told in ((name, name), (f"{name}@default", f"{name}@2"), (f"{name}@1", f"{name}@1")):
        assert models.get_model(name=asked).name == told
    with pytest.raises(exceptions.NotFound):
        models.get_model(name=f"{name}@champion")
    with pytest.raises(exceptions.BadRequest):
        models.merge_version_aliases(name=f"{name}@2", version_aliases=["-default"])
    with pytest.raises(exceptions.BadRequest):
        models.merge_version_aliases(name=f"{name}@2", version_aliases=["2024"])


def test_a_deleted_versions_number_does_not_come_again(
    models: aiplatform_v1.ModelServiceClient, parent: str
) -> None:
    name = upload(models, parent).model
    upload(models, parent, parent_model=name)
    models.delete_model_version(name=f"{name}@2")
    assert upload(models, parent, parent_model=name).model_version_id == "3"
    with pytest.raises(exceptions.BadRequest, match="default version"):
        models.delete_model_version(name=f"{name}@1")
    models.delete_model(name=name)
    assert list(models.list_models(parent=parent)) == []
    with pytest.raises(exceptions.NotFound):
        models.get_model(name=f"{name}@3")


def test_lists_show_each_models_default_version(
    models: aiplatform_v1.ModelServiceClient, parent: str
) -> None:
    first = upload(models, parent).model
    second = upload(models, parent, model_id="second").model
    upload(models, parent, parent_model=first)
    found = list(models.list_models(parent=parent))
    assert [(model.name, model.version_id) for model in found] == [(second, "1"), (first, "1")]
    for wanted, names in (
        ('labels.team="other"', []),
        ("model=second", [second]),
        ("model!=second", [first]),
        ('displayName="churn" AND model:sec*', [second]),
    ):
        request = {"parent": parent, "filter": wanted}
        assert [model.name for model in models.list_models(request=request)] == names, wanted


def test_update_changes_what_the_mask_names(
    models: aiplatform_v1.ModelServiceClient, parent: str
) -> None:
    name = upload(models, parent).model
    model = aiplatform_v1.Model(name=name, display_name="renamed", description="ignored")
    changed = models.update_model(model=model, update_mask=FieldMask(paths=["display_name"]))
    assert (changed.display_name, changed.description) == ("renamed", "")
    assert changed.labels["team"] == "ml"
    with pytest.raises(exceptions.BadRequest):
        models.update_model(model=model, update_mask=FieldMask(paths=["artifact_uri"]))


def test_a_model_and_its_versions_are_updated_by_names_of_their_own(
    models: aiplatform_v1.ModelServiceClient, parent: str
) -> None:
    name = upload(models, parent).model
    upload(models, parent, parent_model=name)

    def update(by: str, **said: str) -> aiplatform_v1.Model:
        model = aiplatform_v1.Model(name=by, **said)
        return models.update_model(model=model, update_mask=FieldMask(paths=list(said)))

    update(f"{name}@2", version_description="the second")
    renamed = update(name, display_name="renamed", description="all of it")
    assert renamed.version_id == "1"
    for version, said in (("1", ""), ("2", "the second")):
        found = models.get_model(name=f"{name}@{version}")
        assert (found.display_name, found.description) == ("renamed", "all of it")
        assert found.version_description == said
    assert update(f"{name}@-", description="").description == ""
    for by, field in ((f"{name}@2", "display_name"), (name, "version_description")):
        with pytest.raises(exceptions.BadRequest, match=f"{field} is of the"):
            update(by, **{field: "another"})


@pytest.mark.parametrize(
    "request_", [{"model_id": "Capital"}, {"parent_model": "projects/other-project/x"}], ids=str
)
def test_bad_uploads_are_refused(
    models: aiplatform_v1.ModelServiceClient, parent: str, request_: dict[str, str]
) -> None:
    with pytest.raises(exceptions.BadRequest):
        upload(models, parent, **request_)


def test_an_id_is_given_once(models: aiplatform_v1.ModelServiceClient, parent: str) -> None:
    upload(models, parent, model_id="churn")
    with pytest.raises(exceptions.Conflict):
        upload(models, parent, model_id="churn")
    number = models.get_model(name=f"{parent}/models/churn").name.split("/")[1]
    missing = f"projects/{number}/locations/europe-west1/models/missing"
    with pytest.raises(exceptions.NotFound):
        upload(models, parent, parent_model=missing)
