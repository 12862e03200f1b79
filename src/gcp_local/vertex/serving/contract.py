"""What Vertex AI agrees on with a serving container: its variables, routes, command and time.

Sources: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements and the
documentation of `ModelContainerSpec`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcp_local.errors import FailedPrecondition, Unimplemented

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gcp_local.rpc.protos import Message

DEFAULT_DEPLOYMENT_SECONDS = 30 * 60.0
_REFERENCE = re.compile(r"\$\$|\$\((?P<name>[-._a-zA-Z][-._a-zA-Z0-9]*)\)")


@dataclass(frozen=True)
class Occasion:
    """For what a model is served.

    Attributes:
        project: the project's number.
        location: the region.
        endpoint_id: the endpoint's id; a batch prediction has an invented one.
        deployed_model_id: the deployed model's id, likewise.
        machine_type: the machine that was asked for, empty if none was.

    """

    project: str
    location: str
    endpoint_id: str
    deployed_model_id: str
    machine_type: str = ""


@dataclass(frozen=True)
class Contract:
    """What one container is started with, and how it is spoken to.

    Attributes:
        command: its command; empty if the image's entry point is to run.
        arguments: what follows the command or the entry point.
        variables: the environment variables that Vertex AI and the model give it.
        health_routes: all of them must answer 200 before it gets a request.
        startup_seconds: how long it may take until they do.

    """

    command: tuple[str, ...]
    arguments: tuple[str, ...]
    variables: Mapping[str, str]
    predict_route: str
    health_routes: tuple[str, ...]
    startup_seconds: float


def contract_of(model: Message, occasion: Occasion, port: int) -> Contract:
    """Work out a container's contract.

    Args:
        model: a Model with a container_spec.
        occasion: for what it is served.
        port: where it has to listen. On Google Cloud that is the first of the spec's ports in a
            network of the container's own; here it is a free port of the host.

    Raises:
        Unimplemented: the spec asks for what is not done here.
        FailedPrecondition: the model cannot be served at all.

    """
    spec = model.container_spec
    if not spec.image_uri:
        raise FailedPrecondition(f"The Model {model.name!r} has no container to serve it with.")
    _check_possible(spec)
    route = f"/v1/endpoints/{occasion.endpoint_id}/deployedModels/{occasion.deployed_model_id}"
    predict_route = spec.predict_route or f"{route}:predict"
    health_route = spec.health_route or route
    variables = {
        "AIP_MODE": "PREDICTION",
        "AIP_MODE_VERSION": "1.0.0",
        "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
        "AIP_PROJECT_NUMBER": occasion.project,
        "AIP_MODEL_NAME": model.name.rpartition("/")[2],
        "AIP_VERSION_NAME": model.version_id,
        "AIP_ENDPOINT_ID": occasion.endpoint_id,
        "AIP_DEPLOYED_MODEL_ID": occasion.deployed_model_id,
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": health_route,
        "AIP_PREDICT_ROUTE": predict_route,
        "AIP_STORAGE_URI": model.artifact_uri,
    }
    if occasion.machine_type:
        variables["AIP_MACHINE_TYPE"] = occasion.machine_type
    for entry in spec.env:
        variables.setdefault(entry.name, expanded(entry.value, variables))
    timeout = spec.deployment_timeout.ToTimedelta().total_seconds()
    return Contract(
        command=tuple(expanded(word, variables) for word in spec.command),
        arguments=tuple(expanded(word, variables) for word in spec.args),
        variables=variables,
        predict_route=predict_route,
        health_routes=(health_route, *_probed(spec)),
        startup_seconds=timeout or DEFAULT_DEPLOYMENT_SECONDS,
    )


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """Put in the values of `$(NAME)` as Kubernetes does; `$$` is a dollar, unknown names stay."""

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        return "$" if name is None else variables.get(name, match[0])

    return _REFERENCE.sub(value, text)


def _check_possible(spec: Message) -> None:
    if spec.grpc_ports:
        raise Unimplemented("Serving containers are spoken to by HTTP here; grpc_ports are not.")
    if spec.invoke_route_prefix:
        raise FailedPrecondition(
            "A model with invoke_route_prefix is deployed to dedicated endpoints only."
        )
    for name in ("startup_probe", "health_probe", "liveness_probe"):
        kind = getattr(spec, name).WhichOneof("probe_type")
        if kind not in (None, "http_get"):
            raise Unimplemented(
                f"container_spec.{name}.{kind}: only http_get probes are done here."
            )


def _probed(spec: Message) -> Sequence[str]:
    """Name the paths that the spec's own probes ask."""
    paths = (getattr(spec, name).http_get.path for name in ("startup_probe", "health_probe"))
    return [path for path in paths if path]
