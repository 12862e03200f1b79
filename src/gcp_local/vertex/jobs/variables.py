"""The environment variables that Vertex AI gives the replicas of a job.

Sources: https://cloud.google.com/vertex-ai/docs/training/code-requirements,
https://cloud.google.com/vertex-ai/docs/training/distributed-training and the documentation of
`CustomJobSpec.base_output_directory` and `EnvVar` in google.cloud.aiplatform.v1.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from gcp_local.rpc.protos import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gcp_local.rpc.protos import Message
    from gcp_local.vertex.jobs.worker_pools import Replica

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_TENSORFLOW = ("chief", "worker", "ps", "evaluator")


def of_replica(
    replica: Replica,
    addresses: Mapping[Replica, str],
    spec: Message,
    *,
    trial: str,
) -> dict[str, str]:
    """Give the variables that tell a replica of its cluster.

    Args:
        replica: whose they are.
        addresses: `HOST:PORT` of each replica of the job.
        spec: the job's specification.
        trial: the id of the tuning trial that the job is; empty if it is none.

    """
    job = to_json(spec)
    task: dict[str, Any] = {"type": f"workerpool{replica.pool}", "index": replica.index}
    if trial:
        task["trial"] = trial
    pools = {f"workerpool{each.pool}": _of_pool(each.pool, addresses) for each in addresses}
    cluster = {"cluster": pools, "environment": "cloud", "task": task, "job": job}
    found = {"CLUSTER_SPEC": json.dumps(cluster)}
    if len(addresses) > 1:
        # TensorFlow does not count evaluators among the cluster.
        roles = {
            _TENSORFLOW[each.pool]: _of_pool(each.pool, addresses)
            for each in addresses
            if _TENSORFLOW[each.pool] != "evaluator"
        }
        task = {**task, "type": _TENSORFLOW[replica.pool]}
        found["TF_CONFIG"] = json.dumps({**cluster, "cluster": roles, "task": task})
    return found


def of_folders(prefix: str) -> dict[str, str]:
    """Give the variables that name where a job's results go; none without a base directory."""
    base = prefix.rstrip("/")
    names = {"MODEL_DIR": "model", "CHECKPOINT_DIR": "checkpoints", "TENSORBOARD_LOG_DIR": "logs"}
    return {f"AIP_{name}": f"{base}/{folder}/" for name, folder in names.items()} if base else {}


def of_experiment(spec: Message) -> dict[str, str]:
    """Give the variables by which the SDK finds the experiment that a job belongs to."""
    experiment = spec.experiment.rpartition("/")[2]
    run = spec.experiment_run.rpartition("/")[2].removeprefix(f"{experiment}-")
    names = {"AIP_EXPERIMENT_NAME": experiment, "AIP_EXPERIMENT_RUN_NAME": run}
    return {name: value for name, value in names.items() if value}


def expanded(own: Iterable[Message], given: Mapping[str, str]) -> dict[str, str]:
    """Resolve `$(NAME)` in a container's own variables, which see those before them.

    An unknown name stays as it is, and `$$` is one dollar.
    """
    known = dict(given)
    found = {}
    for variable in own:
        value = _REFERENCE.sub(
            lambda match: known.get(match[1], match[0]) if match[1] else "$", variable.value
        )
        known[variable.name] = found[variable.name] = value
    return found


def _of_pool(pool: int, addresses: Mapping[Replica, str]) -> Sequence[str]:
    return [address for replica, address in addresses.items() if replica.pool == pool]
