from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.pubsub.receivers import Receiver


@pytest.fixture
def publisher(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> PublisherClient:
    """As anyone makes it: by gRPC, to where the variable says."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator.grpc_endpoint)
    return PublisherClient()


@pytest.fixture
def subscriber(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[SubscriberClient]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator.grpc_endpoint)
    with SubscriberClient() as client:
        yield client


@pytest.fixture
def topic(publisher: PublisherClient, project: str) -> str:
    return str(publisher.create_topic(name=f"projects/{project}/topics/orders").name)


@pytest.fixture
def subscription(subscriber: SubscriberClient, topic: str, project: str) -> str:
    name = f"projects/{project}/subscriptions/orders-sub"
    return str(subscriber.create_subscription(name=name, topic=topic).name)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
