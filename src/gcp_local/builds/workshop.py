"""What Cloud Build stands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gcp_local.builds.alarms import Alarms
from gcp_local.builds.commits import CommitStore
from gcp_local.builds.secrets import SecretStore
from gcp_local.containers.host import ContainerHost
from gcp_local.containers.slots import Slots
from gcp_local.registry.images import ImageRegistry
from gcp_local.resources.collection import Resources
from gcp_local.resources.database import Database
from gcp_local.resources.operations import Operations
from gcp_local.resources.projects import Projects
from gcp_local.storage.buckets import BucketStore
from gcp_local.storage.objects import ObjectStore


@dataclass(frozen=True)
class Workshop:
    """The stores, and the host of containers.

    Attributes:
        endpoint: where the server is, for the programs of the steps.
        commits: the commits that builds can be made from.
        secrets: the secrets that builds can ask for.
        registry: where images are pushed to.
        work: a folder for the rooms of the builds that run; emptied at each start.
        alarms: times at which something ends.
        slots: a place for each build that runs; others are QUEUED.

    """

    database: Database
    resources: Resources
    operations: Operations
    projects: Projects
    objects: ObjectStore
    buckets: BucketStore
    host: ContainerHost
    endpoint: str
    commits: CommitStore
    secrets: SecretStore
    registry: ImageRegistry
    work: Path
    alarms: Alarms
    slots: Slots
