"""Queues: what a subscription, or the target of an event, means for the delivery of messages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

_SECOND = 1_000_000
_HUNDRED_MS = 100_000


class Form(Enum):
    """What the body of a push is."""

    WRAPPED = "the message in Pub/Sub's envelope"
    BARE = "the message's data"
    BARE_WITH_METADATA = "the message's data, and what else is known of it in headers"
    CLOUD_EVENT = "a CloudEvent in binary mode"


@dataclass(frozen=True)
class Push:
    """Where messages are sent to, and how.

    Attributes:
        account: whose identity token goes along; empty for none.
        audience: for whom the token is.

    """

    url: str
    form: Form = Form.WRAPPED
    account: str = ""
    audience: str = ""


@dataclass(frozen=True, kw_only=True)
class Queue:
    """How the messages of one subscription are delivered. All times are microseconds.

    Attributes:
        name: the subscription's.
        deadline: how long a message is its receiver's before it is delivered again.
        retention: how long after its publication a message is delivered.
        keeps_acked: whether what was acknowledged stays for `Seek`.
        ordered: whether messages with the same ordering key come one after the other.
        dead_letters: the topic of what could not be delivered; empty for none.
        most_attempts: after how many deliveries a message goes there.
        least_backoff: the wait after the first delivery that failed, doubled for each more.
        most_backoff: the longest such wait.
        push: where messages are sent to; None if they are pulled.

    """

    name: str
    deadline: int = 10 * _SECOND
    retention: int = 7 * 86400 * _SECOND
    keeps_acked: bool = False
    ordered: bool = False
    filter: str = ""
    dead_letters: str = ""
    most_attempts: int = 0
    least_backoff: int = 0
    most_backoff: int = 0
    push: Push | None = None

    def backoff(self, attempts: int) -> int:
        """Tell how long to wait after so many deliveries before the next one."""
        return min(self.least_backoff << min(attempts - 1, 32), self.most_backoff)


@dataclass(frozen=True)
class Leased:
    """A message that a receiver has for a while.

    Attributes:
        number: the message's, in the order of publication.
        attempt: how often it has been delivered, this time counted.
        topic: where it was published.

    """

    number: int
    attempt: int
    topic: str
    message: Message


def queue_of(subscription: Message) -> Queue:
    """Read a subscription."""
    said = subscription
    least, most = 0, 0
    push = push_of(said.push_config) if said.push_config.push_endpoint else None
    if push is not None:
        least, most = _HUNDRED_MS, 60 * _SECOND
    if said.HasField("retry_policy"):
        least = said.retry_policy.minimum_backoff.ToMicroseconds()
        most = said.retry_policy.maximum_backoff.ToMicroseconds()
    dead = said.dead_letter_policy
    return Queue(
        name=said.name,
        deadline=said.ack_deadline_seconds * _SECOND,
        retention=said.message_retention_duration.ToMicroseconds(),
        keeps_acked=said.retain_acked_messages,
        ordered=said.enable_message_ordering,
        filter=said.filter,
        dead_letters=dead.dead_letter_topic,
        most_attempts=dead.max_delivery_attempts,
        least_backoff=least,
        most_backoff=most,
        push=push,
    )


def push_of(config: Message) -> Push:
    """Read a push config."""
    form = Form.WRAPPED
    if config.HasField("no_wrapper"):
        form = Form.BARE_WITH_METADATA if config.no_wrapper.write_metadata else Form.BARE
    account = config.oidc_token.service_account_email
    audience = config.oidc_token.audience or config.push_endpoint
    return Push(config.push_endpoint, form, account, audience if account else "")
