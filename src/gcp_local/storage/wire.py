"""Reading what Cloud Storage's clients say: parts of bodies, and parameters of the query."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from gcp_local import clock
from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.rpc.dispatch import parse_json
from gcp_local.storage.values import Preconditions

CLASSES = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE")
# Sent back by clients from what they read; the service decides them and does not look.
_OUTPUT_ONLY = frozenset(
    {
        "kind", "id", "selfLink", "mediaLink", "bucket", "name", "generation", "metageneration",
        "timeCreated", "updated", "timeStorageClassUpdated", "size", "etag", "componentCount",
        "timeFinalized", "timeDeleted", "projectNumber", "location", "locationType",
        "crc32c", "md5Hash", "owner", "retentionExpirationTime",
    }
)  # fmt: skip
_CONDITIONS = {
    "generationmatch": "generation_match",
    "generationnotmatch": "generation_not_match",
    "metagenerationmatch": "metageneration_match",
    "metagenerationnotmatch": "metageneration_not_match",
}
_INTEGER = re.compile(r"[0-9]{1,19}")
_LARGEST = 2**63 - 1


def mapping(content: bytes) -> dict[str, Any]:
    """Read a body that is a JSON object, or nothing."""
    body = parse_json(content) if content.strip() else {}
    if not isinstance(body, dict):
        raise InvalidArgument("The body is not a JSON object.")
    return body


def preconditions_of(query: Mapping[str, str], kind: str = "if") -> Preconditions:
    """Read `ifGenerationMatch` and its kin, or with "ifSource" those of a copy's source.

    Case does not matter: google-cloud-storage writes `ifMetaGenerationNotMatch` in uploads. A
    misspelt condition is refused, for ignoring it would overwrite what it was to protect.
    """
    conditions = {}
    for name, value in query.items():
        if not name.lower().startswith("if"):
            continue
        source = name.lower().startswith("ifsource")
        bare = name.lower().removeprefix("ifsource" if source else "if")
        if bare not in _CONDITIONS:
            raise InvalidArgument(f"Unknown precondition {name!r}.")
        if source == (kind == "ifSource"):
            conditions[f"if_{_CONDITIONS[bare]}"] = _whole(name, value)
    return Preconditions(**conditions)


def integer(query: Mapping[str, str], name: str) -> int | None:
    """Read a non-negative whole number from the query; InvalidArgument if it is anything else."""
    value = query.get(name)
    return None if value is None else _whole(name, value)


def flag(query: Mapping[str, str], name: str) -> bool:
    """Read a parameter that is true or false; InvalidArgument if it is anything else."""
    value = query.get(name, "false").lower()
    if value not in ("true", "false"):
        raise InvalidArgument(f"Invalid value for {name}: {value!r} is not a boolean.")
    return value == "true"


def _whole(name: str, value: str) -> int:
    if not _INTEGER.fullmatch(value) or int(value) > _LARGEST:
        raise InvalidArgument(f"Invalid value for {name}: {value!r:.50} is not a number.")
    return int(value)


def time(micros: int) -> str:
    """Write a time that is kept in microseconds."""
    return clock.rfc3339(clock.from_micros(micros))


def text(body: Mapping[str, Any], name: str) -> str | None:
    """Read a field that is a string, if it is there."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidArgument(f"Invalid value for: {name} is not a string.")
    return value


def part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Read a field that is an object; if it is not there, an empty one."""
    found = body.get(name)
    if found is not None and not isinstance(found, dict):
        raise InvalidArgument(f"Invalid value for: {name} is not an object.")
    return found or {}


def switch(body: Mapping[str, Any], name: str) -> bool | None:
    """Read a field that is true or false, if it is there."""
    value = body.get(name)
    if not isinstance(value, bool | None):
        raise InvalidArgument(f"Invalid value for: {name} is not a boolean.")
    return value


def texts(value: Any, name: str) -> dict[str, str]:
    """Hold a value to be a map of strings."""
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise InvalidArgument(f"Invalid value for: {name} is not a map of strings.")
    return value


def merged(base: dict[str, str], given: Any, name: str) -> dict[str, str]:
    """Lay a map over another; null removes."""
    if not isinstance(given, dict):
        raise InvalidArgument(f"Invalid value for: {name} is not a map of strings.")
    both = {**base, **given}
    return texts({key: value for key, value in both.items() if value is not None}, name)


def refuse_unknown(body: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise Unimplemented for a field that is unknown, unless it wants nothing (false, empty)."""
    for name, value in body.items():
        if name in known or name in _OUTPUT_ONLY:
            continue
        if value in (None, [], {}, False, {"enabled": False}):
            continue  # the client's way to say that it does not want it
        raise Unimplemented(f"The embedded cloud's Cloud Storage does not implement {name!r}.")
