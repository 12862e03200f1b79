"""Triggers that messages fire: bound, filtered, disabled, killed in the middle, delivered again."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.storage import Client
from google.protobuf import field_mask_pb2
from google.pubsub_v1 import PublisherClient, PubsubMessage, SubscriberClient

from tests.gcp_local.builds.place import ENDED, Place, shell
from tests.gcp_local.emulators import Emulator, start


class Topic:
    """A topic of a place's project, that keeps its messages for an hour."""

    def __init__(self, place: Place, name: str = "arrived", *, made: bool = False) -> None:
        self.publisher = PublisherClient(**place.emulator.gapic)
        self.subscriber = SubscriberClient(**place.emulator.gapic)
        self.name = f"projects/{place.project}/topics/{name}"
        if not made:
            kept = {"seconds": 3600}
            self.publisher.create_topic({"name": self.name, "message_retention_duration": kept})

    def publish(self, data: str = "{}", **attributes: str) -> str:
        message = PubsubMessage(data=data.encode(), attributes=attributes)
        answer = self.publisher.publish(topic=self.name, messages=[message])
        return str(answer.message_ids[0])

    def deliver_again(self, subscription: str) -> None:
        self.subscriber.seek({"subscription": subscription, "time": {"seconds": 1}})


@pytest.fixture
def topic(place: Place) -> Topic:
    return Topic(place)


def created(place: Place, topic: Topic, name: str = "arrived", **more: Any) -> Any:
    build = {
        "steps": [{"name": "bash", "args": ["-c", "echo said ${_SAID} by $TRIGGER_NAME"]}],
        "logs_bucket": place.logs,
    }
    said = {
        "name": name,
        "pubsub_config": {"topic": topic.name},
        "build": build,
        "substitutions": {
            "_SAID": "$(body.message.data.said)",
            "_KIND": "$(body.message.attributes.kind)",
            "_MESSAGE": "$(body.message.messageId)",
        },
        **more,
    }
    return place.client.create_build_trigger(parent=place.parent, trigger=said)


def found(place: Place, trigger: Any) -> Any:
    return place.client.get_build_trigger({"name": trigger.resource_name})


def changed(place: Place, trigger: Any, **fields: Any) -> Any:
    return place.client.update_build_trigger(
        {
            "project_id": place.project,
            "trigger_id": trigger.id,
            "trigger": {"resource_name": trigger.resource_name, **fields},
            "update_mask": field_mask_pb2.FieldMask(paths=list(fields)),
        }
    )


def builds(place: Place) -> list[Any]:
    """Give all builds, oldest first."""
    return list(place.client.list_builds({"parent": place.parent}))[::-1]


def eventually(tell: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        told = tell()
        if holds(told):
            return told
        time.sleep(0.02)
    raise AssertionError(f"it stays {tell()}")


def all_ended(place: Place, number: int) -> list[Any]:
    found: list[Any] = eventually(
        lambda: builds(place),
        lambda each: len(each) == number and all(build.status.name in ENDED for build in each),
    )
    return found


def waiting(place: Place, subscription: str) -> bool:
    """Tell whether a message of a subscription is not done with, in whosever hands it is."""
    left = "SELECT count(*) FROM pubsub_deliveries WHERE queue = ? AND acked IS NULL"
    with closing(sqlite3.connect(place.emulator.state / "state.db")) as database:
        return bool(database.execute(left, (subscription,)).fetchone()[0])


def test_a_message_makes_a_build_with_what_it_says(place: Place, topic: Topic) -> None:
    trigger = created(place, topic)
    assert (
        trigger.pubsub_config.subscription == f"projects/{place.project}/subscriptions/gcb-arrived"
    )
    assert found(place, trigger).pubsub_config.state.name == "OK"
    subscription = topic.subscriber.get_subscription(
        subscription=trigger.pubsub_config.subscription
    )
    assert subscription.topic == topic.name
    number = topic.publish('{"said": "hello"}', kind="csv")
    (build,) = all_ended(place, 1)
    assert build.status.name == "SUCCESS", place.log(build)
    assert "said hello by arrived\n" in place.log(build)
    assert build.build_trigger_id == trigger.id
    assert dict(build.substitutions) == {
        "_SAID": "hello",
        "_KIND": "csv",
        "_MESSAGE": number,
        "TRIGGER_NAME": "arrived",
        "TRIGGER_BUILD_CONFIG_PATH": "",
    }


@pytest.mark.parametrize(
    ("value", "data", "bound"),
    [
        ("$(body.message.data)", "plain text", "plain text"),
        ("$(body.message.data)", '{"a": [1, true]}', '{"a":[1,true]}'),
        ("$(body.message.data.a[1].b)", '{"a": [0, {"b": 7}]}', "7"),
        ("$(body.message.data['a b'])", '{"a b": "x"}', "x"),
        ("<$(body.message.attributes.nothing)>", "{}", "<>"),
        ("$(body.message.data.a.b)", '{"a": "not an object"}', ""),
        ("$(body.message.data[9])", "[1]", ""),
        ("$(body.message.data..a)", '{"a": 1}', ""),
        ("$(body.message.data)", "$PROJECT_ID ${_KIND} $$", "$PROJECT_ID ${_KIND} $$"),
        ("$(elsewhere)", "{}", "$(elsewhere)"),
    ],
)
def test_a_binding_is_a_path_into_the_message(
    place: Place, topic: Topic, value: str, data: str, bound: str
) -> None:
    approval = {"approval_required": True}  # so that nothing has to run
    created(place, topic, substitutions={"_X": value, "_KIND": "k"}, approval_config=approval)
    topic.publish(data)
    (build,) = eventually(lambda: builds(place), lambda each: len(each) == 1)
    assert build.status.name == "PENDING"
    assert build.substitutions["_X"] == bound
    place.client.cancel_build(name=build.name)


def test_only_what_passes_the_filter_makes_a_build(place: Place, topic: Topic) -> None:
    trigger = created(place, topic, filter='_KIND == "csv" && _SAID.startsWith("data/")')
    topic.publish('{"said": "data/1"}', kind="txt")
    topic.publish('{"said": "logs/2"}', kind="csv")
    topic.publish("not json", kind="csv")
    topic.publish('{"said": "data/3"}', kind="csv")
    (build,) = all_ended(place, 1)
    assert build.substitutions["_SAID"] == "data/3"
    eventually(lambda: waiting(place, trigger.pubsub_config.subscription), lambda left: not left)
    assert len(builds(place)) == 1
    changed(place, trigger, filter='_KIND == "txt"')
    topic.publish('{"said": "4"}', kind="csv")
    topic.publish('{"said": "5"}', kind="txt")
    assert all_ended(place, 2)[1].substitutions["_SAID"] == "5"


def test_a_disabled_trigger_does_not_fire_then_nor_later(place: Place, topic: Topic) -> None:
    trigger = created(place, topic, disabled=True)
    other = created(place, topic, "other")
    first = topic.publish()
    assert [build.build_trigger_id for build in all_ended(place, 1)] == [other.id]
    eventually(lambda: waiting(place, trigger.pubsub_config.subscription), lambda there: not there)
    changed(place, trigger, disabled=False)
    second = topic.publish()
    mine = [build for build in all_ended(place, 3) if build.build_trigger_id == trigger.id]
    assert [build.substitutions["_MESSAGE"] for build in mine] == [second]
    assert first != second


def test_a_message_that_is_delivered_again_is_told_by_its_id(place: Place, topic: Topic) -> None:
    trigger = created(place, topic)
    number = topic.publish()
    all_ended(place, 1)
    topic.deliver_again(trigger.pubsub_config.subscription)
    both = all_ended(place, 2)
    assert {build.substitutions["_MESSAGE"] for build in both} == {number}


def test_a_deleted_trigger_has_no_subscription_and_a_changed_one_another(
    place: Place, topic: Topic
) -> None:
    trigger = created(place, topic)
    other = Topic(place, "others")
    moved = changed(place, trigger, pubsub_config={"topic": other.name})
    assert moved.pubsub_config.topic == other.name
    topic.publish('{"said": "old"}')
    other.publish('{"said": "new"}')
    assert [build.substitutions["_SAID"] for build in all_ended(place, 1)] == ["new"]
    place.client.delete_build_trigger({"name": trigger.resource_name})
    with pytest.raises(exceptions.NotFound):
        topic.subscriber.get_subscription(subscription=moved.pubsub_config.subscription)
    other.publish('{"said": "newer"}')
    again = created(place, other)
    other.publish('{"said": "newest"}')
    assert [build.substitutions["_SAID"] for build in all_ended(place, 2)] == ["new", "newest"]
    assert again.pubsub_config.subscription == moved.pubsub_config.subscription


def test_triggers_of_one_name_in_two_locations_have_a_subscription_each(
    place: Place, topic: Topic
) -> None:
    trigger = created(place, topic)
    elsewhere = Place(place.emulator, place.project, "europe-west4")
    other = created(elsewhere, topic)
    assert trigger.pubsub_config.subscription != other.pubsub_config.subscription
    topic.publish()
    all_ended(place, 1)
    all_ended(elsewhere, 1)


def test_what_is_wrong_with_a_subscription_is_told(place: Place, topic: Topic) -> None:
    by_topic, by_subscription = created(place, topic), created(place, topic, "other")
    topic.subscriber.delete_subscription(subscription=by_subscription.pubsub_config.subscription)
    assert found(place, by_subscription).pubsub_config.state.name == "SUBSCRIPTION_DELETED"
    topic.publisher.delete_topic(topic=topic.name)
    assert found(place, by_topic).pubsub_config.state.name == "TOPIC_DELETED"
    for trigger in (by_topic, by_subscription):
        place.client.delete_build_trigger({"name": trigger.resource_name})


def test_a_trigger_of_messages_can_be_run_by_hand_without_one(place: Place, topic: Topic) -> None:
    created(place, topic)
    request = {
        "name": f"{place.parent}/triggers/arrived",
        "project_id": place.project,
        "trigger_id": "arrived",
        "source": {"substitutions": {"_SAID": "nobody"}},
    }
    build = place.ended(place.client.run_build_trigger(request).metadata.build)
    assert "said nobody by arrived" in place.log(build)
    assert build.substitutions["_MESSAGE"] == ""


def test_an_object_that_arrives_makes_a_build(
    place: Place, topic: Topic, storage_client: Client
) -> None:
    bucket = storage_client.create_bucket(f"{place.project}-data")
    bucket.notification(
        "arrived", topic_project=place.project, payload_format="JSON_API_V1"
    ).create()
    created(
        place,
        topic,
        substitutions={
            "_SAID": "gs://$(body.message.attributes.bucketId)/$(body.message.data.name)",
            "_EVENT": "$(body.message.attributes.eventType)",
        },
        filter='_EVENT == "OBJECT_FINALIZE"',
    )
    bucket.blob("new.csv").upload_from_string("1,2")
    bucket.blob("new.csv").delete()
    (build,) = all_ended(place, 1)
    assert f"said gs://{bucket.name}/new.csv" in place.log(build)


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"filter": "_KIND =="}, exceptions.BadRequest, "is not a filter"),
        ({"filter": '_OTHER == ""'}, exceptions.BadRequest, "undeclared reference to '_OTHER'"),
        ({"pubsub_config": {"topic": "arrived"}}, exceptions.BadRequest, "topic"),
        (
            {"pubsub_config": {"topic": "projects/none-such/topics/none"}},
            exceptions.NotFound,
            "none",
        ),
    ],
)
def test_triggers_that_could_never_fire_are_refused(
    place: Place, topic: Topic, more: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        created(place, topic, **more)
    assert not list(place.client.list_build_triggers({"parent": place.parent}))
    assert not list(topic.publisher.list_topic_subscriptions(topic=topic.name))


def test_a_filter_needs_something_to_filter(place: Place) -> None:
    trigger = {"name": "manual", "build": {"steps": [shell("true")]}, "filter": "true"}
    with pytest.raises(exceptions.BadRequest, match="pubsub_config"):
        place.client.create_build_trigger(parent=place.parent, trigger=trigger)


def test_a_build_that_cannot_be_made_is_said_and_the_next_message_fires(
    place: Place, topic: Topic
) -> None:
    created(place, topic)
    topic.publish('{"said": "' + "x" * 4001 + '"}')
    topic.publish('{"said": "short"}')
    (build,) = all_ended(place, 1)
    assert build.substitutions["_SAID"] == "short"
    assert "arrived makes no build of message" in place.emulator.log


def test_each_message_fires_once_though_the_server_is_killed(tmp_path: Path) -> None:
    emulator: Emulator = start(tmp_path / "state")
    try:
        place = Place(emulator, "killed-by-message")
        place.storage.create_bucket("killed-by-message-logs")
        topic = Topic(place)
        created(place, topic)
        published = []
        for _ in range(3):
            published += [topic.publish() for _ in range(8)]
            emulator.kill()
            emulator.restart()
            place = Place(emulator, "killed-by-message")
            topic = Topic(place, made=True)
        published.append(topic.publish())
        ended = all_ended(place, len(published))
        fired = [build.substitutions["_MESSAGE"] for build in ended]
        assert sorted(fired) == sorted(published)
    finally:
        emulator.end()
