"""Pub/Sub's messages, and limits that several of its nouns share."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from google.protobuf import duration_pb2
from google.pubsub_v1.types import pubsub as types

from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.rpc.protos import raw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcp_local.rpc.protos import Message

Topic = raw(types.Topic)
Subscription = raw(types.Subscription)
DeleteSubscriptionRequest = raw(types.DeleteSubscriptionRequest)
ListTopicsResponse = raw(types.ListTopicsResponse)
ListTopicSubscriptionsResponse = raw(types.ListTopicSubscriptionsResponse)
ListTopicSnapshotsResponse = raw(types.ListTopicSnapshotsResponse)
ListSubscriptionsResponse = raw(types.ListSubscriptionsResponse)
PublishResponse = raw(types.PublishResponse)
DetachSubscriptionResponse = raw(types.DetachSubscriptionResponse)
ReceivedMessage = raw(types.ReceivedMessage)
PullResponse = raw(types.PullResponse)
SeekResponse = raw(types.SeekResponse)
StreamingPullResponse = raw(types.StreamingPullResponse)
TopicState = types.Topic.State
SubscriptionState = types.Subscription.State

SHORTEST_RETENTION, LONGEST_RETENTION = timedelta(minutes=10), timedelta(days=31)


def check_retention(message: Message) -> None:
    """Refuse a `message_retention_duration` outside of 10 minutes to 31 days."""
    if not message.HasField("message_retention_duration"):
        return
    kept = message.message_retention_duration.ToTimedelta()
    if not SHORTEST_RETENTION <= kept <= LONGEST_RETENTION:
        raise InvalidArgument.of_field(
            "message_retention_duration",
            "message_retention_duration must be between 10 minutes and 31 days.",
        )


def refuse_fields(message: Message, names: Sequence[str]) -> None:
    """Raise Unimplemented for the first of these fields that is set."""
    for field, _ in message.ListFields():
        if field.name in names:
            lacks(f"{field.name!r} of a {message.DESCRIPTOR.name}")


def lacks(what: str) -> NoReturn:
    """Raise Unimplemented."""
    raise Unimplemented(f"The embedded cloud's Pub/Sub does not have {what}.")


def seconds(count: int) -> Message:
    """Make a `google.protobuf.Duration`."""
    duration: Message = duration_pb2.Duration(seconds=count)  # type: ignore[assignment]
    return duration
