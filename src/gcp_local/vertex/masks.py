"""Field masks, which clients write in either case."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import FieldMask, Message

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

M = TypeVar("M", bound=Message)


def snake(path: str) -> str:
    """Write a mask's path as the protos do: `displayName` is `display_name`."""
    return re.sub(r"([A-Z])", r"_\1", path).lower()


def update_paths(mask: Message, allowed: Collection[str]) -> list[str]:
    """Read an update mask.

    Raises:
        InvalidArgument: it is empty, or names what cannot be changed.

    """
    paths = [snake(path) for path in mask.paths]
    unknown = [path for path in paths if path not in allowed]
    if unknown or not paths:
        message = f"The update mask must be of {', '.join(allowed)}, not {unknown}."
        raise InvalidArgument.of_field("update_mask", message)
    return paths


def masked(resources: Iterable[M], mask: Message, kind: type[M]) -> list[M]:
    """Leave only the fields of a read mask; an empty one, or `*`, leaves all.

    Raises:
        InvalidArgument: it names what there is not.

    """
    paths = [snake(path) for path in mask.paths]
    for path in paths:
        known = FieldMask(paths=[path]).IsValidForDescriptor(kind.DESCRIPTOR)
        if path != "*" and not known:
            raise InvalidArgument.of_field("read_mask", f"Invalid read mask path {path!r}.")
    if not paths or "*" in paths:
        return list(resources)
    wanted, shown = FieldMask(paths=paths), []
    for resource in resources:
        part = kind()
        wanted.MergeMessage(resource, part)
        shown.append(part)
    return shown
