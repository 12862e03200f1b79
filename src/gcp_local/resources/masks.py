"""Field masks: which fields of a resource an answer shows, and which an update sets.

Clients write paths as `displayName` or `display_name`; in a message that was read they are the
latter, as JSON's FieldMask has it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import FieldMask, Message, Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

M = TypeVar("M", bound=Message)


def masked(resources: Iterable[M], mask: Message, kind: type[M]) -> list[M]:
    """Leave only the fields of a read mask; an empty one, or `*`, leaves all.

    Args:
        resources: all of them.
        mask: a FieldMask, which may name one entry of a `Struct`.
        kind: the resources' message class.

    Raises:
        InvalidArgument: a path that the resources do not have.

    """
    paths = list(mask.paths)
    entries = [path for path in paths if _is_entry(path, kind.DESCRIPTOR)]
    whole = FieldMask(paths=[path for path in paths if path not in entries])
    for path in whole.paths:
        known = FieldMask(paths=[path]).IsValidForDescriptor(kind.DESCRIPTOR)
        if path != "*" and not known:
            raise InvalidArgument.of_field("read_mask", f"Invalid read mask path {path!r}.")
    if not paths or "*" in paths:
        return list(resources)
    shown = []
    for resource in resources:
        part = kind()
        whole.MergeMessage(resource, part)
        for path in entries:
            _copy_entry(resource, part, path)
        shown.append(part)
    return shown


def update_paths(mask: Message, changeable: Sequence[str]) -> list[str]:
    """Tell which fields an update sets whose mask is required.

    Args:
        mask: a FieldMask.
        changeable: the fields that an update may set.

    Raises:
        InvalidArgument: no path, or one that cannot be set.

    """
    paths = list(mask.paths)
    known = ", ".join(changeable)
    if not paths:
        message = f"update_mask is required: one can update {known}."
        raise InvalidArgument.of_field("update_mask", message)
    for path in paths:
        if path not in changeable:
            message = f"Invalid update mask path {path!r}: one can update {known}."
            raise InvalidArgument.of_field("update_mask", message)
    return paths


def changed_paths(mask: Message, wanted: Message, changeable: Sequence[str]) -> list[str]:
    """Tell which fields an update sets whose mask is optional.

    Args:
        mask: a FieldMask, `*` for all; without any path, the fields that are set count.
        wanted: the resource as the update gives it.
        changeable: as for `update_paths`.

    Raises:
        InvalidArgument: a path that cannot be set.

    """
    if not mask.paths:
        return [path for path in changeable if _is_set(wanted, path)]
    if "*" in mask.paths:
        update_paths(mask, [*changeable, "*"])
        return list(changeable)
    return update_paths(mask, changeable)


def _is_set(message: Message, path: str) -> bool:
    """Tell whether a field has another value than its default."""
    field = message.DESCRIPTOR.fields_by_name[path]
    if field.message_type is not None and not field.is_repeated:
        return bool(message.HasField(path))
    return bool(getattr(message, path))


def copy_field(source: Message, target: Message, path: str) -> None:
    """Make a field of the target what it is in the source, even if that is nothing."""
    target.ClearField(path)
    field = target.DESCRIPTOR.fields_by_name[path]
    if field.message_type is None:
        setattr(target, path, getattr(source, path))
    elif field.is_repeated:
        getattr(target, path).update(getattr(source, path))
    elif source.HasField(path):
        getattr(target, path).CopyFrom(getattr(source, path))


def _is_entry(path: str, descriptor: Any) -> bool:
    """Tell whether a path is `FIELD.KEY`, and the field a `Struct`: one entry of it."""
    name, _, key = path.partition(".")
    field = descriptor.fields_by_name.get(name)
    if field is None or field.message_type is None or not key or "." in key:
        return False
    return bool(field.message_type.full_name == Struct.DESCRIPTOR.full_name)


def _copy_entry(source: Message, target: Message, path: str) -> None:
    """Copy one entry of a `Struct`; the reading of the mask has put its key in snake case too."""
    name, _, key = path.partition(".")
    for own, value in getattr(source, name).fields.items():
        if key in (own, re.sub(r"([A-Z])", r"_\1", own).lower()):
            getattr(target, name).fields[own].CopyFrom(value)
