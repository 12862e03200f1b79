"""`/storage/v1/b/BUCKET/notificationConfigs`.

Source: https://cloud.google.com/storage/docs/json_api/v1/notifications.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.storage import wire
from gcp_local.storage.notifications import EVENT_TYPES, JSON, NONE
from gcp_local.web.messages import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.storage.buckets import BucketStore
    from gcp_local.storage.notifications import Notification, Notifications

_TOPIC = re.compile(r"//pubsub\.googleapis\.com/(projects/[^/]+/topics/[^/]+)")
_MOST_ATTRIBUTES, _LONGEST_ATTRIBUTE = 5, 255
_FIELDS = (
    "topic", "event_types", "object_name_prefix", "payload_format", "custom_attributes", "kind",
    "id", "etag", "selfLink",
)  # fmt: skip


class NotificationEndpoint:
    """Answers what is asked of notifications; the rules are the store's.

    Args:
        buckets: the buckets.
        notifications: the store.
        topic_exists: gives a topic's name as it is kept, or raises.

    """

    def __init__(
        self,
        buckets: BucketStore,
        notifications: Notifications,
        topic_exists: Callable[[str, str], str],
    ) -> None:
        self._buckets = buckets
        self._notifications = notifications
        self._topic_exists = topic_exists

    def answer(self, request: Request, bucket: str, rest: list[str]) -> Answer:
        """List, make, get or delete."""
        match (request.method, rest):
            case ("GET", []):
                self._buckets.get(bucket)
                found = [_written(each, request) for each in self._notifications.list(bucket)]
                items = {"items": found} if found else {}
                return Answer.of_json({"kind": "storage#notifications", **items})
            case ("POST", []):
                said = self._read(wire.mapping(request.body))
                return Answer.of_json(_written(self._notifications.add(bucket, **said), request))
            case ("GET", [number]):
                return Answer.of_json(_written(self._notifications.get(bucket, number), request))
            case ("DELETE", [number]):
                self._notifications.delete(bucket, number)
                return Answer(204)
        raise NotFound(f"Not found: {request.method} {request.path}")

    def _read(self, body: dict[str, Any]) -> dict[str, Any]:
        for name in body:
            if name not in _FIELDS:
                raise InvalidArgument(f"Unknown name {name!r}: Cannot find field.")
        matched = _TOPIC.fullmatch(wire.text(body, "topic") or "")
        if matched is None:
            raise InvalidArgument(
                "Invalid value for: topic is not //pubsub.googleapis.com/projects/P/topics/T."
            )
        events = body.get("event_types") or []
        if not isinstance(events, list) or not all(event in EVENT_TYPES for event in events):
            raise InvalidArgument(f"Invalid value for: event_types are {', '.join(EVENT_TYPES)}.")
        payload = wire.text(body, "payload_format")
        if payload not in (JSON, NONE):
            raise InvalidArgument(f"Invalid value for: payload_format is {JSON} or {NONE}.")
        attributes = wire.texts(body.get("custom_attributes") or {}, "custom_attributes")
        longest = max((len(text) for pair in attributes.items() for text in pair), default=0)
        if len(attributes) > _MOST_ATTRIBUTES or longest > _LONGEST_ATTRIBUTE:
            raise InvalidArgument(
                f"Invalid value for: custom_attributes are at most {_MOST_ATTRIBUTES}, of at most"
                f" {_LONGEST_ATTRIBUTE} characters."
            )
        return {
            "topic": self._topic_exists(matched[1], "topic"),
            "events": events,
            "prefix": wire.text(body, "object_name_prefix") or "",
            "payload": payload,
            "attributes": attributes,
        }


def _written(notification: Notification, request: Request) -> dict[str, Any]:
    number, bucket = notification.id, notification.bucket
    optional = {
        "event_types": list(notification.events),
        "object_name_prefix": notification.prefix,
        "custom_attributes": dict(notification.attributes),
    }
    return {
        "kind": "storage#notification",
        "id": str(number),
        "selfLink": f"{request.endpoint}/storage/v1/b/{bucket}/notificationConfigs/{number}",
        "topic": f"//pubsub.googleapis.com/{notification.topic}",
        "payload_format": notification.payload,
        "etag": str(number),
        **{name: value for name, value in optional.items() if value},
    }
