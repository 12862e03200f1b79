"""What an endpoint or a deployed model may say. Pure.

Sources: the documentation of `Endpoint`, `DeployedModel`, `DedicatedResources` and `MachineSpec`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import accelerator_type as accelerator_types

from gcp_local.errors import InvalidArgument, Unimplemented

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

DEFAULT_MACHINE = "n1-standard-2"
_ENDPOINT_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}")
_DEPLOYED_ID = re.compile(r"[0-9]{1,10}")
_MACHINE = re.compile(r"[a-z][a-z0-9]*-[a-z]+-[0-9]+[a-z]*(-[a-z0-9]+)?")
_LONGEST_INFERENCE_SECONDS = 3600
_ONLINE = "aiplatform.googleapis.com/prediction/online"
_PERCENTAGES = (f"{_ONLINE}/accelerator/duty_cycle", f"{_ONLINE}/cpu/utilization")
_REQUESTS = f"{_ONLINE}/request_count"
# Not documented, but what the high-level SDK asks for.
_OTHERS = ("prometheus.googleapis.com/vertex_", "pubsub.googleapis.com/subscription/")
_DEFAULT_TARGET, _WHOLE = 60, 100
# Kept as they are said; none of them has an effect on a model that is a process of this host.
_PRIVATE = {
    "network": "peered networks",
    "enable_private_service_connect": "Private Service Connect",
    "private_service_connect_config": "Private Service Connect",
    "dedicated_endpoint_enabled": "dedicated endpoints, which have a DNS name of their own",
    "private_model_server_enabled": "isolated model servers",
    "gen_ai_advanced_features_config": "features of generative models",
}


def check_endpoint_id(name: str) -> None:
    """Refuse an endpoint's id that Vertex AI would refuse."""
    if not _ENDPOINT_ID.fullmatch(name):
        message = (
            f"Invalid endpoint id {name!r}: up to 63 of [a-z0-9-], first a letter, last no hyphen;"
            " or up to 9 digits without leading zeros."
        )
        raise InvalidArgument.of_field("endpoint_id", message)


def check_possible(endpoint: Message) -> None:
    """Refuse an endpoint that promises what nothing here keeps.

    Raises:
        Unimplemented: a network, a DNS name or a log of its own.
        InvalidArgument: a time out of bounds.

    """
    said = {field.name for field, _ in endpoint.ListFields()}
    for name, what in _PRIVATE.items():
        if name in said:
            raise Unimplemented(f"endpoint.{name}: the embedded cloud has no {what}.")
    if endpoint.predict_request_response_logging_config.enabled:
        raise Unimplemented(
            "endpoint.predict_request_response_logging_config: the embedded cloud keeps no log of"
            " requests."
        )
    check_connection(endpoint.client_connection_config)


def check_connection(config: Message) -> None:
    """Refuse a time for predictions that is none, or more than an hour."""
    seconds = config.inference_timeout.ToTimedelta().total_seconds()
    if config.HasField("inference_timeout") and not 0 < seconds <= _LONGEST_INFERENCE_SECONDS:
        message = "The inference timeout must be more than 0 s and at most 3600 s."
        field = "endpoint.client_connection_config.inference_timeout"
        raise InvalidArgument.of_field(field, message)


def check_deployed_id(name: str) -> None:
    """Refuse a deployed model's id that Vertex AI would refuse; "0" means another in a split."""
    if not _DEPLOYED_ID.fullmatch(name) or name == "0":
        message = f"Invalid DeployedModel id {name!r}: 1 to 10 digits, and not 0."
        raise InvalidArgument.of_field("deployed_model.id", message)


def check_extras(deployed: Message) -> None:
    """Refuse what only models of Google's have: checkpoints, and ways to be served sooner."""
    said = {field.name for field, _ in deployed.ListFields()}
    for name in ("faster_deployment_config", "speculative_decoding_spec", "checkpoint_id"):
        if name in said:
            raise Unimplemented(f"deployed_model.{name}: generative models are not here.")


def accelerator_of(machine: Message) -> str:
    """Name the accelerators of a machine, as in `1 NVIDIA_TESLA_T4`; empty without any."""
    if machine.accelerator_type:
        name = accelerator_types.AcceleratorType(machine.accelerator_type).name
        return f"{machine.accelerator_count or 1} {name}"
    return f"a TPU of topology {machine.tpu_topology}" if machine.tpu_topology else ""


def complete_resources(deployed: Message) -> None:
    """Check a deployed model's resources and put in what Vertex AI takes for granted.

    Raises:
        InvalidArgument: none, or out of bounds.
        Unimplemented: shared ones.

    """
    kind = deployed.WhichOneof("prediction_resources")
    field = f"deployed_model.{kind}"
    if kind is None:
        message = "'dedicated_resources' must be set for models that support them."
        raise InvalidArgument.of_field("deployed_model.dedicated_resources", message)
    if kind == "shared_resources":
        raise Unimplemented(f"{field}: the embedded cloud has no deployment resource pools.")
    if kind == "automatic_resources":
        message = (
            "'automatic_resources' is not supported for this Model; use 'dedicated_resources'."
        )
        raise InvalidArgument.of_field(field, message)
    resources = deployed.dedicated_resources
    machine = resources.machine_spec
    machine.machine_type = machine.machine_type or DEFAULT_MACHINE
    if not _MACHINE.fullmatch(machine.machine_type):
        message = f"Invalid machine type {machine.machine_type!r}: one is like n1-standard-4."
        raise InvalidArgument.of_field(f"{field}.machine_spec.machine_type", message)
    if bool(machine.accelerator_type) != bool(machine.accelerator_count):
        message = "accelerator_type and accelerator_count must be set together."
        raise InvalidArgument.of_field(f"{field}.machine_spec.accelerator_count", message)
    complete_replicas(resources)


def complete_replicas(resources: Message) -> None:
    """Check dedicated resources' counts of replicas; the maximum is the minimum unless said."""
    least, most = resources.min_replica_count, resources.max_replica_count
    field = "deployed_model.dedicated_resources"
    if least < 1:
        message = "min_replica_count must be greater than or equal to 1."
        raise InvalidArgument.of_field(f"{field}.min_replica_count", message)
    if most and most < least:
        message = f"max_replica_count {most} is less than min_replica_count {least}."
        raise InvalidArgument.of_field(f"{field}.max_replica_count", message)
    if not 0 <= resources.required_replica_count <= least:
        message = "required_replica_count must not be more than min_replica_count."
        raise InvalidArgument.of_field(f"{field}.required_replica_count", message)
    resources.max_replica_count = most or least
    _complete_metrics(resources, f"{field}.autoscaling_metric_specs")


def _complete_metrics(resources: Message, field: str) -> None:
    """Check the metrics by which replicas would come and go; a target is 60 % unless said."""
    seen = set()
    for spec in resources.autoscaling_metric_specs:
        name = spec.metric_name
        if name not in (*_PERCENTAGES, _REQUESTS) and not name.startswith(_OTHERS):
            known = ", ".join((*_PERCENTAGES, _REQUESTS))
            message = f"Unsupported metric {name!r}: one of {known}."
            raise InvalidArgument.of_field(f"{field}.metric_name", message)
        if name in seen:
            raise InvalidArgument.of_field(field, f"The metric {name!r} is there twice.")
        seen.add(name)
        spec.target = spec.target or _DEFAULT_TARGET
        if spec.target < 1 or (name in _PERCENTAGES and spec.target > _WHOLE):
            message = f"The target of {name!r} must be from 1 (to 100, in %), not {spec.target}."
            raise InvalidArgument.of_field(f"{field}.target", message)
