"""Vertex AI's MetadataService on stores, schemas and nodes, through Google's typed client."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.protobuf.field_mask_pb2 import FieldMask

from tests.gcp_local.emulators import Emulator

Client = aiplatform_v1.MetadataServiceClient
Artifact = aiplatform_v1.Artifact


def dataset(metadata: Client, store: str, own: str = "", /, **said: Any) -> aiplatform_v1.Artifact:
    return metadata.create_artifact(
        parent=store,
        artifact=Artifact(schema_title="system.Dataset", **said),
        artifact_id=own or None,
    )


def names(found: Any) -> list[str]:
    return [node.name.rpartition("/")[2] for node in found]


def test_the_default_store_comes_into_being_when_it_is_first_used(
    metadata: Client, store: str
) -> None:
    parent = store.partition("/metadataStores/")[0]
    with pytest.raises(exceptions.NotFound):
        metadata.get_metadata_store(name=store)
    assert not list(metadata.list_metadata_stores(parent=parent))
    dataset(metadata, store)
    assert metadata.get_metadata_store(name=store).name.endswith("/metadataStores/default")
    assert names(metadata.list_metadata_stores(parent=parent)) == ["default"]
    with pytest.raises(exceptions.Conflict):
        metadata.create_metadata_store(parent=parent, metadata_store_id="default")
    with pytest.raises(exceptions.NotFound, match="MetadataStore"):
        dataset(metadata, f"{parent}/metadataStores/another")
    elsewhere = store.replace("europe-west1", "us-central1")
    assert not list(metadata.list_artifacts(parent=elsewhere))


def test_a_deleted_store_takes_everything_with_it(metadata: Client, store: str) -> None:
    parent = store.partition("/metadataStores/")[0]
    own: Any = metadata.create_metadata_store(parent=parent, metadata_store_id="team-store")
    name = own.result(timeout=5).name
    artifact = dataset(metadata, name, "rows")
    deleted: Any = metadata.delete_metadata_store(name=name)
    deleted.result(timeout=5)
    for get, gone in ((metadata.get_metadata_store, name), (metadata.get_artifact, artifact.name)):
        with pytest.raises(exceptions.NotFound):
            get(name=gone)


def test_an_artifact_is_kept_as_it_was_given(metadata: Client, store: str) -> None:
    made = dataset(
        metadata,
        store,
        "rows-2026",
        display_name="rows",
        uri="gs://bucket/rows",
        labels={"team": "ml"},
        state=Artifact.State.LIVE,
        metadata={" payload_format ": "CSV", "rows": 12},
        description="all rows",
    )
    assert made.name.endswith("/locations/europe-west1/metadataStores/default/artifacts/rows-2026")
    assert made.name.split("/")[1].isdecimal()
    assert made.schema_version == "0.0.1"
    assert dict(made.metadata) == {"payload_format": "CSV", "rows": 12}
    assert made.etag
    assert metadata.get_artifact(name=f"{store}/artifacts/rows-2026") == made
    assert dataset(metadata, store).name != dataset(metadata, store).name
    with pytest.raises(exceptions.Conflict, match="already exists"):
        dataset(metadata, store, "rows-2026")


@pytest.mark.parametrize(
    ("own", "said", "named"),
    [
        ("abc", {}, "artifact_id"),
        ("With-Capitals", {}, "artifact_id"),
        ("", {"display_name": "x" * 129}, "display_name"),
        ("", {"labels": {"Team": "ml"}}, "label"),
        ("", {"state": 7}, "state"),
        ("", {"metadata": {"payload_format": 1}}, "payload_format"),
        ("", {"metadata": {"long": "x" * 205_000}}, "200 KB"),
        ("", {"schema_version": "9.9.9"}, "9.9.9"),
    ],
)
def test_what_vertex_would_refuse_is_refused(
    metadata: Client, store: str, own: str, said: dict[str, Any], named: str
) -> None:
    with pytest.raises(exceptions.BadRequest, match=named):
        dataset(metadata, store, own, **said)


@pytest.mark.parametrize("title", ["", "system.Nothing", "system.Run"])
def test_an_artifact_needs_a_schema_for_artifacts(metadata: Client, store: str, title: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="schema"):
        metadata.create_artifact(parent=store, artifact=Artifact(schema_title=title))


def test_an_update_changes_what_its_mask_names(metadata: Client, store: str) -> None:
    made = dataset(metadata, store, "rows", display_name="rows", metadata={"a": 1, "b": 2})
    changed = metadata.update_artifact(
        artifact=Artifact(name=made.name, metadata={"a": 3}, description="new")
    )
    assert (changed.display_name, changed.description) == ("rows", "new")
    assert dict(changed.metadata) == {"a": 3}
    assert int(changed.etag) > int(made.etag)
    assert changed.create_time == made.create_time
    emptied = metadata.update_artifact(
        artifact=Artifact(name=made.name, description="not this"),
        update_mask=FieldMask(paths=["display_name", "metadata"]),
    )
    assert (emptied.display_name, emptied.description) == ("", "new")
    assert not emptied.metadata
    for path in ("name", "schema_title", "create_time", "metadata.a"):
        with pytest.raises(exceptions.BadRequest, match=path.partition(".")[0]):
            metadata.update_artifact(
                artifact=Artifact(name=made.name), update_mask=FieldMask(paths=[path])
            )
    with pytest.raises(exceptions.BadRequest, match="schema_title"):
        metadata.update_artifact(artifact=Artifact(name=made.name, schema_title="system.Model"))


def test_metadata_too_deep_to_be_read_again_is_refused(emulator: Emulator, store: str) -> None:
    deep: dict[str, Any] = {}
    for _ in range(60):
        deep = {"a": deep}
    path = f"/v1/{store}/artifacts"
    body = {"schemaTitle": "system.Artifact"}
    assert emulator.call("POST", f"{path}?artifactId=shallow", json=body).status_code == 200
    for method, where in (("POST", path), ("PATCH", f"{path}/shallow?updateMask=metadata")):
        refused = emulator.call(method, where, json={**body, "metadata": deep})
        assert refused.status_code == 400
        assert "too deeply" in refused.json()["error"]["message"]
    assert emulator.call("GET", f"{path}/shallow").json()["schemaTitle"] == "system.Artifact"


def test_a_stale_etag_loses(metadata: Client, store: str) -> None:
    made = dataset(metadata, store, "rows")
    current = metadata.update_artifact(
        artifact=Artifact(name=made.name, etag=made.etag, description="mine")
    )
    stale = Artifact(name=made.name, etag=made.etag, description="yours")
    with pytest.raises(exceptions.Conflict, match=f"{made.etag}.*{current.etag}"):
        metadata.update_artifact(artifact=stale)
    request: Any = {"name": made.name, "etag": made.etag}
    with pytest.raises(exceptions.BadRequest, match="etag"):
        metadata.delete_artifact(request=request)
    deleted: Any = metadata.delete_artifact(request={"name": made.name, "etag": current.etag})
    deleted.result(timeout=5)
    with pytest.raises(exceptions.NotFound):
        metadata.get_artifact(name=made.name)


def test_an_update_may_create_what_is_missing(metadata: Client, store: str) -> None:
    wanted = Artifact(name=f"{store}/artifacts/late-one", schema_title="system.Model")
    with pytest.raises(exceptions.NotFound):
        metadata.update_artifact(artifact=wanted)
    made = metadata.update_artifact(request={"artifact": wanted, "allow_missing": True})
    assert metadata.get_artifact(name=made.name).schema_title == "system.Model"


def test_executions_and_contexts_follow_the_same_rules(metadata: Client, store: str) -> None:
    execution = metadata.create_execution(
        parent=store,
        execution=aiplatform_v1.Execution(
            schema_title="system.Run", state=aiplatform_v1.Execution.State.RUNNING
        ),
        execution_id="a-run",
    )
    done = metadata.update_execution(
        execution=aiplatform_v1.Execution(
            name=execution.name, state=aiplatform_v1.Execution.State.COMPLETE
        )
    )
    assert done.state is aiplatform_v1.Execution.State.COMPLETE
    context = metadata.create_context(
        parent=store,
        context=aiplatform_v1.Context(
            schema_title="system.Experiment", parent_contexts=["projects/1/none"]
        ),
        context_id="an-experiment",
    )
    assert not context.parent_contexts
    with pytest.raises(exceptions.BadRequest, match="schema"):
        metadata.create_context(
            parent=store, context=aiplatform_v1.Context(schema_title="system.Run")
        )
    for delete, name in (
        (metadata.delete_execution, execution.name),
        (metadata.delete_context, context.name),
    ):
        operation: Any = delete(name=name)
        operation.result(timeout=5)
        with pytest.raises(exceptions.NotFound):
            delete(name=name)


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ('display_name="first"', ["node-1"]),
        ('display_name="f*t"', ["node-1"]),
        ('display_name != "first"', ["node-2", "node-3"]),
        ('schema_title="system.*" AND uri="gs://b/2"', ["node-2"]),
        (
            '(schema_title="system.Model" OR schema_title="system.Dataset")',
            ["node-1", "node-2", "node-3"],
        ),
        ("state=LIVE", ["node-3"]),
        ("metadata.rows.number_value >= 10", ["node-2"]),
        ('metadata."output:kind".string_value = "b"', ["node-2"]),
        ("metadata.good.bool_value = true AND NOT state = LIVE", ["node-1"]),
        ("metadata.missing.number_value != 1", []),
        ('create_time > "2020-01-01T00:00:00Z" AND display_name="second"', ["node-2"]),
        ('name="{store}/artifacts/node-1"', ["node-1"]),
    ],
)
def test_a_list_shows_what_passes_its_filter(
    metadata: Client, store: str, filter_: str, found: list[str]
) -> None:
    dataset(metadata, store, "node-1", display_name="first", metadata={"rows": 9.5, "good": True})
    dataset(
        metadata,
        store,
        "node-2",
        display_name="second",
        uri="gs://b/2",
        metadata={"rows": 10, "output:kind": "b"},
    )
    dataset(metadata, store, "node-3", state=Artifact.State.LIVE, metadata={"good": False})
    request: Any = {"parent": store, "filter": filter_.format(store=store)}
    assert names(metadata.list_artifacts(request=request)) == found


@pytest.mark.parametrize(
    ("filter_", "named"),
    [
        ('labels.team="ml"', "labels"),
        ('schema_version="0.0.1"', "schema_version"),
        ('parent_contexts:"x"', "parent_contexts"),
        ('in_context("no-name")', "no-name"),
        ("in_context(bare)", "in quotes"),
        ("metadata.rows = 1", "metadata"),
        ("metadata.rows.struct_value = 1", "metadata"),
        ("metadata.rows.number_value = many", "many"),
        ('display_name > "a"', "display_name"),
        ('((((((display_name="a"))))))', "nested"),
    ],
)
def test_a_filter_that_is_not_documented_is_refused_by_name(
    metadata: Client, store: str, filter_: str, named: str
) -> None:
    request: Any = {"parent": store, "filter": filter_}
    with pytest.raises(exceptions.BadRequest, match=named):
        metadata.list_artifacts(request=request)


def test_a_list_has_an_order_and_pages(metadata: Client, store: str) -> None:
    for number in (2, 3, 1):
        dataset(metadata, store, f"node-{number}", display_name=f"{number}")
    request: Any = {"parent": store, "order_by": "display_name desc", "page_size": 2}
    pages = [names(page.artifacts) for page in metadata.list_artifacts(request=request).pages]
    assert pages == [["node-3", "node-2"], ["node-1"]]
    with pytest.raises(exceptions.BadRequest, match="order_by"):
        metadata.list_artifacts(request={"parent": store, "order_by": "labels"})
    with pytest.raises(exceptions.BadRequest, match="page_size"):
        metadata.list_artifacts(request={"parent": store, "page_size": 1001})


def test_a_purge_first_tells_then_deletes(metadata: Client, store: str) -> None:
    for number in (1, 2, 3):
        dataset(metadata, store, f"node-{number}", metadata={"number": number})
    request: Any = {"parent": store, "filter": "metadata.number.number_value < 3"}
    told: Any = metadata.purge_artifacts(request=request)
    answer = told.result(timeout=5)
    assert (answer.purge_count, len(answer.purge_sample)) == (2, 2)
    assert len(list(metadata.list_artifacts(parent=store))) == 3
    purged: Any = metadata.purge_artifacts(request={**request, "force": True})
    assert purged.result(timeout=5).purge_count == 2
    assert names(metadata.list_artifacts(parent=store)) == ["node-3"]
    with pytest.raises(exceptions.BadRequest, match="filter"):
        metadata.purge_artifacts(request={"parent": store, "force": True})


SCHEMA = """\
title: churn.Report
type: object
required: [rows]
additionalProperties: false
properties:
  rows: {type: integer}
  source:
    type: object
    required: [table]
    properties:
      table: {type: string}
"""


def register(metadata: Client, store: str, text: str, version: str = "") -> Any:
    return metadata.create_metadata_schema(
        parent=store,
        metadata_schema=aiplatform_v1.MetadataSchema(
            schema=text,
            schema_version=version,
            schema_type=aiplatform_v1.MetadataSchema.MetadataSchemaType.ARTIFACT_TYPE,
        ),
    )


def test_a_stores_own_schema_is_held_to(metadata: Client, store: str) -> None:
    made = register(metadata, store, SCHEMA, "1.0.0")
    assert metadata.get_metadata_schema(name=made.name) == made
    with pytest.raises(exceptions.Conflict):
        register(metadata, store, SCHEMA, "1.0.0")
    register(metadata, store, SCHEMA.replace("[rows]", "[]"), "1.10.0")

    def report(version: str = "", **said: Any) -> aiplatform_v1.Artifact:
        artifact = Artifact(schema_title="churn.Report", schema_version=version, metadata=said)
        return metadata.create_artifact(parent=store, artifact=artifact)

    assert report(rows=3, source={"table": "t"}).schema_version == "1.10.0"
    assert report("1.0.0", rows=3).schema_version == "1.0.0"
    for wrong, named in (
        ({"rows": 1.5}, "rows"),
        ({"rows": "1"}, "rows"),
        ({"rows": 1, "other": 1}, "other"),
        ({"rows": 1, "source": {}}, "source.table"),
        ({"rows": 1, "source": {"table": 1}}, "source.table"),
    ):
        with pytest.raises(exceptions.BadRequest, match=named):
            report(**wrong)
    with pytest.raises(exceptions.BadRequest, match="rows"):
        report("1.0.0")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[", "not YAML"),
        ("- a", "not an object"),
        ("title: nodot\ntype: object", "title"),
        ("title: churn.Report\ntype: string", "type"),
        ("title: churn.Report\ntype: object\nminProperties: 1", "minProperties"),
        ("title: churn.Report\ntype: object\nproperties: {a: {type: date}}", "'a'"),
        ("title: churn.Report\ntype: object\nproperties: {a: {type: [string]}}", "'a'"),
        ("title: churn.Report\ntype: object\nproperties: {1: {type: string}}", "name 1"),
        (
            "title: churn.Report\ntype: object\nproperties: {a: {type: number, minimum: 1}}",
            "minimum",
        ),
        ("title: churn.Report\ntype: object\ndescription: &a x\nrequired: [*a]", "aliases"),
        ("[" * 3000, "deep"),
    ],
)
def test_a_schema_beyond_the_supported_subset_is_refused(
    metadata: Client, store: str, text: str, named: str
) -> None:
    with pytest.raises(exceptions.BadRequest, match=named):
        register(metadata, store, text)


def test_the_system_schemas_are_there_from_the_start(metadata: Client, store: str) -> None:
    request: Any = {"parent": store, "filter": 'schema_title="system*" OR schema_title="google*"'}
    found = names(metadata.list_metadata_schemas(request=request))
    assert {"system-dag-execution-v0-0-1", "google-vertex-model-v0-0-1"} <= set(found)
    schema = metadata.get_metadata_schema(name=f"{store}/metadataSchemas/system-html-v0-0-1")
    assert schema.schema == "title: system.HTML\ntype: object\n"
    assert schema.schema_version == "0.0.1"
    with pytest.raises(exceptions.Conflict):
        register(metadata, store, "title: system.Artifact\ntype: object", "0.0.1")
