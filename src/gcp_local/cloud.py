"""The embedded cloud without its server: the stores and services, put together."""

from __future__ import annotations

import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gcp_local.admin.rest import AdminEndpoint
from gcp_local.bigquery.ml.registration import VertexRegistry
from gcp_local.bigquery.service import BigQuery
from gcp_local.builds.services import CloudBuild
from gcp_local.containers.host import PROGRAMS, ContainerHost
from gcp_local.containers.warm import default_launcher
from gcp_local.faults import Faults
from gcp_local.iam.known import kept
from gcp_local.iam.service import IAM
from gcp_local.images.mapping import ImageMappings
from gcp_local.images.store import ImageStore
from gcp_local.kms.keys import KeyStore
from gcp_local.kms.service import KeyManagementService
from gcp_local.metadata_server.rest import MetadataServer
from gcp_local.pubsub.service import PubSub
from gcp_local.registry.images import ImageRegistry
from gcp_local.registry.packages import PackageRegistry
from gcp_local.registry.rest import RegistryHost
from gcp_local.registry.service import ArtifactRegistry
from gcp_local.resources.collection import Resources
from gcp_local.resources.database import Database
from gcp_local.resources.operations import Operations
from gcp_local.resources.projects import Projects
from gcp_local.rpc.dispatch import Dispatcher
from gcp_local.rpc.routes import RouteTable
from gcp_local.storage.buckets import BucketStore
from gcp_local.storage.notification_rest import NotificationEndpoint
from gcp_local.storage.notifications import Notifications
from gcp_local.storage.objects import ObjectStore
from gcp_local.storage.rest import StorageEndpoint
from gcp_local.vertex.platform import Platform
from gcp_local.vertex.services import VertexAI
from gcp_local.web.messages import Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gcp_local.page.rest import PageEndpoint
    from gcp_local.vertex.platform import Worker


class Cloud:
    """Everything that one state folder holds, and the services over it.

    Args:
        state: the folder; made if it is missing.
        endpoint: where the server can be reached, `http://127.0.0.1:PORT`, for the components.
        grpc_endpoint: where gRPC is served, `127.0.0.1:PORT`; empty where it is not.
        images: which command of this machine stands for which image.
        accelerators_ignored: who asks for a GPU or TPU runs without it.
        permissive: pipelines may use what is not proved to work on Vertex AI.
        components: how many components of pipelines run at a time; none for as many as fit here.

    """

    def __init__(
        self,
        state: Path,
        endpoint: str,
        *,
        grpc_endpoint: str = "",
        images: ImageMappings | None = None,
        accelerators_ignored: bool = False,
        permissive: bool = False,
        components: int | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.grpc_endpoint = grpc_endpoint
        self.state = state.resolve()
        self.database = Database(state / "state.db")
        self.projects = Projects(self.database)
        self.resources = Resources(self.database)
        self.objects = ObjectStore(self.database, state / "storage")
        self.buckets = BucketStore(self.database)
        self.images = ImageStore(state / "images")
        self.packages = PackageRegistry(self.database, self.resources, state / "registry")
        operations = Operations(self.resources, self.projects)
        self.host = ContainerHost(
            self.images,
            self._environment,
            default_launcher(),
            images or ImageMappings(),
            accelerators_ignored,
        )
        self.iam = IAM(
            resources=self.resources,
            database=self.database,
            projects=self.projects,
            folder=state / "keys",
        )
        self.pubsub = PubSub(
            resources=self.resources,
            database=self.database,
            projects=self.projects,
            bucket_exists=self.buckets.get,
            token=self.iam.signer.identity_token,
        )
        notifications = Notifications(
            database=self.database,
            buckets=self.buckets,
            endpoint=endpoint,
            announce=self.pubsub.topics.announce,
            tell=self.pubsub.targets.tell,
        )
        self.objects.changed = notifications.publish
        self.bigquery = BigQuery(
            self.database,
            self.projects,
            self.state,
            self.objects,
            self.host.launcher,
            self.iam.permissions,
        )
        platform = Platform(
            database=self.database,
            resources=self.resources,
            operations=operations,
            projects=self.projects,
            objects=self.objects,
            host=self.host,
            tables=self.bigquery.exchange,
            work=_emptied(state / "work"),
        )
        self._work = platform.work
        self.vertex = VertexAI(
            platform, self.packages, permissive=permissive, components=components
        )
        self.bigquery.models.registered_in(
            VertexRegistry(platform, self.vertex.models, self.vertex.evaluations)
        )
        self.image_registry = ImageRegistry(
            self.database, self.resources, self.packages, self.images
        )
        self.builds = CloudBuild(
            database=self.database,
            resources=self.resources,
            operations=operations,
            projects=self.projects,
            objects=self.objects,
            buckets=self.buckets,
            host=self.host,
            registry=self.image_registry,
            endpoint=endpoint,
            state=state,
            work=platform.work / "builds",
            pubsub=self.pubsub,
        )
        services: dict[str, Sequence[object]] = {
            **self.vertex.services,
            **self.builds.services,
            **self.pubsub.services,
            **self.iam.services(
                {**self.pubsub.with_policies, **kept(self.resources, self.projects)}
            ),
            "google.longrunning.Operations": [operations],
            "google.devtools.artifactregistry.v1.ArtifactRegistry": [
                ArtifactRegistry(
                    resources=self.resources,
                    operations=operations,
                    projects=self.projects,
                    packages=self.packages,
                    images=self.image_registry,
                )
            ],
            "google.cloud.kms.v1.KeyManagementService": [
                KeyManagementService(
                    resources=self.resources,
                    database=self.database,
                    projects=self.projects,
                    keys=KeyStore(state / "keys"),
                )
            ],
        }
        self.dispatcher = Dispatcher(RouteTable.load(), services)
        self.faults = Faults(self.dispatcher.routes)
        self.storage = StorageEndpoint(
            self.database,
            self.buckets,
            self.objects,
            self.projects,
            NotificationEndpoint(self.buckets, notifications, self.pubsub.topics.check_exists),
            self.iam.permissions,
        )
        self.registry_host = RegistryHost(self.packages, self.dispatcher, self.projects)
        self.admin = AdminEndpoint(
            self.state,
            self.image_registry,
            self.faults,
            grpc_endpoint=grpc_endpoint,
            commits=self.builds.commits,
            secrets=self.builds.secrets,
            targets=self.pubsub.targets,
            iam=self.iam,
        )
        self.metadata_server = MetadataServer()
        # Operations last: what a service takes up again may settle its own.
        self._workers: Sequence[Worker] = [
            *self.vertex.workers,
            *self.bigquery.workers,
            self.builds,
            *self.pubsub.workers,
            operations,
        ]
        for worker in self._workers:
            worker.recover()

    @cached_property
    def page(self) -> PageEndpoint:
        """What people see in a browser, made when one comes: clients do without it."""
        from gcp_local.page.rest import PageEndpoint
        from gcp_local.page.site import Sources

        sources = Sources(
            database=self.database,
            resources=self.resources,
            projects=self.projects,
            objects=self.objects,
            buckets=self.buckets,
            metadata=self.vertex.metadata,
            pipelines=self.vertex.pipelines,
            builds=self.builds,
            fleet=self.vertex.fleet,
            bigquery=self._asked_of_bigquery,
            work=self._work,
        )
        return PageEndpoint(sources, self.endpoint)

    def _asked_of_bigquery(self, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        """Give what BigQuery's REST API answers, for the page."""
        address = f"/bigquery/v2/{quote(path)}"
        request = Request("GET", address, tuple(query.items()), {}, b"", self.endpoint)
        answer = self.bigquery.endpoint.answer(request)
        assert isinstance(answer.body, bytes)
        said: dict[str, Any] = json.loads(answer.body)
        return said

    def busy(self) -> bool:
        """Tell whether something is still running."""
        return any(worker.busy() for worker in self._workers)

    def close(self) -> None:
        """End everything that is under way, its processes, then the database."""
        for worker in self._workers:
            worker.close()
        self.host.launcher.close()
        self.database.close()

    def _environment(self, project: str, location: str) -> dict[str, str]:
        """Give the variables of a component's process: this server's clients, no one's credentials.

        Args:
            project: the project's id or number.
            location: the job's location.

        """
        return {
            "PATH": PROGRAMS,
            "LANG": "C.UTF-8",
            "STORAGE_EMULATOR_HOST": self.endpoint,
            "BIGQUERY_EMULATOR_HOST": self.endpoint,
            "PUBSUB_EMULATOR_HOST": self.grpc_endpoint,
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{self.endpoint}/",
            "GCE_METADATA_HOST": self.endpoint.removeprefix("http://"),
            # google.auth asks this address whether it runs on Google Cloud at all.
            "GCE_METADATA_IP": self.endpoint.removeprefix("http://"),
            "GOOGLE_CLOUD_PROJECT": self.projects.id(project),
            "CLOUD_ML_REGION": location,
        }


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
