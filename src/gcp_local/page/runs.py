"""Runs: the lists of pipeline jobs, and the runs of one pipeline beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.page import states
from gcp_local.page.names import asked
from gcp_local.page.plots import METRICS, metrics_of
from gcp_local.page.view import Block, Cell, Choice, Link, Note, Table, Trend, Trends, View
from gcp_local.page.writing import at, duration, moment_of, number
from gcp_local.vertex.pipelines import PipelineJob

if TYPE_CHECKING:
    from gcp_local.page.site import Place, Visit
    from gcp_local.resources.collection import Position, Resources
    from gcp_local.rpc.protos import Message

PAGE = 30
OUTLINE = ("pipeline_spec", "runtime_config", "job_detail.task_details")
"""What a list does not read of a job."""
EXAMPLE = """\
job = aiplatform.PipelineJob(display_name="first", template_path="pipeline.yaml",
                             pipeline_root="gs://my-bucket/runs")
job.submit()"""
_COMPARED, _BESIDE, _TRENDS = 20, 5, 12
_CHUNK = 100
_STATES = ("RUNNING", "SUCCEEDED", "FAILED", "CANCELLED", "PENDING")
HEADINGS = ("State", "Run", "Pipeline", "Started", "Duration")


@dataclass(frozen=True)
class Wanted:
    """Which runs a list shows: empty is any."""

    state: str = ""
    pipeline: str = ""

    def has(self, job: Message) -> bool:
        """Tell whether a run is one of them."""
        if self.state and states.name_of(job) != self.state:
            return False
        return not self.pipeline or pipeline_of(job) == self.pipeline


def pipeline_of(job: Message) -> str:
    """Give the name of the pipeline that a job runs, from its outline."""
    return str(job.job_detail.pipeline_context.display_name)


def found(
    resources: Resources, parent: str, wanted: Wanted, before: Position | None, most: int
) -> tuple[list[Message], Position | None]:
    """Find the newest runs that are wanted, and where to go on if there may be more.

    Reads what it shows; with a filter, what it passes over on the way, too, in outline.
    """
    shown: list[Message] = []
    last: Position | None = None
    for position, job in _outlines(resources, parent, before, plain=wanted == Wanted(), most=most):
        if job is None or not wanted.has(job):
            continue
        if len(shown) == most:
            return shown, last
        shown.append(job)
        last = position
    return shown, None


def _outlines(
    resources: Resources, parent: str, before: Position | None, *, plain: bool, most: int
) -> Iterator[tuple[Position, Message | None]]:
    size = most + 1 if plain else _CHUNK
    while True:
        chunk = resources.newest(PipelineJob, parent, before=before, limit=size, omit=OUTLINE)
        yield from chunk
        if len(chunk) < size:
            return
        before = chunk[-1][0]


def row(visit: Visit, job: Message) -> list[Cell]:
    """Write a run in a list."""
    start = moment_of(job, "start_time") or moment_of(job, "create_time")
    name = pipeline_of(job)
    location = job.name.partition("/pipelineJobs/")[0]
    own = job.name.rpartition("/")[2]
    return [
        Cell(mark=states.mark_of(job)),
        visit.names.cell(job.name, own),
        Cell(name, visit.names.href(f"{location}/pipelines/{name}") if name else ""),
        at(start, visit.now),
        Cell(_took(visit, job), number=True),
    ]


def _took(visit: Visit, job: Message) -> str:
    return duration(moment_of(job, "start_time"), moment_of(job, "end_time") or visit.now)


def table(visit: Visit, title: str, jobs: Sequence[Message], more: Sequence[Link] = ()) -> Table:
    """List runs."""
    return Table(
        title,
        HEADINGS,
        [row(visit, job) for job in jobs],
        empty="No run. What is submitted to Vertex AI Pipelines here appears at once.",
        example=EXAMPLE,
        more=more,
    )


def page(visit: Visit, place: Place) -> Sequence[Block]:
    """List the runs of a location, page by page."""
    wanted = Wanted(visit.query.get("state", "").upper(), visit.query.get("pipeline", ""))
    if wanted.state and wanted.state not in _STATES:
        raise InvalidArgument(f"There is no state {wanted.state!r} of a run.")
    address = visit.names.href(f"{place.name}/pipelineJobs")
    before = position_of(visit.query.get("before", ""))
    jobs, last = found(visit.sources.resources, place.name, wanted, before, PAGE)
    filters = {"state": wanted.state.lower(), "pipeline": wanted.pipeline}
    choice = Choice(
        "State",
        [
            (Link("all", asked(address, pipeline=wanted.pipeline)), not wanted.state),
            *(
                (
                    Link(
                        name.lower(), asked(address, state=name.lower(), pipeline=wanted.pipeline)
                    ),
                    wanted.state == name,
                )
                for name in _STATES
            ),
        ],
    )
    more = []
    if before is not None:
        more.append(Link("← newest", asked(address, **filters)))
    if last is not None:
        more.append(Link("older →", asked(address, **filters, before=f"{last[0]}-{last[1]}")))
    blocks: list[Block] = [choice]
    if wanted.pipeline:
        blocks.append(Note(f"Runs of the pipeline {wanted.pipeline} only."))
    return [*blocks, table(visit, "Runs", jobs, more)]


def position_of(text: str) -> Position | None:
    """Read the position that a link to an older page carries."""
    if not text:
        return None
    created, _, rowid = text.partition("-")
    if not (created.isascii() and created.isdecimal() and rowid.isascii() and rowid.isdecimal()):
        raise InvalidArgument(f"{text!r:.60} is no position in a list.")
    if max(len(created), len(rowid)) > 18:
        raise InvalidArgument(f"{text!r:.60} is no position in a list.")
    return int(created), int(rowid)


def comparison(visit: Visit, place: Place, pipeline: str) -> View:
    """Show the runs of one pipeline beside each other: their metrics, and how they went."""
    resources = visit.sources.resources
    jobs, last = found(resources, place.name, Wanted(pipeline=pipeline), None, _COMPARED)
    if not jobs:
        raise NotFound(f"No run in {place.shown} is of a pipeline {pipeline!r}.")
    measured = [(job, _metrics(resources.get(job.name, PipelineJob))) for job in jobs]
    names = list(dict.fromkeys(name for _, metrics in measured for name in metrics))
    address = visit.names.href(f"{place.name}/pipelineJobs")
    all_runs = Link("all its runs", asked(address, pipeline=pipeline))
    oldest_first = [(job, metrics) for job, metrics in reversed(measured) if metrics]
    trends = [trend for name in names if (trend := _trend(name, oldest_first)) is not None]
    blocks: list[Block] = []
    if trends:
        more = len(trends) - _TRENDS
        note = "Oldest run on the left, newest on the right."
        note += f" {more} more metrics are in the table below." if more > 0 else ""
        blocks.append(Trends("Metrics over the runs", trends[:_TRENDS], note))
    blocks.append(
        Table(
            "Runs",
            HEADINGS,
            [row(visit, job) for job in jobs],
            more=[all_runs],
            note=f"The newest {_COMPARED}." if last is not None else "",
        )
    )
    beside = measured[:_BESIDE]
    blocks.append(
        Table(
            "Metrics beside each other",
            ["Metric", *(job.name.rpartition("/")[2] for job, _ in beside)],
            [
                [
                    Cell(name),
                    *(
                        Cell(number(metrics[name]) if name in metrics else "–", number=True)
                        for _, metrics in beside
                    ),
                ]
                for name in names
            ],
            empty="What the runs log as system.Metrics stands here.",
            note="The newest run first." if names else "",
        )
    )
    return View(pipeline, (), blocks, kind="Pipeline")


def _metrics(job: Message) -> dict[str, float]:
    """Give all metrics of a run; where two tasks log one name, it is told whose it is."""
    seen: dict[str, dict[str, float]] = {}
    for task in job.job_detail.task_details:
        for key in sorted(task.outputs):
            for artifact in task.outputs[key].artifacts:
                if artifact.schema_title == METRICS:
                    for name, value in metrics_of(artifact).items():
                        seen.setdefault(name, {})[task.task_name] = value
    return {
        name if len(values) == 1 else f"{task}.{name}": value
        for name, values in seen.items()
        for task, value in values.items()
    }


def _trend(name: str, measured: Sequence[tuple[Message, Mapping[str, float]]]) -> Trend | None:
    values = [
        (place, metrics[name], job.name.rpartition("/")[2])
        for place, (job, metrics) in enumerate(measured)
        if name in metrics and abs(metrics[name]) < float("inf")
    ]
    least = min((value for _, value, _ in values), default=0.0)
    most = max((value for _, value, _ in values), default=0.0)
    if least == most:
        return None  # what never changes needs no curve
    across = max(len(measured) - 1, 1)
    dots = [
        (
            2 + 96 * place / across,
            27 - 24 * (value - least) / (most - least),
            f"{own}: {number(value)}",
        )
        for place, value, own in values
    ]
    points = " ".join(f"{x:.2f},{y:.2f}" for x, y, _ in dots)
    return Trend(name, points, dots, number(least), number(most))
