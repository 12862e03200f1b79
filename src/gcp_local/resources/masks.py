"""Field masks: which fields of a resource an answer shows, and which an update sets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import FieldMask, Message, Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

M = TypeVar("M", bound=Message)


def snake_case(paths: Iterable[str]) -> list[str]:
    """Write the paths of a mask in snake case: clients send them in either."""
    return [re.sub(r"([A-Z])", r"_\1", path).lower() for path in paths]


def read_mask(mask: Message, kind: type[Message]) -> Message:
    """Check a read mask for resources of that kind; it may name one entry of a `Struct`.

    Raises:
        InvalidArgument: a path that the resource has not.

    """
    checked = FieldMask(paths=snake_case(mask.paths))
    for path in checked.paths:
        known = FieldMask(paths=[path]).IsValidForDescriptor(kind.DESCRIPTOR)
        if path != "*" and not known and not _is_entry(path, kind.DESCRIPTOR):
            raise InvalidArgument.of_field("read_mask", f"Invalid read mask path {path!r}.")
    return checked


def masked(resource: M, mask: Message) -> M:
    """Leave only the fields of a checked mask; all of them if it has none."""
    if not mask.paths or "*" in mask.paths:
        return resource
    kind = type(resource)
    entries = [path for path in mask.paths if _is_entry(path, kind.DESCRIPTOR)]
    shown = kind()
    FieldMask(paths=[path for path in mask.paths if path not in entries]).MergeMessage(
        resource, shown
    )
    for path in entries:
        name, _, key = path.partition(".")
        kept, whole = getattr(shown, name).fields, getattr(resource, name).fields
        for each in whole:
            if key in (each, *snake_case([each])):
                kept[each].CopyFrom(whole[each])
    return shown


def changed_paths(mask: Sequence[str], wanted: Message, changeable: Sequence[str]) -> list[str]:
    """Tell which fields an update sets.

    Args:
        mask: the paths of its mask, `*` for all; without any, the fields that are set count.
        wanted: the resource as the update gives it.
        changeable: the fields that an update may set.

    Raises:
        InvalidArgument: a path that cannot be set.

    """
    if not mask:
        return [path for path in changeable if _is_set(wanted, path)]
    for path in mask:
        if path != "*" and path not in changeable:
            known = ", ".join(changeable)
            message = f"Invalid update mask path {path!r}: one can update {known}."
            raise InvalidArgument.of_field("update_mask", message)
    return list(changeable if "*" in mask else mask)


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
