"""What machine a container asks for: limits that make sense are taken note of, and no more.

Every component runs on this host with whatever the host has. But what no machine of Google's could
give is refused, as Vertex AI would find no machine for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gcp_local.orchestrator.refusals import refusal

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

# The largest that Compute Engine has, m2-ultramem-416.
_MOST = {"cpu": 416.0, "memory": 11_776.0}
_UNIT = {"cpu": "CPUs", "memory": "GB"}
_QUANTITY = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<suffix>m|[EPTGMK]i?)?")
_STEPS = "KMGTPE"


def accelerator_of(resources: Message) -> str:
    """Say which accelerators are asked for, as in `2 NVIDIA_TESLA_T4`; empty for none."""
    accelerator = resources.accelerator
    kind = accelerator.resource_type or accelerator.type
    count = accelerator.resource_count or str(accelerator.count or 1)
    return f"{count} {kind}" if kind and count != "0" else ""


def check(resources: Message, where: str) -> None:
    """Check a container's limits and requests of CPUs and memory.

    Raises:
        InvalidArgument: one is not a quantity, or more than any machine has, or more is requested
            than allowed.

    """
    for what in ("cpu", "memory"):
        limit = _amount(resources, f"{what}_limit", what, where)
        request = _amount(resources, f"{what}_request", what, where)
        if limit is not None and request is not None and request > limit:
            raise refusal(f"{what}_request at {where} is more than {what}_limit", where)


def _amount(resources: Message, name: str, what: str, where: str) -> float | None:
    """Read one of the fields, as a number of CPUs or of gigabytes (10⁹ bytes)."""
    text: str = getattr(resources, f"resource_{name}")
    if "{{$" in text:
        return None  # see `unproven`; this host gives what it has anyway
    amount: float = getattr(resources, name)
    if text:
        match = _QUANTITY.fullmatch(text)
        if match is None or (match["suffix"] not in (None, "m") if what == "cpu" else False):
            raise refusal(f"{name} at {where} is {text!r}, which is no quantity", where)
        amount = float(match["number"]) * _factor(match["suffix"], what)
    elif amount == 0:
        return None
    if not 0 < amount <= _MOST[what]:
        raise refusal(
            f"{name} at {where} is {text or amount}; machines have up to"
            f" {_MOST[what]:.0f} {_UNIT[what]}",
            where,
        )
    return amount


def _factor(suffix: str | None, what: str) -> float:
    unit = 1.0 if what == "cpu" else 1e-9
    if not suffix:
        return unit
    if suffix == "m":
        return unit / 1000
    base = 1024.0 if suffix.endswith("i") else 1000.0
    return unit * base ** (_STEPS.index(suffix[0]) + 1)
