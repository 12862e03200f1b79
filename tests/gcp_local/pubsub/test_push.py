"""Messages that are pushed, and events that are sent, to an HTTP server of this machine."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.api_core import exceptions
from google.cloud.pubsub_v1 import PublisherClient as Publisher
from google.cloud.pubsub_v1 import SubscriberClient as Subscriber
from google.cloud.storage import Bucket, Client

from gcp_local.testing import RefusedError
from tests.gcp_local.emulators import Emulator, start
from tests.gcp_local.pubsub.receivers import Receiver


def push_to(subscriber: Subscriber, topic: str, url: str, **said: Any) -> str:
    name = f"{topic.partition('/topics/')[0]}/subscriptions/pushed"
    config = {"push_endpoint": url, **said.pop("push", {})}
    request = {"name": name, "topic": topic, "push_config": config, **said}
    return str(subscriber.create_subscription(request=request).name)


def test_a_message_is_pushed_in_its_envelope(
    publisher: Publisher, subscriber: Subscriber, topic: str, receiver: Receiver
) -> None:
    subscription = push_to(subscriber, topic, f"{receiver.url}/push?token=t")
    number = publisher.publish(topic, b"hello", kind="k").result()
    (pushed,) = receiver.wait_for(1)
    assert pushed.path == "/push?token=t"
    assert pushed.headers["content-type"] == "application/json"
    said = pushed.json
    published = said["message"].pop("publishTime")
    assert said == {
        "message": {
            "data": base64.b64encode(b"hello").decode(),
            "attributes": {"kind": "k"},
            "messageId": number,
            "message_id": number,
            "publish_time": published,
        },
        "subscription": subscription,
    }


def test_a_message_of_attributes_alone_has_no_data(
    publisher: Publisher, subscriber: Subscriber, topic: str, receiver: Receiver
) -> None:
    push_to(subscriber, topic, receiver.url)
    publisher.publish(topic, b"", kind="k").result()
    (pushed,) = receiver.wait_for(1)
    assert "data" not in pushed.json["message"]


def test_without_the_envelope_the_body_is_the_data_and_headers_tell_the_rest(
    publisher: Publisher, subscriber: Subscriber, topic: str, receiver: Receiver
) -> None:
    no_wrapper = {"no_wrapper": {"write_metadata": True}}
    subscription = push_to(subscriber, topic, receiver.url, push=no_wrapper)
    number = publisher.publish(topic, b"\x00raw", kind="k").result()
    (pushed,) = receiver.wait_for(1)
    assert pushed.body == b"\x00raw"
    assert pushed.headers["x-goog-pubsub-message-id"] == number
    assert pushed.headers["x-goog-pubsub-subscription-name"] == subscription
    assert pushed.headers["kind"] == "k"


def test_what_is_not_taken_is_pushed_again_until_it_is(
    publisher: Publisher, subscriber: Subscriber, topic: str, receiver: Receiver
) -> None:
    receiver.statuses = [500, 302, 204]
    push_to(subscriber, topic, receiver.url)
    number = publisher.publish(topic, b"x").result()
    pushed = receiver.wait_for(3)
    assert [each.json["message"]["messageId"] for each in pushed] == [number] * 3
    publisher.publish(topic, b"y").result()
    receiver.wait_for(4)
    assert len(receiver.received) == 4


def test_a_pushs_token_is_signed_for_its_audience(
    emulator: Emulator,
    publisher: Publisher,
    subscriber: Subscriber,
    topic: str,
    receiver: Receiver,
) -> None:
    account = "pusher@my-project.iam.gserviceaccount.com"
    token = {"service_account_email": account, "audience": "me"}
    push_to(subscriber, topic, receiver.url, push={"oidc_token": token})
    publisher.publish(topic, b"x").result()
    (pushed,) = receiver.wait_for(1)
    said = pushed.headers["authorization"].removeprefix("Bearer ")
    content, _, signature = said.rpartition(".")
    pem = emulator.call("GET", "/gcp-local/signing-key").content
    key = serialization.load_pem_public_key(pem)
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(decoded(signature), content.encode(), padding.PKCS1v15(), hashes.SHA256())
    claims = json.loads(decoded(content.partition(".")[2]))
    assert (claims["aud"], claims["email"], claims["email_verified"]) == ("me", account, True)
    assert claims["exp"] - claims["iat"] == 3600


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_ordered_messages_are_pushed_one_after_the_other(
    emulator: Emulator,
    subscriber: Subscriber,
    topic: str,
    receiver: Receiver,
) -> None:
    receiver.statuses = [204, 500, 204]
    push_to(subscriber, topic, receiver.url, enable_message_ordering=True)
    messages = [{"data": encoded(n), "orderingKey": "k"} for n in "1234"]
    answer = emulator.call("POST", f"/v1/{topic}:publish", json={"messages": messages})
    assert answer.status_code == 200
    pushed = [each.json["message"]["data"] for each in receiver.wait_for(5)]
    assert pushed == [encoded(n) for n in "12234"]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_pushed_subscription_can_be_pulled_once_it_has_no_endpoint(
    publisher: Publisher, subscriber: Subscriber, topic: str, receiver: Receiver
) -> None:
    subscription = push_to(subscriber, topic, receiver.url)
    with pytest.raises(exceptions.FailedPrecondition, match="not supported for this subscription"):
        subscriber.pull(subscription=subscription, max_messages=1)
    subscriber.modify_push_config(subscription=subscription, push_config={})
    publisher.publish(topic, b"x").result()
    answer = subscriber.pull(subscription=subscription, max_messages=1)
    assert answer.received_messages[0].message.data == b"x"
    assert not receiver.received


# Notifications of Cloud Storage


def notices(subscriber: Subscriber, subscription: str, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        answer = subscriber.pull(subscription=subscription, max_messages=count)
        assert answer.received_messages, f"{len(found)} of {count} came"
        found += [each.message for each in answer.received_messages]
    return found


@pytest.fixture
def versioned(storage_client: Client, bucket: Bucket) -> Bucket:
    bucket.versioning_enabled = True
    bucket.patch()
    return bucket


def test_what_happens_to_objects_is_published(
    subscriber: Subscriber, bucket: Bucket, topic: str, subscription: str, project: str
) -> None:
    made = bucket.notification(
        "orders",
        topic_project=project,
        payload_format="JSON_API_V1",
        custom_attributes={"team": "ml"},
    )
    made.create()
    blob = bucket.blob("data/a b.csv")
    blob.upload_from_string("1")
    first = blob.generation
    blob.upload_from_string("22")
    blob.metadata = {"k": "v"}
    blob.patch()
    blob.delete()
    messages = notices(subscriber, subscription, 5)
    by_type = [
        (each.attributes["eventType"], each.attributes["objectGeneration"]) for each in messages
    ]
    assert by_type == [
        ("OBJECT_FINALIZE", str(first)),
        ("OBJECT_DELETE", str(first)),
        ("OBJECT_FINALIZE", str(blob.generation)),
        ("OBJECT_METADATA_UPDATE", str(blob.generation)),
        ("OBJECT_DELETE", str(blob.generation)),
    ]
    said = dict(messages[2].attributes)
    assert said.pop("eventTime").endswith("Z")
    assert said == {
        "team": "ml",
        "notificationConfig": f"projects/_/buckets/{bucket.name}/notificationConfigs/"
        f"{made.notification_id}",
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
        "bucketId": bucket.name,
        "objectId": "data/a b.csv",
        "objectGeneration": str(blob.generation),
        "overwroteGeneration": str(first),
    }
    assert messages[1].attributes["overwrittenByGeneration"] == str(blob.generation)
    resource = json.loads(messages[2].data)
    assert (resource["kind"], resource["name"]) == ("storage#object", "data/a b.csv")
    assert (resource["bucket"], resource["size"]) == (bucket.name, "2")


def test_only_what_was_asked_for_is_published(
    subscriber: Subscriber, versioned: Bucket, topic: str, subscription: str, project: str
) -> None:
    versioned.notification(
        "orders",
        topic_project=project,
        event_types=["OBJECT_ARCHIVE"],
        blob_name_prefix="in/",
        payload_format="NONE",
    ).create()
    for name in ("out/x", "in/y"):
        versioned.blob(name).upload_from_string("1")
        versioned.delete_blob(name)  # no generation of it: the live one stays as a noncurrent one
    (message,) = notices(subscriber, subscription, 1)
    assert message.attributes["eventType"] == "OBJECT_ARCHIVE"
    assert message.attributes["objectId"] == "in/y"
    assert message.data == b""


def test_a_buckets_notifications_are_listed_found_and_deleted(
    storage_client: Client, bucket: Bucket, topic: str, project: str
) -> None:
    made = bucket.notification("orders", topic_project=project, payload_format="NONE")
    made.create()
    (listed,) = bucket.list_notifications()
    assert listed.notification_id == made.notification_id
    assert (listed.topic_name, listed.topic_project) == ("orders", project)
    assert listed.payload_format == "NONE"
    assert bucket.get_notification(made.notification_id).etag == made.etag
    assert made.exists()
    made.delete()
    assert not list(bucket.list_notifications())
    assert not made.exists()
    assert storage_client.get_service_account_email(project).endswith(
        "@gs-project-accounts.iam.gserviceaccount.com"
    )


@pytest.mark.parametrize(
    ("said", "code", "why"),
    [
        ({"topic": "//pubsub.googleapis.com/projects/PROJECT/topics/none"}, 404, "none"),
        ({"topic": "orders"}, 400, "topic"),
        ({"payload_format": "XML"}, 400, "payload_format"),
        ({"event_types": ["OBJECT_READ"]}, 400, "event_types"),
        ({"custom_attributes": {f"k{n}": "" for n in range(6)}}, 400, "custom_attributes"),
        ({"object_prefix": "x"}, 400, "object_prefix"),
    ],
)
def test_a_notification_that_cannot_be_is_refused(
    emulator: Emulator,
    bucket: Bucket,
    topic: str,
    project: str,
    said: dict[str, Any],
    code: int,
    why: str,
) -> None:
    good = {"topic": f"//pubsub.googleapis.com/{topic}", "payload_format": "NONE"}
    body = {**good, **said}
    body["topic"] = body["topic"].replace("PROJECT", project)
    path = f"/storage/v1/b/{bucket.name}/notificationConfigs"
    answer = emulator.call("POST", path, json=body)
    assert answer.status_code == code, answer.text
    assert why in answer.json()["error"]["message"]
    assert not list(bucket.list_notifications())


# CloudEvents


def test_a_bucket_sends_cloud_events(
    emulator: Emulator, bucket: Bucket, receiver: Receiver
) -> None:
    finalized = "google.cloud.storage.object.v1.finalized"
    emulator.event_targets.add(f"{receiver.url}/in", bucket=bucket.name, types=[finalized])
    blob = bucket.blob("data/é.csv")
    blob.upload_from_string("1", content_type="text/csv")
    blob.delete()
    bucket.blob("second").upload_from_string("2")
    event, _ = receiver.wait_for(2)
    assert event.path == "/in"
    headers = {name: value for name, value in event.headers.items() if name.startswith("ce-")}
    assert headers.pop("ce-id").isdecimal()
    assert headers.pop("ce-time").endswith("Z")
    assert headers == {
        "ce-source": f"//storage.googleapis.com/projects/_/buckets/{bucket.name}",
        "ce-specversion": "1.0",
        "ce-subject": "objects/data/%C3%A9.csv",
        "ce-type": finalized,
        "ce-bucket": bucket.name,
    }
    assert event.headers["content-type"] == "application/json"
    assert (event.json["name"], event.json["contentType"]) == ("data/é.csv", "text/csv")
    assert {each.headers["ce-type"] for each in receiver.received} == {finalized}


def test_a_topic_sends_cloud_events(
    emulator: Emulator, publisher: Publisher, topic: str, receiver: Receiver, project: str
) -> None:
    emulator.event_targets.add(receiver.url, topic=topic)
    publisher.publish(topic, b"hello", kind="k").result()
    (event,) = receiver.wait_for(1)
    assert event.headers["ce-type"] == "google.cloud.pubsub.topic.v1.messagePublished"
    assert event.headers["ce-source"] == f"//pubsub.googleapis.com/{topic}"
    message = event.json["message"]
    assert base64.b64decode(message["data"]) == b"hello"
    assert message["attributes"] == {"kind": "k"}
    assert event.json["subscription"].startswith(f"projects/{project}/subscriptions/eventarc-")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ({"url": "http://127.0.0.1:1"}, "a bucket or a topic"),
        ({"url": "http://127.0.0.1:1", "bucket": "b", "topic": "t"}, "a bucket or a topic"),
        ({"url": "http://127.0.0.1:1", "bucket": "no-such-bucket"}, "does not exist"),
        ({"url": "http://127.0.0.1:1", "topic": "projects/abcdef/topics/none"}, "not found"),
        ({"url": "https://example.com", "bucket": "BUCKET"}, "127.0.0.1:PORT"),
        ({"url": "http://127.0.0.1:1", "bucket": "BUCKET", "types": ["x"]}, "finalized"),
        ({"url": 1, "bucket": "BUCKET"}, "string"),
        ({"url": "http://127.0.0.1:1", "bucket": "BUCKET", "more": 1}, "No such field"),
    ],
)
def test_a_target_that_cannot_be_is_refused(
    emulator: Emulator, bucket: Bucket, target: dict[str, Any], why: str
) -> None:
    target = {k: bucket.name if v == "BUCKET" else v for k, v in target.items()}
    with pytest.raises(RefusedError, match=why):
        emulator.ask("POST", "/gcp-local/event-targets", json.dumps(target).encode())


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Emulator]:
    emulator = start(tmp_path / "state")
    yield emulator
    emulator.end()


def test_a_crash_loses_neither_an_object_nor_its_event(
    killed: Emulator, receiver: Receiver
) -> None:
    client = Client(
        project="my-project",
        credentials=killed.credentials,
        client_options=killed.client_options,
    )
    bucket = client.create_bucket("my-bucket")
    killed.event_targets.add(receiver.url, bucket="my-bucket")
    receiver.statuses = [503, 204]
    killed.faults.add(path="/upload/*", stop=True, when="after")
    with pytest.raises(requests.ConnectionError):
        bucket.blob("x").upload_from_string("1", retry=None)
    killed.wait()
    killed.restart()
    assert bucket.get_blob("x") is not None
    while len(receiver.received) < 2:  # past the deadline and the backoff
        killed.clock.advance(30)
        time.sleep(0.02)
    first, second = receiver.received
    assert second.headers["ce-id"] == first.headers["ce-id"]
    assert second.body == first.body
    killed.clock.advance(700)
    bucket.blob("y").upload_from_string("2")
    assert receiver.wait_for(3)[2].headers["ce-subject"] == "objects/y"


def test_a_deleted_bucket_sends_nothing_more(
    emulator: Emulator, bucket: Bucket, receiver: Receiver, storage_client: Client
) -> None:
    emulator.event_targets.add(receiver.url, bucket=bucket.name)
    bucket.delete()
    again = storage_client.create_bucket(bucket.name)
    again.blob("x").upload_from_string("1")
    targets = emulator.ask("GET", "/gcp-local/event-targets")["targets"]
    assert bucket.name not in [target.get("bucket") for target in targets]
    assert not receiver.received
