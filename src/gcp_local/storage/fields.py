"""Partial responses: `fields=items(name,generation),nextPageToken`.

Source: https://cloud.google.com/storage/docs/json_api#partial-response.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from gcp_local.errors import InvalidArgument

_TOKEN = re.compile(r"[(),/]|\*|[A-Za-z][A-Za-z0-9_-]*")
_MAX = 4096
_DEEPEST = 10
# Below these any name may come, for they are maps that clients fill.
_MAPS = ("metadata", "labels")
_KNOWN = frozenset(
    {
        # lists and rewrites
        "kind", "items", "prefixes", "nextPageToken", "resource", "done", "objectSize",
        "totalBytesRewritten", "rewriteToken", "bindings", "role", "members", "version",
        "resourceId", "permissions", "condition",
        # objects
        "id", "selfLink", "mediaLink", "name", "bucket", "generation", "metageneration",
        "contentType", "contentEncoding", "contentDisposition", "contentLanguage", "cacheControl",
        "storageClass", "size", "md5Hash", "crc32c", "etag", "componentCount", "timeCreated",
        "updated", "timeDeleted", "timeStorageClassUpdated", "timeFinalized", "customTime",
        "temporaryHold", "eventBasedHold", "retentionExpirationTime", "retention", "metadata",
        "owner", "acl", "kmsKeyName", "customerEncryption", "softDeleteTime", "hardDeleteTime",
        "contexts",
        # buckets
        "projectNumber", "location", "locationType", "labels", "versioning", "retentionPolicy",
        "retentionPeriod", "effectiveTime", "isLocked", "defaultEventBasedHold",
        "softDeletePolicy", "retentionDurationSeconds", "iamConfiguration",
        "uniformBucketLevelAccess", "publicAccessPrevention", "enabled", "lifecycle", "cors",
        "website", "logging", "billing", "encryption", "autoclass", "rpo", "hierarchicalNamespace",
        "customPlacementConfig", "defaultObjectAcl", "satisfiesPZS", "satisfiesPZI", "ipFilter",
        "objectRetention",
    }
)  # fmt: skip

# What is wanted of an object, by name; None wants a value whole.
Selection: TypeAlias = "dict[str, Selection | None]"


def parse(said: str) -> Selection:
    """Read a selection.

    Raises:
        InvalidArgument: it is not well formed, or names a field that no answer has.

    """
    tokens = _TOKEN.findall(said)
    if "".join(tokens) != said or not tokens or len(said) > _MAX:
        raise _invalid(said)
    tokens.reverse()  # so that the next one is at the end
    selection = _list(tokens, said, 0)
    if tokens:
        raise _invalid(said)
    return selection


def select(value: Any, selection: Selection | None) -> Any:
    """Cut what is wanted out of an answer."""
    if selection is None:
        return value
    if isinstance(value, list):
        return [select(item, selection) for item in value]
    if not isinstance(value, dict):
        return value
    rest = selection.get("*", {})
    found = {
        name: select(item, selection.get(name, rest))
        for name, item in value.items()
        if name in selection or "*" in selection
    }
    return {name: item for name, item in found.items() if item not in ({}, [])}


def _list(tokens: list[str], said: str, depth: int) -> Selection:
    selection: Selection = {}
    while True:
        name, inner = _item(tokens, said, depth)
        before = selection.get(name, {})
        both = before is not None and inner is not None
        selection[name] = {**(before or {}), **(inner or {})} if both else None
        if not tokens or tokens[-1] != ",":
            return selection
        tokens.pop()


def _item(
    tokens: list[str], said: str, depth: int, *, free: bool = False
) -> tuple[str, Selection | None]:
    name = tokens.pop() if tokens else ""
    if not (name == "*" or name in _KNOWN or (free and name.isidentifier())) or depth > _DEEPEST:
        raise _invalid(said if not name or name in "(),/" else name)
    if tokens and tokens[-1] == "/":
        tokens.pop()
        inner_name, inner = _item(tokens, said, depth + 1, free=name in _MAPS)
        return name, {inner_name: inner}
    if tokens and tokens[-1] == "(":
        tokens.pop()
        within = _list(tokens, said, depth + 1)
        if not tokens or tokens.pop() != ")":
            raise _invalid(said)
        return name, within
    return name, None


def _invalid(said: str) -> InvalidArgument:
    return InvalidArgument(f"Invalid field selection {said:.200}", reason="invalidParameter")
