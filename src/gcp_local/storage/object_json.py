"""Objects in JSON: how they are written, and what a client may say of them.

Source: https://cloud.google.com/storage/docs/json_api/v1/objects.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gcp_local.errors import InvalidArgument
from gcp_local.storage import wire
from gcp_local.storage.protection import retained_until
from gcp_local.storage.values import HEADERS, Description, Object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.storage.buckets import Bucket

# JSON names that a client may set on an object, and our fields.
_TEXTS = {**HEADERS, "customTime": "custom_time"}
_SWITCHES = {"temporaryHold": "temporary_hold", "eventBasedHold": "event_based_hold"}
_WRITABLE = {*_TEXTS, *_SWITCHES, "metadata", "storageClass"}


def written(described: Object, bucket: Bucket, endpoint: str) -> dict[str, Any]:
    """Write an object's metadata.

    Args:
        described: the object.
        bucket: where it lies.
        endpoint: how the client reached the server.

    """
    place = f"{quote(described.bucket, safe='')}/o/{quote(described.name, safe='')}"
    until = retained_until(described, bucket)
    fields = {
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
        "timeCreated": wire.time(described.created),
        "updated": wire.time(described.updated),
        "timeDeleted": described.deleted and wire.time(described.deleted),
        "timeStorageClassUpdated": wire.time(described.created),
        "timeFinalized": wire.time(described.created),
        "retentionExpirationTime": until and wire.time(until),
        "componentCount": described.component_count,
        "metadata": dict(described.metadata) or None,
        **{name: getattr(described, ours) for name, ours in (_TEXTS | _SWITCHES).items()},
    }
    return {name: value for name, value in fields.items() if value is not None}


def description_of(body: Mapping[str, Any]) -> Description:
    """Read what a writer says of a new object.

    Raises:
        InvalidArgument: a value of the wrong type, or a field that no object has.
        Unimplemented: a field that this stand-in does not honour.

    """
    said = {ours: wire.text(body, name) for name, ours in _TEXTS.items()}
    holds = {ours: wire.switch(body, name) for name, ours in _SWITCHES.items()}
    wire.refuse_unknown(body, _WRITABLE)
    storage_class = wire.text(body, "storageClass")
    if storage_class not in (None, *wire.CLASSES):
        raise InvalidArgument(f"Invalid storage class {storage_class!r}.")
    if said["custom_time"] is not None:
        _moment(said["custom_time"])
    return Description(
        **said,
        temporary_hold=holds["temporary_hold"],
        event_based_hold=holds["event_based_hold"],
        storage_class=storage_class,
        metadata=wire.texts(body.get("metadata") or {}, "metadata"),
        md5=wire.text(body, "md5Hash"),
        crc32c=wire.text(body, "crc32c"),
    )


def description_like(found: Object) -> Description:
    """Say of a copy what is said of its source; a hold stays behind."""
    return Description(
        content_type=found.content_type,
        content_encoding=found.content_encoding,
        content_disposition=found.content_disposition,
        content_language=found.content_language,
        cache_control=found.cache_control,
        storage_class=found.storage_class,
        custom_time=found.custom_time,
        metadata=found.metadata,
    )


def changes(body: Mapping[str, Any], before: Object, *, whole: bool) -> dict[str, Any]:
    """Read a PATCH (null removes) or, with `whole`, a PUT (what is missing is removed).

    Raises:
        InvalidArgument: as `description_of`; another storage class, which only a rewrite gives;
            a custom time that is taken away or set back.

    """
    wire.refuse_unknown(body, _WRITABLE)
    asked = {name for name in (*_TEXTS, *_SWITCHES) if whole or name in body}
    changed: dict[str, Any] = {
        ours: wire.text(body, name) for name, ours in _TEXTS.items() if name in asked
    }
    for name, ours in _SWITCHES.items():
        if name in asked:
            changed[ours] = wire.switch(body, name)
    if body.get("storageClass") not in (None, before.storage_class):
        raise InvalidArgument("The storage class of an object is changed by a rewrite.")
    if "custom_time" in changed and before.custom_time is not None:
        later = changed["custom_time"]
        if later is None or _moment(later) < _moment(before.custom_time):
            raise InvalidArgument("A custom time can be neither removed nor set back.")
    elif changed.get("custom_time") is not None:
        _moment(changed["custom_time"])
    if "metadata" in body or whole:
        given = body.get("metadata")
        base = {} if whole or given is None else dict(before.metadata)
        changed["metadata"] = wire.merged(base, given or {}, "metadata")
    return changed


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidArgument(f"Invalid value for: customTime {value!r} is not an RFC 3339 time.")
    return moment
