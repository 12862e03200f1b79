"""What every service of Vertex AI stands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gcp_local.bigquery.exchange import Exchange
from gcp_local.containers.host import ContainerHost
from gcp_local.resources.collection import Resources
from gcp_local.resources.database import Database
from gcp_local.resources.operations import Operations
from gcp_local.resources.projects import Projects
from gcp_local.storage.objects import ObjectStore


@dataclass(frozen=True)
class Platform:
    """The stores, and the host of containers.

    Attributes:
        tables: those of BigQuery.
        work: a folder for what is needed only while something runs; emptied at each start.

    """

    database: Database
    resources: Resources
    operations: Operations
    projects: Projects
    objects: ObjectStore
    host: ContainerHost
    tables: Exchange
    work: Path


class Worker(Protocol):
    """A service that does something between two requests."""

    def recover(self) -> None:
        """Take up, or fail clearly, what an earlier server left unfinished."""
        ...

    def busy(self) -> bool:
        """Tell whether something is under way, so that the server must not end for idleness."""
        ...

    def close(self) -> None:
        """End everything that is under way, and wait for its end."""
        ...
