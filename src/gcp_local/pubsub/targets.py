"""Targets of events: HTTP servers of this machine that get CloudEvents.

They stand in for Eventarc's triggers, whose own API is not here: a target is ordered through
`/gcp-local/event-targets`. As Eventarc does, it carries an event as a pushed message, again after
10 to 600 seconds if it was not taken, for a day.
Source: https://cloud.google.com/eventarc/docs/cloudevents.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.pubsub.addresses import check_local
from gcp_local.pubsub.push import PUBLISHED
from gcp_local.pubsub.queues import Form, Push, Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gcp_local.pubsub.messages import MessageStore
    from gcp_local.resources.database import Database
    from gcp_local.rpc.protos import Message

STORAGE_TYPES = tuple(
    f"google.cloud.storage.object.v1.{what}"
    for what in ("finalized", "deleted", "archived", "metadataUpdated")
)
_SECOND = 1_000_000
_PREFIX = "event-targets/"
_FIELDS = ("bucket", "topic", "types", "url")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Who gets which events.

    Attributes:
        bucket: of what happens to its objects; or empty.
        topic: of what is published on it, `projects/P/topics/T`; or empty.
        types: of the events.
        url: `http://127.0.0.1:PORT/…`.

    """

    name: str
    bucket: str = ""
    topic: str = ""
    types: Sequence[str]
    url: str

    @property
    def source(self) -> str:
        """Where its messages come from."""
        return self.topic or source_of(self.bucket)

    @property
    def queue(self) -> Queue:
        """How its messages are delivered."""
        return Queue(
            name=self.name,
            deadline=60 * _SECOND,
            retention=86400 * _SECOND,
            least_backoff=10 * _SECOND,
            most_backoff=600 * _SECOND,
            push=Push(self.url, Form.CLOUD_EVENT),
        )


def source_of(bucket: str) -> str:
    """Name what stands for a topic where a bucket's events go to their targets."""
    return f"buckets/{bucket}"


class EventTargets:
    """The source of truth for who gets which events.

    Args:
        database: where they are kept.
        messages: carries the events.
        topic_exists: gives a topic's name as it is kept, or raises.
        bucket_exists: raises if there is no such bucket.

    Attributes:
        changed: called with the name of a target's queue when it has come or gone.

    """

    def __init__(
        self,
        *,
        database: Database,
        messages: MessageStore,
        topic_exists: Callable[[str, str], str],
        bucket_exists: Callable[[str], object],
    ) -> None:
        self._database = database
        self._messages = messages
        self._topic_exists = topic_exists
        self._bucket_exists = bucket_exists
        self.changed: Callable[[str], object] = lambda _: None

    def all(self) -> list[Target]:
        """Give all of them, oldest first."""
        rows = self._database.rows("SELECT body FROM event_targets ORDER BY rowid")
        return [Target(**json.loads(row["body"])) for row in rows]

    def queue(self, name: str) -> Queue | None:
        """Tell how a target's messages are delivered; None if there is no such one."""
        if not name.startswith(_PREFIX):
            return None
        row = self._database.row("SELECT body FROM event_targets WHERE name = ?", name)
        return Target(**json.loads(row["body"])).queue if row else None

    def add(self, said: Any, at: str = "target") -> None:
        """Add one, from its JSON.

        Raises:
            InvalidArgument: not well formed; the error names the field.
            NotFound: no such bucket or topic.

        """
        target = self._read(said, at)
        with self._database.transaction():
            self._database.run(
                "INSERT INTO event_targets VALUES (?, ?, ?)",
                *(target.name, target.source, json.dumps(asdict(target))),
            )
            self._messages.attach(target.name, target.source)
            self._database.afterwards(lambda: self.changed(target.name))

    def replace(self, said: Any) -> None:
        """Have exactly these, from `{"targets": [TARGET, …]}`; errors as `add`."""
        if not isinstance(said, dict) or set(said) != {"targets"}:
            raise InvalidArgument.of_field("targets", 'The body must be {"targets": [TARGET, …]}.')
        if not isinstance(said["targets"], list):
            raise InvalidArgument.of_field("targets", "targets must be a list.")
        with self._database.transaction():
            self.clear()
            for number, each in enumerate(said["targets"]):
                self.add(each, f"targets[{number}]")

    def clear(self) -> None:
        """Have none, and forget what was still to be sent."""
        with self._database.transaction():
            for target in self.all():
                self._messages.detach(target.name)
                self._database.afterwards(partial(self.changed, target.name))
            self._messages.sweep()
            self._database.run("DELETE FROM event_targets")

    def as_json(self) -> dict[str, Any]:
        """Tell what there is."""
        shown = [{name: asdict(each)[name] for name in _FIELDS} for each in self.all()]
        return {"targets": [{k: v for k, v in each.items() if v} for each in shown]}

    def tell(self, bucket: str, kind: str, event: Callable[[], Message]) -> None:
        """Send an event to those of a bucket's targets that want its type.

        Joins the transaction that is under way.
        """
        source = source_of(bucket)
        rows = self._database.rows("SELECT body FROM event_targets WHERE source = ?", source)
        wanting = [Target(**json.loads(row["body"])) for row in rows]
        names = {each.name for each in wanting if kind in each.types}
        if names:
            self._messages.publish(source, [event()], only=names)

    def _read(self, said: Any, at: str) -> Target:
        if not isinstance(said, dict):
            raise InvalidArgument.of_field(at, f"{at} must be an object.")
        for name in said:
            if name not in _FIELDS:
                known = ", ".join(_FIELDS)
                raise InvalidArgument.of_field(f"{at}.{name}", f"No such field, but {known}.")
        texts = {name: said.get(name, "") for name in ("bucket", "topic", "url")}
        for name, value in texts.items():
            if not isinstance(value, str):
                raise InvalidArgument.of_field(f"{at}.{name}", f"{name} must be a string.")
        if bool(texts["bucket"]) == bool(texts["topic"]):
            raise InvalidArgument.of_field(f"{at}.bucket", "A target has a bucket or a topic.")
        check_local(texts["url"], f"{at}.url")
        possible = STORAGE_TYPES if texts["bucket"] else (PUBLISHED,)
        types = said.get("types", list(possible))
        if not isinstance(types, list) or not types or not all(t in possible for t in types):
            raise InvalidArgument.of_field(
                f"{at}.types", f"types must be a list of some of {', '.join(possible)}."
            )
        if texts["bucket"]:
            self._check_bucket(texts["bucket"], f"{at}.bucket")
        else:
            texts["topic"] = self._topic_exists(texts["topic"], f"{at}.topic")
        return Target(name=f"{_PREFIX}eventarc-{uuid.uuid4().hex[:12]}", types=types, **texts)

    def _check_bucket(self, bucket: str, field: str) -> None:
        try:
            self._bucket_exists(bucket)
        except NotFound as error:
            raise NotFound(f"{error.message} ({field})") from None
