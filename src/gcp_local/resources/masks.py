"""Read masks: which fields of a resource an answer shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import FieldMask, Message

if TYPE_CHECKING:
    from collections.abc import Iterable

M = TypeVar("M", bound=Message)


def snake_case(paths: Iterable[str]) -> list[str]:
    """Write the paths of a mask in snake case: clients send them in either."""
    return [re.sub(r"([A-Z])", r"_\1", path).lower() for path in paths]


def read_mask(mask: Message, kind: type[Message]) -> Message:
    """Check a read mask for resources of that kind.

    Raises:
        InvalidArgument: a path that the resource has not.

    """
    checked = FieldMask(paths=snake_case(mask.paths))
    for path in checked.paths:
        known = FieldMask(paths=[path]).IsValidForDescriptor(kind.DESCRIPTOR)
        if path != "*" and not known:
            raise InvalidArgument.of_field("read_mask", f"Invalid read mask path {path!r}.")
    return checked


def masked(resource: M, mask: Message) -> M:
    """Leave only the fields of a checked mask; all of them if it has none."""
    if not mask.paths or "*" in mask.paths:
        return resource
    shown = type(resource)()
    mask.MergeMessage(resource, shown)
    return shown
