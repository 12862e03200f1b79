"""Events, contexts and questions about lineage, through Google's typed client."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1

Client = aiplatform_v1.MetadataServiceClient
Type = aiplatform_v1.Event.Type


@pytest.fixture
def chain(metadata: Client, store: str) -> dict[str, str]:
    """rows -> train -> model -> evaluate -> metrics, by their full names."""
    found: dict[str, str] = {}
    for own, title in (("rows", "Dataset"), ("model", "Model"), ("metrics", "Metrics")):
        artifact = aiplatform_v1.Artifact(schema_title=f"system.{title}", display_name=own)
        made = metadata.create_artifact(
            parent=store, artifact=artifact, artifact_id=f"{own}-artifact"
        )
        found[own] = made.name
    for own, given, gave in (("train", "rows", "model"), ("evaluate", "model", "metrics")):
        execution = aiplatform_v1.Execution(schema_title="system.Run", display_name=own)
        step = metadata.create_execution(
            parent=store, execution=execution, execution_id=f"{own}-step"
        )
        found[own] = step.name
        connect(metadata, step.name, found[given], Type.INPUT)
        connect(metadata, step.name, found[gave], Type.OUTPUT)
    return found


def connect(metadata: Client, execution: str, artifact: str, kind: int) -> None:
    event = aiplatform_v1.Event(artifact=artifact, type_=Type(kind))
    metadata.add_execution_events(execution=execution, events=[event])


def shown(graph: aiplatform_v1.LineageSubgraph) -> set[str]:
    return {a.display_name for a in graph.artifacts} | {e.display_name for e in graph.executions}


def context(metadata: Client, store: str, own: str) -> str:
    made = metadata.create_context(
        parent=store,
        context=aiplatform_v1.Context(schema_title="system.ExperimentRun"),
        context_id=own,
    )
    return made.name


def test_an_executions_inputs_and_outputs_are_told(metadata: Client, chain: dict[str, str]) -> None:
    graph = metadata.query_execution_inputs_and_outputs(execution=chain["train"])
    assert shown(graph) == {"train", "rows", "model"}
    kinds = {event.artifact: event.type_ for event in graph.events}
    assert kinds == {chain["rows"]: Type.INPUT, chain["model"]: Type.OUTPUT}
    assert all(event.event_time for event in graph.events)


def test_an_event_that_is_there_already_is_passed_over(
    metadata: Client, chain: dict[str, str]
) -> None:
    connect(metadata, chain["train"], chain["rows"], Type.OUTPUT)
    graph = metadata.query_execution_inputs_and_outputs(execution=chain["train"])
    assert [e.type_ for e in graph.events if e.artifact == chain["rows"]] == [Type.INPUT]


def test_events_are_added_all_or_none(metadata: Client, store: str, chain: dict[str, str]) -> None:
    good = aiplatform_v1.Event(artifact=chain["metrics"], type_=Type.INPUT)
    for bad, error in (
        (aiplatform_v1.Event(artifact=f"{store}/artifacts/none", type_=Type.INPUT), "none"),
        (aiplatform_v1.Event(artifact=chain["model"]), "type"),
        (aiplatform_v1.Event(artifact=chain["train"], type_=Type.INPUT), r"events\[1\].artifact"),
    ):
        with pytest.raises(exceptions.ClientError, match=error):
            metadata.add_execution_events(execution=chain["train"], events=[good, bad])
    graph = metadata.query_execution_inputs_and_outputs(execution=chain["train"])
    assert shown(graph) == {"train", "rows", "model"}


@pytest.mark.parametrize(
    ("max_hops", "filter_", "found"),
    [
        (1, "", {"rows", "train"}),
        (2, "", {"rows", "train", "model"}),
        (0, "", {"rows", "train", "model", "evaluate", "metrics"}),
        (0, 'schema_title="system.Dataset"', {"rows", "train"}),
        (0, 'display_name="nothing"', set()),
    ],
)
def test_lineage_goes_as_far_as_asked(
    metadata: Client, chain: dict[str, str], max_hops: int, filter_: str, found: set[str]
) -> None:
    request: Any = {"artifact": chain["rows"], "max_hops": max_hops, "filter": filter_}
    assert shown(metadata.query_artifact_lineage_subgraph(request=request)) == found


def test_lineage_goes_upstream_too(metadata: Client, chain: dict[str, str]) -> None:
    graph = metadata.query_artifact_lineage_subgraph(artifact=chain["metrics"])
    assert shown(graph) == {"rows", "train", "model", "evaluate", "metrics"}
    assert len(graph.events) == 4
    with pytest.raises(exceptions.BadRequest, match="max_hops"):
        metadata.query_artifact_lineage_subgraph(
            request={"artifact": chain["rows"], "max_hops": -1}
        )


def test_a_deleted_artifact_takes_its_events_with_it(
    metadata: Client, chain: dict[str, str]
) -> None:
    deleted: Any = metadata.delete_artifact(name=chain["model"])
    deleted.result(timeout=5)
    graph = metadata.query_artifact_lineage_subgraph(artifact=chain["rows"])
    assert shown(graph) == {"rows", "train"}
    assert [event.artifact for event in graph.events] == [chain["rows"]]


def test_a_context_holds_what_was_put_into_it(
    metadata: Client, store: str, chain: dict[str, str]
) -> None:
    run = context(metadata, store, "one-run")
    for _ in range(2):
        metadata.add_context_artifacts_and_executions(
            context=run, artifacts=[chain["rows"]], executions=[chain["train"]]
        )
    graph = metadata.query_context_lineage_subgraph(context=run)
    assert shown(graph) == {"rows", "train"}
    assert [event.artifact for event in graph.events] == [chain["rows"]]
    inside: Any = {"parent": store, "filter": f'in_context("{run}") AND display_name="rows"'}
    assert [node.name for node in metadata.list_artifacts(request=inside)] == [chain["rows"]]
    by_id: Any = {"parent": store, "filter": f'in_context("{store}/contexts/one-run")'}
    assert [node.name for node in metadata.list_executions(request=by_id)] == [chain["train"]]
    with pytest.raises(exceptions.NotFound):
        metadata.add_context_artifacts_and_executions(
            context=run, artifacts=[f"{store}/artifacts/none"]
        )
    with pytest.raises(exceptions.BadRequest, match="same metadata store"):
        metadata.add_context_artifacts_and_executions(
            context=run, artifacts=[chain["rows"].replace("europe-west1", "europe-west4")]
        )


def test_contexts_have_children_and_no_cycles(metadata: Client, store: str) -> None:
    top, middle, bottom = (context(metadata, store, own) for own in ("top-1", "middle", "bottom"))
    for _ in range(2):
        metadata.add_context_children(context=top, child_contexts=[middle])
    metadata.add_context_children(context=middle, child_contexts=[bottom])
    assert metadata.get_context(name=middle).parent_contexts == [top]

    def found(filter_: str) -> list[str]:
        request: Any = {"parent": store, "filter": filter_}
        return [node.name for node in metadata.list_contexts(request=request)]

    assert found(f'parent_contexts:"{top}"') == [middle]
    assert found(f'child_contexts:"{bottom}"') == [middle]
    for parent, child in ((bottom, top), (top, top)):
        with pytest.raises(exceptions.BadRequest, match="cycle"):
            metadata.add_context_children(context=parent, child_contexts=[child])
    metadata.remove_context_children(context=middle, child_contexts=[bottom, top])
    assert not metadata.get_context(name=bottom).parent_contexts
    deleted: Any = metadata.delete_context(name=top)
    deleted.result(timeout=5)
    assert not metadata.get_context(name=middle).parent_contexts


def test_a_context_has_at_most_ten_parents(metadata: Client, store: str) -> None:
    child = context(metadata, store, "child")
    parents = [context(metadata, store, f"parent-{number}") for number in range(11)]
    for parent in parents[:10]:
        metadata.add_context_children(context=parent, child_contexts=[child])
    with pytest.raises(exceptions.BadRequest, match="10 parents"):
        metadata.add_context_children(context=parents[10], child_contexts=[child])
