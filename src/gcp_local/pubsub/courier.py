"""The courier: carries messages to where they go, and buries the dead letters.

One thread sleeps until the clock, or the bell, says that something is due; what is sent waits for
its answer in threads of its own.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.pubsub.push import parcel_of, send

if TYPE_CHECKING:
    from gcp_local.pubsub.bell import Bell
    from gcp_local.pubsub.deliveries import Deliveries
    from gcp_local.pubsub.messages import MessageStore
    from gcp_local.pubsub.queues import Leased, Queue

log = logging.getLogger(__name__)
Receiver = Callable[["Leased", Callable[[], None]], bool]
"""Takes a message inside this process and tells whether it did; the callable acknowledges it.

One that acknowledges in the transaction of what it does about the message does it exactly once.
"""
_MOST_IN_FLIGHT, _MOST_OF_A_QUEUE = 32, 8
_SECOND = 1_000_000
_SWEEP_EVERY = timedelta(hours=1)
_AFTER_A_FAULT = timedelta(minutes=1)


class Courier:
    """The worker that moves messages without being asked.

    Args:
        deliveries: gives out what is due.
        messages: forgets what is kept no longer.
        bell: wakes it.
        queue: finds a queue by its name; None where it has gone.
        names: names all queues that there are.
        token: makes the identity token of an account for an audience.

    """

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        messages: MessageStore,
        bell: Bell,
        queue: Callable[[str], Queue | None],
        names: Callable[[], list[str]],
        token: Callable[[str, str], str],
    ) -> None:
        self._deliveries = deliveries
        self._messages = messages
        self._bell = bell
        self._queue = queue
        self._names = names
        self._token = token
        self._lock = threading.Lock()
        self._own: set[str] = set()  # the queues that are its business
        self._receivers: dict[str, Receiver] = {}
        self._in_flight: Counter[str] = Counter()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def recover(self) -> None:
        """Begin; what was sent when an earlier server stopped is sent again in its time."""
        for name in self._names():
            self.look_at(name)
        self._thread.start()

    def hand_to(self, name: str, receiver: Receiver | None) -> None:
        """Have a queue's messages taken in this process from now on, or no longer."""
        with self._lock:
            if receiver is None:
                self._receivers.pop(name, None)
            else:
                self._receivers[name] = receiver
        self.look_at(name)

    def look_at(self, name: str) -> None:
        """Learn that a queue has come, changed or gone."""
        queue = self._queue(name)
        with self._lock:
            carried = queue is not None and (queue.push is not None or name in self._receivers)
            if queue is not None and (carried or queue.dead_letters):
                self._own.add(name)
            else:
                self._own.discard(name)
        clock.wake()

    def busy(self) -> bool:
        """Tell whether something is being sent."""
        with self._lock:
            return bool(self._in_flight)

    def close(self) -> None:
        """Send nothing more, and wait a little for no answer."""
        self._closed.set()
        clock.wake()
        if self._thread.is_alive():
            self._thread.join()

    # Inside

    def _run(self) -> None:
        swept = clock.now()
        while not self._closed.is_set():
            seen = clock.wakings()
            with self._lock:
                own = sorted(self._own)
            with ExitStack() as awaited:
                for name in own:
                    awaited.enter_context(self._bell.awaited(name))
                try:
                    due = [self._serve(name) for name in own]
                    if clock.now() >= swept + _SWEEP_EVERY:
                        self._sweep()
                        swept = clock.now()
                except Exception:
                    log.exception("a fault in the delivery of messages")
                    due = [clock.now() + _AFTER_A_FAULT]
                # Swept when there is something to keep awake for, or at the next message.
                clock.wait(min(filter(None, due), default=None), seen)

    def _serve(self, name: str) -> datetime | None:
        """Send what is due of a queue; tell when to look again."""
        queue = self._queue(name)
        if queue is None:
            return None
        self._deliveries.bury(queue)
        with self._lock:
            receiver = self._receivers.get(name)
        if queue.push is None and receiver is None:
            most, now = queue.most_attempts, clock.micros(clock.now())
            return _moment(self._deliveries.next_due(name, after=now, attempts=most))
        with self._lock:
            of_all = _MOST_IN_FLIGHT - self._in_flight.total()
            free = min(of_all, _MOST_OF_A_QUEUE - self._in_flight.get(name, 0))
        if free < 1:
            return None  # whoever ends rings
        for leased in self._deliveries.lease(queue, free, one_of_a_key=True):
            self._start(queue, receiver, leased)
        after = clock.micros(clock.now())
        return _moment(self._deliveries.next_due(name, after=after))

    def _start(self, queue: Queue, receiver: Receiver | None, leased: Leased) -> None:
        with self._lock:
            self._in_flight[queue.name] += 1
        # No pool: its threads would keep a server that ends until the last answer has come.
        arguments = (queue, receiver, leased)
        threading.Thread(target=self._carry, args=arguments, name="push", daemon=True).start()

    def _carry(self, queue: Queue, receiver: Receiver | None, leased: Leased) -> None:
        """Send a message, and say what came of it."""
        lease = [(leased.number, leased.attempt)]
        try:
            taken = self._given(queue, receiver, leased)
            if self._closed.is_set():
                return  # it is sent again
            if taken:
                self._deliveries.acknowledge(queue, lease)
            else:
                self._deliveries.extend(queue, lease, 0)
        except Exception:
            if self._closed.is_set():
                return
            log.exception("a fault in the push of a message of %s", queue.name)
        finally:
            with self._lock:
                self._in_flight[queue.name] -= 1
                self._in_flight += Counter()
            clock.wake()

    def _given(self, queue: Queue, receiver: Receiver | None, leased: Leased) -> bool:
        """Give a message to whom it goes, and tell whether it was taken."""
        if receiver is not None:
            lease = [(leased.number, leased.attempt)]
            return receiver(leased, lambda: self._deliveries.acknowledge(queue, lease))
        push = queue.push
        assert push is not None
        return send(push, parcel_of(queue, push, leased), queue.deadline / _SECOND, self._token)

    def _sweep(self) -> None:
        for name in self._names():
            queue = self._queue(name)
            if queue is not None:
                self._messages.expire(queue)
        self._messages.sweep()


def _moment(due: int | None) -> datetime | None:
    return None if due is None else clock.from_micros(due)
