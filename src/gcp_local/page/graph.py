"""The graph of a run: what its pipeline has written, with what has become of each task.

A pure function of the job. The specification is read as far as the drawing needs it and without
complaint: whether it is right was settled before the job existed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_local.page import states
from gcp_local.page.drawing import Node
from gcp_local.page.writing import duration, moment_of, plain, shortened, value_of, values_of

if TYPE_CHECKING:
    from datetime import datetime

    from gcp_local.page.view import Mark
    from gcp_local.rpc.protos import Message

_UNFOLDED_ROUNDS = 3
_SHOWN_ROUNDS = 24
_DEEPEST = 40
_MOST_BOXES = 1500
_VALUE = re.compile(r"inputs\.parameter_values\['(?:pipelinechannel--)?([^']*)'\]")
_NAMED_BY_KFP = re.compile(r"(condition|condition-branches|exit-handler|for-loop)-\d+")
_SOURCES = ("taskOutputParameter", "taskOutputArtifact", "taskFinalStatus")


@dataclass(frozen=True)
class Told:
    """What is told of each task of a run.

    Attributes:
        details: the task details by the names from the root down, joined by dots.
        href: gives the address of a task's page.
        now: what time it is, for how long a task has been running.
        ahead: the state of a task that has not begun.

    """

    details: Mapping[str, Message]
    href: Callable[[Message], str]
    now: datetime
    ahead: Mark

    def mark(self, path: str) -> Mark:
        """Give the state of a task; of one that was not begun, whether it still may be."""
        detail = self.details.get(path)
        if detail is not None:
            return states.mark_of(detail)
        around = path.rpartition(".")[0]
        while around and around not in self.details:
            around = around.rpartition(".")[0]
        if around and states.name_of(self.details[around]) not in states.LIVE:
            return states.MISSED
        return self.ahead

    def note(self, path: str) -> str:
        """Say how long a task took, and how often it was tried."""
        detail = self.details.get(path)
        if detail is None or not detail.HasField("start_time"):
            return ""
        took = duration(moment_of(detail, "start_time"), moment_of(detail, "end_time") or self.now)
        tries = attempts(detail)
        return f"{took} · try {tries}" if tries > 1 else took

    def item(self, path: str, name: str) -> str:
        """Say what a round of a loop was given, if that is a short text or a number."""
        detail = self.details.get(path)
        fields = detail.execution.metadata.fields if detail is not None else {}
        if f"input:{name}" not in fields:
            return ""
        value = value_of(fields[f"input:{name}"])
        return f": {shortened(plain(value), 14)}" if isinstance(value, str | int | float) else ""

    def link(self, path: str) -> str:
        """Give the address of a task's page, if there is anything to see."""
        detail = self.details.get(path)
        return "" if detail is None else self.href(detail)


def attempts(detail: Message) -> int:
    """Count how often a task was started."""
    running = detail.DESCRIPTOR.enum_types_by_name["State"].values_by_name["RUNNING"].number
    return sum(status.state == running for status in detail.pipeline_task_status)


def graph_of(job: Message, told: Told) -> tuple[list[Node], list[tuple[str, str]]]:
    """Make the graph of a job's pipeline: its boxes, and which leads to which."""
    spec = values_of(job.pipeline_spec)
    deployed = spec.get("deploymentSpec", {}).get("executors", {})
    reader = _Reader(spec.get("components", {}), deployed, told)
    return reader.level(spec.get("root", {}).get("dag", {}), ())


class _Reader:
    def __init__(
        self, components: Mapping[str, Any], executors: Mapping[str, Any], told: Told
    ) -> None:
        self._components = components
        self._executors = executors
        self._told = told
        self._boxes = 0

    def level(
        self, dag: Mapping[str, Any], above: tuple[str, ...]
    ) -> tuple[list[Node], list[tuple[str, str]]]:
        """Make the boxes of one DAG and their edges."""
        tasks: Mapping[str, Any] = dag.get("tasks", {})
        self._boxes += len(tasks)
        if len(above) > _DEEPEST or self._boxes > _MOST_BOXES:
            return [], []  # what is in such a box is not drawn
        nodes = [self._node(name, task, (*above, name)) for name, task in sorted(tasks.items())]
        edges = [
            (".".join((*above, source)), ".".join((*above, name)))
            for name, task in sorted(tasks.items())
            for source in sorted(_upstream(task))
            if source in tasks
        ]
        return nodes, edges

    def _node(self, name: str, task: Mapping[str, Any], path: tuple[str, ...]) -> Node:
        component = self._components.get(task.get("componentRef", {}).get("name", ""), {})
        key = ".".join(path)
        loop = "parameterIterator" in task or "artifactIterator" in task
        dag = component.get("dag")
        label = task.get("taskInfo", {}).get("name") or name
        if _NAMED_BY_KFP.fullmatch(label):
            label = "Loop" if loop else _kind_of(name, task)
        if loop:
            return self._loop(key, label, path, task, component)
        if dag is None:
            executor = self._executors.get(component.get("executorLabel", ""), {})
            kind = "Importer" if "importer" in executor else "Task"
            return self._leaf(key, label, kind)
        inside, edges = self.level(dag, path)
        return Node(
            key,
            label,
            self._told.mark(key),
            " · ".join(filter(None, [self._told.note(key), _condition_of(task)])),
            _kind_of(name, task),
            self._told.link(key),
            inside,
            edges,
        )

    def _leaf(self, key: str, label: str, kind: str) -> Node:
        told = self._told
        return Node(key, label, told.mark(key), told.note(key), kind, told.link(key))

    def _loop(
        self,
        key: str,
        label: str,
        path: tuple[str, ...],
        task: Mapping[str, Any],
        component: Mapping[str, Any],
    ) -> Node:
        """Make a loop: few rounds with all that is in them, many as a box each."""
        told = self._told
        iterator = task.get("parameterIterator") or task.get("artifactIterator") or {}
        item = str(iterator.get("itemInput", ""))
        names: list[str] = []
        while f"{key}.{path[-1]}-{len(names)}" in told.details:
            names.append(f"{path[-1]}-{len(names)}")
        inside: list[Node] = []
        edges: list[tuple[str, str]] = []
        if not names:  # it has not begun: show what a round will be
            inside, edges = self.level(component.get("dag", {}), path)
        for number, name in enumerate(names[:_SHOWN_ROUNDS]):
            own = f"{key}.{name}"
            dag = component.get("dag") if len(names) <= _UNFOLDED_ROUNDS else None
            tasks, links = self.level(dag or {}, (*path, name))
            inside.append(
                Node(
                    own,
                    f"Round {number + 1}{told.item(own, item)}",
                    told.mark(own),
                    told.note(own),
                    "Round",
                    told.link(own),
                    tasks,
                    links,
                )
            )
        more = names[_SHOWN_ROUNDS:]
        if more:
            marks = [told.mark(f"{key}.{name}") for name in more]
            inside.append(Node(f"{key}.…", f"{len(more)} more rounds", _worst(marks)))
        note = " · ".join(filter(None, [f"{len(names)} rounds" if names else "", told.note(key)]))
        return Node(key, label, told.mark(key), note, "Loop", told.link(key), inside, edges)


def _upstream(task: Mapping[str, Any]) -> set[str]:
    """Name the tasks that a task waits for, by order or by what they give it."""
    inputs = task.get("inputs", {})
    given = [*inputs.get("parameters", {}).values(), *inputs.get("artifacts", {}).values()]
    producers = {
        each[source]["producerTask"]
        for each in given
        for source in _SOURCES
        if isinstance(each, dict) and "producerTask" in (each.get(source) or {})
    }
    return producers | set(task.get("dependentTasks", ()))


def labels_of(nodes: Iterable[Node]) -> dict[str, str]:
    """Give what each task is called in a graph, by the names from the root down."""
    labels: dict[str, str] = {}
    for node in nodes:
        labels[node.key] = node.label
        labels |= labels_of(node.inside)
    return labels


def _condition_of(task: Mapping[str, Any]) -> str:
    """Write a condition as the pipeline's author thought of it."""
    text = str(task.get("triggerPolicy", {}).get("condition", ""))
    return _VALUE.sub(lambda match: match[1], text)


def _kind_of(name: str, task: Mapping[str, Any]) -> str:
    condition = task.get("triggerPolicy", {}).get("condition", "")
    if condition:
        return "If"
    for beginning, kind in (
        ("exit-handler", "Exit handler"),
        ("condition-branches", "Either"),
        ("condition", "If"),
    ):
        if name.startswith(beginning):
            return kind
    return "Pipeline"


def _worst(marks: Iterable[Mark]) -> Mark:
    """Give the state that matters most among several."""
    order = ("bad", "live", "wait", "soft", "good")
    return min(marks, key=lambda mark: order.index(mark.tone))
