"""The status: environments × pipelines: what is live, how its last run went, what comes next.

What is live the ledger alone says, in one read. Runs and schedules are listed once for all of an
environment's pipelines; where one may read the ledger and not them, that is said instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from ecluse import clock, naming
from ecluse.cloud import Cloud
from ecluse.cloud.run import Run, State
from ecluse.errors import EcluseError
from ecluse.labels import ENVIRONMENT, PIPELINE
from ecluse.ledger.lease import current_holding
from ecluse.ledger.records import Entry, Head

_RUNS = 1000


@dataclass(frozen=True)
class LastRun:
    """A pipeline's newest run, whoever started it.

    Attributes:
        id: its id.
        state: how far it is.
        created: since when it is there.
        scheduled: whether the schedule started it.

    """

    id: str
    state: State
    created: datetime | None
    scheduled: bool


@dataclass(frozen=True)
class StatusRow:
    """What is live of one pipeline in one environment.

    Attributes:
        environment, pipeline: which.
        digest: the live compiled bytes; none if the pipeline was retired.
        version, commit: what it was promoted from.
        action: how it came to be so: activate, rollback or retire.
        since: since when.
        by: who made it so.
        run: the qualifying run's id.
        metrics: that run's metrics.
        changes: how often what is live changed here.
        exceptions: what was done past a check to make it so, in words.
        last_run: its newest run; none if there is none, or it could not be read.
        next_run: when its schedule fires next; none if it does not.
        drift: in how many ways its schedule and tag are not as the ledger says; none if that could
            not be read.

    """

    environment: str
    pipeline: str
    digest: str | None
    version: str | None
    commit: str
    action: str
    since: datetime
    by: str
    run: str
    metrics: dict[str, float]
    changes: int
    exceptions: tuple[str, ...] = ()
    last_run: LastRun | None = None
    next_run: datetime | None = None
    drift: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain values."""
        values = asdict(self)
        for name in ("since", "next_run"):
            values[name] = _written(values[name])
        if self.last_run is not None:
            values["last_run"]["created"] = _written(self.last_run.created)
        return values


@dataclass(frozen=True)
class Status:
    """The status of one environment.

    Attributes:
        environment: its name.
        rows: a row for each pipeline that ever was live.
        at_work: who holds the lease and what for; empty if nobody does.
        unread: why runs and schedules could not be read; none if they were.
        error: why the ledger could not be read, so that there are no rows; none if it was.

    """

    environment: str
    rows: tuple[StatusRow, ...] = ()
    at_work: str = ""
    unread: EcluseError | None = None
    error: EcluseError | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the status as plain values."""
        return {
            "environment": self.environment,
            "pipelines": [row.as_json() for row in self.rows],
            "at_work": self.at_work,
            "unread": self.unread.as_json() if self.unread is not None else None,
            "error": self.error.as_json() if self.error is not None else None,
        }


def read_status(clouds: Sequence[Cloud], *, ledger_only: bool = False) -> tuple[Status, ...]:
    """Return the status of some environments, read side by side; one that fails hides no other.

    Args:
        clouds: the environments.
        ledger_only: leave runs, schedules and drift out.

    """
    with ThreadPoolExecutor(max(1, len(clouds))) as pool:
        return tuple(pool.map(partial(_status, ledger_only=ledger_only), clouds))


def _status(cloud: Cloud, *, ledger_only: bool) -> Status:
    name = cloud.environment.name
    try:
        head = cloud.ledger.head()
        holding = current_holding(cloud.storage, f"{cloud.environment.ledger}/lease.json")
    except EcluseError as error:
        return Status(name, error=error)
    rows = tuple(
        status_row(name, pipeline, head.pipelines[pipeline]) for pipeline in sorted(head.pipelines)
    )
    at_work = holding.words if holding is not None else ""
    if ledger_only or not rows:
        return Status(name, rows, at_work)
    try:
        return Status(name, _with_the_cloud(cloud, head, rows), at_work)
    except EcluseError as error:
        return Status(name, rows, at_work, unread=error)


def status_row(environment: str, pipeline: str, last: Entry) -> StatusRow:
    """Return what a pipeline's last entry says of the present."""
    return StatusRow(
        environment=environment,
        pipeline=pipeline,
        digest=last.digest if last.is_live else None,
        version=last.version,
        commit=last.commit,
        action=last.action,
        since=last.at,
        by=last.by,
        run=last.run.rsplit("/", 1)[-1],
        metrics=last.metrics,
        changes=last.sequence,
        exceptions=last.exceptions,
    )


def _with_the_cloud(cloud: Cloud, head: Head, rows: Sequence[StatusRow]) -> tuple[StatusRow, ...]:
    """Return rows with what Vertex AI and the registry say of them."""
    from ecluse.upkeep.convergence.converging import look
    from ecluse.upkeep.convergence.schedules import KIND as SCHEDULE
    from ecluse.upkeep.convergence.schedules import schedule_name
    from ecluse.upkeep.convergence.tags import KIND as TAG

    labels = {ENVIRONMENT: naming.label(cloud.environment.name)}
    with ThreadPoolExecutor(3) as pool:
        runs = pool.submit(lambda: newest_runs(cloud.pipelines.list(labels=labels, limit=_RUNS)))
        schedules = pool.submit(cloud.schedules.list)
        # What costs few calls: `ecluse drift` looks at everything.
        differences = pool.submit(look, cloud, head, kinds=(SCHEDULE, TAG))
    next_runs = {
        found.display_name: found.next_run
        for found in schedules.result()
        if found.state == "active"
    }
    return tuple(
        replace(
            row,
            last_run=runs.result().get(naming.label(row.pipeline)),
            next_run=next_runs.get(schedule_name(row.environment, row.pipeline)),
            drift=sum(each.pipeline == row.pipeline for each in differences.result()),
        )
        for row in rows
    )


def newest_runs(runs: Iterable[Run]) -> Mapping[str, LastRun]:
    """Return the newest run of each pipeline, by the pipeline's label.

    Args:
        runs: the newest first.

    """
    found: dict[str, LastRun] = {}
    for run in runs:
        pipeline = run.labels.get(PIPELINE)
        if pipeline is not None and pipeline not in found:
            found[pipeline] = LastRun(run.id, run.state, run.created, bool(run.schedule))
    return found


def _written(moment: datetime | None) -> str | None:
    return clock.rfc3339(moment) if moment is not None else None
