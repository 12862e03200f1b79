"""What the pages read from, and what every page of a visit needs."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gcp_local.errors import ApiError, NotFound
from gcp_local.page.names import Names
from gcp_local.page.view import Block, Link, Note, Tone

if TYPE_CHECKING:
    from gcp_local.resources.collection import Resources
    from gcp_local.resources.database import Database
    from gcp_local.resources.projects import Projects
    from gcp_local.storage.buckets import BucketStore
    from gcp_local.storage.objects import ObjectStore
    from gcp_local.vertex.metadata.store import MetadataGraph

_LOCATION = re.compile(r"[a-z]+(-[a-z0-9]+)*")
_LOG = logging.getLogger("gcp_local")


class Active(Protocol):
    """What tells which pipeline jobs, or builds, have not ended."""

    def active(self) -> Sequence[str]:
        """Name them, oldest first."""
        ...


class Fleet(Protocol):
    """What tells which deployed models are served."""

    def alive(self, endpoint: str, deployed: str) -> bool:
        """Tell whether a deployed model has a process."""
        ...


@dataclass(frozen=True)
class Sources:
    """Where everything is that the pages show; they change nothing of it.

    Attributes:
        bigquery: answers what a GET to BigQuery's REST API answers, by path and query.
        work: the folder of what is under way.

    """

    database: Database
    resources: Resources
    projects: Projects
    objects: ObjectStore
    buckets: BucketStore
    metadata: MetadataGraph
    pipelines: Active
    builds: Active
    fleet: Fleet
    bigquery: Callable[[str, Mapping[str, str]], Mapping[str, Any]]
    work: Path


@dataclass(frozen=True)
class Place:
    """A location of a project.

    Attributes:
        number: the project's.
        project: its id.

    """

    number: str
    project: str
    location: str

    @property
    def name(self) -> str:
        """The name by which resources are kept there."""
        return f"projects/{self.number}/locations/{self.location}"

    @property
    def shown(self) -> str:
        """The name that people know."""
        return f"projects/{self.project}/locations/{self.location}"


@dataclass(frozen=True)
class Visit:
    """One look at the pages.

    Attributes:
        now: what time it is.
        query: what the address says behind the question mark.
        endpoint: where clients reach the server.

    """

    sources: Sources
    names: Names
    now: datetime
    query: Mapping[str, str]
    endpoint: str

    def project(self, project: str) -> tuple[str, str]:
        """Give number and id of a project; NotFound if nobody has ever named it here."""
        found = self.sources.projects.find(project)
        if found is None:
            raise NotFound(f"There is nothing here of a project {project!r}.")
        return found

    def place(self, project: str, location: str) -> Place:
        """Give a location of a project that has been heard of; NotFound, if it can be none."""
        number, own = self.project(project)
        if not _LOCATION.fullmatch(location):
            raise NotFound(f"{location!r:.80} is no location.")
        return Place(number, own, location)

    def part(self, make: Callable[[], Sequence[Block]]) -> Sequence[Block]:
        """Make a part of a page; what fails in it is said in its place, and the rest is shown."""
        try:
            return make()
        except ApiError as error:
            return [Note(error.message, Tone.BAD)]
        except Exception as error:  # noqa: BLE001  (whatever it is, the page goes on)
            _LOG.exception("a part of a page failed")
            what = f"This part of the page failed ({type(error).__name__})"
            return [Note(f"{what}; the server's log has the traceback.", Tone.BAD)]


def trail_of(visit: Visit, name: str, *more: Link) -> list[Link]:
    """Lead from the beginning to a location, or a project, by its name."""
    words = visit.names.shown(name).split("/")
    trail = [Link("gcp-local", "/"), Link(words[1], visit.names.href("/".join(words[:2])))]
    if len(words) >= 4 and words[2] == "locations":
        trail.append(Link(words[3], visit.names.href("/".join(words[:4]))))
    return [*trail, *more]
