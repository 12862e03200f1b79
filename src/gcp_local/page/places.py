"""Projects and locations: what each of them has, sort by sort."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcp_local.builds.messages import Build
from gcp_local.errors import NotFound
from gcp_local.page import (
    buckets,
    builds,
    datasets,
    endpoints,
    jobs,
    lineage,
    models,
    runs,
    schedules,
    topics,
)
from gcp_local.page.site import Place, Visit, trail_of
from gcp_local.page.view import Block, Card, Cards, Link, Note, View
from gcp_local.vertex.endpoints.service import Endpoint
from gcp_local.vertex.models.registry import Model
from gcp_local.vertex.pipelines import PipelineJob
from gcp_local.vertex.schedules.service import Schedule

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message


@dataclass(frozen=True)
class Shelf:
    """What a location has of one sort: its page, its name, its kinds, and what lists it."""

    plural: str
    title: str
    kinds: tuple[type[Message], ...]
    page: Callable[[Visit, Place], Sequence[Block]]


SHELVES = (
    Shelf("pipelineJobs", "Runs", (PipelineJob,), runs.page),
    Shelf("models", "Models", (Model,), models.page),
    Shelf("endpoints", "Endpoints", (Endpoint,), endpoints.page),
    Shelf("schedules", "Schedules", (Schedule,), schedules.page),
    Shelf("builds", "Builds", (Build,), builds.page),
    Shelf("jobs", "Jobs", tuple(sort.kind for sort in jobs.SORTS), jobs.page),
    Shelf("metadata", "Lineage", (), lineage.page),
)


def projects(visit: Visit) -> Cards:
    """Lead to all projects, and say what is in each."""
    counted = _counted(visit)
    return Cards(
        "Projects",
        [
            Card(
                Link(own, visit.names.href(f"projects/{own}")),
                [
                    *_locations(visit, number, counted),
                    *_buckets_line(visit, own),
                ],
            )
            for number, own in visit.sources.projects.all()
        ],
        empty="Nothing has been made yet. Any well-formed project id is a project: the first call"
        " that names one makes it appear here.",
        example=f'client_options={{"api_endpoint": "{visit.endpoint}"}}, transport="rest"',
    )


def _counted(visit: Visit) -> dict[str, dict[str, int]]:
    """Count what each location has: by the location's name and the shelf's title."""
    kinds = {
        str(kind.DESCRIPTOR.full_name): shelf.title for shelf in SHELVES for kind in shelf.kinds
    }
    every = [kind for shelf in SHELVES for kind in shelf.kinds]
    found: dict[str, dict[str, int]] = {}
    for (kind, parent), many in visit.sources.resources.counts(every).items():
        title = kinds[kind]
        place = "/".join(parent.split("/")[:4])
        # A model's versions are kept each: of a model, which is their parent, there is one.
        count = 1 if title == "Models" else many
        shelves = found.setdefault(place, {})
        shelves[title] = shelves.get(title, 0) + count
    return found


def _locations(visit: Visit, number: str, counted: Mapping[str, Mapping[str, int]]) -> list[Link]:
    lines = []
    for place, shelves in sorted(counted.items()):
        if not place.startswith(f"projects/{number}/locations/"):
            continue
        location = place.rpartition("/")[2]
        said = ", ".join(
            _many(shelves[shelf.title], shelf.title.lower())
            for shelf in SHELVES
            if shelf.title in shelves
        )
        lines.append(Link(f"{location}: {said}", visit.names.href(place)))
    return lines


def _many(count: int, plural: str) -> str:
    return f"{count:,} {plural if count != 1 else plural.removesuffix('s')}"


def _buckets_line(visit: Visit, own: str) -> list[Link]:
    found = visit.sources.buckets.list(own)
    if not found:
        return []
    many = _many(len(found), "buckets")
    return [Link(many, f"{visit.names.href(f'projects/{own}')}#buckets")]


def project_page(visit: Visit, project: str) -> View:
    """Show a project: its locations and its buckets."""
    number, own = visit.project(project)
    cards = []
    for line in _locations(visit, number, _counted(visit)):
        location, _, said = line.text.partition(": ")
        cards.append(Card(Link(location, line.href), [Link(said)]))
    return View(
        own,
        [Link("gcp-local", "/")],
        [
            Note(f"Its number, by which Vertex AI names it, is {number}."),
            *visit.part(lambda: [Cards("Regions", cards, "No region has anything.", runs.EXAMPLE)]),
            *visit.part(lambda: [buckets.table(visit, visit.sources.buckets.list(own))]),
            *visit.part(lambda: [datasets.table(visit, own)]),
            *visit.part(lambda: [topics.table(visit, own)]),
        ],
        kind="Project",
    )


def shelf_page(visit: Visit, place: Place, plural: str) -> View:
    """Show what a location has of one sort."""
    only = plural if plural in jobs.BY_PLURAL else ""
    wanted = "jobs" if only else plural
    shelf = next((each for each in SHELVES if each.plural == wanted), None)
    if shelf is None:
        raise NotFound(f"There is no page of the {plural!r} of a location.")
    blocks = jobs.page(visit, place, only) if only else shelf.page(visit, place)
    return View(
        f"{shelf.title} in {place.location}",
        trail_of(visit, place.name)[:-1],
        blocks,
        kind=place.project,
        tabs=tabs(visit, place, shelf.title),
    )


def title_of(plural: str) -> str:
    """Give the title of what a collection's page lists."""
    if plural in jobs.BY_PLURAL:
        return jobs.BY_PLURAL[plural].title
    return next((shelf.title for shelf in SHELVES if shelf.plural == plural), plural)


def tabs(visit: Visit, place: Place, current: str) -> list[tuple[Link, bool]]:
    """Lead to the other sorts of things in a location."""
    counted = _counted(visit).get(place.name, {})
    return [
        (
            Link(
                f"{shelf.title} {counted[shelf.title]}" if shelf.title in counted else shelf.title,
                visit.names.href(f"{place.name}/{shelf.plural}"),
            ),
            shelf.title == current,
        )
        for shelf in SHELVES
    ]
