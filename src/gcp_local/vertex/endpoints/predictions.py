"""Vertex AI's PredictionService: asks the models that are deployed to an endpoint."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.cloud.aiplatform_v1.types import prediction_service as service_types
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from gcp_local.errors import FailedPrecondition, InvalidArgument, NotFound, Unimplemented
from gcp_local.rpc.bodies import headers_of, packed
from gcp_local.rpc.protos import Message, from_json, raw
from gcp_local.vertex.endpoints.deploying import find_deployed, prediction_seconds
from gcp_local.vertex.endpoints.traffic import chosen
from gcp_local.vertex.serving.answers import unreadable
from gcp_local.vertex.serving.http import end_to_end

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.vertex.endpoints.fleet import Fleet
    from gcp_local.vertex.endpoints.service import EndpointService
    from gcp_local.vertex.models.registry import ModelRegistry
    from gcp_local.vertex.serving.answers import Predictions
    from gcp_local.vertex.serving.server import ModelServer

PredictResponse = raw(service_types.PredictResponse)
LARGEST_BYTES = 1_500_000
"""https://cloud.google.com/vertex-ai/docs/quotas: 1.5 MB a request and a response."""
_FRONT_END = frozenset({"authorization", "cookie", "set-cookie", "accept-encoding", "origin"})
_WHOLE = 100
_EXACT = 2**53


@dataclass(frozen=True)
class _Turn:
    """Whose turn it is to answer a request."""

    endpoint: Message
    deployed: Message
    model: Message
    server: ModelServer
    timeout: float


class PredictionService:
    """`google.cloud.aiplatform.v1.PredictionService`.

    The traffic split is a matter of chance for each request, as it is on Vertex AI.
    """

    def __init__(self, endpoints: EndpointService, models: ModelRegistry, fleet: Fleet) -> None:
        self._endpoints = endpoints
        self._models = models
        self._fleet = fleet
        self._random = random.SystemRandom()

    def predict(self, request: Message) -> Message:
        """Predict by the model that the traffic split chooses."""
        instances = [plain(value) for value in request.instances]
        parameters = plain(request.parameters) if request.HasField("parameters") else None
        _check_size(len(json.dumps([instances, parameters]).encode()))
        turn = self._turn(request.endpoint)
        found = turn.server.predict(
            instances, parameters, timeout=turn.timeout, largest=LARGEST_BYTES
        )
        response = _response(found)
        response.deployed_model_id = turn.deployed.id
        response.model = turn.deployed.model
        response.model_version_id = turn.deployed.model_version_id
        response.model_display_name = turn.model.display_name
        return response

    def raw_predict(self, request: Message) -> Message:
        """Hand any body to the model that the traffic split chooses, and its answer back."""
        body = request.http_body
        _check_size(len(body.data))
        turn = self._turn(request.endpoint)
        headers = passed_on(headers_of(body))
        headers["content-type"] = body.content_type or "application/json"
        reply = turn.server.ask(body.data, headers, timeout=turn.timeout, largest=LARGEST_BYTES)
        told = {
            **passed_on(reply.headers),
            "x-vertex-ai-endpoint-id": turn.endpoint.name.rpartition("/")[2],
            "x-vertex-ai-deployed-model-id": turn.deployed.id,
            "x-vertex-ai-model": turn.deployed.model,
            "x-vertex-ai-model-version-id": turn.deployed.model_version_id,
        }
        return packed(reply.content_type, reply.body, told)

    # Inside

    def _turn(self, name: str) -> _Turn:
        """Choose who answers, and see that it runs."""
        if "/publishers/" in name:
            raise Unimplemented("Google's own models are not in the embedded cloud.")
        endpoint = self._endpoints.find(name)
        if not endpoint.traffic_split:
            raise FailedPrecondition(f"Endpoint {endpoint.name} doesn't have traffic_split.")
        deployed_id = chosen(endpoint.traffic_split, self._random.random() * _WHOLE)
        deployed = find_deployed(endpoint, deployed_id)
        model = self._models.resolve(f"{deployed.model}@{deployed.model_version_id}")
        machine = deployed.dedicated_resources.machine_spec.machine_type

        def still_deployed() -> bool:
            try:
                find_deployed(self._endpoints.find(endpoint.name), deployed_id)
            except NotFound:
                return False
            return True

        key = (endpoint.name, deployed_id)
        server = self._fleet.server(key, model, machine, still_deployed=still_deployed)
        return _Turn(endpoint, deployed, model, server, prediction_seconds(endpoint))


def plain(value: Message) -> Any:
    """Turn a protobuf Value into JSON, whole numbers written as such.

    A Value has no integers, and who reads `5.0` where `5` was sent takes it for another thing.
    """
    return _with_integers(json_format.MessageToDict(value))  # type: ignore[arg-type]


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """Leave the headers that a client and a container say to each other.

    Not those of the connection, nor the client's credentials, nor what is for Google's front end.
    """
    return {
        name: value
        for name, value in end_to_end(headers).items()
        if name not in _FRONT_END and not name.startswith(("x-goog-", "sec-", "access-control-"))
    }


def _with_integers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    if isinstance(value, list):
        return [_with_integers(item) for item in value]
    if isinstance(value, dict):
        return {name: _with_integers(item) for name, item in value.items()}
    return value


def _check_size(size: int) -> None:
    if size > LARGEST_BYTES:
        raise InvalidArgument(
            f"The request is {size} bytes; the limit of online predictions is"
            f" {LARGEST_BYTES} bytes."
        )


def _response(found: Predictions) -> Message:
    """Make the response of what a container predicted; FailedPrecondition if no message can."""
    said: dict[str, Any] = {"predictions": list(found.predictions)}
    if found.metadata is not None:
        said["metadata"] = found.metadata
    try:
        response = from_json(said, PredictResponse)
        PredictResponse().ParseFromString(response.SerializeToString())  # as deep as can be read
    except (InvalidArgument, DecodeError):
        raise unreadable("the predictions are nested too deeply.") from None
    return response
