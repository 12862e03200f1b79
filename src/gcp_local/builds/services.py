"""Cloud Build: its parts, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.builds.alarms import Alarms
from gcp_local.builds.commits import CommitStore
from gcp_local.builds.firing import Firing
from gcp_local.builds.secrets import SecretStore
from gcp_local.builds.service import Builds
from gcp_local.builds.templates import Templates
from gcp_local.builds.triggers import BuildTriggers
from gcp_local.builds.workshop import Workshop
from gcp_local.containers.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gcp_local.containers.host import ContainerHost
    from gcp_local.pubsub.service import PubSub
    from gcp_local.registry.images import ImageRegistry
    from gcp_local.resources.collection import Resources
    from gcp_local.resources.database import Database
    from gcp_local.resources.operations import Operations
    from gcp_local.resources.projects import Projects
    from gcp_local.storage.buckets import BucketStore
    from gcp_local.storage.objects import ObjectStore

AT_ONCE = 4
"""How many builds run side by side; the others are QUEUED."""


class CloudBuild:
    """The service, its worker, and the stores that stand in for git hosts and Secret Manager."""

    def __init__(
        self,
        *,
        database: Database,
        resources: Resources,
        operations: Operations,
        projects: Projects,
        objects: ObjectStore,
        buckets: BucketStore,
        host: ContainerHost,
        registry: ImageRegistry,
        endpoint: str,
        state: Path,
        work: Path,
        pubsub: PubSub,
    ) -> None:
        self.commits = CommitStore(state / "sources")
        self.secrets = SecretStore(state / "secrets", projects)
        work.mkdir()
        shop = Workshop(
            database=database,
            resources=resources,
            operations=operations,
            projects=projects,
            objects=objects,
            buckets=buckets,
            host=host,
            endpoint=endpoint,
            commits=self.commits,
            secrets=self.secrets,
            registry=registry,
            work=work.resolve(),
            alarms=Alarms(),
            slots=Slots(AT_ONCE),
        )
        self._builds = Builds(shop)
        templates = Templates(self.commits)
        self._firing = Firing(shop, pubsub, self._builds, templates)
        triggers = BuildTriggers(shop, self._builds, templates, self._firing)
        parts = [self._builds, triggers]
        self.services: dict[str, Sequence[object]] = {
            "google.devtools.cloudbuild.v1.CloudBuild": parts
        }

    def recover(self) -> None:
        """Take up, or end clearly, what an earlier server left unfinished."""
        self._builds.recover()
        self._firing.recover()

    def active(self) -> Sequence[str]:
        """Name the builds that have not ended, oldest first."""
        return self._builds.active()

    def busy(self) -> bool:
        """Tell whether a build is under way."""
        return self._builds.busy()

    def close(self) -> None:
        """End what runs."""
        self._builds.close()
