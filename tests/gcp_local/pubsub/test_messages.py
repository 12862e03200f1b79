"""Messages: published, pulled, streamed, delivered again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.pubsub_v1 import PublisherClient as Publisher
from google.cloud.pubsub_v1 import SubscriberClient as Subscriber
from google.pubsub_v1 import PublisherClient as PlainPublisher
from google.pubsub_v1 import SubscriberClient as PlainSubscriber
from google.pubsub_v1.types import ReceivedMessage, StreamingPullRequest

from tests.gcp_local.emulators import Emulator, start

pytestmark = pytest.mark.filterwarnings("ignore:The return_immediately flag")


def pulled(
    subscriber: PlainSubscriber, subscription: str, most: int = 100
) -> list[ReceivedMessage]:
    request = {"subscription": subscription, "max_messages": most, "return_immediately": True}
    return list(subscriber.pull(request=request).received_messages)


def texts(received: list[ReceivedMessage]) -> list[str]:
    return [each.message.data.decode() for each in received]


def plainly(publisher: Publisher, **said: Any) -> Any:
    """Publish at once, without the batches that the client makes."""
    return PlainPublisher.publish(publisher, **said)


def publish(publisher: Publisher, topic: str, *texts: str, **attributes: str) -> list[str]:
    messages = [{"data": text.encode(), "attributes": attributes} for text in texts]
    return list(plainly(publisher, topic=topic, messages=messages).message_ids)


def subscribe(subscriber: Subscriber, topic: str, name: str = "other", **said: Any) -> str:
    full = f"{topic.partition('/topics/')[0]}/subscriptions/{name}"
    return str(subscriber.create_subscription(request={"name": full, "topic": topic, **said}).name)


def test_a_message_arrives_as_it_was_published_and_once_acknowledged_no_more(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    number = publisher.publish(topic, b"\x00data", kind="order").result(timeout=10)
    (received,) = pulled(subscriber, subscription)
    assert received.message.message_id == number
    assert received.message.data == b"\x00data"
    assert dict(received.message.attributes) == {"kind": "order"}
    published: Any = received.message.publish_time
    assert abs(published.timestamp() - time.time()) < 60
    assert not pulled(subscriber, subscription)
    subscriber.acknowledge(subscription=subscription, ack_ids=[received.ack_id])
    subscriber.modify_ack_deadline(
        subscription=subscription, ack_ids=[received.ack_id], ack_deadline_seconds=0
    )
    assert not pulled(subscriber, subscription)


def test_each_subscription_gets_each_message_from_its_own_beginning(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    publish(publisher, topic, "early")
    later = subscribe(subscriber, topic)
    publish(publisher, topic, "late")
    assert texts(pulled(subscriber, subscription)) == ["early", "late"]
    assert texts(pulled(subscriber, later)) == ["late"]


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([], "no messages"),
        ([{}], "empty"),
        ([{"ordering_key": "k"}], "empty"),
        ([{"data": b"x", "attributes": {"googkey": "v"}}], "attribute key"),
        ([{"data": b"x", "attributes": {"": "v"}}], "attribute key"),
        ([{"data": b"x", "attributes": {"k": "v" * 1025}}], "1024"),
        ([{"data": b"x", "attributes": {f"k{n}": "" for n in range(101)}}], "100 attributes"),
        ([{"data": b"x", "ordering_key": "k" * 1025}], "1024"),
        ([{"data": b"x", "ordering_key": "k"}, {"data": b"x"}], "same ordering key"),
        ([{"data": b"x" * 10_000_001}], "exceeds"),
        ([{"data": b"x"}] * 1001, "message_count"),
    ],
)
def test_what_cannot_be_published_is_refused(
    publisher: Publisher,
    subscriber: Subscriber,
    topic: str,
    subscription: str,
    messages: list[Any],
    why: str,
) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=why):
        plainly(publisher, topic=topic, messages=messages)
    assert not pulled(subscriber, subscription)


def test_an_answer_is_no_larger_than_a_client_takes(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    for number in range(5):
        publish(publisher, topic, str(number) * 1_900_000)
    found = [pulled(subscriber, subscription) for _ in range(3)]
    assert [len(each) for each in found] == [2, 2, 1]
    assert [text[0] for each in found for text in texts(each)] == list("01234")


@pytest.mark.parametrize(
    ("written", "data"),
    [
        ("-_-_", b"\xfb\xff\xbf"),  # either alphabet,
        ("+/+/", b"\xfb\xff\xbf"),
        ("aGk", b"hi"),  # padded or not
        ("aGk=", b"hi"),
        ("plain text", None),
        ("aGk=!", None),
        ("aGkxy", None),
    ],
)
def test_by_rest_data_is_base64(
    emulator: Emulator,
    subscriber: Subscriber,
    topic: str,
    subscription: str,
    written: str,
    data: bytes | None,
) -> None:
    said = {"messages": [{"data": written, "attributes": {"k": "v"}}]}
    answer = emulator.call("POST", f"/v1/{topic}:publish", json=said)
    if data is None:
        assert answer.status_code == 400
        assert "messages[0].data" in answer.json()["error"]["message"]
    else:
        assert [each.message.data for each in pulled(subscriber, subscription)] == [data]


def test_ten_megabytes_are_published(
    emulator: Emulator,
    publisher: Publisher,
    topic: str,
    subscription: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = b"x" * 9_999_900
    publisher.publish(topic, data).result(timeout=20)
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST")  # which is gRPC's, whose clients take 4 MB here
    by_rest = PlainSubscriber(**emulator.gapic)
    (received,) = pulled(by_rest, subscription)
    assert received.message.data == data


@pytest.mark.parametrize(
    ("text", "through"),
    [
        ('attributes.kind = "a"', ["a"]),
        ('attributes.kind != "a"', ["b", "none"]),
        ("attributes:kind", ["a", "b"]),
        ("NOT attributes:kind", ["none"]),
        ("-attributes:kind", ["none"]),
        ('hasPrefix(attributes.long, "pre")', ["a"]),
        ('attributes.kind = "b" OR (attributes:long AND attributes.kind = "a")', ["a", "b"]),
        ('attributes."kind" = "a"', ["a"]),
    ],
)
def test_a_filter_lets_through_what_it_says(
    publisher: Publisher, subscriber: Subscriber, topic: str, text: str, through: list[str]
) -> None:
    filtered = subscribe(subscriber, topic, filter=text)
    publish(publisher, topic, "a", kind="a", long="prefix")
    publish(publisher, topic, "b", kind="b", long="other")
    publish(publisher, topic, "none")
    assert texts(pulled(subscriber, filtered)) == through


def test_ack_ids_of_others_are_refused(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    other = subscribe(subscriber, topic)
    publish(publisher, topic, "x")
    (received,) = pulled(subscriber, other)
    for ack_id in (received.ack_id, "nonsense", ""):
        with pytest.raises(exceptions.InvalidArgument, match="invalid ack ID"):
            subscriber.acknowledge(subscription=subscription, ack_ids=[ack_id])
    with pytest.raises(exceptions.InvalidArgument, match="600"):
        subscriber.modify_ack_deadline(
            subscription=other, ack_ids=[received.ack_id], ack_deadline_seconds=601
        )
    with pytest.raises(exceptions.InvalidArgument, match="max_messages"):
        subscriber.pull(subscription=subscription, max_messages=0)


def test_a_refused_message_comes_again_and_the_acknowledgement_of_its_first_delivery_is_void(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    publish(publisher, topic, "x")
    (first,) = pulled(subscriber, subscription)
    subscriber.modify_ack_deadline(
        subscription=subscription, ack_ids=[first.ack_id], ack_deadline_seconds=0
    )
    (second,) = pulled(subscriber, subscription)
    assert second.message == first.message
    assert second.ack_id != first.ack_id
    subscriber.acknowledge(subscription=subscription, ack_ids=[first.ack_id])
    subscriber.modify_ack_deadline(
        subscription=subscription, ack_ids=[second.ack_id], ack_deadline_seconds=0
    )
    assert len(pulled(subscriber, subscription)) == 1


def test_messages_of_a_key_come_in_order(
    publisher: Publisher, subscriber: Subscriber, topic: str
) -> None:
    ordered = subscribe(subscriber, topic, enable_message_ordering=True)
    for key, text in (("k", "1"), ("k", "2"), ("other", "3"), ("k", "4")):
        message = {"data": text.encode(), "ordering_key": key}
        plainly(publisher, topic=topic, messages=[message])
    first = pulled(subscriber, ordered, 1)
    assert texts(first) == ["1"]
    assert texts(pulled(subscriber, ordered)) == ["3"]
    subscriber.modify_ack_deadline(
        subscription=ordered, ack_ids=[first[0].ack_id], ack_deadline_seconds=0
    )
    again = pulled(subscriber, ordered, 2)
    assert texts(again) == ["1", "2"]
    assert not pulled(subscriber, ordered)
    subscriber.modify_ack_deadline(
        subscription=ordered, ack_ids=[again[0].ack_id], ack_deadline_seconds=0
    )
    assert texts(pulled(subscriber, ordered)) == ["1", "2", "4"]


def test_a_pull_waits_for_a_message(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    threading.Timer(0.05, publish, args=(publisher, topic, "x")).start()
    started = time.monotonic()
    answer = subscriber.pull(subscription=subscription, max_messages=9)
    assert texts(list(answer.received_messages)) == ["x"]
    assert time.monotonic() - started < 1.9, "it came with the end of the wait"


def test_a_client_that_has_gone_gets_no_message(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    with pytest.raises(exceptions.DeadlineExceeded):
        subscriber.pull(subscription=subscription, max_messages=1, timeout=0.1, retry=None)
    publish(publisher, topic, "x")
    assert texts(pulled(subscriber, subscription)) == ["x"]


def test_several_who_pull_at_once_get_each_message_once(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    publish(publisher, topic, *map(str, range(120)))

    def some(_: int) -> list[str]:
        return texts(pulled(subscriber, subscription, 10))

    with ThreadPoolExecutor(6) as pool:
        found = [text for each in pool.map(some, range(12)) for text in each]
    assert sorted(found, key=int) == [str(number) for number in range(120)]


def test_a_stream_brings_messages_as_they_come(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    arrived: list[str] = []
    done = threading.Event()

    def callback(message: Any) -> None:
        arrived.append(message.data.decode())
        message.ack()
        if len(arrived) == 50:
            done.set()

    future = subscriber.subscribe(subscription, callback=callback)
    try:
        futures = [publisher.publish(topic, str(n).encode()) for n in range(50)]
        for each in futures:
            each.result(timeout=10)
        assert done.wait(10)
    finally:
        future.cancel()
        future.result(timeout=10)
    assert sorted(arrived, key=int) == [str(n) for n in range(50)]
    assert not pulled(subscriber, subscription)


def test_a_stream_holds_no_more_than_its_client_wants(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    publish(publisher, topic, *"abcdef")
    first = StreamingPullRequest(
        subscription=subscription, stream_ack_deadline_seconds=60, max_outstanding_messages=2
    )
    ended = threading.Event()
    sent: list[Any] = [first]
    more = threading.Condition()

    def requests() -> Iterator[Any]:
        while not ended.is_set():
            with more:
                while not sent and not ended.is_set():
                    more.wait(0.05)
                said = sent.pop(0) if sent else None
            if said is not None:
                yield said

    stream = subscriber.streaming_pull(requests=requests())
    (one, two) = next(stream).received_messages
    with more:
        sent.append(StreamingPullRequest(ack_ids=[one.ack_id]))
        more.notify()
    assert texts(list(next(stream).received_messages)) == ["c"]
    assert two.message.data == b"b"
    ended.set()
    with pytest.raises(StopIteration):
        next(stream)


def test_a_stream_that_cannot_be_is_refused(subscriber: Subscriber, subscription: str) -> None:
    for said, expected in (
        ({"stream_ack_deadline_seconds": 5}, exceptions.InvalidArgument),
        ({"stream_ack_deadline_seconds": 10, "ack_ids": ["x"]}, exceptions.InvalidArgument),
    ):
        request = StreamingPullRequest(subscription=subscription, **said)
        with pytest.raises(expected):
            list(subscriber.streaming_pull(requests=iter([request])))
    request = StreamingPullRequest(
        subscription=f"{subscription}-other", stream_ack_deadline_seconds=10
    )
    with pytest.raises(exceptions.NotFound):
        list(subscriber.streaming_pull(requests=iter([request])))


def test_what_was_acknowledged_comes_again_by_seek_if_it_was_retained(
    publisher: Publisher, subscriber: Subscriber, topic: str, subscription: str
) -> None:
    retaining = subscribe(subscriber, topic, retain_acked_messages=True)
    for each in (subscription, retaining):
        publish(publisher, topic, each[-1])
    for each in (subscription, retaining):
        ids = [received.ack_id for received in pulled(subscriber, each)]
        subscriber.acknowledge(subscription=each, ack_ids=ids)
        subscriber.seek(request={"subscription": each, "time": {"seconds": 1}})
    assert not pulled(subscriber, subscription)
    assert len(pulled(subscriber, retaining)) == 2
    late = {"seconds": int(time.time()) + 3600}
    subscriber.seek(request={"subscription": retaining, "time": late})
    publish(publisher, topic, "new")
    assert texts(pulled(subscriber, retaining)) == ["new"]


def test_a_topic_keeps_messages_for_subscriptions_that_seek(
    publisher: Publisher, subscriber: Subscriber, project: str
) -> None:
    name = f"projects/{project}/topics/kept"
    publisher.create_topic(request={"name": name, "message_retention_duration": {"seconds": 3600}})
    publish(publisher, name, "a", kind="a")
    publish(publisher, name, "b", kind="b")
    late = subscribe(subscriber, name, filter='attributes.kind = "b"')
    assert not pulled(subscriber, late)
    subscriber.seek(request={"subscription": late, "time": {"seconds": 1}})
    assert texts(pulled(subscriber, late)) == ["b"]


def test_a_dead_letter_is_kept_as_its_topic_says(
    publisher: Publisher, subscriber: Subscriber, topic: str
) -> None:
    dead = f"{topic}-dead"
    publisher.create_topic(request={"name": dead, "message_retention_duration": {"seconds": 3600}})
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscription = subscribe(subscriber, topic, dead_letter_policy=policy)
    publish(publisher, topic, "x")
    for _ in range(5):
        (received,) = pulled(subscriber, subscription)
        subscriber.modify_ack_deadline(
            subscription=subscription, ack_ids=[received.ack_id], ack_deadline_seconds=0
        )
    assert not pulled(subscriber, subscription)
    late = subscribe(subscriber, dead, "late")
    subscriber.seek(request={"subscription": late, "time": {"seconds": 1}})
    assert texts(pulled(subscriber, late)) == ["x"]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A server that is killed, and whose clock is set forward."""
    emulator = start(tmp_path_factory.mktemp("state"))
    yield emulator
    emulator.end()


@pytest.fixture
def clients(own: Emulator, monkeypatch: pytest.MonkeyPatch) -> tuple[Publisher, Subscriber]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", own.grpc_endpoint)
    return Publisher(), Subscriber()


def test_what_is_not_acknowledged_in_time_comes_again(
    own: Emulator, clients: tuple[Publisher, Subscriber], project: str
) -> None:
    publisher, subscriber = clients
    topic = publisher.create_topic(name=f"projects/{project}/topics/orders").name
    subscription = subscribe(subscriber, topic, ack_deadline_seconds=10)
    slow = subscribe(
        subscriber,
        topic,
        "slow",
        retry_policy={"minimum_backoff": {"seconds": 30}, "maximum_backoff": {"seconds": 600}},
    )
    publish(publisher, topic, "x", "y")
    (x, _) = pulled(subscriber, subscription)
    assert len(pulled(subscriber, slow)) == 2
    subscriber.modify_ack_deadline(
        subscription=subscription, ack_ids=[x.ack_id], ack_deadline_seconds=600
    )
    own.clock.advance(11)
    assert texts(pulled(subscriber, subscription)) == ["y"]
    assert not pulled(subscriber, slow)
    own.clock.advance(30)
    assert len(pulled(subscriber, slow)) == 2


def test_dead_letters_are_published_on_their_topic(
    own: Emulator, clients: tuple[Publisher, Subscriber], project: str
) -> None:
    publisher, subscriber = clients
    topic = publisher.create_topic(name=f"projects/{project}/topics/orders").name
    dead = publisher.create_topic(name=f"projects/{project}/topics/dead").name
    letters = subscribe(subscriber, dead, "letters")
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscription = subscribe(subscriber, topic, dead_letter_policy=policy)
    publish(publisher, topic, "x", kind="k")
    for attempt in range(1, 6):
        (received,) = pulled(subscriber, subscription)
        assert received.delivery_attempt == attempt
        own.clock.advance(10.5)
    (letter,) = subscriber.pull(subscription=letters, max_messages=1).received_messages
    assert letter.message.data == b"x"
    attributes = dict(letter.message.attributes)
    assert attributes.pop("CloudPubSubDeadLetterSourceTopicPublishTime")
    assert attributes == {
        "kind": "k",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": "other",
        "CloudPubSubDeadLetterSourceSubscriptionProject": project,
    }
    assert not pulled(subscriber, subscription)


def test_messages_expire(
    own: Emulator, clients: tuple[Publisher, Subscriber], project: str
) -> None:
    publisher, subscriber = clients
    topic = publisher.create_topic(name=f"projects/{project}/topics/orders").name
    subscription = subscribe(subscriber, topic, message_retention_duration={"seconds": 600})
    publish(publisher, topic, "x")
    own.clock.advance(601)
    assert not pulled(subscriber, subscription)


def test_messages_survive_kill_9(
    own: Emulator, clients: tuple[Publisher, Subscriber], project: str
) -> None:
    publisher, subscriber = clients
    topic = publisher.create_topic(name=f"projects/{project}/topics/orders").name
    subscription = subscribe(subscriber, topic)
    publish(publisher, topic, *"abc")
    received = pulled(subscriber, subscription)
    subscriber.acknowledge(subscription=subscription, ack_ids=[received[0].ack_id])
    own.kill()
    own.restart()
    subscriber = Subscriber()
    own.clock.advance(5)
    assert not pulled(subscriber, subscription), "they are their receiver's still"
    own.clock.advance(3600)  # the clock of a server that starts anew is the real one
    assert texts(pulled(subscriber, subscription)) == ["b", "c"]
