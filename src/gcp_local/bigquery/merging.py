"""How a PATCH and a PUT change a resource; what all resources' bodies have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.resources.labels import check_labels

_LONGEST_DESCRIPTION = 16_384


def merged(before: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Patch a resource: what is said replaces, a null clears, what is not said stays.

    Objects are merged field by field, so a label goes only by a null; lists are replaced.
    """
    after = dict(before)
    for name, value in said.items():
        if value is None:
            after.pop(name, None)
        elif isinstance(value, dict):
            kept = after.get(name)
            after[name] = merged(kept if isinstance(kept, dict) else {}, value)
        else:
            after[name] = value
    return after


def check_common(body: Mapping[str, Any]) -> None:
    """Hold labels and texts to the rules.

    Raises:
        ApiError: one is broken.

    """
    check_labels(body.get("labels", {}))
    if len(body.get("description", "")) > _LONGEST_DESCRIPTION:
        message = f"The description is longer than {_LONGEST_DESCRIPTION} characters."
        raise BigQueryError("invalid", message)


def check_lacking(body: Mapping[str, Any], lacking: Mapping[str, str]) -> None:
    """Refuse what the stand-in has not.

    Args:
        body: a resource.
        lacking: fields, and what each is for.

    Raises:
        BigQueryError: 501, naming it.

    """
    for name, what in lacking.items():
        if body.get(name):
            raise BigQueryError.lacking(f"{what} ({name})", location=name)


def whole(body: Mapping[str, Any], name: str, least: int, most: int | None = None) -> int | None:
    """Read a field that is a 64-bit number in text, if it is there.

    Raises:
        BigQueryError: `invalid`; it is out of bounds.

    """
    if name not in body:
        return None
    value = int(body[name])
    if value < least or (most is not None and value > most):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise BigQueryError("invalid", f"Invalid value for {name}: {value}. It must be {bounds}.")
    return value
