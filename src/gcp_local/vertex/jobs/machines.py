"""The machines that jobs ask for: held against Google's forms, and against this host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import accelerator_type as accelerator_types

from gcp_local.errors import InvalidArgument, Unimplemented

if TYPE_CHECKING:
    from gcp_local.containers.host import ContainerHost
    from gcp_local.rpc.protos import Message

_TYPE = re.compile(r"[a-z][a-z0-9]*-[a-z]+-[0-9]+[a-z]*(-[a-z0-9]+)?|cloud-tpu")
# Families whose machines all have accelerators:
# https://cloud.google.com/vertex-ai/docs/training/configure-compute
_ACCELERATED = re.compile(r"(a[2-9]|g[2-9]|ct[0-9]\w*|tpu\w*)-.*|cloud-tpu")
_DISKS = ("", "pd-ssd", "pd-standard", "hyperdisk-balanced")
_SMALLEST_DISK, _LARGEST_DISK = 100, 64_000


def check_machine(machine: Message, field: str, host: ContainerHost) -> None:
    """Refuse a machine that Google has not, and what this host cannot give.

    Args:
        machine: what is asked for.
        field: where in the request it stands.
        host: who knows whether accelerators may be left out.

    Raises:
        InvalidArgument: no machine type, or not of Google's form.
        Unimplemented: it has GPUs or TPUs, or is reserved.

    """
    kind = machine.machine_type
    if not kind:
        raise InvalidArgument.of_field(f"{field}.machine_type", "machine_type is required.")
    if not _TYPE.fullmatch(kind):
        message = f"Invalid machine type {kind!r}: one is like n1-standard-4 or e2-highmem-8."
        raise InvalidArgument.of_field(f"{field}.machine_type", message)
    if machine.accelerator_count < 0:
        message = "accelerator_count must not be negative."
        raise InvalidArgument.of_field(f"{field}.accelerator_count", message)
    if bool(machine.accelerator_count) != bool(machine.accelerator_type):
        message = "accelerator_type and accelerator_count must be set together."
        raise InvalidArgument.of_field(f"{field}.accelerator_type", message)
    accelerated = bool(machine.accelerator_type) or bool(_ACCELERATED.fullmatch(kind))
    for name in ("gpu_partition_size", "tpu_topology"):
        if getattr(machine, name) and not accelerated:
            message = f"{name} is only for machines with accelerators; {kind} has none."
            raise InvalidArgument.of_field(f"{field}.{name}", message)
    if accelerated:
        named = accelerator_types.AcceleratorType(machine.accelerator_type).name
        what = f"{machine.accelerator_count} {named}" if machine.accelerator_type else kind
        host.check_accelerator(field, what)
    if machine.HasField("reservation_affinity"):
        raise Unimplemented(f"{field}.reservation_affinity: there are no reservations here.")


def check_disk(disk: Message, field: str) -> None:
    """Refuse a boot disk that Vertex AI has not."""
    if disk.boot_disk_type not in _DISKS:
        message = f"Invalid disk type {disk.boot_disk_type!r}: one of {', '.join(_DISKS[1:])}."
        raise InvalidArgument.of_field(f"{field}.boot_disk_type", message)
    size = disk.boot_disk_size_gb
    if size and not _SMALLEST_DISK <= size <= _LARGEST_DISK:
        message = f"boot_disk_size_gb must be from {_SMALLEST_DISK} to {_LARGEST_DISK}."
        raise InvalidArgument.of_field(f"{field}.boot_disk_size_gb", message)
