"""Cloud Storage's JSON: how buckets and objects are written, and what a client may say of them.

Source: https://cloud.google.com/storage/docs/json_api/v1/objects and …/buckets.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gcp_local import clock
from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.resources.labels import check_labels
from gcp_local.storage.locations import kind_of
from gcp_local.storage.values import HEADERS, Description, Object, Preconditions

if TYPE_CHECKING:
    from gcp_local.storage.buckets import Bucket

CLASSES = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE")
# JSON names that a client may set on an object, and our fields.
_WRITABLE = {**HEADERS, "customTime": "custom_time"}
# Sent back by clients from what they read; the service decides them and does not look.
_OUTPUT_ONLY = frozenset(
    {
        "kind", "id", "selfLink", "mediaLink", "bucket", "name", "generation", "metageneration",
        "timeCreated", "updated", "timeStorageClassUpdated", "size", "etag", "componentCount",
        "timeFinalized", "storageClass", "projectNumber", "location", "locationType", "crc32c",
        "md5Hash", "owner",
    }
)  # fmt: skip
_BUCKET_FIELDS = frozenset({"labels", "iamConfiguration", "storageClass"})
_CONDITIONS = {
    "generationmatch": "generation_match",
    "generationnotmatch": "generation_not_match",
    "metagenerationmatch": "metageneration_match",
    "metagenerationnotmatch": "metageneration_not_match",
}
_INTEGER = re.compile(r"[0-9]{1,19}")


def object_json(described: Object, endpoint: str) -> dict[str, Any]:
    """Write an object's metadata."""
    place = f"{quote(described.bucket, safe='')}/o/{quote(described.name, safe='')}"
    written = {
        "kind": "storage#object",
        "id": f"{described.bucket}/{described.name}/{described.generation}",
        "selfLink": f"{endpoint}/storage/v1/b/{place}",
        "mediaLink": f"{endpoint}/download/storage/v1/b/{place}"
        f"?generation={described.generation}&alt=media",
        "name": described.name,
        "bucket": described.bucket,
        "generation": str(described.generation),
        "metageneration": str(described.metageneration),
        "storageClass": described.storage_class,
        "size": str(described.size),
        "crc32c": described.crc32c,
        "md5Hash": described.md5,
        "etag": described.etag,
        "timeCreated": _time(described.created),
        "updated": _time(described.updated),
        "timeStorageClassUpdated": _time(described.created),
        "timeFinalized": _time(described.created),
        "componentCount": described.component_count,
        "metadata": dict(described.metadata) or None,
        **{name: getattr(described, ours) for name, ours in _WRITABLE.items()},
    }
    return {name: value for name, value in written.items() if value is not None}


def bucket_json(bucket: Bucket, number: str, endpoint: str) -> dict[str, Any]:
    """Write a bucket's metadata."""
    written = {
        "kind": "storage#bucket",
        "id": bucket.name,
        "selfLink": f"{endpoint}/storage/v1/b/{bucket.name}",
        "projectNumber": number,
        "name": bucket.name,
        "timeCreated": _time(bucket.created),
        "updated": _time(bucket.updated),
        "metageneration": str(bucket.metageneration),
        "location": bucket.location,
        "locationType": kind_of(bucket.location),
        "storageClass": bucket.storage_class,
        "etag": str(bucket.metageneration),
        "labels": dict(bucket.labels) or None,
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": bucket.uniform_access},
            "publicAccessPrevention": bucket.public_access_prevention,
        },
    }
    return {name: value for name, value in written.items() if value is not None}


def description_of(body: Mapping[str, Any]) -> Description:
    """Read what a writer says of a new object.

    Raises:
        InvalidArgument: a value of the wrong type, or a field that no object has.
        Unimplemented: a field that this stand-in does not honour.

    """
    said = {ours: _text(body, name) for name, ours in _WRITABLE.items()}
    _refuse_unknown(body, {*_WRITABLE, "metadata"})
    storage_class = _text(body, "storageClass")
    if storage_class not in (None, *CLASSES):
        raise InvalidArgument(f"Invalid storage class {storage_class!r}.")
    return Description(
        **said,
        storage_class=storage_class,
        metadata=_texts(body.get("metadata") or {}, "metadata"),
        md5=_text(body, "md5Hash"),
        crc32c=_text(body, "crc32c"),
    )


def object_changes(body: Mapping[str, Any], before: Object, *, whole: bool) -> dict[str, Any]:
    """Read a PATCH (null removes) or, with `whole`, a PUT (what is missing is removed)."""
    _refuse_unknown(body, {*_WRITABLE, "metadata"})
    changes: dict[str, Any] = {
        ours: _text(body, name) for name, ours in _WRITABLE.items() if whole or name in body
    }
    if "metadata" in body or whole:
        given = body.get("metadata")
        base = {} if whole or given is None else dict(before.metadata)
        changes["metadata"] = _merged(base, given or {}, "metadata")
    return changes


def bucket_changes(body: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """Read what a client wants of a bucket, new or old; null removes."""
    _refuse_unknown(body, _BUCKET_FIELDS)
    changes: dict[str, Any] = {}
    if "labels" in body:
        given = body["labels"]
        changes["labels"] = {} if given is None else _merged(dict(labels), given, "labels")
        check_labels(changes["labels"])
    if body.get("storageClass") is not None:
        if body["storageClass"] not in CLASSES:
            raise InvalidArgument(f"Invalid storage class {body['storageClass']!r}.")
        changes["storage_class"] = body["storageClass"]
    return changes | _access_changes(_part(body, "iamConfiguration"))


def _access_changes(access: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    enabled = _part(access, "uniformBucketLevelAccess").get("enabled")
    if not isinstance(enabled, bool | None):
        raise InvalidArgument("Invalid value for: uniformBucketLevelAccess.enabled.")
    if enabled is not None:
        changes["uniform_access"] = enabled
    prevention = access.get("publicAccessPrevention")
    if prevention not in (None, "inherited", "enforced"):
        raise InvalidArgument(f"Invalid publicAccessPrevention {prevention!r}.")
    if prevention is not None:
        changes["public_access_prevention"] = prevention
    return changes


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


def _whole(name: str, value: str) -> int:
    if not _INTEGER.fullmatch(value):
        raise InvalidArgument(f"Invalid value for {name}: {value!r} is not a number.")
    return int(value)


def _time(micros: int) -> str:
    return clock.rfc3339(clock.from_micros(micros))


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidArgument(f"Invalid value for: {name} is not a string.")
    return value


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = body.get(name)
    if part is not None and not isinstance(part, dict):
        raise InvalidArgument(f"Invalid value for: {name} is not an object.")
    return part or {}


def _texts(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise InvalidArgument(f"Invalid value for: {name} is not a map of strings.")
    return value


def _merged(base: dict[str, str], given: Any, name: str) -> dict[str, str]:
    if not isinstance(given, dict):
        raise InvalidArgument(f"Invalid value for: {name} is not a map of strings.")
    merged = {**base, **given}
    return _texts({key: value for key, value in merged.items() if value is not None}, name)


def _refuse_unknown(body: Mapping[str, Any], known: Collection[str]) -> None:
    for name, value in body.items():
        if name in known or name in _OUTPUT_ONLY:
            continue
        if value in (None, [], {}, False):
            continue  # the client's way to say that it does not want it
        raise Unimplemented(f"The embedded cloud's Cloud Storage does not implement {name!r}.")
