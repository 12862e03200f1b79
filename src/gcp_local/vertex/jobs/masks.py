"""Read masks of list requests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import FieldMask, Message

if TYPE_CHECKING:
    from collections.abc import Sequence


def shown(resources: Sequence[Message], request: Message, kind: type[Message]) -> list[Message]:
    """Leave only the fields that a request's read mask names, if it has one.

    Raises:
        InvalidArgument: the mask names what there is not.

    """
    asked = [re.sub(r"([A-Z])", r"_\1", path).lower() for path in request.read_mask.paths]
    for path in asked:
        known = FieldMask(paths=[path]).IsValidForDescriptor(kind.DESCRIPTOR)
        if path != "*" and not known:
            message = f"Invalid read mask path {path!r}."
            raise InvalidArgument.of_field("read_mask", message)
    if not asked or "*" in asked:
        return list(resources)
    mask = FieldMask(paths=asked)
    found = []
    for resource in resources:
        part = kind()
        mask.MergeMessage(resource, part)
        found.append(part)
    return found
