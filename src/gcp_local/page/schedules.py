"""Schedules: when pipelines run by the clock, and the runs that came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.page import runs, states
from gcp_local.page.view import Block, Cell, Facts, Note, Table, Text, Tone, View
from gcp_local.page.writing import ago, at, moment_of, plain, pretty, value_of
from gcp_local.vertex.pipelines import PipelineJob
from gcp_local.vertex.schedules.service import Schedule

if TYPE_CHECKING:
    from gcp_local.page.site import Place, Visit
    from gcp_local.rpc.protos import Message

_MOST, _LAST_RUNS = 200, 10
_EXAMPLE = """\
job.create_schedule(display_name="nightly", cron="TZ=Europe/Paris 30 2 * * *")"""


def page(visit: Visit, place: Place) -> list[Block]:
    """List the schedules of a location, newest first."""
    found = visit.sources.resources.newest(Schedule, place.name, limit=_MOST)
    return [
        Table(
            "Schedules",
            ["State", "Schedule", "Cron", "Next run", "Runs so far"],
            [
                [
                    Cell(mark=states.mark_of(each)),
                    visit.names.cell(each.name, each.display_name),
                    Cell(each.cron, code=True),
                    _next(visit, each),
                    Cell(str(each.started_run_count), number=True),
                ]
                for _, each in found
                if each is not None
            ],
            empty="No schedule. One that is made here really fires; a test can drive the clock:",
            example=_EXAMPLE,
        )
    ]


def _next(visit: Visit, schedule: Message) -> Cell:
    if states.name_of(schedule) != "ACTIVE":
        return Cell("–")
    return at(moment_of(schedule, "next_run_time"), visit.now)


def schedule_page(visit: Visit, name: str) -> View:
    """Show a schedule."""
    resources = visit.sources.resources
    schedule = resources.get(name, Schedule)
    upcoming = moment_of(schedule, "next_run_time")
    active = states.name_of(schedule) == "ACTIVE"
    known = [
        ("Cron", Cell(schedule.cron, code=True)),
        ("Next run", _next(visit, schedule)),
        ("Runs so far", Cell(_counted(schedule))),
        ("At the same time", Cell(f"at most {schedule.max_concurrent_run_count}")),
        ("From", at(moment_of(schedule, "start_time"), visit.now)),
        ("Until", at(moment_of(schedule, "end_time"), visit.now)),
        ("Last paused", at(moment_of(schedule, "last_pause_time"), visit.now)),
        ("Last resumed", at(moment_of(schedule, "last_resume_time"), visit.now)),
    ]
    request = schedule.create_pipeline_job_request.pipeline_job
    if request.template_uri:
        known.append(("Template", Cell(request.template_uri, code=True)))
    blocks: list[Block] = []
    if active and upcoming is not None:
        blocks.append(Note(f"The next run is {ago(upcoming, visit.now)}.", Tone.LIVE))
    elif not active:
        blocks.append(Note("It starts no runs in this state.", Tone.WAIT))
    blocks.append(Facts(known))
    parent = name.rpartition("/schedules/")[0]
    blocks += visit.part(lambda: [_runs(visit, parent, name)])
    given = request.runtime_config.parameter_values
    values = {key: value_of(given[key]) for key in sorted(given)}
    blocks.append(Text("Parameters of each run", pretty(values)))
    return View(
        schedule.display_name,
        blocks=blocks,
        kind="Schedule",
        mark=states.mark_of(schedule),
    )


def _counted(schedule: Message) -> str:
    many = plain(schedule.started_run_count)
    return f"{many} of {schedule.max_run_count}" if schedule.max_run_count else many


def _runs(visit: Visit, parent: str, schedule: str) -> Table:
    jobs = visit.sources.resources.newest_mentioning(
        parent, PipelineJob, schedule, limit=_LAST_RUNS, omit=runs.OUTLINE
    )
    own = [job for job in jobs if job.schedule_name == schedule]
    return Table(
        "Last runs",
        runs.HEADINGS,
        [runs.row(visit, job) for job in own],
        empty="It has not fired yet. In a test, POST /gcp-local/clock sets the clock forward.",
    )
