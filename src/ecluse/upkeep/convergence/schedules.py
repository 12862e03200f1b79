"""Keeps each live pipeline's schedule: one, under its own name, set as the ledger says.

A schedule is found by its display name and adopted: changed in place, and made anew only where
Vertex AI allows no change. Where nothing is to run it is paused, so that its history stays. Of
several under one name the oldest that can be changed stays.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from ecluse.canonical import digest_of_value
from ecluse.cloud import Cloud
from ecluse.cloud.schedules import FoundSchedule, ScheduleRequest, Settings
from ecluse.labels import ENVIRONMENT
from ecluse.ledger.live_job import live_job
from ecluse.ledger.records import Entry, Head
from ecluse.repository.settings import Environment
from ecluse.upkeep.convergence.difference import Change, Difference, compared

KIND = "schedule"


def schedule_name(environment: str, pipeline: str) -> str:
    """Return the display name of a pipeline's schedule in an environment."""
    return f"ecluse {environment} {pipeline}"


def wanted_schedule(
    environment: Environment, pipeline: str, live: Entry | None
) -> ScheduleRequest | None:
    """Return the schedule that a pipeline ought to have, or none if it ought not to run by itself.

    Args:
        environment: where.
        pipeline: its name.
        live: what the ledger says is live; none if nothing is.

    """
    if live is None:
        return None
    schedule = live.parsed_settings().schedule_in(environment.name)
    if schedule is None:
        return None
    job = live_job(environment, pipeline, live)
    # One key for all of its runs: a schedule has no other for each. What has to run anew each time
    # does not cache, which `ecluse check` sees to.
    run_key = f"schedule-{environment.name}-{live.sequence}"
    return ScheduleRequest(
        display_name=schedule_name(environment.name, pipeline),
        cron=schedule.cron,
        time_zone=schedule.time_zone,
        job=replace(job, parameters={**job.parameters, "run_key": run_key}),
    )


@dataclass(frozen=True)
class Wanted:
    """What a pipeline's schedule ought to be.

    Attributes:
        pipeline: whose.
        settings: what it ought to be set to, flat; none if nothing is to run.

    """

    pipeline: str
    settings: Settings | None


def compare(wanted: Wanted, found: Sequence[FoundSchedule]) -> list[Difference]:
    """Compare a pipeline's schedules with what ought to be there. Pure.

    Args:
        wanted: what ought to be there.
        found: what is there under its name, the oldest first.

    """

    def difference(trouble: Any, schedule: FoundSchedule, *changed: Change) -> Difference:
        return Difference(KIND, wanted.pipeline, trouble, schedule.name, changed)

    if wanted.settings is None:
        return [difference("on", each) for each in found if each.state == "active"]
    there = [each for each in found if each.state != "completed"]
    kept = adopted(found)
    if kept is None:
        differences = [Difference(KIND, wanted.pipeline, "missing", "")]
    else:
        differences = []
        changed = compared(kept.settings, wanted.settings)
        if changed:
            differences.append(difference("changed", kept, *changed))
        if kept.state == "paused":
            differences.append(difference("off", kept))
    for each in there:
        if each is not kept:
            lasting = [Change(name, value, None) for name, value in each.lasting.items()]
            differences.append(difference("extra", each, *lasting))
    return differences


def adopted(found: Sequence[FoundSchedule]) -> FoundSchedule | None:
    """Return the one of a pipeline's schedules that stays: the oldest that can be put right."""
    fit = [each for each in found if each.state != "completed" and not each.lasting]
    return min(fit, key=lambda each: (each.created, each.name), default=None)


def unknown(
    environment: Environment, head: Head, found: Sequence[FoundSchedule]
) -> list[Difference]:
    """Return the schedules that run our pipelines and that the ledger knows nothing of. Pure."""
    known = {schedule_name(environment.name, pipeline) for pipeline in head.pipelines}
    ours = schedule_name(environment.name, "")
    return [
        Difference(
            KIND,
            each.display_name.removeprefix(ours),
            "unknown",
            each.name,
            fix="whoever made it takes it away: https://console.cloud.google.com/vertex-ai/"
            f"pipelines/schedules?project={environment.project}",
        )
        for each in found
        if each.display_name not in known
        and each.state == "active"
        and (
            each.display_name.startswith(ours)
            or f"labels.{ENVIRONMENT}" in each.settings
            or str(each.settings.get("template", "")).startswith(f"{environment.template_host}/")
        )
    ]


class ScheduleKeeper:
    """The schedules of one environment. See `Keeper`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._environment = cloud.environment

    def differences(self, head: Head, pipelines: Collection[str] | None) -> list[Difference]:
        """Compare the environment's schedules, listed once, with the ledger."""
        names = head.pipelines.keys() if pipelines is None else pipelines
        one = schedule_name(self._environment.name, *names) if len(names) == 1 else None
        if not names and pipelines is not None:
            return []
        found = self._cloud.schedules.list(None if pipelines is None else one)
        by_name: dict[str, list[FoundSchedule]] = {}
        for each in found:
            by_name.setdefault(each.display_name, []).append(each)
        differences = []
        for pipeline in sorted(names):
            ours = by_name.get(schedule_name(self._environment.name, pipeline), [])
            live = head.live(pipeline)
            wanted = Wanted(pipeline, self._settings(pipeline, live))
            differences += compare(wanted, [self._with_copy_told(each, live) for each in ours])
        if pipelines is None:
            differences += unknown(self._environment, head, found)
        return differences

    def mend(self, head: Head, difference: Difference) -> str:
        """Mend one difference of a schedule."""
        schedules = self._cloud.schedules
        name = difference.resource
        live = head.live(difference.pipeline)
        request = wanted_schedule(self._environment, difference.pipeline, live)
        match difference.trouble:
            case "missing":
                assert request is not None, "only what ought to be there is missing"
                self._make(difference.pipeline, request, live)
                return f"made: {request.cron} ({request.time_zone})"
            case "changed":
                assert request is not None, "only what ought to be there is set"
                changed = [change.setting for change in difference.changes]
                schedules.update(name, request, changed)
                return f"set again: {', '.join(changed)}"
            case "off":
                schedules.resume(name)
                return "resumed"
            case "on":
                schedules.pause(name)
                return "paused"
            case _:
                schedules.delete(name)
                return f"taken away: {name.rsplit('/', 1)[1]}"

    def _make(self, pipeline: str, request: ScheduleRequest, live: Entry | None) -> None:
        """Make a schedule. If somebody else made one at the same time, the older one stays."""
        schedules = self._cloud.schedules
        before = {each.name for each in schedules.list(request.display_name)}
        schedules.create(request, besides=before)
        now = [self._with_copy_told(each, live) for each in schedules.list(request.display_name)]
        wanted = Wanted(pipeline, schedules.settings(request))
        for again in compare(wanted, now):
            if again.trouble == "extra" and again.resource not in before:
                schedules.delete(again.resource)

    def _settings(self, pipeline: str, live: Entry | None) -> Settings | None:
        request = wanted_schedule(self._environment, pipeline, live)
        return self._cloud.schedules.settings(request) if request is not None else None

    def _with_copy_told(self, found: FoundSchedule, live: Entry | None) -> FoundSchedule:
        """Tell of a copy of the pipeline in a schedule, unless it is the very one that is live.

        Google does not say whether the service shows one where only an address was given.
        """
        if found.specification is None or live is None:
            return found
        template = self._cloud.registry.download(live.package, live.digest)
        if template is not None and _same(found.specification, yaml.safe_load(template)):
            return found
        copy = digest_of_value(_in_one_form(found.specification))
        return replace(found, settings={**found.settings, "copy of the pipeline": copy})


def _same(specification: Mapping[str, Any], template: Any) -> bool:
    return bool(_in_one_form(specification) == _in_one_form(template))


def _in_one_form(value: Any) -> Any:
    """Return a pipeline's values without the difference between 5 and 5.0, which travels badly."""
    if isinstance(value, Mapping):
        return {name: _in_one_form(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_in_one_form(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
