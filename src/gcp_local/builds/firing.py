"""Firing: messages of Pub/Sub make the builds of triggers that are subscribed to their topic.

A trigger's subscription is its own, `gcb-NAME`, and one of Pub/Sub's like any other. A message is
acknowledged in the transaction that keeps its build: it fires once, whenever the server is killed.
What is delivered anew (by `Seek`) fires anew; its id tells.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from gcp_local.builds.bindings import bind, body_of, passes
from gcp_local.builds.messages import BuildTrigger, RepoSource, SubscriptionState
from gcp_local.cel import CelError
from gcp_local.errors import ApiError, NotFound
from gcp_local.pubsub.kinds import DeleteSubscriptionRequest, Subscription
from gcp_local.pubsub.names import DELETED_TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.builds.creation import Made
    from gcp_local.builds.service import Builds
    from gcp_local.builds.templates import Templates
    from gcp_local.builds.workshop import Workshop
    from gcp_local.pubsub.queues import Leased
    from gcp_local.pubsub.service import PubSub
    from gcp_local.rpc.protos import Message

log = logging.getLogger(__name__)


class Firing:
    """Subscribes triggers, and makes builds of the messages that come."""

    def __init__(
        self, shop: Workshop, pubsub: PubSub, builds: Builds, templates: Templates
    ) -> None:
        self._shop = shop
        self._pubsub = pubsub
        self._builds = builds
        self._templates = templates

    def subscribe(self, trigger: Message, before: Message | None) -> None:
        """Give a trigger the subscription that it needs. Joins the transaction that is under way.

        Args:
            trigger: as it is to be; its subscription is written into it.
            before: as it was; None if it is new.

        Raises:
            NotFound: there is no such topic.
            InvalidArgument: its name is no topic's.

        """
        config = trigger.pubsub_config
        old = before.pubsub_config if before is not None else None
        if not trigger.HasField("pubsub_config"):
            if before is not None:
                self.unsubscribe(before)
            return
        config.ClearField("state")
        config.topic = self._pubsub.topics.check_exists(config.topic, "trigger.pubsub_config.topic")
        if old is not None and old.topic == config.topic:
            config.subscription = old.subscription
            return
        if before is not None:
            self.unsubscribe(before)
        config.subscription = self._new_subscription(trigger)
        self._shop.database.afterwards(partial(self._listen, trigger))

    def unsubscribe(self, trigger: Message) -> None:
        """Delete a trigger's subscription, if it has one. Joins the transaction under way."""
        name = trigger.pubsub_config.subscription
        if not name:
            return
        try:
            request = DeleteSubscriptionRequest(subscription=name)
            self._pubsub.subscriptions.delete_subscription(request)
        except NotFound:
            pass  # somebody was quicker
        self._shop.database.afterwards(partial(self._pubsub.courier.hand_to, name, None))

    def tell_state(self, trigger: Message) -> None:
        """Write into a trigger what is wrong with its subscription, as `GetBuildTrigger` does."""
        if not trigger.HasField("pubsub_config"):
            return
        config = trigger.pubsub_config
        try:
            found = self._pubsub.subscriptions.get(config.subscription)
        except NotFound:
            config.state = SubscriptionState.SUBSCRIPTION_DELETED
            return
        if found.topic == DELETED_TOPIC:
            config.state = SubscriptionState.TOPIC_DELETED
        elif found.topic != config.topic or found.detached:
            config.state = SubscriptionState.SUBSCRIPTION_MISCONFIGURED
        else:
            config.state = SubscriptionState.OK

    def recover(self) -> None:
        """Listen again for those triggers that are there."""
        for trigger in self._shop.resources.everywhere(BuildTrigger):
            if trigger.HasField("pubsub_config"):
                self._listen(trigger)

    # Inside

    def _new_subscription(self, trigger: Message) -> str:
        _, project, *_ = trigger.resource_name.split("/")
        name = f"projects/{self._shop.projects.id(project)}/subscriptions/gcb-{trigger.name}"
        try:
            self._pubsub.subscriptions.get(name)
        except NotFound:
            pass
        else:  # a trigger of the name in another location has it
            name = f"{name}-{trigger.id.partition('-')[0]}"
        wanted = Subscription(name=name, topic=trigger.pubsub_config.topic)
        return str(self._pubsub.subscriptions.create_subscription(wanted).name)

    def _listen(self, trigger: Message) -> None:
        key = self._shop.projects.numbered(trigger.resource_name)
        self._pubsub.courier.hand_to(
            trigger.pubsub_config.subscription, partial(self._receive, key)
        )

    def _receive(self, key: str, leased: Leased, acknowledge: Callable[[], None]) -> bool:
        """Make the build of a message, if there is to be one; the message is done with then."""
        made: Made | None = None
        with self._shop.database.transaction():
            trigger = self._shop.resources.find(key, BuildTrigger)
            if trigger is not None and not trigger.disabled:
                try:
                    made = self._made(key, trigger, leased.message)
                except (ApiError, CelError) as error:
                    number = leased.message.message_id
                    log.warning("%s makes no build of message %s: %s", trigger.name, number, error)
            acknowledge()
        if made is not None:
            self._builds.start(made)
        return True

    def _made(self, key: str, trigger: Message, message: Message) -> Made | None:
        build, triggered = self._templates.filled(trigger, RepoSource(), {})
        bind(build, body_of(message, trigger.pubsub_config.subscription))
        if trigger.filter and not passes(trigger.filter, build):
            return None
        return self._builds.keep(key.rpartition("/triggers/")[0], build, triggered)
