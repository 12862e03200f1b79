"""A custom job's specification: checked as Vertex AI would, and taken apart into replicas.

Sources: the documentation of `CustomJobSpec` in google.cloud.aiplatform.v1, and
https://cloud.google.com/vertex-ai/docs/training/distributed-training.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.vertex.addresses import check_object
from gcp_local.vertex.jobs.machines import check_disk, check_machine
from gcp_local.vertex.settings import check_folder, check_surroundings

if TYPE_CHECKING:
    from gcp_local.containers.host import ContainerHost
    from gcp_local.rpc.protos import Message

MAX_REPLICAS = 16
_MAX_POOLS, _MAX_ENV, _MAX_PACKAGES = 4, 100, 100
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
# https://cloud.google.com/vertex-ai/docs/training/pre-built-containers
_PREBUILT = re.compile(
    r"((us|europe|asia)-docker\.pkg\.dev/vertex-ai|gcr\.io/cloud-aiplatform)/training/[^/\s]+"
)
_NOT_HERE = {
    "persistent_resource_id": "there are no persistent resources",
    "protected_artifact_location_id": "artifacts stay where they are",
    "tensorboard": "a job's logs are not uploaded to a TensorBoard",
    "enable_web_access": "there are no interactive shells",
    "enable_dashboard_access": "there is no dashboard",
    "models": "there are no jobs of Google's own",
}


@dataclass(frozen=True)
class Replica:
    """One process of a job.

    Attributes:
        pool: the position of its worker pool.
        index: its own position in the pool.
        spec: the pool's specification.

    """

    pool: int
    index: int
    spec: Message = field(compare=False)

    @property
    def name(self) -> str:
        """Give the name that Vertex AI has for it, `workerpool0-0`."""
        return f"workerpool{self.pool}-{self.index}"

    @property
    def primary(self) -> bool:
        """Tell whether the job's end is this one's end."""
        return self.pool == 0


def replicas(spec: Message) -> list[Replica]:
    """List the processes of a job, the primary one first."""
    return [
        Replica(number, index, pool)
        for number, pool in enumerate(spec.worker_pool_specs)
        for index in range(pool.replica_count)
    ]


def prebuilt(image: str) -> bool:
    """Tell whether an image is one of Google's for training, for which the host's Python stands."""
    return _PREBUILT.fullmatch(image) is not None


def checked_spec(spec: Message, location: str, host: ContainerHost, *, at: str) -> Message:
    """Check a `CustomJobSpec` and fill in Vertex AI's defaults.

    Args:
        spec: what the client sent; it is changed.
        location: the region of the job.
        host: what runs it.
        at: where in the request it stands, `custom_job.job_spec`.

    Raises:
        InvalidArgument: Vertex AI would refuse it.
        Unimplemented: Vertex AI would take it, and this stand-in cannot do it.

    """
    for name, why in _NOT_HERE.items():
        if getattr(spec, name):
            raise Unimplemented(f"{at}.{name} is not implemented by the embedded cloud: {why}.")
    check_surroundings(spec, location, at=at)
    prefix = spec.base_output_directory.output_uri_prefix
    if spec.HasField("base_output_directory") and not prefix:
        raise InvalidArgument.of_field(
            f"{at}.base_output_directory.output_uri_prefix", "output_uri_prefix is required."
        )
    check_folder(prefix, f"{at}.base_output_directory.output_uri_prefix")
    _check_scheduling(spec.scheduling, f"{at}.scheduling")
    pools = spec.worker_pool_specs
    if not pools or not pools[0].ByteSize():
        raise InvalidArgument.of_field(
            f"{at}.worker_pool_specs", "The first of worker_pool_specs is required."
        )
    if len(pools) > _MAX_POOLS:
        raise InvalidArgument.of_field(
            f"{at}.worker_pool_specs", f"There are at most {_MAX_POOLS} worker pools."
        )
    for number, pool in enumerate(pools):
        if pool.ByteSize():  # all but the first may be left empty
            _check_pool(number, pool, host, f"{at}.worker_pool_specs[{number}]")
    total = sum(pool.replica_count for pool in pools)
    if total > MAX_REPLICAS:
        raise Unimplemented(
            f"{at}.worker_pool_specs asks for {total} replicas: here each is a process of this"
            f" machine, and there are at most {MAX_REPLICAS}."
        )
    return spec


def _check_scheduling(scheduling: Message, at: str) -> None:
    for name in ("timeout", "max_wait_duration"):
        if getattr(scheduling, name).ToTimedelta().total_seconds() < 0:
            raise InvalidArgument.of_field(f"{at}.{name}", f"{name} must not be negative.")


def _check_pool(number: int, pool: Message, host: ContainerHost, at: str) -> None:
    if number == 0 and pool.replica_count not in (0, 1):
        raise InvalidArgument.of_field(
            f"{at}.replica_count", "The first worker pool has exactly one replica, the primary."
        )
    if pool.replica_count < 0:
        raise InvalidArgument.of_field(f"{at}.replica_count", "replica_count must not be negative.")
    pool.replica_count = pool.replica_count or 1
    check_machine(pool.machine_spec, f"{at}.machine_spec", host)
    check_disk(pool.disk_spec, f"{at}.disk_spec")
    pool.disk_spec.boot_disk_type = pool.disk_spec.boot_disk_type or "pd-ssd"
    pool.disk_spec.boot_disk_size_gb = pool.disk_spec.boot_disk_size_gb or 100
    if pool.nfs_mounts or pool.lustre_mounts:
        raise Unimplemented(f"{at}: the embedded cloud mounts no file systems of a network.")
    task = pool.WhichOneof("task")
    if task == "container_spec":
        if not pool.container_spec.image_uri:
            raise InvalidArgument.of_field(
                f"{at}.container_spec.image_uri", "image_uri is required."
            )
        _check_env(pool.container_spec, f"{at}.container_spec")
    elif task == "python_package_spec":
        _check_package(pool.python_package_spec, f"{at}.python_package_spec")
    else:
        raise InvalidArgument.of_field(
            at, "A worker pool needs either container_spec or python_package_spec."
        )


def _check_package(spec: Message, at: str) -> None:
    if not prebuilt(spec.executor_image_uri):
        raise InvalidArgument.of_field(
            f"{at}.executor_image_uri",
            f"Invalid executor image {spec.executor_image_uri!r}: it must be one of Vertex AI's"
            " prebuilt training containers, such as"
            " us-docker.pkg.dev/vertex-ai/training/sklearn-cpu.1-6:latest.",
        )
    if not 1 <= len(spec.package_uris) <= _MAX_PACKAGES:
        raise InvalidArgument.of_field(
            f"{at}.package_uris", f"There must be from 1 to {_MAX_PACKAGES} package_uris."
        )
    for uri in spec.package_uris:
        check_object(uri, f"{at}.package_uris")
    if not _MODULE.fullmatch(spec.python_module):
        raise InvalidArgument.of_field(
            f"{at}.python_module", f"Invalid Python module {spec.python_module!r}."
        )
    _check_env(spec, at)


def _check_env(spec: Message, at: str) -> None:
    if len(spec.env) > _MAX_ENV:
        raise InvalidArgument.of_field(f"{at}.env", f"There are at most {_MAX_ENV} variables.")
    for variable in spec.env:
        if not _VARIABLE.fullmatch(variable.name):
            raise InvalidArgument.of_field(
                f"{at}.env", f"Invalid name of an environment variable: {variable.name!r}."
            )
