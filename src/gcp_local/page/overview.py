"""The first page: what is running now, which projects there are, the newest runs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gcp_local.builds.messages import Build
from gcp_local.page import jobs, places, runs, states
from gcp_local.page.view import Block, Cell, Note, Table, View
from gcp_local.page.writing import at, duration, moment_of
from gcp_local.vertex.pipelines import PipelineJob

if TYPE_CHECKING:
    from gcp_local.page.site import Visit
    from gcp_local.rpc.protos import Message

_NEWEST, _MOST_ACTIVE = 15, 15
# Of other jobs, so many of each kind are looked through for those under way.
_LOOKED_THROUGH = 10


def page(visit: Visit) -> View:
    """Show what there is in the whole cloud."""
    running = visit.part(lambda: [_running([*_pipelines(visit), *_builds(visit), *_jobs(visit)])])
    return View(
        "The embedded Google Cloud",
        blocks=[
            *running,
            *visit.part(lambda: [places.projects(visit)]),
            *visit.part(lambda: [_newest(visit)]),
        ],
        live=any(isinstance(block, Table) for block in running),
    )


def _running(rows: list[list[Cell]]) -> Block:
    if not rows:
        return Note("Nothing is running now.")
    return Table("Running now", ["State", "What", "Project", "At", "For"], rows)


def _row(visit: Visit, message: Message, where: str, state: str = "state") -> list[Cell]:
    """Write what is under way: `state` is the field that tells its state."""
    named = "display_name" in message.DESCRIPTOR.fields_by_name
    return [
        Cell(mark=states.mark_of(message, state)),
        visit.names.cell(message.name, message.display_name if named else ""),
        Cell(visit.names.shown(message.name).split("/")[1]),
        Cell(where),
        Cell(duration(moment_of(message, "start_time"), visit.now), number=True),
    ]


def _pipelines(visit: Visit) -> list[list[Cell]]:
    rows = []
    for name in reversed(visit.sources.pipelines.active()[-_MOST_ACTIVE:]):
        job = visit.sources.resources.find(name, PipelineJob)
        if job is None:
            continue
        tasks = [
            task.task_name
            for task in job.job_detail.task_details
            if states.name_of(task) == "RUNNING" and task.HasField("executor_detail")
        ]
        where = ", ".join(
            name if many == 1 else f"{name} × {many}" for name, many in Counter(tasks).items()
        )
        rows.append(_row(visit, job, where or "–"))
    return rows


def _builds(visit: Visit) -> list[list[Cell]]:
    """Show the builds that run, then those that wait, as far as they fit."""
    resources = visit.sources.resources
    found = [resources.find(name, Build) for name in visit.sources.builds.active()]
    builds = [build for build in found if build is not None]
    builds.sort(key=lambda build: not build.HasField("start_time"))
    return [_row(visit, build, "Build", "status") for build in builds[:_MOST_ACTIVE]]


def _jobs(visit: Visit) -> list[list[Cell]]:
    """Find the jobs under way among the newest of each kind."""
    rows = []
    for sort in jobs.SORTS:
        if "start_time" not in sort.kind.DESCRIPTOR.fields_by_name:
            continue
        for _, each in visit.sources.resources.newest(sort.kind, limit=_LOOKED_THROUGH):
            if each is not None and states.name_of(each) in states.LIVE:
                rows.append(_row(visit, each, sort.noun))
    return rows


def _newest(visit: Visit) -> Table:
    found = visit.sources.resources.newest(PipelineJob, limit=_NEWEST, omit=runs.OUTLINE)
    rows = [
        [
            Cell(mark=states.mark_of(job)),
            visit.names.cell(job.name, job.display_name or job.name.rpartition("/")[2]),
            Cell(visit.names.shown(job.name).split("/")[1]),
            Cell(runs.pipeline_of(job)),
            at(moment_of(job, "create_time"), visit.now),
            Cell(
                duration(moment_of(job, "start_time"), moment_of(job, "end_time") or visit.now),
                number=True,
            ),
        ]
        for _, job in found
        if job is not None
    ]
    return Table(
        "Newest runs",
        ["State", "Run", "Project", "Pipeline", "Made", "Took"],
        rows,
        empty="No run yet. Point a client here and submit one:",
        example=runs.EXAMPLE,
    )
