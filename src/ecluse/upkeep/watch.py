"""The watch: how the first run by schedule of what is live went. Only reads.

A run that qualifies is started by hand, so to say. The first one that the schedule starts is where
another key, another hour and other data come in. It is found by the activation in its labels, and
by having been started by a schedule. What ended is noted (`ecluse.ledger.watched`), and not looked
for again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from ecluse import clock, naming
from ecluse.cloud import Cloud
from ecluse.cloud.run import Run
from ecluse.cloud.schedules import FoundSchedule
from ecluse.labels import ACTIVATION, ENVIRONMENT, PIPELINE
from ecluse.ledger.records import Entry, Head
from ecluse.ledger.watched import Watched, noted
from ecluse.upkeep.convergence.schedules import adopted, schedule_name

State = Literal["waits", "runs", "succeeded", "failed", "not started", "off", "not watched"]
"""`waits`: the schedule did not fire yet; `not started`: it did, and no run came of it; `off`: it
is paused or missing; `not watched`: nobody asked, but what was live before it was watched."""


@dataclass(frozen=True)
class Sight:
    """How it stands with one pipeline's first run by schedule.

    Attributes:
        pipeline: its name.
        live: the entry that the run is of.
        state: how it stands.
        rollback: whether the pipeline goes back by itself if that run fails.
        watched: how the run ended, if it has.
        is_noted: whether that was noted before.
        run: the resource name of the run, once there is one.
        words: what else there is to say: why no run started, since when one runs.
        next_run: when the schedule fires next, where it is waited for.
        fallen: how the run of the entry before ended, if it failed and was rolled back.

    """

    pipeline: str
    live: Entry
    state: State
    rollback: bool = False
    watched: Watched | None = None
    is_noted: bool = False
    run: str = ""
    words: str = ""
    next_run: datetime | None = None
    fallen: Watched | None = None

    @property
    def is_bad(self) -> bool:
        """Whether somebody ought to be told."""
        return self.state in ("failed", "not started", "off")

    @property
    def goes_back(self) -> bool:
        """Whether it is to be rolled back: once, so not what a rollback has brought back."""
        return self.state == "failed" and self.rollback and self.live.restores is None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        ended = self.watched.ended if self.watched is not None else None
        return {
            "pipeline": self.pipeline,
            "sequence": self.live.sequence,
            "digest": self.live.digest,
            "state": self.state,
            "run": self.run or None,
            "ended": clock.rfc3339(ended) if ended is not None else None,
            "failure": self.watched.failure if self.watched is not None else "",
            "words": self.words,
            "next_run": clock.rfc3339(self.next_run) if self.next_run is not None else None,
            "rollback": self.rollback,
            "came_back_from": self.fallen.model_dump(mode="json") if self.fallen else None,
        }


def look(cloud: Cloud, head: Head) -> tuple[Sight, ...]:
    """Return how it stands with every live pipeline that is watched, or came back from a failure.

    Costs one read for each; besides, as long as a run has not been noted, one list of its runs, and
    one list of all schedules.

    Raises:
        Refused: what was noted cannot be read.

    """
    environment = cloud.environment.name
    live = head.all_live
    watches = {name: entry.parsed_settings().watch_in(environment) for name, entry in live.items()}
    mine = {(name, live[name].sequence) for name, watch in watches.items() if watch is not None}
    before = {(n, entry.sequence - 1) for n, entry in live.items() if entry.action == "rollback"}
    notes = noted(cloud, mine | before)

    sights: list[Sight] = []
    for name, entry in sorted(live.items()):
        watch = watches[name]
        fallen = notes.get((name, entry.sequence - 1)) if entry.action == "rollback" else None
        sight = Sight(
            name,
            entry,
            "not watched" if watch is None else "waits",
            rollback=watch is not None and watch.rollback,
            fallen=fallen if fallen is not None and fallen.state == "failed" else None,
        )
        if watch is not None:
            note = notes.get((name, entry.sequence))
            sight = with_note(sight, note) if note is not None else sight
        if watch is not None or sight.fallen is not None:
            sights.append(sight)

    schedules: Mapping[str, Sequence[FoundSchedule]] = {}
    if any(sight.state == "waits" for sight in sights):
        schedules = _by_name(cloud.schedules.list())

    def looked_after(sight: Sight) -> Sight:
        if sight.state != "waits":
            return sight
        run = first_run(_runs(cloud, sight), sight.live.digest)
        if run is not None and run.state == "failed":
            run = cloud.pipelines.get(run.id) or run  # a list does not tell what its tasks said
        return judged(sight, run, schedules.get(schedule_name(environment, sight.pipeline), ()))

    return tuple(cloud.calls.side_by_side(looked_after, sights))


def with_note(sight: Sight, note: Watched) -> Sight:
    """Return what is to be said of a run that was noted. Pure."""
    return replace(sight, state=note.state, watched=note, is_noted=True, run=note.run)


def first_run(runs: Iterable[Run], digest: str) -> Run | None:
    """Return the first run that a schedule started and nobody cancelled. Pure.

    One of other bytes proves nothing of these: somebody's hand was on the schedule, which the
    drift check tells.

    Args:
        runs: the runs of one activation, the oldest first.
        digest: the bytes that are live.

    """
    for run in runs:
        if run.schedule and run.state != "cancelled" and run.template in ("", digest):
            return run
    return None


def judged(sight: Sight, run: Run | None, schedules: Sequence[FoundSchedule]) -> Sight:
    """Say how it stands with a run that was not noted yet. Pure.

    Args:
        sight: of which pipeline.
        run: its first run by schedule, if there is one.
        schedules: the schedules under the pipeline's name.

    """
    if run is None:
        return _before_the_run(sight, schedules)
    if not run.finished or run.ended is None:
        since = f"since {clock.rfc3339(run.created)}" if run.created is not None else ""
        return replace(sight, state="runs", run=run.name, words=since)
    state: Literal["succeeded", "failed"] = "succeeded" if run.state == "succeeded" else "failed"
    watched = Watched(
        pipeline=sight.pipeline,
        sequence=sight.live.sequence,
        digest=sight.live.digest,
        run=run.name,
        state=state,
        ended=run.ended,
        failure=run.failure if state == "failed" else "",
    )
    return replace(sight, state=state, run=run.name, watched=watched)


def _before_the_run(sight: Sight, schedules: Sequence[FoundSchedule]) -> Sight:
    schedule = adopted(schedules)
    if schedule is None:
        return replace(sight, state="off", words="it has no schedule")
    if schedule.state != "active":
        return replace(sight, state="off", words=f"its schedule is {schedule.state}")
    # An older reason is that of the version before.
    if schedule.not_started and schedule.fired is not None and schedule.fired > sight.live.at:
        return replace(
            sight,
            state="not started",
            words=schedule.not_started,
            next_run=schedule.next_run,
        )
    return replace(sight, next_run=schedule.next_run)


def _runs(cloud: Cloud, sight: Sight) -> Iterable[Run]:
    labels = {
        ENVIRONMENT: naming.label(cloud.environment.name),
        PIPELINE: naming.label(sight.pipeline),
        ACTIVATION: str(sight.live.sequence),
    }
    return cloud.pipelines.list(labels=labels, oldest_first=True)


def _by_name(found: Iterable[FoundSchedule]) -> dict[str, list[FoundSchedule]]:
    schedules: dict[str, list[FoundSchedule]] = {}
    for each in found:
        schedules.setdefault(each.display_name, []).append(each)
    return schedules
