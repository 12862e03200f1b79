"""Notifications: what happens to a bucket's objects, published on topics of Pub/Sub.

A notification is published in the very transaction that changes the object: neither is there
without the other, whenever the server is killed.
Source: https://cloud.google.com/storage/docs/pubsub-notifications.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from google.pubsub_v1.types import pubsub as types

from gcp_local import clock
from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.rpc.protos import Message, raw
from gcp_local.storage import object_json, wire
from gcp_local.storage.changes import Change, Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.resources.database import Database
    from gcp_local.storage.buckets import BucketStore

PubsubMessage = raw(types.PubsubMessage)
JSON, NONE = "JSON_API_V1", "NONE"
_MOST = 100  # of a bucket


@dataclass(frozen=True, kw_only=True)
class Notification:
    """What is published of a bucket.

    Attributes:
        topic: `projects/P/topics/T`.
        events: of which types; none stands for all.
        prefix: how the objects' names begin.
        payload: JSON_API_V1 or NONE.

    """

    id: int
    bucket: str
    topic: str
    events: Sequence[str] = ()
    prefix: str = ""
    payload: str = JSON
    attributes: Mapping[str, str] = field(default_factory=dict)

    def wants(self, change: Change) -> bool:
        """Tell whether a change is to be published."""
        asked = not self.events or change.event.type in self.events
        return asked and change.described.name.startswith(self.prefix)


class Notifications:
    """The source of truth for which buckets' changes are published where.

    Args:
        database: where that is kept.
        buckets: the buckets.
        endpoint: how clients reach the server.
        announce: publishes on a topic, if there still is one.
        tell: sends an event of a bucket to the targets that want it.

    """

    def __init__(
        self,
        *,
        database: Database,
        buckets: BucketStore,
        endpoint: str,
        announce: Callable[[str, Message], object],
        tell: Callable[[str, str, Callable[[], Message]], object],
    ) -> None:
        self._database = database
        self._buckets = buckets
        self._endpoint = endpoint
        self._announce = announce
        self._tell = tell

    def list(self, bucket: str) -> list[Notification]:
        """List a bucket's, oldest first."""
        rows = self._database.rows(
            "SELECT body FROM bucket_notifications WHERE bucket = ? ORDER BY id", bucket
        )
        return [Notification(**json.loads(row["body"])) for row in rows]

    def get(self, bucket: str, number: str) -> Notification:
        """Find one; NotFound if there is none."""
        self._buckets.get(bucket)
        for each in self.list(bucket):
            if str(each.id) == number:
                return each
        raise NotFound(f"The notification {number!r} of the bucket {bucket} does not exist.")

    def add(self, bucket: str, **said: object) -> Notification:
        """Publish a bucket's changes from now on.

        Raises:
            NotFound: no such bucket.
            InvalidArgument: it has as many as it can have.

        """
        with self._database.transaction():
            self._buckets.get(bucket)
            if len(self.list(bucket)) >= _MOST:
                raise InvalidArgument(f"A bucket has at most {_MOST} notification configurations.")
            self._database.run(
                "INSERT INTO counters (name, value) VALUES ('notification', 1)"
                " ON CONFLICT (name) DO UPDATE SET value = value + 1"
            )
            row = self._database.row("SELECT value FROM counters WHERE name = 'notification'")
            assert row is not None
            made = Notification(id=row["value"], bucket=bucket, **said)  # type: ignore[arg-type]
            self._database.run(
                "INSERT INTO bucket_notifications VALUES (?, ?, ?)",
                *(bucket, made.id, json.dumps(asdict(made))),
            )
        return made

    def delete(self, bucket: str, number: str) -> None:
        """Publish no more of a bucket's changes there; NotFound if there is none."""
        found = self.get(bucket, number)
        self._database.run(
            "DELETE FROM bucket_notifications WHERE bucket = ? AND id = ?", bucket, found.id
        )

    def publish(self, change: Change) -> None:
        """Publish a change, within the transaction that makes it."""
        bucket = change.described.bucket
        for notification in self.list(bucket):
            if notification.wants(change):
                self._announce(notification.topic, self._message(notification, change))
        self._tell(bucket, change.event.cloud_event, lambda: self._event(change))

    def _message(self, notification: Notification, change: Change) -> Message:
        described = change.described
        attributes = {
            **notification.attributes,
            "notificationConfig": f"projects/_/buckets/{described.bucket}/notificationConfigs/"
            f"{notification.id}",
            "eventType": change.event.type,
            "payloadFormat": notification.payload,
            "bucketId": described.bucket,
            "objectId": described.name,
            "objectGeneration": str(described.generation),
            "eventTime": _now(),
        }
        if change.overwrote is not None:
            attributes["overwroteGeneration"] = str(change.overwrote)
        if change.overwritten_by is not None:
            attributes["overwrittenByGeneration"] = str(change.overwritten_by)
        data = self._resource(change) if notification.payload == JSON else b""
        return PubsubMessage(data=data, attributes=attributes)

    def _event(self, change: Change) -> Message:
        """Write a CloudEvent, whose attributes are the headers that it is sent with."""
        described = change.described
        attributes = {
            "ce-source": f"//storage.googleapis.com/projects/_/buckets/{described.bucket}",
            "ce-specversion": "1.0",
            "ce-subject": f"objects/{quote(described.name, safe='/ !$&()*+,;:=@~')}",
            "ce-time": _now(),
            "ce-type": change.event.cloud_event,
            "ce-bucket": described.bucket,
        }
        return PubsubMessage(data=self._resource(change), attributes=attributes)

    def _resource(self, change: Change) -> bytes:
        described = change.described
        home = self._buckets.get(described.bucket)
        return json.dumps(object_json.written(described, home, self._endpoint)).encode()


def _now() -> str:
    return wire.time(clock.micros(clock.now()))


EVENT_TYPES = tuple(event.type for event in Event)
