"""The embedded cloud without its server: the stores and services, put together."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_local.images.rest import ImagesEndpoint
from gcp_local.images.store import ImageStore
from gcp_local.kms.keys import KeyStore
from gcp_local.kms.service import KeyManagementService
from gcp_local.metadata_server.rest import MetadataServer
from gcp_local.orchestrator import Orchestrator
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
from gcp_local.storage.objects import ObjectStore
from gcp_local.storage.rest import StorageEndpoint
from gcp_local.storage.uploads import Uploads
from gcp_local.vertex.models import ModelService
from gcp_local.vertex.pipelines import PipelineService

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message


class Cloud:
    """Everything that one state folder holds, and the services over it.

    Args:
        state: the folder; made if it is missing.
        endpoint: where the server can be reached, `http://127.0.0.1:PORT`, for the components.

    """

    def __init__(self, state: Path, endpoint: str) -> None:
        self.endpoint = endpoint
        self.state = state.resolve()
        self.database = Database(state / "state.db")
        self.projects = Projects(self.database)
        self.resources = Resources(self.database)
        self.objects = ObjectStore(self.database, state / "storage")
        self.buckets = BucketStore(self.database)
        self.images = ImageStore(state / "images")
        self.packages = PackageRegistry(self.database, self.resources, state / "registry")
        operations = Operations(self.resources, self.projects)
        self.orchestrator = Orchestrator(
            objects=self.objects,
            images=self.images,
            work=state / "work",
            environment=self._environment,
            save=self._save,
        )
        self.pipelines = PipelineService(
            resources=self.resources,
            database=self.database,
            operations=operations,
            projects=self.projects,
            registry=self.packages,
            engine=self.orchestrator,
        )
        services: dict[str, object] = {
            "google.longrunning.Operations": operations,
            "google.cloud.aiplatform.v1.PipelineService": self.pipelines,
            "google.cloud.aiplatform.v1.ModelService": ModelService(
                resources=self.resources,
                database=self.database,
                operations=operations,
                projects=self.projects,
            ),
            "google.cloud.artifactregistry.v1.ArtifactRegistry": ArtifactRegistry(
                resources=self.resources,
                operations=operations,
                projects=self.projects,
                packages=self.packages,
            ),
            "google.cloud.kms.v1.KeyManagementService": KeyManagementService(
                resources=self.resources,
                database=self.database,
                projects=self.projects,
                keys=KeyStore(state / "keys"),
            ),
        }
        self.dispatcher = Dispatcher(RouteTable.load(), services)
        self.storage = StorageEndpoint(
            self.buckets, self.objects, Uploads(self.database, self.objects), self.projects
        )
        self.registry_host = RegistryHost(self.packages, self.dispatcher, self.projects)
        self.images_endpoint = ImagesEndpoint(self.images)
        self.metadata_server = MetadataServer()
        self.pipelines.recover()

    def busy(self) -> bool:
        """Tell whether something is still running."""
        return self.pipelines.busy()

    def close(self) -> None:
        """End all component processes, then the database."""
        self.orchestrator.close()
        self.database.close()

    def _save(self, job: Message) -> None:
        self.pipelines.save(job)

    def _environment(self, project: str, location: str) -> dict[str, str]:
        """Give the variables of a component's process: this server's clients, no one's credentials.

        Args:
            project: the project's id or number.
            location: the job's location.

        """
        return {
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
            ),
            "LANG": "C.UTF-8",
            "STORAGE_EMULATOR_HOST": self.endpoint,
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{self.endpoint}/",
            "GCE_METADATA_HOST": self.endpoint.removeprefix("http://"),
            # google.auth asks this address whether it runs on Google Cloud at all.
            "GCE_METADATA_IP": self.endpoint.removeprefix("http://"),
            "GOOGLE_CLOUD_PROJECT": self.projects.id(project),
            "CLOUD_ML_REGION": location,
        }
