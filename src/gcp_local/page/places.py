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

_MOST = 60


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


Counted = Mapping[str, Mapping[str, Mapping[str, int]]]
"""How much there is: by project number, location and the shelf's title."""


def projects(visit: Visit) -> Cards:
    """Lead to the projects, and say what is in each; to those first that have something."""
    counted = _counted(visit)
    buckets_of = visit.sources.buckets.counts()
    known = sorted(
        visit.sources.projects.all(),
        key=lambda project: (project[0] not in counted and project[1] not in buckets_of, project),
    )
    cards = []
    for number, own in known[:_MOST]:
        href = visit.names.href(f"projects/{own}")
        lines = [
            Link(f"{location}: {said}", visit.names.href(f"projects/{number}/locations/{location}"))
            for location, said in _said(counted.get(number, {}))
        ]
        if own in buckets_of:
            lines.append(Link(_many(buckets_of[own], "buckets"), f"{href}#buckets"))
        cards.append(Card(Link(own, href), lines))
    more = len(known) - len(cards)
    return Cards(
        "Projects",
        cards,
        empty="Nothing has been made yet. Any well-formed project id is a project: the first call"
        " that names one makes it appear here.",
        example=f'client_options={{"api_endpoint": "{visit.endpoint}"}}, transport="rest"',
        note=f"{more} more are at /page/projects/ID." if more else "",
    )


def _counted(visit: Visit) -> Counted:
    kinds = {
        str(kind.DESCRIPTOR.full_name): shelf.title for shelf in SHELVES for kind in shelf.kinds
    }
    every = [kind for shelf in SHELVES for kind in shelf.kinds]
    found: dict[str, dict[str, dict[str, int]]] = {}
    for (kind, parent), many in visit.sources.resources.counts(every).items():
        _, number, _, location, *_ = parent.split("/")
        title = kinds[kind]
        # A model's versions are kept each: of a model, which is their parent, there is one.
        count = 1 if title == "Models" else many
        shelves = found.setdefault(number, {}).setdefault(location, {})
        shelves[title] = shelves.get(title, 0) + count
    return found


def _said(locations: Mapping[str, Mapping[str, int]]) -> list[tuple[str, str]]:
    """Say in a line what each location has."""
    return [
        (
            location,
            ", ".join(
                _many(shelves[shelf.title], shelf.title.lower())
                for shelf in SHELVES
                if shelf.title in shelves
            ),
        )
        for location, shelves in sorted(locations.items())
    ]


def _many(count: int, plural: str) -> str:
    return f"{count:,} {plural if count != 1 else plural.removesuffix('s')}"


def project_page(visit: Visit, project: str) -> View:
    """Show a project: its locations and its buckets."""
    number, own = visit.project(project)
    cards = [
        Card(Link(location, visit.names.href(f"projects/{own}/locations/{location}")), [Link(said)])
        for location, said in _said(_counted(visit).get(number, {}))
    ]
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
    counted = _counted(visit).get(place.number, {}).get(place.location, {})
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
