"""Buckets in JSON: how they are written, and what a client may say of them.

Source: https://cloud.google.com/storage/docs/json_api/v1/buckets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.resources.labels import check_labels
from gcp_local.storage import wire
from gcp_local.storage.locations import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.storage.buckets import Bucket

_WRITABLE = frozenset(
    {
        "labels", "iamConfiguration", "storageClass", "versioning", "retentionPolicy",
        "defaultEventBasedHold", "softDeletePolicy",
    }
)  # fmt: skip
_SECONDS = re.compile(r"[0-9]{1,10}")
_LONGEST = 3_155_760_000  # a hundred years, https://cloud.google.com/storage/docs/bucket-lock


def written(bucket: Bucket, number: str, endpoint: str) -> dict[str, Any]:
    """Write a bucket's metadata.

    Args:
        bucket: the bucket.
        number: its project's number.
        endpoint: how the client reached the server.

    """
    retention = None
    if bucket.retention is not None:
        retention = {
            "retentionPeriod": str(bucket.retention),
            "effectiveTime": wire.time(bucket.retention_since or bucket.created),
            **({"isLocked": True} if bucket.retention_locked else {}),
        }
    fields = {
        "kind": "storage#bucket",
        "id": bucket.name,
        "selfLink": f"{endpoint}/storage/v1/b/{bucket.name}",
        "projectNumber": number,
        "name": bucket.name,
        "timeCreated": wire.time(bucket.created),
        "updated": wire.time(bucket.updated),
        "metageneration": str(bucket.metageneration),
        "location": bucket.location,
        "locationType": kind_of(bucket.location),
        "storageClass": bucket.storage_class,
        "etag": str(bucket.metageneration),
        "labels": dict(bucket.labels) or None,
        "versioning": None if bucket.versioning is None else {"enabled": bucket.versioning},
        "retentionPolicy": retention,
        "defaultEventBasedHold": bucket.event_based_hold,
        "softDeletePolicy": {"retentionDurationSeconds": "0"},
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": bucket.uniform_access},
            "publicAccessPrevention": bucket.public_access_prevention,
        },
    }
    return {name: value for name, value in fields.items() if value is not None}


def changes(
    body: Mapping[str, Any], before: Bucket | None = None, *, whole: bool = False
) -> dict[str, Any]:
    """Read what a client wants of a bucket; null removes.

    Args:
        body: the JSON.
        before: the bucket as it is; None for a new one.
        whole: what is missing is removed, too (a PUT); access and storage class stay.

    """
    wire.refuse_unknown(body, _WRITABLE)
    if whole:
        emptied = ("labels", "versioning", "retentionPolicy", "defaultEventBasedHold")
        body = {**dict.fromkeys(emptied), **body}
    changed: dict[str, Any] = {}
    if "labels" in body:
        given, base = body["labels"], {} if before is None or whole else dict(before.labels)
        changed["labels"] = {} if given is None else wire.merged(base, given, "labels")
        check_labels(changed["labels"])
    if body.get("storageClass") is not None:
        if body["storageClass"] not in wire.CLASSES:
            raise InvalidArgument(f"Invalid storage class {body['storageClass']!r}.")
        changed["storage_class"] = body["storageClass"]
    if "versioning" in body:
        changed["versioning"] = wire.switch(wire.part(body, "versioning"), "enabled")
    if "defaultEventBasedHold" in body:
        changed["event_based_hold"] = wire.switch(body, "defaultEventBasedHold")
    if "retentionPolicy" in body:
        changed |= _retention(wire.part(body, "retentionPolicy"), before)
    if str(wire.part(body, "softDeletePolicy").get("retentionDurationSeconds", "0")) != "0":
        raise Unimplemented("The embedded cloud keeps no deleted objects ('softDeletePolicy').")
    return changed | _access(wire.part(body, "iamConfiguration"))


def _retention(policy: Mapping[str, Any], before: Bucket | None) -> dict[str, Any]:
    if not policy:
        return {"retention": None, "retention_since": None}
    given = policy.get("retentionPeriod")
    seconds = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
    if not _SECONDS.fullmatch(seconds) or not 0 < int(seconds) <= _LONGEST:
        message = f"Invalid value for: retentionPeriod {given!r:.50} is not 1 to {_LONGEST}."
        raise InvalidArgument(message)
    if before is not None and before.retention == int(seconds):
        return {}
    return {"retention": int(seconds), "retention_since": clock.micros(clock.now())}


def _access(access: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    enabled = wire.switch(wire.part(access, "uniformBucketLevelAccess"), "enabled")
    if enabled is not None:
        changed["uniform_access"] = enabled
    prevention = access.get("publicAccessPrevention")
    if prevention not in (None, "inherited", "enforced"):
        raise InvalidArgument(f"Invalid publicAccessPrevention {prevention!r}.")
    if prevention is not None:
        changed["public_access_prevention"] = prevention
    return changed
