"""Topics and subscriptions, through Google's client: by gRPC, as it does unless told otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.pubsub_v1 import PublisherClient as Publisher
from google.cloud.pubsub_v1 import SubscriberClient as Subscriber
from google.iam.v1 import policy_pb2  # type: ignore[import-untyped]
from google.protobuf.duration_pb2 import Duration
from google.pubsub_v1 import PublisherClient as RestPublisher
from google.pubsub_v1 import SchemaServiceClient
from google.pubsub_v1 import SubscriberClient as RestSubscriber
from google.pubsub_v1.types import PubsubMessage
from google.pubsub_v1.types import Subscription as Kept

from tests.gcp_local.emulators import Emulator


def test_a_topic_is_made_found_listed_changed_and_deleted(
    publisher: Publisher, project: str
) -> None:
    name = f"projects/{project}/topics/orders"
    made = publisher.create_topic(request={"name": name, "labels": {"team": "ml"}})
    assert (made.name, dict(made.labels)) == (name, {"team": "ml"})
    assert publisher.get_topic(topic=name) == made
    with pytest.raises(
        exceptions.AlreadyExists, match=r"already exists in the project \(resource=orders"
    ):
        publisher.create_topic(name=name)
    kept = Duration(seconds=86400)
    changed = publisher.update_topic(
        topic={"name": name, "message_retention_duration": kept, "labels": {"team": "x"}},
        update_mask={"paths": ["message_retention_duration"]},
    )
    assert changed.message_retention_duration.total_seconds() == 86400
    assert dict(changed.labels) == {"team": "ml"}
    assert [each.name for each in publisher.list_topics(project=f"projects/{project}")] == [name]
    publisher.delete_topic(topic=name)
    with pytest.raises(exceptions.NotFound, match=r"Resource not found \(resource=orders\)"):
        publisher.get_topic(topic=name)
    assert not list(publisher.list_topics(project=f"projects/{project}"))


@pytest.mark.parametrize(
    "topic",
    [
        {"name": "ab"},
        {"name": "1abc"},
        {"name": "goog-topic"},
        {"name": "a" * 256},
        {"name": "a b c"},
        {"name": "good", "labels": {"Team": "ml"}},
        {"name": "good", "message_retention_duration": {"seconds": 599}},
        {"name": "good", "message_retention_duration": {"seconds": 32 * 86400}},
    ],
)
def test_a_topic_that_cannot_be_is_refused(
    publisher: Publisher, project: str, topic: dict[str, Any]
) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        publisher.create_topic(
            request={**topic, "name": f"projects/{project}/topics/{topic['name']}"}
        )
    assert not list(publisher.list_topics(project=f"projects/{project}"))


def test_what_is_not_there_is_named(
    publisher: Publisher, subscriber: Subscriber, topic: str, project: str
) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match="schema_settings"):
        publisher.create_topic(
            request={
                "name": f"projects/{project}/topics/other",
                "schema_settings": {"schema": f"projects/{project}/schemas/s"},
            }
        )
    name = f"projects/{project}/subscriptions/other"
    for said, word in (
        ({"enable_exactly_once_delivery": True}, "enable_exactly_once_delivery"),
        ({"bigquery_config": {"table": "p.d.t"}}, "bigquery_config"),
        ({"cloud_storage_config": {"bucket": "b"}}, "cloud_storage_config"),
        ({"push_config": {"push_endpoint": "https://a.run.app/"}}, "127.0.0.1:PORT"),
        ({"push_config": {"push_endpoint": "http://10.0.0.1:80/"}}, "127.0.0.1:PORT"),
    ):
        with pytest.raises(exceptions.MethodNotImplemented, match=word):
            subscriber.create_subscription(request={"name": name, "topic": topic, **said})
    with pytest.raises(exceptions.MethodNotImplemented, match="CreateSnapshot"):
        subscriber.create_snapshot(name=f"projects/{project}/snapshots/s1", subscription=name)


def test_there_are_no_schemas(emulator: Emulator, project: str) -> None:
    schemas = SchemaServiceClient(**emulator.gapic)
    with pytest.raises(exceptions.MethodNotImplemented, match=r"SchemaService\.ListSchemas"):
        schemas.list_schemas(parent=f"projects/{project}")


def test_a_subscription_has_the_documented_defaults(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str, project: str
) -> None:
    found = subscriber.get_subscription(subscription=subscription)
    assert found.topic == topic
    assert found.ack_deadline_seconds == 10
    assert found.message_retention_duration.total_seconds() == 7 * 86400
    assert found.expiration_policy.ttl.total_seconds() == 31 * 86400
    assert found.state == Kept.State.ACTIVE
    listed = subscriber.list_subscriptions(project=f"projects/{project}")
    assert [each.name for each in listed] == [subscription]
    assert list(publisher.list_topic_subscriptions(topic=topic)) == [subscription]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"ack_deadline_seconds": 9}, "ack_deadline"),
        ({"ack_deadline_seconds": 601}, "ack_deadline"),
        ({"message_retention_duration": {"seconds": 60}}, "message_retention_duration"),
        ({"filter": "attributes.a ="}, "filter"),
        ({"filter": 'attributes.a = "b" AND attributes:c OR attributes:d'}, "parentheses"),
        ({"filter": f'attributes.a = "{"b" * 256}"'}, "256 bytes"),
        ({"filter": 'data = "x"'}, "expected 'attributes'"),
        ({"expiration_policy": {"ttl": {"seconds": 3600}}}, "ttl"),
        ({"retry_policy": {"minimum_backoff": {"seconds": 601}}}, "minimum_backoff"),
        (
            {
                "retry_policy": {
                    "minimum_backoff": {"seconds": 9},
                    "maximum_backoff": {"seconds": 8},
                }
            },
            "minimum_backoff",
        ),
        ({"dead_letter_policy": {}}, "dead letter topic"),
        ({"dead_letter_policy": {"max_delivery_attempts": 4}}, "max_delivery_attempts"),
        ({"push_config": {"push_endpoint": "nowhere"}}, "push_endpoint|no URL"),
        ({"labels": {"A": "b"}}, "label"),
    ],
)
def test_a_subscription_that_cannot_be_is_refused(
    subscriber: Subscriber, topic: str, project: str, said: dict[str, Any], field: str
) -> None:
    if "dead_letter_policy" in said:
        policy = {**said["dead_letter_policy"], "dead_letter_topic": topic}
        said = {"dead_letter_policy": policy}
    name = f"projects/{project}/subscriptions/orders-sub"
    with pytest.raises(exceptions.InvalidArgument, match=field):
        subscriber.create_subscription(request={"name": name, "topic": topic, **said})
    assert not list(subscriber.list_subscriptions(project=f"projects/{project}"))


def test_a_subscription_needs_a_topic_and_a_name_of_its_own(
    subscriber: Subscriber, topic: str, subscription: str, project: str
) -> None:
    with pytest.raises(exceptions.NotFound, match="resource=none"):
        subscriber.create_subscription(
            name=f"projects/{project}/subscriptions/other", topic=f"projects/{project}/topics/none"
        )
    with pytest.raises(exceptions.AlreadyExists):
        subscriber.create_subscription(name=subscription, topic=topic)


def test_what_can_be_changed_of_a_subscription_is_changed_alone(
    subscriber: Subscriber, subscription: str
) -> None:
    changed = subscriber.update_subscription(
        subscription={"name": subscription, "ack_deadline_seconds": 60, "labels": {"a": "b"}},
        update_mask={"paths": ["ack_deadline_seconds"]},
    )
    assert (changed.ack_deadline_seconds, dict(changed.labels)) == (60, {})
    for path in ("topic", "filter", "enable_message_ordering", "nothing"):
        with pytest.raises(exceptions.InvalidArgument, match="update"):
            subscriber.update_subscription(
                subscription={"name": subscription}, update_mask={"paths": [path]}
            )
    with pytest.raises(exceptions.InvalidArgument, match="update_mask"):
        subscriber.update_subscription(subscription={"name": subscription}, update_mask={})


def test_a_subscription_outlives_its_topic(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    publisher.publish(topic, b"kept").result()
    publisher.delete_topic(topic=topic)
    assert subscriber.get_subscription(subscription=subscription).topic == "_deleted-topic_"
    publisher.create_topic(name=topic)
    publisher.publish(topic, b"for others").result()
    answer = subscriber.pull(subscription=subscription, max_messages=9)
    assert [each.message.data for each in answer.received_messages] == [b"kept"]


def test_a_detached_subscription_gets_nothing_more(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    publisher.publish(topic, b"x").result()
    publisher.detach_subscription(request={"subscription": subscription})
    assert subscriber.get_subscription(subscription=subscription).detached
    with pytest.raises(exceptions.FailedPrecondition, match="detached"):
        subscriber.pull(subscription=subscription, max_messages=1)
    assert not list(publisher.list_topic_subscriptions(topic=topic))


def test_the_rest_transport_does_the_same(emulator: Emulator, project: str) -> None:
    topics, subscriptions = RestPublisher(**emulator.gapic), RestSubscriber(**emulator.gapic)
    topic = topics.create_topic(name=f"projects/{project}/topics/orders").name
    name = f"projects/{project}/subscriptions/orders-sub"
    subscriptions.create_subscription(name=name, topic=topic)
    message = PubsubMessage(data=b"\x00\xff", attributes={"kind": "x"})
    (number,) = topics.publish(topic=topic, messages=[message]).message_ids
    (received,) = subscriptions.pull(subscription=name, max_messages=5).received_messages
    assert (received.message.message_id, received.message.data) == (number, b"\x00\xff")
    subscriptions.acknowledge(subscription=name, ack_ids=[received.ack_id])
    subscriptions.delete_subscription(subscription=name)
    with pytest.raises(exceptions.NotFound):
        subscriptions.get_subscription(subscription=name)


def test_a_topics_policy_is_kept(publisher: Publisher, topic: str) -> None:
    before = publisher.get_iam_policy(request={"resource": topic})
    assert not before.bindings
    binding = policy_pb2.Binding(role="roles/pubsub.publisher", members=["allUsers"])
    policy = policy_pb2.Policy(bindings=[binding], etag=before.etag)
    kept = publisher.set_iam_policy(request={"resource": topic, "policy": policy})
    assert publisher.get_iam_policy(request={"resource": topic}) == kept
    with pytest.raises(exceptions.Aborted, match="concurrent policy changes"):
        publisher.set_iam_policy(request={"resource": topic, "policy": policy})
    asked = {"resource": topic, "permissions": ["pubsub.topics.publish"]}
    assert publisher.test_iam_permissions(request=asked).permissions == ["pubsub.topics.publish"]
    with pytest.raises(exceptions.NotFound):
        publisher.get_iam_policy(request={"resource": f"{topic}-other"})


def test_a_topics_policy_goes_with_it(publisher: Publisher, topic: str) -> None:
    binding = policy_pb2.Binding(role="roles/pubsub.publisher", members=["allUsers"])
    policy = policy_pb2.Policy(bindings=[binding])
    publisher.set_iam_policy(request={"resource": topic, "policy": policy})
    publisher.delete_topic(topic=topic)
    publisher.create_topic(name=topic)
    assert not publisher.get_iam_policy(request={"resource": topic}).bindings
