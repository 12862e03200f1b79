"""One task of a run: why it failed, its log, what it was given and what it gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gcp_local.errors import NotFound
from gcp_local.page import plots, states
from gcp_local.page.graph import attempts, labels_of
from gcp_local.page.logs import log_of
from gcp_local.page.names import uri_cell
from gcp_local.page.run import graph, task_address
from gcp_local.page.view import Block, Cell, Facts, Link, Note, Table, Tone, View
from gcp_local.page.writing import at, duration, moment_of, plain, shortened, values_of
from gcp_local.vertex.pipelines import PipelineJob

if TYPE_CHECKING:
    from gcp_local.page.site import Visit
    from gcp_local.rpc.protos import Message

_LONGEST_VALUE = 1000
_KINDS = {
    "system.ContainerExecution": "a container",
    "system.ImporterExecution": "an importer",
    "system.DagExecution": "tasks of its own",
    "system.Run": "the whole run",
}


def page(visit: Visit, name: str, task_id: str) -> View:
    """Show a task."""
    job = visit.sources.resources.get(name, PipelineJob)
    tasks = {str(task.task_id): task for task in job.job_detail.task_details}
    task = tasks.get(task_id)
    if task is None:
        raise NotFound(f"The run {name.rpartition('/')[2]!r} has no task of the id {task_id!r}.")
    blocks: list[Block] = []
    if task.error.message:
        blocks.append(Note("The task failed.", Tone.BAD, task.error.message))
    blocks.append(_facts(visit, job, task, tasks))
    blocks += visit.part(lambda: _inside(visit, job, task))
    blocks += visit.part(lambda: _log(visit, job, task))
    blocks += visit.part(lambda: _parameters(task))
    blocks += visit.part(lambda: _artifacts(visit, "Input artifacts", task.inputs))
    blocks += visit.part(lambda: _artifacts(visit, "Output artifacts", task.outputs))
    blocks += visit.part(lambda: _drawn(visit, task))
    blocks += visit.part(lambda: _tries(visit, task))
    nodes, _ = graph(visit, job)
    return View(
        labels_of(nodes).get(task.task_unique_name, task.task_name),
        blocks=blocks,
        kind="Task",
        mark=states.mark_of(task),
        live=states.name_of(task) in states.LIVE,
    )


def _facts(visit: Visit, job: Message, task: Message, tasks: Mapping[str, Message]) -> Facts:
    start, end = moment_of(task, "start_time"), moment_of(task, "end_time")
    known = [
        ("Run", visit.names.cell(job.name)),
        ("Name", Cell(task.task_unique_name or task.task_name, code=True)),
        ("Started", at(start, visit.now)),
        ("Took" if end else "Running for", Cell(duration(start, end or visit.now))),
        ("Tries", Cell(str(attempts(task)))),
    ]
    parent = tasks.get(str(task.parent_task_id))
    if parent is not None and parent.task_unique_name:
        known.insert(1, ("Inside", Cell(parent.task_name, task_address(visit, job, parent))))
    kind = _KINDS.get(task.execution.schema_title)
    if kind:
        known.append(("Runs", Cell(kind)))
    if task.HasField("execution") and task.execution.name:
        known.append(("Execution", visit.names.cell(task.execution.name)))
    return Facts(known)


def _inside(visit: Visit, job: Message, task: Message) -> list[Block]:
    inner = [each for each in job.job_detail.task_details if each.parent_task_id == task.task_id]
    if not inner:
        return []
    return [
        Table(
            "Inside",
            ["State", "Task", "Started", "Took"],
            [
                [
                    Cell(mark=states.mark_of(each)),
                    Cell(each.task_name, task_address(visit, job, each)),
                    at(moment_of(each, "start_time"), visit.now),
                    Cell(
                        duration(
                            moment_of(each, "start_time"), moment_of(each, "end_time") or visit.now
                        ),
                        number=True,
                    ),
                ]
                for each in inner
            ],
        )
    ]


def _log(visit: Visit, job: Message, task: Message) -> Sequence[Block]:
    if task.execution.schema_title != "system.ContainerExecution":
        return []
    if states.name_of(task) == "SKIPPED":
        return [Note("It did not run: an earlier execution had the same inputs. So it has no log.")]
    log = log_of(visit.sources, job, task)
    return [log or Note("There is no log in the bucket.", Tone.WAIT)]


def _parameters(task: Message) -> list[Block]:
    values = values_of(task.execution.metadata)
    blocks: list[Block] = []
    for title, way in (("Input parameters", "input:"), ("Output parameters", "output:")):
        rows = [
            [
                Cell(key.removeprefix(way), code=True),
                Cell(shortened(plain(value), _LONGEST_VALUE), code=True),
            ]
            for key, value in values.items()
            if key.startswith(way)
        ]
        if rows:
            blocks.append(Table(title, ["Parameter", "Value"], rows))
    return blocks


def _artifacts(visit: Visit, title: str, lists: Mapping[str, Any]) -> list[Block]:
    rows = [
        [
            Cell(key, code=True),
            visit.names.cell(artifact.name, _type_of(artifact)),
            uri_cell(artifact.uri),
            Cell(shortened(_said(artifact), 140), code=True),
        ]
        for key in sorted(lists)
        for artifact in lists[key].artifacts
    ]
    return [Table(title, ["Name", "Type", "Where", "Metadata"], rows)] if rows else []


def _type_of(artifact: Message) -> str:
    return str(artifact.schema_title.removeprefix("system.")) or "Artifact"


def _said(artifact: Message) -> str:
    values = values_of(artifact.metadata)
    return plain(values) if values else "–"


def _drawn(visit: Visit, task: Message) -> list[Block]:
    blocks: list[Block] = []
    link = Link("")
    for key in sorted(task.outputs):
        for artifact in task.outputs[key].artifacts:
            if artifact.schema_title == plots.METRICS and artifact.metadata.fields:
                blocks.append(plots.numbers(key, [(link, plots.metrics_of(artifact))]))
            else:
                blocks += plots.plots_of(visit.sources, artifact, key)
    return blocks


def _tries(visit: Visit, task: Message) -> list[Block]:
    """Tell how the task went from state to state."""
    rows = [
        [
            at(moment_of(status, "update_time"), visit.now),
            Cell(mark=states.mark_of(status)),
            Cell(status.error.message or "–"),
        ]
        for status in task.pipeline_task_status
    ]
    return [Table("What happened", ["When", "State", "Why"], rows)] if rows else []
