"""What a compiled pipeline's tasks ask a machine for: processors, memory, accelerators.

The IR has each amount twice: as a number (`cpuLimit`, `memoryLimit` in GB of 10⁹ bytes) where it is
known when the pipeline is compiled, and as a text (`resourceCpuLimit`), which may be a placeholder
that only a run fills in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

DEFAULT_VCPUS: Final = 4.0
DEFAULT_GIB: Final = 16.0
"""What a task gets that asks for nothing: an e2-standard-4.

Source: Google's page on machine types for pipeline steps.
"""

_GB_IN_GIB: Final = 10**9 / 2**30


@dataclass(frozen=True)
class Resources:
    """What one task asks for; where it says nothing, what it gets.

    Attributes:
        vcpus: virtual processors.
        gib: memory, in GiB.
        accelerators: how many, of one type.
        accelerator_type: the type, as the component writes it; empty if there is none.

    """

    vcpus: float = DEFAULT_VCPUS
    gib: float = DEFAULT_GIB
    accelerators: int = 0
    accelerator_type: str = ""


TaskResources: TypeAlias = Mapping[str, Resources | None]
"""By task name; none where it is known only when a run starts, or where two tasks of one name
differ. Tasks that run nothing (importers, conditions, loops) are not in it."""


def task_resources(spec: Mapping[str, Any]) -> TaskResources:
    """Return what each task of a PipelineSpec asks for."""
    components = spec.get("components", {})
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    dags = [spec["root"]["dag"]]
    dags += [component["dag"] for component in components.values() if "dag" in component]
    found: dict[str, Resources | None] = {}
    for dag in dags:
        for name, task in dag.get("tasks", {}).items():
            component = components.get(task["componentRef"]["name"], {})
            executor = executors.get(component.get("executorLabel"), {})
            if "container" not in executor:
                continue
            asked = _resources(executor["container"].get("resources", {}))
            found[name] = asked if name not in found or found[name] == asked else None
    return found


def _resources(asked: Mapping[str, Any]) -> Resources | None:
    vcpus = _amount(asked, "cpu", DEFAULT_VCPUS)
    gigabytes = _amount(asked, "memory", DEFAULT_GIB / _GB_IN_GIB)
    accelerator = asked.get("accelerator", {})
    kind = accelerator.get("type") or accelerator.get("resourceType", "")
    # A whole number, which protobuf's JSON writes as a text; or a placeholder.
    count = str(accelerator.get("count") or accelerator.get("resourceCount") or "0")
    if vcpus is None or gigabytes is None or not count.isdecimal() or "{{" in kind:
        return None
    number = int(count) if kind else 0
    return Resources(vcpus, gigabytes * _GB_IN_GIB, number, kind if number else "")


def _amount(asked: Mapping[str, Any], what: str, default: float) -> float | None:
    """Return the limit, else the request, else the default; none if only a run knows it."""
    for bound in ("Limit", "Request"):
        number = asked.get(f"{what}{bound}")
        if number:
            return float(number)
        if asked.get(f"resource{what.capitalize()}{bound}"):
            return None
    return default
