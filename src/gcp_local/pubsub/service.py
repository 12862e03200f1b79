"""Pub/Sub's services, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.pubsub.bell import Bell
from gcp_local.pubsub.courier import Courier
from gcp_local.pubsub.deliveries import Deliveries
from gcp_local.pubsub.messages import MessageStore
from gcp_local.pubsub.pulling import Pulling
from gcp_local.pubsub.subscriptions import Subscriptions
from gcp_local.pubsub.targets import EventTargets
from gcp_local.pubsub.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gcp_local.pubsub.queues import Queue
    from gcp_local.resources.collection import Resources
    from gcp_local.resources.database import Database
    from gcp_local.resources.projects import Projects


class PubSub:
    """All of `google.pubsub.v1` but its schemas.

    Args:
        resources: where topics and subscriptions are kept.
        database: where messages are.
        projects: which project has which id.
        bucket_exists: raises if there is no such bucket.
        token: makes the identity token of an account for an audience.

    Attributes:
        topics: by which other services publish.
        subscriptions: the noun.
        courier: by which other services take messages.
        targets: who gets events.
        services: the objects that answer, by the service's full name.
        workers: what does something between two requests.
        with_policies: for the patterns of resources that have policies, what finds one.

    """

    def __init__(
        self,
        *,
        resources: Resources,
        database: Database,
        projects: Projects,
        bucket_exists: Callable[[str], object],
        token: Callable[[str, str], str],
    ) -> None:
        bell = Bell()
        self.subscriptions = Subscriptions(
            resources=resources, database=database, projects=projects
        )
        messages = MessageStore(database, bell, self._queue)
        self.subscriptions.hold(messages)
        self.topics = Topics(
            resources=resources,
            database=database,
            projects=projects,
            messages=messages,
            subscriptions=self.subscriptions,
        )
        deliveries = Deliveries(database, bell, self.topics.announce)
        self.targets = EventTargets(
            database=database,
            messages=messages,
            topic_exists=self.topics.check_exists,
            bucket_exists=bucket_exists,
        )
        self.courier = Courier(
            deliveries=deliveries,
            messages=messages,
            bell=bell,
            queue=self._queue,
            names=self._names,
            token=token,
        )
        self.subscriptions.changed = self.courier.look_at
        self.targets.changed = self.courier.look_at
        pulling = Pulling(
            subscriptions=self.subscriptions, messages=messages, deliveries=deliveries, bell=bell
        )
        self.services: Mapping[str, Sequence[object]] = {
            "google.pubsub.v1.Publisher": [self.topics],
            "google.pubsub.v1.Subscriber": [self.subscriptions, pulling],
        }
        self.workers = (self.courier,)
        self.with_policies: Mapping[str, Callable[[str], str]] = {
            "projects/[^/]+/topics/[^/]+": lambda name: self.topics.check_exists(name, "resource"),
            "projects/[^/]+/subscriptions/[^/]+": lambda name: self.subscriptions.get(name).name,
        }

    def _queue(self, name: str) -> Queue | None:
        return self.targets.queue(name) or self.subscriptions.queue(name)

    def _names(self) -> list[str]:
        subscriptions = [each.name for each in self.subscriptions.everywhere()]
        return [*subscriptions, *(target.name for target in self.targets.all())]
