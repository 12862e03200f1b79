"""The artifacts that a job gives its pipeline, by their ids in ML Metadata."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator"

from typing import Any

import pytest
from google.cloud.aiplatform_v1.types import artifact as artifact_types
from kfp import dsl

from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.orchestrator.parameters import to_proto
from gcp_local.orchestrator.states import TaskState
from gcp_local.rpc.protos import Message, raw
from tests.gcp_local.orchestrator import components as c
from tests.gcp_local.orchestrator.harness import BUCKET, PARENT, Cloud, compiled

ARTIFACTS = f"{PARENT}/metadataStores/default/artifacts"
Artifact: type[Message] = raw(artifact_types.Artifact)


@dsl.pipeline(name="inner")
def inner(data: dsl.Input[dsl.Dataset]) -> str:
    return c.read_dataset(data=data).output  # type: ignore[no-any-return]


@dsl.pipeline(name="reading")
def reading(data: dsl.Input[dsl.Dataset], thing: dsl.Input[dsl.Artifact]) -> str:
    c.describe_artifact(thing=thing)
    return inner(data=data).output  # type: ignore[no-any-return]


@pytest.fixture
def cloud_with_data(plain_cloud: Cloud) -> Cloud:
    plain_cloud.objects.write(BUCKET, "data.txt", b"rows")
    for name, title in (
        ("data", "system.Dataset"),
        ("model", "system.Model"),
        ("other.Data_1", "system.Dataset"),
    ):
        artifact = Artifact(
            name=f"{ARTIFACTS}/{name}",
            display_name="shown",
            uri=f"gs://{BUCKET}/data.txt",
            schema_title=title,
            schema_version="0.0.1",
        )
        artifact.metadata.fields["rows"].CopyFrom(to_proto(4))
        plain_cloud.artifacts[artifact.name] = artifact
    return plain_cloud


def job_of(cloud: Cloud, pipeline: Any = reading, **ids: str) -> Message:
    job = cloud.job(pipeline)
    for name, identity in ids.items():
        job.runtime_config.input_artifacts[name].artifact_id = identity
    return job


def test_an_input_artifact_reaches_the_component_with_its_id_metadata_and_payload(
    cloud_with_data: Cloud,
) -> None:
    job = job_of(cloud_with_data, data="data", thing="model")
    cloud_with_data.orchestrator.validate(job)
    cloud_with_data.orchestrator.submit(job)
    result = cloud_with_data.wait(job.name)
    assert result.error == ""
    assert result.outputs("") == {"Output": "Dataset {'rows': 4} rows"}
    assert result.outputs("describe-artifact")["Output"]["uri"] == f"gs://{BUCKET}/data.txt"
    for task in ("", "inner", "inner.read-dataset"):
        (artifact,) = result.tasks[task].inputs["data"].artifacts
        assert artifact.name == f"{ARTIFACTS}/data"


def test_another_artifact_with_the_same_payload_is_another_input_for_the_cache(
    cloud_with_data: Cloud,
) -> None:
    states = []
    for identity in ("data", "data", "other.Data_1"):
        job = job_of(cloud_with_data, data=identity, thing="model")
        cloud_with_data.orchestrator.submit(job)
        states.append(cloud_with_data.wait(job.name).states()["inner.read-dataset"])
    assert states == [TaskState.SUCCEEDED, TaskState.SKIPPED, TaskState.SUCCEEDED]


@pytest.mark.parametrize(
    ("ids", "message", "field"),
    [
        ({"data": "data"}, "The artifact 'thing' is required", "input_artifacts.thing"),
        (
            {"data": "data", "thing": "data", "more": "data"},
            "'reading' has no artifact 'more'. It has: data, thing.",
            "input_artifacts",
        ),
        (
            {"data": "nowhere", "thing": "data"},
            f"There is no artifact 'nowhere' in {PARENT}/metadataStores/default",
            "input_artifacts.data.artifact_id",
        ),
        ({"data": "", "thing": "data"}, "There is no artifact ''", "data.artifact_id"),
        (
            {"data": f"{ARTIFACTS}/data", "thing": "data"},
            "There is no artifact 'projects/",
            "data.artifact_id",
        ),
        ({"data": "../artifacts/data", "thing": "data"}, "There is no", "data.artifact_id"),
        (
            {"data": "model", "thing": "data"},
            "is of type 'system.Model'; the pipeline takes a 'system.Dataset'",
            "input_artifacts.data",
        ),
    ],
)
def test_an_input_artifact_that_cannot_be_given_is_refused(
    cloud_with_data: Cloud, ids: dict[str, str], message: str, field: str
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        cloud_with_data.orchestrator.validate(job_of(cloud_with_data, **ids))
    assert message in refusal.value.message
    assert field in str(vars(refusal.value))


def test_an_artifact_of_another_location_is_not_there(cloud_with_data: Cloud) -> None:
    job = job_of(cloud_with_data, data="data", thing="model")
    job.name = job.name.replace("europe-west1", "us-central1")
    with pytest.raises(InvalidArgument, match=r"us-central1/metadataStores/default\.$"):
        cloud_with_data.orchestrator.validate(job)


def test_a_list_of_artifacts_cannot_be_given(cloud_with_data: Cloud) -> None:
    spec = compiled(reading, cloud_with_data.folder)
    spec["root"]["inputDefinitions"]["artifacts"]["thing"]["isArtifactList"] = True
    with pytest.raises(Unimplemented, match="'thing' is a list of artifacts"):
        cloud_with_data.orchestrator.validate(
            job_of(cloud_with_data, spec, data="data", thing="model")
        )


def test_an_optional_artifact_may_be_left_out(cloud_with_data: Cloud) -> None:
    spec = compiled(reading, cloud_with_data.folder)
    for component in (spec["root"], *spec["components"].values()):
        for artifact in component["inputDefinitions"]["artifacts"].values():
            artifact["isOptional"] = True
    del spec["root"]["dag"]["tasks"]["inner"], spec["root"]["dag"]["outputs"]
    del spec["root"]["outputDefinitions"]
    result = cloud_with_data.run(spec)
    assert "NoneType" in result.error  # it ran, without what it needs
