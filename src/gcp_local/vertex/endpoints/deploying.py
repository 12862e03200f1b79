"""Vertex AI's EndpointService: models put on endpoints and taken off again."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import endpoint_service as service_types

from gcp_local import clock
from gcp_local.errors import Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from gcp_local.resources.masks import update_paths
from gcp_local.rpc.protos import Message, copy_of, raw, timestamp
from gcp_local.vertex.endpoints.checks import (
    accelerator_of,
    check_deployed_id,
    check_extras,
    complete_replicas,
    complete_resources,
)
from gcp_local.vertex.endpoints.traffic import Split, after_deploying, after_undeploying
from gcp_local.vertex.naming import check_display_name
from gcp_local.vertex.serving.server import DEFAULT_TIMEOUT_SECONDS
from gcp_local.vertex.settings import check_account

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.vertex.endpoints.fleet import Fleet, Key
    from gcp_local.vertex.endpoints.service import EndpointService
    from gcp_local.vertex.models.registry import ModelRegistry
    from gcp_local.vertex.platform import Platform

DeployModelOperationMetadata = raw(service_types.DeployModelOperationMetadata)
DeployModelResponse = raw(service_types.DeployModelResponse)
UndeployModelOperationMetadata = raw(service_types.UndeployModelOperationMetadata)
UndeployModelResponse = raw(service_types.UndeployModelResponse)
MutateDeployedModelOperationMetadata = raw(service_types.MutateDeployedModelOperationMetadata)
MutateDeployedModelResponse = raw(service_types.MutateDeployedModelResponse)

_OUTPUT_ONLY = ("model_version_id", "create_time", "private_endpoints", "status", "system_labels")
_RESOURCES = "dedicated_resources"
_MUTABLE = (
    f"{_RESOURCES}.min_replica_count",
    f"{_RESOURCES}.max_replica_count",
    f"{_RESOURCES}.required_replica_count",
    f"{_RESOURCES}.autoscaling_metric_specs",
    "disable_container_logging",
)


class DeploymentService:
    """The part of `google.cloud.aiplatform.v1.EndpointService` that is about deployed models.

    A worker: its servers end with it. What was deployed then is served again on demand.
    """

    def __init__(
        self, platform: Platform, endpoints: EndpointService, models: ModelRegistry, fleet: Fleet
    ) -> None:
        self._database = platform.database
        self._operations = platform.operations
        self._host = platform.host
        self._endpoints = endpoints
        self._models = models
        self._fleet = fleet
        self._under_way: set[Key] = set()
        self._lock = threading.Lock()

    # The RPCs

    def deploy_model(self, request: Message) -> Message:
        """Start a model's server; once it is healthy the model is on the endpoint."""
        deployed: Message = copy_of(request.deployed_model)
        for field in _OUTPUT_ONLY:
            deployed.ClearField(field)
        check_display_name(deployed.display_name, required=False)
        check_account(deployed.service_account, "deployed_model.service_account")
        check_extras(deployed)
        complete_resources(deployed)
        accelerator = accelerator_of(deployed.dedicated_resources.machine_spec)
        self._host.check_accelerator("The deployed_model", accelerator)
        endpoint = self._endpoints.find(request.endpoint)
        model = self._model_of(deployed)
        deployed.id = deployed.id or str(1 + uuid.uuid4().int % (10**10 - 1))
        check_deployed_id(deployed.id)
        asked = dict(request.traffic_split)
        _check_deployable(endpoint, deployed, asked)
        stopped = threading.Event()
        key = (endpoint.name, deployed.id)
        with self._lock:
            if key in self._under_way:
                raise AlreadyExists(f"The DeployedModel {deployed.id!r} is being deployed already.")
            self._under_way.add(key)

        def work() -> Message:
            machine = deployed.dedicated_resources.machine_spec.machine_type
            try:
                self._fleet.server(key, model, machine, stopped=stopped)
                response = self._enter(endpoint.name, deployed, asked, stopped)
            except BaseException:
                self._fleet.stop(key)
                raise
            finally:
                with self._lock:
                    self._under_way.discard(key)
            self._fleet.settle(key)
            return response

        try:
            return self._operations.begin(
                endpoint.name, DeployModelOperationMetadata(), work, cancel=stopped.set
            )
        except BaseException:
            with self._lock:
                self._under_way.discard(key)
            raise

    def undeploy_model(self, request: Message) -> Message:
        """Take a model off the endpoint, then end its server, once it has answered."""
        gone = request.deployed_model_id

        def change(endpoint: Message) -> None:
            self._models.forget_deployment(find_deployed(endpoint, gone), endpoint.name)
            left = [each for each in endpoint.deployed_models if each.id != gone]
            asked = dict(request.traffic_split)
            ids = {each.id for each in left}
            _split(endpoint, after_undeploying(endpoint.traffic_split, asked, gone, ids))
            del endpoint.deployed_models[:]
            endpoint.deployed_models.extend(left)

        endpoint = self._endpoints.change(request.endpoint, change)

        hurry = threading.Event()

        def work() -> Message:
            patience = prediction_seconds(endpoint)
            self._fleet.stop((endpoint.name, gone), patience=patience, hurry=hurry)
            return UndeployModelResponse()

        return self._operations.begin(
            endpoint.name, UndeployModelOperationMetadata(), work, cancel=hurry.set
        )

    def mutate_deployed_model(self, request: Message) -> Message:
        """Change how many replicas there are said to be; here it is one process all the same."""
        asked = request.deployed_model
        paths = update_paths(request.update_mask, (_RESOURCES, *_MUTABLE))
        if _RESOURCES in paths:
            paths = [path for path in _MUTABLE if path.startswith(_RESOURCES)]

        def change(endpoint: Message) -> None:
            deployed = find_deployed(endpoint, asked.id)
            for path in paths:
                *parents, last = path.split(".")
                source, target = asked, deployed
                for parent in parents:
                    source, target = getattr(source, parent), getattr(target, parent)
                target.ClearField(last)
                if last == "autoscaling_metric_specs":
                    target.autoscaling_metric_specs.extend(source.autoscaling_metric_specs)
                else:
                    setattr(target, last, getattr(source, last))
            complete_replicas(deployed.dedicated_resources)

        endpoint = self._endpoints.change(request.endpoint, change)
        response = MutateDeployedModelResponse(deployed_model=find_deployed(endpoint, asked.id))
        return self._operations.done(
            endpoint.name, response, MutateDeployedModelOperationMetadata()
        )

    # For the server

    def recover(self) -> None:
        """Do nothing: what is deployed is served when it is asked for."""

    def busy(self) -> bool:
        """Tell that nothing is under way but operations, which speak for themselves."""
        return False

    def close(self) -> None:
        """End all model servers."""
        self._fleet.close()

    # Inside

    def _model_of(self, deployed: Message) -> Message:
        """Find the version that is to be deployed, and write it into the deployed model."""
        if not deployed.model:
            raise InvalidArgument.of_field("deployed_model.model", "model is required.")
        model = self._models.resolve(deployed.model)
        if not model.container_spec.image_uri:
            raise FailedPrecondition(
                f"The Model {model.name!r} cannot be deployed: it has no container_spec."
            )
        deployed.model = model.name
        deployed.model_version_id = model.version_id
        deployed.display_name = deployed.display_name or model.display_name
        return model

    def _enter(
        self, name: str, deployed: Message, asked: Mapping[str, int], stopped: threading.Event
    ) -> Message:
        """Put a model that is served on its endpoint, unless things have changed meanwhile."""

        def change(endpoint: Message) -> None:
            _split(endpoint, _check_deployable(endpoint, deployed, asked))
            deployed.create_time.CopyFrom(timestamp(clock.now()))
            endpoint.deployed_models.append(deployed)

        with self._database.transaction():
            if stopped.is_set():
                raise Aborted("The deployment was cancelled.")
            self._models.note_deployment(deployed, name)
            self._endpoints.change(name, change)
        return DeployModelResponse(deployed_model=deployed)


def find_deployed(endpoint: Message, deployed_id: str) -> Message:
    """Find a deployed model on its endpoint; NotFound if it is not there."""
    for deployed in endpoint.deployed_models:
        if deployed.id == deployed_id:
            found: Message = deployed
            return found
    raise _not_deployed(endpoint.name, deployed_id)


def prediction_seconds(endpoint: Message) -> float:
    """Tell how long a prediction by an endpoint may take."""
    config = endpoint.client_connection_config
    seconds: float = config.inference_timeout.ToTimedelta().total_seconds()
    return seconds or DEFAULT_TIMEOUT_SECONDS


def _check_deployable(endpoint: Message, deployed: Message, asked: Mapping[str, int]) -> Split:
    """Refuse a model that cannot go on this endpoint as it is; give the traffic split with it."""
    others = {each.id for each in endpoint.deployed_models}
    if deployed.id in others:
        raise AlreadyExists(
            f"The Endpoint {endpoint.name!r} has a DeployedModel {deployed.id!r} already."
        )
    return after_deploying(endpoint.traffic_split, asked, deployed.id, others)


def _split(endpoint: Message, split: Mapping[str, int]) -> None:
    endpoint.ClearField("traffic_split")
    endpoint.traffic_split.update(dict(split))


def _not_deployed(endpoint: str, deployed_id: str) -> NotFound:
    return NotFound(f"The Endpoint {endpoint!r} has no DeployedModel {deployed_id!r}.")
