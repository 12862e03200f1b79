"""Models uploaded, endpoints made and models deployed to them, in a word each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.cloud import aiplatform_v1

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.vertex.models.serving_programs import ECHO

RESOURCES = {"machine_spec": {"machine_type": "n1-standard-2"}, "min_replica_count": 1}


@dataclass(frozen=True)
class Vertex:
    """The clients of one server, and a location of one project there."""

    emulator: Emulator
    parent: str

    @property
    def models(self) -> Any:  # a typed client takes dicts for messages, which its types deny
        return aiplatform_v1.ModelServiceClient(**self.emulator.gapic)

    @property
    def endpoints(self) -> Any:  # a typed client takes dicts for messages, which its types deny
        return aiplatform_v1.EndpointServiceClient(**self.emulator.gapic)

    @property
    def predictions(self) -> Any:  # a typed client takes dicts for messages, which its types deny
        return aiplatform_v1.PredictionServiceClient(**self.emulator.gapic)

    def model(
        self, *command: str, image: str = "python:3.11", artifacts: str = "", **more: Any
    ) -> str:
        """Upload a model that is served by that command; give its name."""
        spec = aiplatform_v1.ModelContainerSpec(image_uri=image, command=command, **more)
        model = aiplatform_v1.Model(
            display_name="churn", container_spec=spec, artifact_uri=artifacts
        )
        operation: Any = self.models.upload_model(parent=self.parent, model=model)
        name: str = operation.result(timeout=5).model
        return name

    def echo(self, colour: str) -> str:
        return self.model("python", "-c", ECHO, colour)

    def endpoint(self, endpoint_id: str = "", **said: Any) -> str:
        endpoint = aiplatform_v1.Endpoint(display_name="churn", **said)
        request = {"parent": self.parent, "endpoint": endpoint, "endpoint_id": endpoint_id}
        operation: Any = self.endpoints.create_endpoint(request=request)
        name: str = operation.result(timeout=5).name
        return name

    def deploy(
        self, endpoint: str, model: str, split: dict[str, int] | None = None, **more: Any
    ) -> str:
        deployed = {"model": model, "dedicated_resources": RESOURCES, **more}
        operation: Any = self.endpoints.deploy_model(
            endpoint=endpoint, deployed_model=deployed, traffic_split=split or {}
        )
        deployed_id: str = operation.result(timeout=20).deployed_model.id
        return deployed_id

    def undeploy(
        self, endpoint: str, deployed_id: str, split: dict[str, int] | None = None
    ) -> None:
        operation: Any = self.endpoints.undeploy_model(
            endpoint=endpoint, deployed_model_id=deployed_id, traffic_split=split or {}
        )
        operation.result(timeout=20)
