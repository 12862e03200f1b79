"""`google.pubsub.v1.Subscriber`: subscriptions. What comes through them is `pulling`'s."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_local.errors import FailedPrecondition, InvalidArgument
from gcp_local.pubsub import kinds, subscription_checks
from gcp_local.pubsub.names import DELETED_TOPIC, already_exists, checked_name, not_found
from gcp_local.pubsub.queues import Queue, queue_of
from gcp_local.resources.listing import page_of
from gcp_local.resources.masks import copy_field, update_paths
from gcp_local.rpc.protos import Empty, Message, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gcp_local.pubsub.messages import MessageStore
    from gcp_local.resources.collection import Resources
    from gcp_local.resources.database import Database
    from gcp_local.resources.projects import Projects

_CHANGEABLE = (
    "ack_deadline_seconds", "push_config", "retain_acked_messages", "message_retention_duration",
    "labels", "expiration_policy", "dead_letter_policy", "retry_policy",
)  # fmt: skip


class Subscriptions:
    """The source of truth for which subscriptions there are.

    Attributes:
        changed: called with a subscription's name when it has come, changed or gone.

    """

    def __init__(self, *, resources: Resources, database: Database, projects: Projects) -> None:
        self._resources = resources
        self._database = database
        self._projects = projects
        self._messages: MessageStore
        self.changed: Callable[[str], object] = lambda _: None

    def hold(self, messages: MessageStore) -> None:
        """Learn who keeps the messages."""
        self._messages = messages

    # The RPCs

    def create_subscription(self, request: Message) -> Message:
        """Make a subscription."""
        made = copy_of(request)
        made.name = checked_name(self._projects, request.name, "subscriptions", "name")
        made.topic = checked_name(self._projects, request.topic, "topics", "topic")
        subscription_checks.completed(made)
        subscription_checks.check(made)
        with self._database.transaction():
            if self._resources.find(made.name, kinds.Subscription) is not None:
                raise already_exists(made.name)
            topic = self._topic(made.topic)
            self._check_dead_letters(made)
            self._resources.add(made.name, made)
            self._messages.attach(made.name, made.topic)
            self._database.afterwards(lambda: self.changed(made.name))
        return _shown(made, topic)

    def get_subscription(self, request: Message) -> Message:
        """Answer a subscription."""
        return self._shown(self.get(request.subscription))

    def list_subscriptions(self, request: Message) -> Message:
        """Answer a project's subscriptions."""
        project = self._projects.named(request.project)
        found = list(self._resources.children(project, kinds.Subscription))
        page, token = page_of(found, request, query=request.project)
        shown = [self._shown(each) for each in page]
        return kinds.ListSubscriptionsResponse(subscriptions=shown, next_page_token=token)

    def update_subscription(self, request: Message) -> Message:
        """Change a subscription."""
        for path in request.update_mask.paths:
            if path.partition(".")[0] in subscription_checks.LACKING:
                kinds.lacks(f"{path!r} of a Subscription")
        paths = update_paths(request.update_mask, _CHANGEABLE)

        def changed(kept: Message) -> None:
            for path in paths:
                copy_field(request.subscription, kept, path)

        return self._shown(self._change(request.subscription.name, changed, "subscription.name"))

    def modify_push_config(self, request: Message) -> Message:
        """Send messages elsewhere, or, without an endpoint, let them be pulled."""
        self._change(request.subscription, lambda kept: copy_field(request, kept, "push_config"))
        return Empty()

    def delete_subscription(self, request: Message) -> Message:
        """Delete a subscription with all that it had."""
        with self._database.transaction():
            name = self.get(request.subscription).name
            self._messages.detach(name)
            self._messages.sweep()
            self._resources.delete(name, kinds.Subscription)
            self._database.afterwards(lambda: self.changed(name))
        return Empty()

    # For the others

    def get(self, name: str) -> Message:
        """Give a subscription; NotFound if there is none."""
        name = checked_name(self._projects, name, "subscriptions", "subscription")
        found = self._resources.find(name, kinds.Subscription)
        if found is None:
            raise not_found(name)
        return found

    def queue(self, name: str) -> Queue | None:
        """Tell how a subscription's messages are delivered; None if there is no such one."""
        found = self._resources.find(name, kinds.Subscription)
        if found is None:
            return None
        queue = queue_of(found)
        # Without the topic, what cannot be delivered goes on being delivered.
        gone = queue.dead_letters and not self._resources.find(queue.dead_letters, kinds.Topic)
        return replace(queue, dead_letters="") if gone else queue

    def pulled(self, name: str) -> Queue:
        """Tell how the messages of a subscription that is pulled are delivered.

        Raises:
            NotFound: there is no such subscription.
            FailedPrecondition: it is detached.

        """
        found = self.get(name)
        if found.detached:
            raise FailedPrecondition(f"The subscription {found.name} is detached.")
        queue = self.queue(found.name)
        assert queue is not None
        return queue

    def everywhere(self) -> Iterator[Message]:
        """Go through all subscriptions."""
        return self._resources.everywhere(kinds.Subscription)

    def orphan(self, names: Iterable[str]) -> None:
        """Say of a topic's subscriptions that it has been deleted."""
        for name in names:
            found = self._resources.find(name, kinds.Subscription)
            if found is not None:
                found.topic = DELETED_TOPIC
                self._resources.replace(name, found)

    def detach(self, name: str) -> None:
        """Take a subscription off its topic, for good."""
        with self._database.transaction():
            found = self.get(name)
            found.detached = True
            self._resources.replace(found.name, found)
            self._messages.detach(found.name)
            self._messages.sweep()

    # Inside

    def _change(
        self, name: str, change: Callable[[Message], object], field: str = "subscription"
    ) -> Message:
        checked_name(self._projects, name, "subscriptions", field)
        with self._database.transaction():
            kept = self.get(name)
            detached = kept.detached
            change(kept)
            subscription_checks.completed(kept)
            subscription_checks.check(kept)
            kept.detached = detached
            self._check_dead_letters(kept)
            self._resources.replace(kept.name, kept)
            self._database.afterwards(lambda: self.changed(kept.name))
        return kept

    def _topic(self, name: str) -> Message:
        topic = self._resources.find(name, kinds.Topic)
        if topic is None:
            raise not_found(name)
        return topic

    def _check_dead_letters(self, subscription: Message) -> None:
        if not subscription.HasField("dead_letter_policy"):
            return
        policy, field = subscription.dead_letter_policy, "dead_letter_policy.dead_letter_topic"
        policy.dead_letter_topic = checked_name(
            self._projects, policy.dead_letter_topic, "topics", field
        )
        self._topic(policy.dead_letter_topic)
        if policy.dead_letter_topic == subscription.topic:
            raise InvalidArgument.of_field(field, "The dead letter topic is the topic itself.")

    def _shown(self, kept: Message) -> Message:
        return _shown(kept, self._resources.find(kept.topic, kinds.Topic))


def _shown(kept: Message, topic: Message | None) -> Message:
    """Say of a subscription what its topic knows."""
    if topic is not None and topic.HasField("message_retention_duration"):
        kept.topic_message_retention_duration.CopyFrom(topic.message_retention_duration)
    return kept
