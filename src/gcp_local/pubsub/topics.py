"""`google.pubsub.v1.Publisher`: topics, and what is published on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.errors import FailedPrecondition, InvalidArgument
from gcp_local.pubsub import kinds
from gcp_local.pubsub.names import DELETED_TOPIC, already_exists, checked_name, not_found
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import page_of
from gcp_local.resources.masks import copy_field, update_paths
from gcp_local.rpc.protos import Empty, Message, copy_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcp_local.pubsub.messages import MessageStore
    from gcp_local.pubsub.subscriptions import Subscriptions
    from gcp_local.resources.collection import Resources
    from gcp_local.resources.database import Database
    from gcp_local.resources.projects import Projects

_LACKING = (
    "message_storage_policy", "kms_key_name", "schema_settings", "ingestion_data_source_settings",
    "message_transforms", "tags",
)  # fmt: skip
_CHANGEABLE = ("labels", "message_retention_duration")
# https://cloud.google.com/pubsub/quotas#resource_limits
_MOST_MESSAGES, _MOST_BYTES = 1000, 10_000_000
_MOST_ATTRIBUTES, _LONGEST_KEY, _LONGEST_VALUE, _LONGEST_ORDER = 100, 256, 1024, 1024


class Topics:
    """Answers `Publisher`'s RPCs."""

    def __init__(
        self,
        *,
        resources: Resources,
        database: Database,
        projects: Projects,
        messages: MessageStore,
        subscriptions: Subscriptions,
    ) -> None:
        self._resources = resources
        self._database = database
        self._projects = projects
        self._messages = messages
        self._subscriptions = subscriptions

    def create_topic(self, request: Message) -> Message:
        """Make a topic."""
        topic = copy_of(request)
        topic.name = checked_name(self._projects, request.name, "topics", "name")
        check_labels(topic.labels)
        kinds.check_retention(topic)
        kinds.refuse_fields(topic, _LACKING)
        topic.ClearField("satisfies_pzs")
        topic.state = kinds.TopicState.ACTIVE
        with self._database.transaction():
            if self._resources.find(topic.name, kinds.Topic) is not None:
                raise already_exists(topic.name)
            self._resources.add(topic.name, topic)
        return topic

    def get_topic(self, request: Message) -> Message:
        """Answer a topic."""
        return self._get(request.topic)

    def list_topics(self, request: Message) -> Message:
        """Answer a project's topics."""
        found = list(self._resources.children(self._projects.named(request.project), kinds.Topic))
        page, token = page_of(found, request, query=request.project)
        return kinds.ListTopicsResponse(topics=page, next_page_token=token)

    def update_topic(self, request: Message) -> Message:
        """Change a topic's labels, or for how long it keeps messages."""
        for path in request.update_mask.paths:
            if path.partition(".")[0] in _LACKING:
                kinds.lacks(f"{path!r} of a Topic")
        paths = update_paths(request.update_mask, _CHANGEABLE)
        check_labels(request.topic.labels)
        kinds.check_retention(request.topic)
        with self._database.transaction():
            topic = self._get(request.topic.name, "topic.name")
            for path in paths:
                copy_field(request.topic, topic, path)
            self._resources.replace(topic.name, topic)
        return topic

    def delete_topic(self, request: Message) -> Message:
        """Delete a topic; its subscriptions stay, with what they have."""
        with self._database.transaction():
            topic = self._get(request.topic)
            self._subscriptions.orphan(self._messages.attached(topic.name))
            self._messages.drop_topic(topic.name)
            self._resources.delete(topic.name, kinds.Topic)
        return Empty()

    def list_topic_subscriptions(self, request: Message) -> Message:
        """Answer the names of a topic's subscriptions."""
        topic = self._get(request.topic)
        names = [name for name in self._messages.attached(topic.name) if _is_subscription(name)]
        page, token = page_of(names, request, query=topic.name)  # type: ignore[type-var]
        return kinds.ListTopicSubscriptionsResponse(subscriptions=page, next_page_token=token)

    def list_topic_snapshots(self, request: Message) -> Message:
        """Answer that a topic has no snapshots, since none can be made."""
        self._get(request.topic)
        return kinds.ListTopicSnapshotsResponse()

    def detach_subscription(self, request: Message) -> Message:
        """Take a subscription off its topic; what it had is dropped."""
        self._subscriptions.detach(request.subscription)
        return kinds.DetachSubscriptionResponse()

    def publish(self, request: Message) -> Message:
        """Publish messages."""
        check_messages(request.messages)
        with self._database.transaction():
            topic = self._get(request.topic)
            ids = self._messages.publish(
                topic.name,
                request.messages,
                retention=topic.message_retention_duration.ToMicroseconds(),
            )
        return kinds.PublishResponse(message_ids=ids)

    def announce(self, topic: str, message: Message) -> None:
        """Publish what nobody asked for by name, in the transaction that is under way.

        Nothing is said if the topic has gone.
        """
        found = self._resources.find(topic, kinds.Topic)
        if found is not None:
            kept = found.message_retention_duration.ToMicroseconds()
            self._messages.publish(topic, [message], retention=kept)

    def check_exists(self, topic: str, field: str) -> str:
        """Give a topic's name as it is kept.

        Raises:
            InvalidArgument: it is no topic's name.
            NotFound: there is no such topic.

        """
        return str(self._get(topic, field).name)

    def _get(self, name: str, field: str = "topic") -> Message:
        if name == DELETED_TOPIC:
            raise FailedPrecondition("The topic has been deleted.")
        name = checked_name(self._projects, name, "topics", field)
        topic = self._resources.find(name, kinds.Topic)
        if topic is None:
            raise not_found(name)
        return topic


def check_messages(messages: Sequence[Message]) -> None:
    """Refuse what cannot be published: see https://cloud.google.com/pubsub/quotas."""
    if not messages:
        raise InvalidArgument.of_field("messages", "The request has no messages.")
    if len(messages) > _MOST_MESSAGES:
        raise InvalidArgument.of_field(
            "messages", f"The value for message_count is too large: more than {_MOST_MESSAGES}."
        )
    if sum(message.ByteSize() for message in messages) > _MOST_BYTES:
        raise InvalidArgument.of_field("messages", f"Request size exceeds {_MOST_BYTES} bytes.")
    if len({message.ordering_key for message in messages}) > 1:
        raise InvalidArgument.of_field(
            "messages",
            "In a single publish request, all messages must have no ordering key or they must all"
            " have the same ordering key.",
        )
    for number, message in enumerate(messages):
        _check_message(message, f"messages[{number}]")


def _check_message(message: Message, at: str) -> None:
    if not message.data and not message.attributes:
        text = "One or more messages are empty: a message has data or an attribute."
        raise InvalidArgument.of_field(at, text)
    if len(message.attributes) > _MOST_ATTRIBUTES:
        raise InvalidArgument.of_field(
            f"{at}.attributes", f"A message has at most {_MOST_ATTRIBUTES} attributes."
        )
    for key, value in message.attributes.items():
        if not 0 < len(key.encode()) <= _LONGEST_KEY or key.lower().startswith("goog"):
            raise InvalidArgument.of_field(
                f"{at}.attributes",
                f"Invalid attribute key {key!r:.80}: 1 to {_LONGEST_KEY} bytes, and not 'goog…'.",
            )
        if len(value.encode()) > _LONGEST_VALUE:
            raise InvalidArgument.of_field(
                f"{at}.attributes", f"The value of {key!r} is longer than {_LONGEST_VALUE} bytes."
            )
    if len(message.ordering_key.encode()) > _LONGEST_ORDER:
        raise InvalidArgument.of_field(
            f"{at}.ordering_key", f"An ordering key has at most {_LONGEST_ORDER} bytes."
        )


def _is_subscription(queue: str) -> bool:
    return queue.startswith("projects/")
