"""Parameters and artifacts arrive as what they are."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator"

import json
from typing import Any

import pytest
from kfp import dsl

from gcp_local.orchestrator.states import JobState
from tests.gcp_local.orchestrator import components as c
from tests.gcp_local.orchestrator.harness import Cloud

DESCRIBED: list[list[Any]] = [
    ["int", 3],
    ["float", 2.0],
    ["str", "naïve 'quote' \" \\ {{$}} \n $HOME"],
    ["bool", True],
    ["list", [1, 2, 3]],
    ["dict", {"a": 1, "b": [1, 2.5, {"c": None}]}],
    ["NoneType", None],
    ["int", 7],
]


def test_runtime_parameters_of_every_type_arrive_with_their_types(cloud: Cloud) -> None:
    @dsl.pipeline(name="types")
    def types(whole: int, real: float, text: str, flag: bool, items: list, struct: dict) -> None:
        c.describe_values(whole=whole, real=real, text=text, flag=flag, items=items, struct=struct)

    names = ("whole", "real", "text", "flag", "items", "struct")
    given = {name: described[1] for name, described in zip(names, DESCRIBED, strict=False)}
    result = cloud.succeed(types, given)
    assert json.loads(result.outputs("describe-values")["Output"]) == DESCRIBED


def test_constants_of_every_type_arrive_with_their_types(cloud: Cloud) -> None:
    @dsl.pipeline(name="constants")
    def constants() -> None:
        c.describe_values(
            whole=3,
            real=2.0,
            text="plain",
            flag=True,
            items=[1, 2, 3],
            struct={"a": 1, "b": [1, 2.5]},
        )

    result = cloud.succeed(constants)
    described = json.loads(result.outputs("describe-values")["Output"])
    assert described[:2] == DESCRIBED[:2]
    assert described[3:5] == DESCRIBED[3:5]
    assert described[5] == ["dict", {"a": 1, "b": [1, 2.5]}]
    assert described[6:] == DESCRIBED[6:]


def test_defaults_apply_where_nothing_is_given_and_a_given_value_wins(cloud: Cloud) -> None:
    @dsl.pipeline(name="defaults")
    def defaults(first: int = 1, second: int = 2, text: str = "") -> None:
        c.add(a=first, b=second)
        c.echo(text=text)

    result = cloud.succeed(defaults, {"second": 40})
    assert result.outputs("add") == {"Output": 41}
    assert result.outputs("echo") == {"Output": ""}
    assert result.job.job_detail.task_details[0].execution.metadata["input:first"] == 1


def test_named_outputs_keep_their_types_on_the_way_to_the_next_task(cloud: Cloud) -> None:
    @dsl.pipeline(name="named")
    def named(n: int = 6) -> None:
        first = c.several(n=n)
        other = c.whole_items()
        c.describe_values(
            whole=first.outputs["twice"],
            real=first.outputs["share"],
            text="x",
            flag=first.outputs["big"],
            items=other.outputs["items"],
            struct=other.outputs["struct"],
        )

    described = json.loads(cloud.succeed(named).outputs("describe-values")["Output"])
    assert described[:2] == [["int", 12], ["float", 1.5]]
    assert described[3] == ["bool", False]
    assert described[4] == ["list", [1, 2.0, "3", None]]
    assert [type(item) for item in described[4][1][:2]] == [int, float]
    assert described[5] == ["dict", {"a": 1, "b": {"c": [2]}}]


def test_text_made_of_several_values_is_put_together(cloud: Cloud) -> None:
    @dsl.pipeline(name="formatted")
    def formatted(name: str, n: int) -> None:
        made = c.add(a=n, b=1)
        c.echo(text=f"{name}/{n}/{made.output}/{dsl.PIPELINE_JOB_NAME_PLACEHOLDER}")

    result = cloud.succeed(formatted, {"name": "{{$.pipeline_task_name}}", "n": 5})
    assert result.outputs("echo")["Output"] == "{{$.pipeline_task_name}}/5/6/run-1"


def test_an_artifact_is_a_file_for_components_and_an_object_in_the_bucket(cloud: Cloud) -> None:
    @dsl.pipeline(name="artifacts")
    def artifacts() -> None:
        written = c.write_dataset(text="héllo")
        c.read_dataset(data=written.outputs["data"])

    result = cloud.succeed(artifacts)
    artifact = result.artifact("write-dataset", "data")
    task = result.tasks["write-dataset"]
    assert artifact.uri == f"gs://bucket/root/123456/run-1/write-dataset_{task.task_id}/data"
    assert result.read(artifact.uri) == "héllo".encode()
    assert artifact.schema_title == "system.Dataset"
    assert dict(artifact.metadata) == {"rows": 5}
    assert result.outputs("read-dataset")["Output"] == "Dataset {'rows': 5} héllo"
    taken = result.tasks["read-dataset"].inputs["data"].artifacts[0]
    assert (taken.name, taken.uri) == (artifact.name, artifact.uri)


def test_a_folder_artifact_passes_whole_and_files_beside_it_are_kept(cloud: Cloud) -> None:
    @dsl.pipeline(name="folders")
    def folders() -> None:
        made = c.write_model_folder()
        c.list_folder(model=made.outputs["model"])

    result = cloud.succeed(folders)
    assert result.outputs("list-folder")["Output"] == ["assets/classes.json", "weights.bin"]
    model = result.artifact("write-model-folder", "model")
    assert result.read(f"{model.uri}.notes") == b"beside"
    metrics = result.artifact("write-model-folder", "metrics")
    assert metrics.schema_title == "system.Metrics"
    assert dict(metrics.metadata) == {"roc_auc": 0.75}


def test_a_link_to_a_file_is_kept_as_the_file_it_leads_to(cloud: Cloud) -> None:
    @dsl.pipeline(name="links")
    def links() -> None:
        made = c.write_links(wrong="")
        c.list_folder(model=made.outputs["model"])

    result = cloud.succeed(links)
    listed = ["latest", "v1/weights.bin", "zlatest"]
    assert result.outputs("list-folder")["Output"] == listed
    uri = result.artifact("write-links", "model").uri
    assert {result.read(f"{uri}/{name}") for name in listed} == {b"weights"}


@pytest.mark.parametrize("wrong", ["v1", "nowhere", "pipe"])
def test_an_output_that_no_object_can_be_fails_its_task_by_name(cloud: Cloud, wrong: str) -> None:
    @dsl.pipeline(name="links")
    def links(wrong: str) -> None:
        c.write_links(wrong=wrong)

    result = cloud.run(links, {"wrong": wrong})
    assert result.state is JobState.FAILED
    name = "pipe" if wrong == "pipe" else "wrong"
    message = result.tasks["write-links"].error.message
    assert f"/model/{name} cannot be kept: it is neither a file nor a folder" in message
    assert message.startswith("gs://bucket/root/")


def test_an_imported_artifact_keeps_its_uri_and_is_read_where_it_is(cloud: Cloud) -> None:
    cloud.objects.write("bucket", "data/in put.csv", b"a,b")

    @dsl.pipeline(name="imports")
    def imports(uri: str, version: str, reimport: bool = False) -> None:
        imported = dsl.importer(
            artifact_uri=uri,
            artifact_class=dsl.Dataset,
            reimport=True,
            metadata={"version": version, "n": 1},
        )
        c.read_dataset(data=imported.output)
        again = dsl.importer(artifact_uri="gs://bucket/none", artifact_class=dsl.Model)
        c.describe_artifact(thing=again.output)

    given = {"uri": "gs://bucket/data/in put.csv", "version": "v1"}
    first, second = cloud.succeed(imports, given), cloud.succeed(imports, given)
    artifact = first.artifact("importer", "artifact")
    assert artifact.uri == "gs://bucket/data/in put.csv"
    assert artifact.schema_title == "system.Dataset"
    assert dict(artifact.metadata) == {"version": "v1", "n": 1}
    read = first.outputs("read-dataset")["Output"]
    assert read == "Dataset {'n': 1, 'version': 'v1'} a,b"
    assert first.outputs("describe-artifact")["Output"]["uri"] == "gs://bucket/none"
    assert second.artifact("importer", "artifact").name != artifact.name
    assert (
        second.artifact("importer-2", "artifact").name
        == first.artifact("importer-2", "artifact").name
    )


def test_nested_pipelines_pass_parameters_and_artifacts_in_and_out(cloud: Cloud) -> None:
    @dsl.pipeline(name="inner")
    def inner(n: int, data: dsl.Input[dsl.Dataset]) -> c.InnerOutputs:
        total = c.add(a=n, b=1)
        c.read_dataset(data=data)
        made = c.write_dataset(text="inner")
        return c.InnerOutputs(total=total.output, made=made.outputs["data"])

    @dsl.pipeline(name="outer")
    def outer(n: int = 1) -> None:
        first = c.write_dataset(text="outer")
        nested = inner(n=n, data=first.outputs["data"])
        c.add(a=nested.outputs["total"], b=10)
        c.read_dataset(data=nested.outputs["made"])

    result = cloud.succeed(outer)
    assert result.outputs("add") == {"Output": 12}
    assert result.outputs("inner") == {"total": 2}
    assert "outer" in result.outputs("inner.read-dataset")["Output"]
    assert "inner" in result.outputs("read-dataset")["Output"]
    nested = result.tasks["inner"]
    assert result.tasks["inner.add"].parent_task_id == nested.task_id
    assert nested.execution.schema_title == "system.DagExecution"
    assert nested.outputs["made"].artifacts[0].uri.endswith("/data")
