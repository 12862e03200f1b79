"""Evaluations of models, exports and copies, through Google's typed client."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Value

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.vertex.models.deploying import Vertex

SCHEMA = "gs://google-cloud-aiplatform/schema/modelevaluation/classification_metrics_1.0.0.yaml"
EVALUATION = {"display_name": "nightly", "metrics_schema_uri": SCHEMA, "metrics": {"auRoc": 0.9}}
BY_LABEL = {"dimension": "annotationSpec", "value": "attrited"}
BY_AGE = {
    "dimension": "slice",
    "slice_spec": {"configs": {"age": {"range_": {"low": 20, "high": 30}}}},
}


@pytest.fixture
def vertex(emulator: Emulator, project: str) -> Vertex:
    return Vertex(emulator, f"projects/{project}/locations/europe-west1")


def imported(vertex: Vertex, model: str, **said: Any) -> Any:
    return vertex.models.import_model_evaluation(
        parent=model, model_evaluation={**EVALUATION, **said}
    )


def test_an_evaluation_belongs_to_a_version(vertex: Vertex) -> None:
    model, client = vertex.model("python"), vertex.models
    first = imported(vertex, model)
    request = {
        "parent": vertex.parent,
        "parent_model": model,
        "model": {"display_name": "churn", "version_aliases": ["challenger"]},
    }
    client.upload_model(request=request).result(timeout=5)
    second = imported(vertex, f"{model}@challenger", display_name="of two")
    assert first.name.startswith(f"{model}@1/evaluations/")
    assert second.name.startswith(f"{model}@2/evaluations/")
    assert first.create_time
    assert [each.name for each in client.list_model_evaluations(parent=model)] == [first.name]
    found = client.get_model_evaluation(name=second.name.replace("@2", "@challenger"))
    assert (found.display_name, dict(found.metrics)) == ("of two", {"auRoc": 0.9})
    with pytest.raises(exceptions.NotFound):
        client.get_model_evaluation(name=second.name.replace("@2", "@1"))
    [shown] = client.list_model_evaluations(
        request={"parent": model, "read_mask": FieldMask(paths=["display_name"])}
    )
    assert (shown.name, shown.display_name) == ("", "nightly")
    client.delete_model(name=model).result(timeout=5)
    with pytest.raises(exceptions.NotFound):
        client.get_model_evaluation(name=first.name)


@pytest.mark.parametrize(
    "said",
    [{"metrics": None}, {"metrics": Value(number_value=1)}, {"metrics_schema_uri": "schema.yaml"}],
    ids=["no metrics", "a number", "no schema"],
)
def test_an_evaluation_without_metrics_is_refused(vertex: Vertex, said: dict[str, Any]) -> None:
    with pytest.raises(exceptions.BadRequest):
        imported(vertex, vertex.model("python"), **said)


def test_slices_are_imported_listed_and_read(vertex: Vertex) -> None:
    client = vertex.models
    evaluation = imported(vertex, vertex.model("python")).name
    slices = [
        {"metrics_schema_uri": SCHEMA, "metrics": {"auRoc": rank}, "slice_": which}
        for rank, which in ((0.8, BY_LABEL), (0.7, BY_AGE))
    ]
    done = client.batch_import_model_evaluation_slices(
        parent=evaluation, model_evaluation_slices=slices
    )
    names = list(done.imported_model_evaluation_slices)
    listed = list(client.list_model_evaluation_slices(parent=evaluation))
    assert [each.name for each in listed] == names
    [by_age] = client.list_model_evaluation_slices(
        request={"parent": evaluation, "filter": 'slice.dimension = "slice"'}
    )
    assert by_age.slice_.slice_spec.configs["age"].range_.high == 30
    assert client.get_model_evaluation_slice(name=names[0]).slice_.value == "attrited"
    found = client.get_model_evaluation(name=evaluation)
    assert list(found.slice_dimensions) == ["annotationSpec", "slice"]
    counted = client.batch_import_evaluated_annotations(
        parent=names[0],
        evaluated_annotations=[{"type_": "TRUE_POSITIVE", "evaluated_data_item_view_id": "1"}],
    )
    assert counted.imported_evaluated_annotations_count == 1
    with pytest.raises(exceptions.BadRequest):
        client.batch_import_model_evaluation_slices(
            parent=evaluation, model_evaluation_slices=[{**slices[0], "slice_": {"value": "x"}}]
        )
    with pytest.raises(exceptions.NotFound):
        client.batch_import_evaluated_annotations(
            parent=f"{evaluation}/slices/7", evaluated_annotations=[{"type_": "TRUE_POSITIVE"}]
        )


@pytest.mark.parametrize(
    "spec",
    [
        {"image_uri": ""},
        {"predict_route": "predict"},
        {"health_route": "/he alth"},
        {"ports": [{"container_port": 70000}]},
        {"env": [{"name": "1ST", "value": ""}]},
        {"deployment_timeout": "7201s"},
        {"invoke_route_prefix": "/x"},
        {"invoke_route_prefix": "/*", "predict_route": "/predict"},
        {"health_probe": {"period_seconds": 1}},
        {"startup_probe": {"exec_": {}}},
        {"startup_probe": {"tcp_socket": {"port": -1}}},
    ],
    ids=str,
)
def test_a_container_that_cannot_be_is_refused(vertex: Vertex, spec: dict[str, Any]) -> None:
    with pytest.raises(exceptions.BadRequest):
        vertex.models.upload_model(
            parent=vertex.parent,
            model={"display_name": "churn", "container_spec": {"image_uri": "python:3.11", **spec}},
        )


def test_what_only_vertex_ai_says_is_not_taken_from_an_upload(vertex: Vertex) -> None:
    model = {
        "display_name": "churn",
        "version_id": "9",
        "training_pipeline": "projects/1/locations/x/trainingPipelines/1",
        "deployed_models": [{"endpoint": "x", "deployed_model_id": "1"}],
    }
    done = vertex.models.upload_model(parent=vertex.parent, model=model).result(timeout=5)
    found = vertex.models.get_model(name=done.model)
    assert (found.version_id, found.training_pipeline, len(found.deployed_models)) == ("1", "", 0)
    assert found.model_source_info.source_type.name == "CUSTOM"
    assert list(found.supported_deployment_resources_types) == []
    with pytest.raises(exceptions.BadRequest, match="no container_spec"):
        vertex.deploy(vertex.endpoint(), done.model, {"0": 100})
    checkpoints = vertex.models.list_model_version_checkpoints(name=done.model)
    assert list(checkpoints) == []


@pytest.mark.parametrize("model_id", ["1st", "-a", "Capital", "a" * 64])
def test_bad_model_ids_are_refused(vertex: Vertex, model_id: str) -> None:
    with pytest.raises(exceptions.BadRequest):
        vertex.models.upload_model(
            request={
                "parent": vertex.parent,
                "model": {"display_name": "churn"},
                "model_id": model_id,
            }
        )


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({}, exceptions.BadRequest),
        ({"export_format_id": "tf-js"}, exceptions.BadRequest),
        ({"artifact_destination": {"output_uri_prefix": "/here"}}, exceptions.BadRequest),
        (
            {"artifact_destination": {"output_uri_prefix": "gs://no-such-bucket-here/x"}},
            exceptions.NotFound,
        ),
        (
            {"image_destination": {"output_uri": "europe-docker.pkg.dev/p/r/i"}},
            exceptions.MethodNotImplemented,
        ),
    ],
    ids=str,
)
def test_an_export_that_cannot_be_is_refused(
    vertex: Vertex, config: dict[str, Any], error: type[Exception]
) -> None:
    model = vertex.model("python", artifacts="gs://somewhere/model")
    with pytest.raises(error):
        vertex.models.export_model(name=model, output_config=config)
    bare = vertex.model("python")
    with pytest.raises(exceptions.BadRequest, match="cannot be exported"):
        vertex.models.export_model(name=bare, output_config=config)


def test_a_copy_stays_in_its_project(vertex: Vertex) -> None:
    model = vertex.model("python")
    with pytest.raises(exceptions.BadRequest, match="same project"):
        vertex.models.copy_model(
            parent="projects/another-project/locations/europe-west1", source_model=model
        )
    with pytest.raises(exceptions.NotFound):
        vertex.models.copy_model(parent=vertex.parent, source_model=f"{model}9")
