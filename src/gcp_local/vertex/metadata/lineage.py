"""Questions about the graph: which artifacts and executions are connected, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.errors import FailedPrecondition, InvalidArgument
from gcp_local.rpc.protos import Message
from gcp_local.vertex.metadata.kinds import Artifact, Execution, LineageSubgraph

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gcp_local.resources.filtering import Predicate
    from gcp_local.vertex.metadata.store import MetadataGraph

_MOST = 1000


def around_execution(graph: MetadataGraph, execution: Message) -> Message:
    """Give an execution with its input and output artifacts."""
    events = graph.events_of(execution.name)
    artifacts = (graph.find(event.artifact, Artifact) for event in events)
    return _subgraph((found for found in artifacts if found is not None), [execution], events)


def within_context(graph: MetadataGraph, context: str) -> Message:
    """Give what is in a context, and the events between what is in it.

    Raises:
        FailedPrecondition: more than 1000 of a kind.

    """
    names = sorted(graph.members(context))
    artifacts = [node for name in names if (node := graph.find(name, Artifact)) is not None]
    executions = [node for name in names if (node := graph.find(name, Execution)) is not None]
    inside = {node.name for node in artifacts}
    events = [
        event
        for execution in executions
        for event in graph.events_of(execution.name)
        if event.artifact in inside
    ]
    return _subgraph(artifacts, executions, events)


def lineage_of(graph: MetadataGraph, artifact: str, max_hops: int, holds: Predicate) -> Message:
    """Give what is connected with an artifact, in both directions.

    Args:
        graph: the graph.
        artifact: the artifact's name.
        max_hops: how many events away; 0, which over the wire is the same as none given, is all.
        holds: which artifacts may be part of it; nothing is followed through the others.

    Raises:
        InvalidArgument: a negative number of hops.
        FailedPrecondition: more than 1000 of a kind.

    """
    if max_hops < 0:
        raise InvalidArgument.of_field("max_hops", "max_hops must not be negative.")
    start = graph.get(artifact, Artifact)
    artifacts: dict[str, Message] = {artifact: start} if holds(start) else {}
    executions: dict[str, Message] = {}
    excluded: set[str] = set()
    events: dict[tuple[str, str], Message] = {}
    frontier = list(artifacts)
    hops = 0
    while frontier and (not max_hops or hops < max_hops):
        hops += 1
        reached: list[str] = []
        for name in frontier:
            for event in graph.events_of(name):
                other = event.artifact if name in executions else event.execution
                if other not in artifacts and other not in executions and other not in excluded:
                    if name in executions:
                        node = graph.get(other, Artifact)
                        if not holds(node):
                            excluded.add(other)
                            continue
                        artifacts[other] = node
                    else:
                        executions[other] = graph.get(other, Execution)
                    reached.append(other)
                if other not in excluded:
                    events[event.execution, event.artifact] = event
        _check_size(len(artifacts), len(executions), len(events))
        frontier = reached
    return _subgraph(artifacts.values(), executions.values(), events.values())


def _subgraph(
    artifacts: Iterable[Message], executions: Iterable[Message], events: Iterable[Message]
) -> Message:
    found = LineageSubgraph(
        artifacts=list(artifacts), executions=list(executions), events=list(events)
    )
    _check_size(len(found.artifacts), len(found.executions), len(found.events))
    return found


def _check_size(artifacts: int, executions: int, events: int) -> None:
    if max(artifacts, executions, events) > _MOST:
        raise FailedPrecondition(
            f"The lineage has more than {_MOST} artifacts, executions or events."
        )
