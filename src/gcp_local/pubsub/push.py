"""Pushing: messages sent to HTTP servers of this machine, again until they take them.

Source: https://cloud.google.com/pubsub/docs/push.
"""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gcp_local.pubsub.queues import Form
from gcp_local.rpc.protos import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gcp_local.pubsub.queues import Leased, Push, Queue
    from gcp_local.rpc.protos import Message

# What tells that a message was taken.
_TAKEN = (102, 200, 201, 202, 204)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_EVENT_DATA = "application/json"
PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"


@dataclass(frozen=True)
class Parcel:
    """What is sent."""

    body: bytes
    headers: Mapping[str, str]


def parcel_of(queue: Queue, push: Push, leased: Leased) -> Parcel:
    """Pack a message as its receiver wants it."""
    message = leased.message
    match push.form:
        case Form.WRAPPED:
            body: dict[str, Any] = {"message": _enveloped(message), "subscription": queue.name}
            if queue.dead_letters:
                body["deliveryAttempt"] = leased.attempt
            return Parcel(json.dumps(body).encode(), {"content-type": "application/json"})
        case Form.BARE:
            return Parcel(message.data, {})
        case Form.BARE_WITH_METADATA:
            return Parcel(message.data, _metadata(queue, message))
        case Form.CLOUD_EVENT:
            return _event(queue, leased)


def send(push: Push, parcel: Parcel, timeout: float, token: Callable[[str, str], str]) -> bool:
    """Send a message, and tell whether it was taken.

    Args:
        push: where to.
        parcel: what.
        timeout: seconds for the answer.
        token: makes the identity token of an account for an audience.

    """
    parts = urlsplit(push.url)
    headers = {"user-agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google)"}
    headers |= parcel.headers
    if push.account:
        headers["authorization"] = f"Bearer {token(push.account, push.audience)}"
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, parcel.body, headers)
        return connection.getresponse().status in _TAKEN
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def _enveloped(message: Message) -> dict[str, Any]:
    """Write a message as it is pushed, with two of its fields in both spellings."""
    written = to_json(message)
    return {
        **written,
        "message_id": written["messageId"],
        "publish_time": written["publishTime"],
    }


def _metadata(queue: Queue, message: Message) -> dict[str, str]:
    told = {
        **message.attributes,
        "x-goog-pubsub-subscription-name": queue.name,
        "x-goog-pubsub-message-id": message.message_id,
        "x-goog-pubsub-publish-time": message.publish_time.ToJsonString(),
    }
    if message.ordering_key:
        told["x-goog-pubsub-ordering-key"] = message.ordering_key
    return {name: value for name, value in told.items() if _is_header(name, value)}


def _event(queue: Queue, leased: Leased) -> Parcel:
    """Pack a CloudEvent: one about a bucket, ready made, or one about a published message."""
    message = leased.message
    if not leased.topic.startswith("projects/"):
        headers = dict(message.attributes)
        headers |= {"ce-id": message.message_id, "content-type": _EVENT_DATA}
        return Parcel(message.data, headers)
    project = leased.topic.split("/")[1]
    subscription = f"projects/{project}/subscriptions/{queue.name.rpartition('/')[2]}"
    data = {"message": _enveloped(message), "subscription": subscription}
    headers = {
        "ce-id": message.message_id,
        "ce-source": f"//pubsub.googleapis.com/{leased.topic}",
        "ce-specversion": "1.0",
        "ce-type": PUBLISHED,
        "ce-time": message.publish_time.ToJsonString(),
        "content-type": _EVENT_DATA,
    }
    return Parcel(json.dumps(data).encode(), headers)


def _is_header(name: str, value: str) -> bool:
    return bool(_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value))
