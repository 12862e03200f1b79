"""`google.pubsub.v1.Subscriber`: messages as they are pulled, one answer or a stream of them."""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.errors import ApiError, FailedPrecondition, InvalidArgument
from gcp_local.pubsub import kinds
from gcp_local.rpc.patience import is_awaited
from gcp_local.rpc.protos import Empty, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gcp_local.pubsub.bell import Bell
    from gcp_local.pubsub.deliveries import Deliveries
    from gcp_local.pubsub.messages import MessageStore
    from gcp_local.pubsub.queues import Leased, Queue
    from gcp_local.pubsub.subscriptions import Subscriptions

# How long a pull waits for a message. Google says only that it is bounded.
_WAIT = timedelta(seconds=2)
_MOST_MESSAGES = 1000
_MOST_EXTENSION = 600
_LEAST_STREAM_DEADLINE = 10
_ACK_ID = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})\.([0-9a-f]{16})")
_LEASES = "ack_ids"


class Pulling:
    """Answers `Subscriber`'s RPCs about messages."""

    def __init__(
        self,
        *,
        subscriptions: Subscriptions,
        messages: MessageStore,
        deliveries: Deliveries,
        bell: Bell,
    ) -> None:
        self._subscriptions = subscriptions
        self._messages = messages
        self._deliveries = deliveries
        self._bell = bell

    def pull(self, request: Message) -> Message:
        """Give out messages; if there are none, wait a little for the first."""
        if request.max_messages < 1:
            raise InvalidArgument.of_field("max_messages", "max_messages must be positive.")
        most = min(request.max_messages, _MOST_MESSAGES)
        until = clock.now() + _WAIT
        while True:
            seen = clock.wakings()
            queue = self._pulled(request.subscription)
            with self._bell.awaited(queue.name):
                # Who has gone would keep a message from the others until its deadline.
                leased = self._deliveries.lease(queue, most) if is_awaited() else []
                if leased or request.return_immediately or clock.now() >= until:
                    return kinds.PullResponse(received_messages=_received(queue, leased))
                clock.wait(min(until, self._due(queue) or until), seen)

    def acknowledge(self, request: Message) -> Message:
        """End deliveries: their messages have arrived."""
        queue = self._subscriptions.pulled(request.subscription)
        self._deliveries.acknowledge(queue, _leases(queue, request.ack_ids))
        return Empty()

    def modify_ack_deadline(self, request: Message) -> Message:
        """Give receivers more time, or, with 0 seconds, have messages delivered again."""
        queue = self._subscriptions.pulled(request.subscription)
        leases = _leases(queue, request.ack_ids)
        self._extend(queue, leases, request.ack_deadline_seconds)
        return Empty()

    def seek(self, request: Message) -> Message:
        """Go back, or forward, to a time."""
        if request.HasField("snapshot"):
            kinds.lacks("snapshots")
        if not request.HasField("time"):
            raise InvalidArgument.of_field("time", "The request has no target: a time.")
        kept = self._subscriptions.get(request.subscription)
        queue = self._subscriptions.pulled(request.subscription)
        self._messages.seek(queue, kept.topic, request.time.ToMicroseconds())
        return kinds.SeekResponse()

    def streaming_pull(
        self, requests: Iterator[Message], wanted: Callable[[], bool]
    ) -> Iterator[Message]:
        """Give out messages as they come, and take acknowledgements as they come."""
        first = next(requests, None)
        if first is None:
            return
        stream = _Stream(first)
        queue = self._pulled(first.subscription)
        threading.Thread(
            target=self._listen, args=(queue, stream, first, requests), daemon=True
        ).start()
        with self._bell.awaited(queue.name):
            while wanted() and not stream.ended:
                seen = clock.wakings()
                queue = self._pulled(first.subscription)
                if leased := self._lease(queue, stream):
                    yield kinds.StreamingPullResponse(
                        received_messages=_received(queue, leased),
                        subscription_properties={"message_ordering_enabled": queue.ordered},
                    )
                else:
                    clock.wait(self._due(queue), seen)
        if stream.error is not None:
            raise stream.error

    # Inside

    def _listen(
        self, queue: Queue, stream: _Stream, first: Message, requests: Iterator[Message]
    ) -> None:
        """Take what a stream's client says, until it ends."""
        try:
            self._hear(queue, first)
            for request in requests:
                stream.take(request)
                self._hear(queue, request)
        except ApiError as error:
            stream.error = error
        except Exception:  # noqa: BLE001  (gRPC's way to say that the client has gone)
            stream.ended = True
        stream.ended = True
        clock.wake()

    def _hear(self, queue: Queue, request: Message) -> None:
        if request.ack_ids:
            self._deliveries.acknowledge(queue, _leases(queue, request.ack_ids))
        ids, seconds = request.modify_deadline_ack_ids, request.modify_deadline_seconds
        if len(ids) != len(seconds):
            raise InvalidArgument("modify_deadline_ack_ids and _seconds differ in length.")
        for ack_id, given in zip(ids, seconds, strict=True):
            self._extend(queue, _leases(queue, [ack_id]), given)

    def _lease(self, queue: Queue, stream: _Stream) -> list[Leased]:
        most = _MOST_MESSAGES
        if stream.most_outstanding > 0:
            free = stream.most_outstanding - self._deliveries.held(queue.name, stream.id)
            most = min(most, free)
        if most < 1:
            return []
        return self._deliveries.lease(queue, most, deadline=stream.deadline, holder=stream.id)

    def _extend(self, queue: Queue, leases: Iterable[tuple[int, int]], seconds: int) -> None:
        if not 0 <= seconds <= _MOST_EXTENSION:
            raise InvalidArgument.of_field(
                "ack_deadline_seconds", f"A deadline is from 0 to {_MOST_EXTENSION} seconds."
            )
        self._deliveries.extend(queue, leases, seconds)

    def _pulled(self, name: str) -> Queue:
        queue = self._subscriptions.pulled(name)
        if queue.push is not None:
            raise FailedPrecondition(
                "This method is not supported for this subscription type: messages are pushed."
            )
        return queue

    def _due(self, queue: Queue) -> datetime | None:
        """Tell when a message may be due that is not due now."""
        due = self._deliveries.next_due(queue.name, after=clock.micros(clock.now()))
        return None if due is None else clock.from_micros(due)


class _Stream:
    """A stream's own settings, as its client last gave them."""

    def __init__(self, first: Message) -> None:
        self.id = uuid.uuid4().hex
        self.most_outstanding: int = first.max_outstanding_messages
        self.ended = False
        self.error: ApiError | None = None
        self.set_deadline(first.stream_ack_deadline_seconds)

    def take(self, request: Message) -> None:
        """Read what a later request says of the stream; InvalidArgument if it may not."""
        if request.subscription or request.client_id:
            raise InvalidArgument("Only a stream's first request has subscription and client_id.")
        if request.stream_ack_deadline_seconds:
            self.set_deadline(request.stream_ack_deadline_seconds)

    def set_deadline(self, seconds: int) -> None:
        if not _LEAST_STREAM_DEADLINE <= seconds <= _MOST_EXTENSION:
            raise InvalidArgument.of_field(
                "stream_ack_deadline_seconds",
                f"Invalid stream ack deadline: {_LEAST_STREAM_DEADLINE} to {_MOST_EXTENSION}.",
            )
        self.deadline = seconds * 1_000_000


def _received(queue: Queue, leased: Iterable[Leased]) -> list[Message]:
    mark = _mark(queue.name)
    return [
        kinds.ReceivedMessage(
            ack_id=f"{each.number}.{each.attempt}.{mark}",
            message=each.message,
            delivery_attempt=each.attempt if queue.dead_letters else 0,
        )
        for each in leased
    ]


def _leases(queue: Queue, ack_ids: Sequence[str]) -> list[tuple[int, int]]:
    """Read ack ids; InvalidArgument if one is none of this subscription's."""
    if not ack_ids:
        raise InvalidArgument.of_field(_LEASES, "No ack ids specified in the request.")
    found = []
    for ack_id in ack_ids:
        matched = _ACK_ID.fullmatch(ack_id)
        if matched is None or matched[3] != _mark(queue.name):
            raise InvalidArgument.of_field(
                _LEASES,
                f"You have passed an invalid ack ID to the service (ack_id={ack_id!r:.200}).",
            )
        found.append((int(matched[1]), int(matched[2])))
    return found


def _mark(queue: str) -> str:
    return hashlib.sha256(queue.encode()).hexdigest()[:16]
