"""One run: its graph, its tasks, what it was given, what it measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gcp_local.page import plots, states
from gcp_local.page.drawing import Node, drawn
from gcp_local.page.graph import Told, attempts, graph_of, labels_of
from gcp_local.page.names import uri_cell
from gcp_local.page.view import Block, Cell, Facts, Graph, Link, Note, Table, Tone, View
from gcp_local.page.writing import at, duration, moment_of, plain, shortened, values_of
from gcp_local.vertex.pipeline_ids import pipeline_name
from gcp_local.vertex.pipelines import TERMINAL, PipelineJob

if TYPE_CHECKING:
    from gcp_local.page.site import Visit
    from gcp_local.rpc.protos import Message

_LONGEST_VALUE = 300
_MOST_FAILED = 8


def page(visit: Visit, name: str) -> View:
    """Show a run."""
    job = visit.sources.resources.get(name, PipelineJob)
    live = job.state not in TERMINAL
    tasks = [task for task in job.job_detail.task_details if task.task_unique_name]
    nodes, edges = graph(visit, job)
    labels = labels_of(nodes)
    blocks: list[Block] = []
    if job.HasField("error") and job.error.message:
        blocks.append(_failure(visit, job, tasks, labels))
    blocks += visit.part(lambda: [facts(visit, job)])
    blocks += visit.part(lambda: [Graph("Graph", drawn(nodes, edges))])
    blocks += visit.part(lambda: [_tasks(visit, job, tasks, labels)])
    blocks += visit.part(lambda: _measured(visit, job, tasks, labels))
    blocks += visit.part(lambda: [_parameters(job)])
    return View(
        job.display_name or name.rpartition("/")[2],
        blocks=blocks,
        kind="Run",
        mark=states.mark_of(job),
        live=live,
    )


def _failure(
    visit: Visit, job: Message, tasks: Sequence[Message], labels: Mapping[str, str]
) -> Note:
    """Say why a run failed, and lead to the tasks that it failed at."""
    failed = [task for task in tasks if states.name_of(task) == "FAILED"]
    around = {task.parent_task_id for task in failed}
    links = [
        Link(labels.get(task.task_unique_name, task.task_name), task_address(visit, job, task))
        for task in failed
        if task.task_id not in around
    ]
    said = "The run failed at" if links else "The run has ended with an error."
    return Note(said, Tone.BAD, job.error.message, links[:_MOST_FAILED])


def task_address(visit: Visit, job: Message, task: Message) -> str:
    """Give the address of a task's page."""
    return visit.names.href(f"{job.name}/tasks/{task.task_id}")


def facts(visit: Visit, job: Message) -> Facts:
    """Say what is to be said of a run first."""
    start, end = moment_of(job, "start_time"), moment_of(job, "end_time")
    location = job.name.partition("/pipelineJobs/")[0]
    pipeline = pipeline_name(job)
    known: list[tuple[str, Cell]] = [
        ("Id", Cell(job.name.rpartition("/")[2], code=True)),
        ("Pipeline", Cell(pipeline, visit.names.href(f"{location}/pipelines/{pipeline}"))),
        ("Created", at(moment_of(job, "create_time"), visit.now)),
        ("Started", at(start, visit.now)),
        ("Took" if end else "Running for", Cell(duration(start, end or visit.now))),
    ]
    if job.template_uri:
        known.append(("Template", Cell(job.template_uri, code=True)))
    if job.template_metadata.version:
        known.append(("Its digest", Cell(job.template_metadata.version, code=True)))
    if job.schedule_name:
        known.append(("Schedule", visit.names.cell(job.schedule_name)))
    if job.runtime_config.gcs_output_directory:
        known.append(("Output", uri_cell(job.runtime_config.gcs_output_directory)))
    known.append(("Runs as", Cell(job.service_account, code=True)))
    contexts = job.job_detail
    if contexts.HasField("pipeline_run_context"):
        context = contexts.pipeline_run_context.name
        known.append(("Lineage", visit.names.cell(context, "all its artifacts and executions")))
    labels = {key: value for key, value in job.labels.items() if not key.startswith("vertex-ai-")}
    if labels:
        known.append(("Labels", label_cell(labels)))
    return Facts(known)


def label_cell(labels: Mapping[str, str]) -> Cell:
    """Write labels."""
    if not labels:
        return Cell("–")
    return Cell(links=[Link(f"{key}: {value}") for key, value in sorted(labels.items())])


def graph(visit: Visit, job: Message) -> tuple[list[Node], list[tuple[str, str]]]:
    """Make the graph of a run; an empty one, if that cannot be done."""
    told = Told(
        details={task.task_unique_name: task for task in job.job_detail.task_details},
        href=lambda task: task_address(visit, job, task),
        now=visit.now,
        ahead=states.MISSED if job.state in TERMINAL else states.AHEAD,
    )
    try:
        return graph_of(job, told)
    except (AttributeError, TypeError, KeyError):
        return [], []  # a specification that is like none: its job says why it failed


def _tasks(
    visit: Visit, job: Message, tasks: Sequence[Message], labels: Mapping[str, str]
) -> Table:
    first = moment_of(job, "start_time") or visit.now
    last = moment_of(job, "end_time") or visit.now
    known = {task.task_unique_name: task for task in tasks}
    ordered = sorted(tasks, key=lambda task: _order(task, known))
    return Table(
        "Tasks",
        ["State", "Task", "Started", "Took", "Tries", "When"],
        [
            [
                Cell(mark=states.mark_of(task)),
                Cell(
                    labels.get(task.task_unique_name, task.task_name),
                    task_address(visit, job, task),
                    depth=task.task_unique_name.count("."),
                    title=task.task_unique_name,
                ),
                at(moment_of(task, "start_time"), visit.now),
                Cell(_took(visit, task), number=True),
                Cell(str(attempts(task) or "–"), number=True),
                Cell(share=_share(task, first, last), title="when it ran, in the time of the run"),
            ]
            for task in ordered
        ],
        empty="The tasks of the run, as soon as it has begun.",
    )


def _order(task: Message, known: Mapping[str, Message]) -> tuple[tuple[int, str], ...]:
    """Put tasks behind the one that they stand in, and otherwise by when they started."""
    words = task.task_unique_name.split(".")
    paths = [".".join(words[: count + 1]) for count in range(len(words))]
    return tuple(
        (known[path].start_time.ToNanoseconds() or 2**63, path) for path in paths if path in known
    )


def _took(visit: Visit, task: Message) -> str:
    return duration(moment_of(task, "start_time"), moment_of(task, "end_time") or visit.now)


def _share(task: Message, first: datetime, last: datetime) -> tuple[float, float]:
    start = moment_of(task, "start_time")
    if start is None:
        return (0.0, 0.0)
    whole = max((last - first).total_seconds(), 0.001)
    end = moment_of(task, "end_time") or last
    begin = min(max((start - first).total_seconds() / whole, 0.0), 0.99)
    until = min(max((end - first).total_seconds() / whole, begin + 0.008), 1.0)
    return (100 * begin, 100 * (until - begin))


def _measured(
    visit: Visit, job: Message, tasks: Sequence[Message], labels: Mapping[str, str]
) -> list[Block]:
    """Show the metrics of all tasks, and what they have drawn."""
    metrics = []
    drawings: list[Block] = []
    seen: set[str] = set()
    for task in tasks:
        own = labels.get(task.task_unique_name, task.task_name)
        link = Link(own, task_address(visit, job, task))
        for key in sorted(task.outputs):
            for artifact in task.outputs[key].artifacts:
                if artifact.name in seen:
                    continue
                seen.add(artifact.name)
                if artifact.schema_title == plots.METRICS:
                    metrics.append((link, plots.metrics_of(artifact)))
                else:
                    title = f"{own}: {key}"
                    drawings += plots.plots_of(visit.sources, artifact, title)
    return [*drawings, plots.numbers("Metrics", metrics)]


def _parameters(job: Message) -> Table:
    given = dict(job.runtime_config.parameter_values)
    root = next((task for task in job.job_detail.task_details if not task.task_unique_name), None)
    values = values_of(root.execution.metadata) if root is not None else {}
    known = {
        key.removeprefix("input:"): value
        for key, value in values.items()
        if key.startswith("input:")
    }
    return Table(
        "Parameters",
        ["Parameter", "Value", "Set by"],
        [
            [
                Cell(name, code=True),
                Cell(shortened(plain(value), _LONGEST_VALUE), code=True),
                Cell("the job" if name in given else "its default"),
            ]
            for name, value in known.items()
        ],
        empty="The pipeline has no parameters, or the run has not begun.",
    )
