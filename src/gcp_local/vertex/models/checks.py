"""What an uploaded model may say, and what Vertex AI adds to it. Pure.

Sources: the documentation of `Model`, `ModelContainerSpec` and `Probe`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import model as model_types

from gcp_local.errors import InvalidArgument

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

CUSTOM_FORMAT = "custom-trained"

_ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9-]")
_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ROUTE = re.compile(r"/[!-~]*")
_MOST_PORT = 65535
_LONGEST_DEPLOYMENT_SECONDS = 2 * 3600
_MOST_WORDS = 100
_INPUTS = ("jsonl", "bigquery", "csv", "tf-record", "tf-record-gzip", "file-list")
_OUTPUTS = ("jsonl", "bigquery")
_OUTPUT_ONLY = (
    "name", "version_id", "supported_export_formats", "training_pipeline",
    "supported_deployment_resources_types", "supported_input_storage_formats",
    "supported_output_storage_formats", "deployed_models", "data_stats", "model_source_info",
    "original_model_info", "metadata_artifact", "satisfies_pzs", "satisfies_pzi", "checkpoints",
    "etag", "create_time", "update_time",
)  # fmt: skip


def check_id(name: str) -> None:
    """Refuse a model's id that Vertex AI would refuse."""
    if not _ID.fullmatch(name):
        message = (
            f"Invalid model id {name!r}: up to 63 of [a-z0-9_-], the first no digit and no hyphen."
        )
        raise InvalidArgument.of_field("model_id", message)


def check_alias(alias: str) -> None:
    """Refuse an alias that could be taken for a version's number, or is none."""
    if not _ALIAS.fullmatch(alias):
        message = f"Invalid alias {alias!r}: [a-z][a-zA-Z0-9-]{{0,126}}[a-z0-9-]."
        raise InvalidArgument.of_field("version_aliases", message)


def check_container(spec: Message, at: str) -> None:
    """Refuse a container spec that Vertex AI would refuse.

    Args:
        spec: a ModelContainerSpec.
        at: where in the request it stands.

    """
    if not spec.image_uri:
        raise InvalidArgument.of_field(f"{at}.image_uri", "image_uri is required.")
    _check_routes(spec, at)
    for name in ("ports", "grpc_ports"):
        for port in getattr(spec, name):
            _check_port(port.container_port, f"{at}.{name}.container_port")
    _check_variables(spec, at)
    seconds = spec.deployment_timeout.ToTimedelta().total_seconds()
    if spec.HasField("deployment_timeout") and not 0 < seconds <= _LONGEST_DEPLOYMENT_SECONDS:
        message = "deployment_timeout must be more than 0 s and at most 2 hours."
        raise InvalidArgument.of_field(f"{at}.deployment_timeout", message)
    if spec.shared_memory_size_mb < 0:
        message = "shared_memory_size_mb must not be negative."
        raise InvalidArgument.of_field(f"{at}.shared_memory_size_mb", message)
    for name in ("startup_probe", "health_probe", "liveness_probe"):
        if spec.HasField(name):
            _check_probe(getattr(spec, name), f"{at}.{name}")


def clear_output_only(model: Message) -> None:
    """Forget what only Vertex AI says of a model."""
    for name in _OUTPUT_ONLY:
        model.ClearField(name)


def complete(model: Message) -> None:
    """Say of an uploaded model where it comes from and what can be done with it."""
    model.model_source_info.source_type = model_types.ModelSourceInfo.ModelSourceType.CUSTOM
    if model.artifact_uri:
        contents = [model_types.Model.ExportFormat.ExportableContent.ARTIFACT]
        model.supported_export_formats.add(id=CUSTOM_FORMAT, exportable_contents=contents)
    if model.container_spec.image_uri:
        model.supported_deployment_resources_types.append(
            model_types.Model.DeploymentResourcesType.DEDICATED_RESOURCES
        )
        model.supported_input_storage_formats.extend(_INPUTS)
        model.supported_output_storage_formats.extend(_OUTPUTS)


def _check_routes(spec: Message, at: str) -> None:
    for name in ("predict_route", "health_route"):
        route = getattr(spec, name)
        if route and not _ROUTE.fullmatch(route):
            message = f"Invalid {name} {route!r}: a path that begins with '/'."
            raise InvalidArgument.of_field(f"{at}.{name}", message)
    if spec.invoke_route_prefix not in ("", "/*"):
        message = '"/*" is the only supported invoke_route_prefix.'
        raise InvalidArgument.of_field(f"{at}.invoke_route_prefix", message)
    if spec.invoke_route_prefix and spec.predict_route:
        message = "Only one of predict_route and invoke_route_prefix can be set."
        raise InvalidArgument.of_field(f"{at}.invoke_route_prefix", message)


def _check_variables(spec: Message, at: str) -> None:
    for entry in spec.env:
        if not _VARIABLE.fullmatch(entry.name):
            message = f"Invalid name of an environment variable: {entry.name!r}."
            raise InvalidArgument.of_field(f"{at}.env.name", message)
    if len(spec.env) > _MOST_WORDS:
        raise InvalidArgument.of_field(f"{at}.env", f"More than {_MOST_WORDS} variables.")


def _check_port(port: int, field: str) -> None:
    if not 1 <= port <= _MOST_PORT:
        raise InvalidArgument.of_field(field, f"Invalid port {port}: from 1 to 65535.")


def _check_probe(probe: Message, field: str) -> None:
    kind = probe.WhichOneof("probe_type")
    if kind is None:
        message = "A probe is one of exec, http_get, grpc and tcp_socket."
        raise InvalidArgument.of_field(field, message)
    if kind == "http_get" and probe.http_get.scheme not in ("", "HTTP", "HTTPS"):
        message = f"Invalid scheme {probe.http_get.scheme!r}: HTTP or HTTPS."
        raise InvalidArgument.of_field(f"{field}.http_get.scheme", message)
    if kind == "exec_" and not probe.exec_.command:
        raise InvalidArgument.of_field(f"{field}.exec.command", "command is required.")
    if kind != "exec_" and getattr(probe, kind).port:
        _check_port(getattr(probe, kind).port, f"{field}.{kind}.port")
    for name in (
        "period_seconds", "timeout_seconds", "failure_threshold", "success_threshold",
        "initial_delay_seconds",
    ):  # fmt: skip
        if getattr(probe, name) < 0:
            raise InvalidArgument.of_field(f"{field}.{name}", f"{name} must not be negative.")
