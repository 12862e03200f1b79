"""Which address is which page, and where on the way it stands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_local.errors import NotFound
from gcp_local.page import (
    buckets,
    builds,
    datasets,
    endpoints,
    jobs,
    lineage,
    models,
    overview,
    places,
    run,
    runs,
    schedules,
    task,
)
from gcp_local.page.site import trail_of
from gcp_local.page.view import Link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gcp_local.page.site import Place, Visit
    from gcp_local.page.view import View

_PAGES: Mapping[str, Callable[[Visit, str], View]] = {
    "builds": builds.build_page,
    "pipelineJobs": run.page,
    "endpoints": endpoints.endpoint_page,
    "schedules": schedules.schedule_page,
}
_NODES: Mapping[str, Callable[[Visit, str], View]] = {
    "artifacts": lineage.artifact_page,
    "executions": lineage.execution_page,
    "contexts": lineage.context_page,
}


def view(visit: Visit, segments: tuple[str, ...]) -> View:
    """Make the page of an address, whose segments are given without the first.

    Raises:
        NotFound: there is no such page, or nothing to show on it.

    """
    match segments:
        case ():
            return overview.page(visit)
        case ("buckets", bucket):
            return buckets.bucket_view(visit, bucket)
        case ("buckets", bucket, "objects", name):
            return buckets.object_view(visit, bucket, name)
        case ("projects", project, *rest):
            return _of_project(visit, project, rest)
    raise NotFound(f"There is no page /{'/'.join(('page', *segments))}.")


def _of_project(visit: Visit, project: str, rest: list[str]) -> View:
    match rest:
        case []:
            return places.project_page(visit, project)
        case ["datasets", dataset]:
            return datasets.dataset_page(visit, project, dataset)
        case ["datasets", dataset, "tables", own]:
            return datasets.table_page(visit, project, dataset, own)
        case ["builds", own]:
            return _of_location(visit, visit.place(project, "global"), ["builds", own])
        case ["locations", location, *more]:
            return _of_location(visit, visit.place(project, location), more)
    raise NotFound(f"There is no page of projects/{project}/{'/'.join(rest)}.")


def _of_location(visit: Visit, place: Place, rest: list[str]) -> View:
    name = "/".join((place.name, *rest))
    match rest:
        case []:
            return places.shelf_page(visit, place, "pipelineJobs")
        case [plural]:
            return places.shelf_page(visit, place, plural)
        case ["pipelines", pipeline]:
            shown = runs.comparison(visit, place, pipeline)
            return _placed(visit, place, shown, "pipelineJobs")
        case ["pipelineJobs", own, "tasks", task_id]:
            job = f"{place.name}/pipelineJobs/{own}"
            shown = _placed(visit, place, task.page(visit, job, task_id), "pipelineJobs")
            return replace(shown, trail=[*shown.trail, visit.names.link(job)])
    shown = _resource(visit, place, rest, name)
    plural = "metadata" if rest[0] == "metadataStores" else rest[0]
    return replace(_placed(visit, place, shown, plural), api=f"/v1/{visit.names.shown(name)}")


def _resource(visit: Visit, place: Place, rest: list[str], name: str) -> View:
    match rest:
        case ["models", own]:
            return models.model_page(visit, place, own)
        case [plural, _] if plural in _PAGES:
            return _PAGES[plural](visit, name)
        case [plural, _] if plural in jobs.BY_PLURAL:
            return jobs.job_page(visit, name, jobs.BY_PLURAL[plural])
        case ["metadataStores", _, noun, _] if noun in _NODES:
            return _NODES[noun](visit, name)
    raise NotFound(f"There is no page of {place.shown}/{'/'.join(rest)}.")


def _placed(visit: Visit, place: Place, shown: View, plural: str) -> View:
    link = Link(places.title_of(plural), visit.names.href(f"{place.name}/{plural}"))
    return replace(shown, trail=trail_of(visit, place.name, link))
