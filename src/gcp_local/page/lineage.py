"""Lineage: where an artifact comes from and what came of it; contexts, and what is in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcp_local.page import plots, states
from gcp_local.page.drawing import Node, drawn
from gcp_local.page.names import uri_cell
from gcp_local.page.view import Block, Cell, Facts, Graph, Link, Mark, Table, Text, Tone, View
from gcp_local.page.writing import at, moment_of, pretty, values_of
from gcp_local.vertex.metadata.kinds import OUTPUT, Artifact, Context, Execution

if TYPE_CHECKING:
    from gcp_local.page.site import Place, Visit
    from gcp_local.rpc.protos import Message
    from gcp_local.vertex.metadata.store import MetadataGraph

_MOST_NODES = 48
_MOST_MEMBERS = 200
_MOST_CONTEXTS = 100
_ARTIFACT = Mark("Artifact", Tone.SOFT, "◆")


@dataclass(frozen=True)
class Lineage:
    """What is connected with something, by names, and the edges from what was before to after.

    Attributes:
        cut: whether there is more than was looked at.

    """

    artifacts: Sequence[Message]
    executions: Sequence[Message]
    edges: Sequence[tuple[str, str]]
    cut: bool


def around(graph: MetadataGraph, name: str, most: int = _MOST_NODES) -> Lineage:
    """Follow the events from an artifact or an execution, upstream and downstream.

    What is beside it, made by the same execution or of the same artifact, is no part of it.
    """
    edges: dict[tuple[str, str], None] = {}
    seen = {name: None}
    cut = False
    for upstream in (True, False):
        frontier = [name]
        while frontier:
            reached = []
            for each in frontier:
                for event in graph.events_of(each):
                    made = event.type_ == OUTPUT
                    edge = (event.execution, event.artifact)
                    source, target = edge if made else edge[::-1]
                    other, here = (source, target) if upstream else (target, source)
                    if here != each:
                        continue
                    if other not in seen:
                        if len(seen) >= most:
                            cut = True
                            continue
                        seen[other] = None
                        reached.append(other)
                    edges[source, target] = None
            frontier = reached
    artifacts = [node for each in seen if (node := graph.find(each, Artifact)) is not None]
    executions = [node for each in seen if (node := graph.find(each, Execution)) is not None]
    return Lineage(artifacts, executions, list(edges), cut)


def graph_block(visit: Visit, name: str) -> Graph:
    """Draw the lineage of an artifact or an execution."""
    lineage = around(visit.sources.metadata, name)
    nodes = [_artifact_node(visit, each, name) for each in lineage.artifacts]
    nodes += [
        Node(
            each.name,
            each.display_name or each.name.rpartition("/")[2],
            states.mark_of(each),
            "this one" if each.name == name else "",
            "Execution",
            visit.names.href(each.name),
        )
        for each in lineage.executions
    ]
    note = "What it was made of is above it, what was made of it below."
    if lineage.cut:
        note += f" There is more than these {_MOST_NODES}: follow the links."
    return Graph("Lineage", drawn(nodes, lineage.edges), note)


def _artifact_node(visit: Visit, artifact: Message, name: str) -> Node:
    kind = artifact.schema_title.rpartition(".")[2] or "Artifact"
    return Node(
        artifact.name,
        artifact.display_name or artifact.name.rpartition("/")[2],
        Mark(kind, Tone.SOFT, _ARTIFACT.sign),
        "this one" if artifact.name == name else "",
        "Artifact",
        visit.names.href(artifact.name),
    )


def artifact_page(visit: Visit, name: str) -> View:
    """Show an artifact."""
    artifact = visit.sources.metadata.get(name, Artifact)
    blocks: list[Block] = [
        Facts(
            [
                *_node_facts(visit, artifact),
                ("Where", uri_cell(artifact.uri)),
            ]
        )
    ]
    if artifact.schema_title == plots.METRICS:
        own = Link("")
        blocks.append(plots.numbers("Metrics", [(own, plots.metrics_of(artifact))]))
    blocks += visit.part(lambda: plots.plots_of(visit.sources, artifact))
    blocks += visit.part(lambda: [graph_block(visit, name)])
    blocks.append(Text("Metadata", pretty(values_of(artifact.metadata))))
    title = artifact.display_name or name.rpartition("/")[2]
    return View(title, blocks=blocks, kind="Artifact", mark=states.mark_of(artifact))


def execution_page(visit: Visit, name: str) -> View:
    """Show an execution."""
    execution = visit.sources.metadata.get(name, Execution)
    blocks: list[Block] = [Facts(_node_facts(visit, execution))]
    blocks += visit.part(lambda: [graph_block(visit, name)])
    blocks.append(Text("Metadata", pretty(values_of(execution.metadata))))
    title = execution.display_name or name.rpartition("/")[2]
    return View(title, blocks=blocks, kind="Execution", mark=states.mark_of(execution))


def context_page(visit: Visit, name: str) -> View:
    """Show a context: an experiment, a pipeline, a run, and what is in it."""
    graph = visit.sources.metadata
    context = graph.get(name, Context)
    facts = _node_facts(visit, context)
    if context.schema_title == "system.PipelineRun":
        location = name.partition("/metadataStores/")[0]
        facts.append(
            ("Run", visit.names.cell(f"{location}/pipelineJobs/{name.rpartition('/')[2]}"))
        )
    facts += [("In", visit.names.cell(parent)) for parent in context.parent_contexts]
    members = sorted(graph.members(name))
    shown = members[:_MOST_MEMBERS]
    blocks: list[Block] = [
        Facts(facts),
        Table(
            "Executions",
            ["State", "Execution", "Type", "Made"],
            [
                _member(visit, node)
                for each in shown
                if (node := graph.find(each, Execution)) is not None
            ],
            empty="None belongs to it.",
        ),
        Table(
            "Artifacts",
            ["State", "Artifact", "Type", "Made"],
            [
                _member(visit, node)
                for each in shown
                if (node := graph.find(each, Artifact)) is not None
            ],
            empty="None belongs to it.",
            note=f"Of {len(members)} members the first {_MOST_MEMBERS} are shown."
            if len(members) > len(shown)
            else "",
        ),
        Text("Metadata", pretty(values_of(context.metadata))),
    ]
    title = context.display_name or name.rpartition("/")[2]
    return View(title, blocks=blocks, kind="Context")


def _member(visit: Visit, node: Message) -> list[Cell]:
    return [
        Cell(mark=states.mark_of(node)),
        visit.names.cell(node.name, node.display_name),
        Cell(node.schema_title, code=True),
        at(moment_of(node, "create_time"), visit.now),
    ]


def _node_facts(visit: Visit, node: Message) -> list[tuple[str, Cell]]:
    return [
        ("Type", Cell(node.schema_title or "–", code=True)),
        ("Id", Cell(node.name.rpartition("/")[2], code=True)),
        ("Made", at(moment_of(node, "create_time"), visit.now)),
        ("Description", Cell(node.description or "–")),
    ]


def page(visit: Visit, place: Place) -> list[Block]:
    """List the newest contexts and artifacts of a location's default store."""
    store = f"{place.name}/metadataStores/default"
    newest = visit.sources.resources.newest

    def rows(kind: type[Message], cells: Callable[[Message], list[Cell]]) -> list[list[Cell]]:
        found = newest(kind, store, limit=_MOST_CONTEXTS)
        return [cells(each) for _, each in found if each is not None]

    note = f"The newest {_MOST_CONTEXTS} at most."
    return [
        Table(
            "Contexts",
            ["Context", "Type", "Made"],
            rows(
                Context,
                lambda each: [
                    visit.names.cell(each.name, each.display_name),
                    Cell(each.schema_title, code=True),
                    at(moment_of(each, "create_time"), visit.now),
                ],
            ),
            empty="Runs, pipelines and experiments, as ML Metadata knows them.",
            note=note,
        ),
        Table(
            "Artifacts",
            ["Artifact", "Type", "Where", "Made"],
            rows(
                Artifact,
                lambda each: [
                    visit.names.cell(each.name, each.display_name),
                    Cell(each.schema_title, code=True),
                    uri_cell(each.uri),
                    at(moment_of(each, "create_time"), visit.now),
                ],
            ),
            empty="What runs have made: data sets, models, metrics.",
            note=note,
        ),
    ]
