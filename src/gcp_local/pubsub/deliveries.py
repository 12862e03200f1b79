"""Deliveries: who has which message, until when.

A message is delivered at least once: a delivery is a lease, which ends with an acknowledgement or
with its deadline; then the message is due again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.pubsub.messages import message_of
from gcp_local.pubsub.queues import Leased, Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from sqlite3 import Row

    from gcp_local.pubsub.bell import Bell
    from gcp_local.resources.database import Database
    from gcp_local.rpc.protos import Message

# In one answer, unless a single message is larger: a gRPC client takes 4 MiB, what wraps the
# messages included, where it has not been told otherwise, and Google's for an emulator has not.
_MOST_BYTES = 4_000_000
_DUE = "acked IS NULL AND due + delay <= ?"
# No message of the same key that comes before is with a receiver, or waits for its next delivery.
_IN_ORDER = (
    "(ordering_key = '' OR NOT EXISTS (SELECT 1 FROM pubsub_deliveries e"
    " WHERE e.queue = d.queue AND e.ordering_key = d.ordering_key AND e.message < d.message"
    " AND e.acked IS NULL AND e.due + e.delay > ?))"
)


class Deliveries:
    """The source of truth for which message is due where.

    Args:
        database: where the rows are.
        bell: wakes those who wait for a queue.
        announce: publishes a dead letter on its topic.

    """

    def __init__(
        self, database: Database, bell: Bell, announce: Callable[[str, Message], object]
    ) -> None:
        self._database = database
        self._bell = bell
        self._announce = announce

    def lease(
        self,
        queue: Queue,
        most: int,
        *,
        deadline: int | None = None,
        holder: str = "",
        one_of_a_key: bool = False,
    ) -> list[Leased]:
        """Give out messages that are due, in the order of publication.

        What has been delivered too often goes to the dead letters instead.

        Args:
            queue: whose.
            most: how many.
            deadline: for how many microseconds; without, the queue's.
            holder: which stream has them.
            one_of_a_key: give one message of an ordering key at a time.

        """
        now = clock.micros(clock.now())
        with self._database.transaction():
            self.bury(queue)
            rows = self._database.rows(
                "SELECT d.message, d.lease, d.ordering_key, m.topic, m.body"  # noqa: S608
                " FROM pubsub_deliveries d JOIN pubsub_messages m ON m.id = d.message"
                f" WHERE d.queue = ? AND {_DUE} AND d.published > ? AND {_IN_ORDER}"
                " ORDER BY d.message LIMIT ?",
                *(queue.name, now, now - queue.retention, now, most),
            )
            found = list(_fitting(rows, one_of_a_key=one_of_a_key))
            until = now + (queue.deadline if deadline is None else deadline)
            for row in found:
                self._database.run(
                    "UPDATE pubsub_deliveries SET due = ?, delay = ?, lease = ?, holder = ?"
                    " WHERE queue = ? AND message = ?",
                    *(until, queue.backoff(row["lease"] + 1), row["lease"] + 1, holder),
                    *(queue.name, row["message"]),
                )
        return [
            Leased(
                row["message"],
                row["lease"] + 1,
                row["topic"],
                message_of(row["body"]),
            )
            for row in found
        ]

    def acknowledge(self, queue: Queue, leases: Iterable[tuple[int, int]]) -> None:
        """End leases, each a message's number and attempt; those that are over stay so."""
        now = clock.micros(clock.now())
        with self._database.transaction():
            for number, attempt in leases:
                key = (queue.name, number, attempt)
                where = "WHERE queue = ? AND message = ? AND lease = ? AND acked IS NULL"
                if queue.keeps_acked:
                    self._database.run(
                        f"UPDATE pubsub_deliveries SET acked = ? {where}",  # noqa: S608
                        now,
                        *key,
                    )
                elif self._database.run(f"DELETE FROM pubsub_deliveries {where}", *key):  # noqa: S608
                    self._forget(number)
            self._database.afterwards(lambda: self._bell.ring([queue.name]))

    def extend(self, queue: Queue, leases: Iterable[tuple[int, int]], seconds: int) -> None:
        """Set the deadline of leases anew, counted from now; with 0 seconds they end, refused.

        A message that is refused is due again after its backoff, and so are those of its ordering
        key that came after it.
        """
        now = clock.micros(clock.now())
        with self._database.transaction():
            for number, attempt in leases:
                changed = self._database.run(
                    "UPDATE pubsub_deliveries SET due = ?"
                    " WHERE queue = ? AND message = ? AND lease = ? AND acked IS NULL AND due > ?",
                    *(now + seconds * 1_000_000, queue.name, number, attempt, now),
                )
                if changed and seconds == 0 and queue.ordered:
                    self._database.run(
                        "UPDATE pubsub_deliveries SET due = ? WHERE queue = ? AND message > ?"
                        " AND acked IS NULL AND due > ? AND ordering_key <> '' AND ordering_key ="
                        " (SELECT ordering_key FROM pubsub_deliveries"
                        " WHERE queue = ? AND message = ?)",
                        *(now, queue.name, number, now, queue.name, number),
                    )
            self._database.afterwards(lambda: self._bell.ring([queue.name]))

    def bury(self, queue: Queue) -> None:
        """Publish as dead letters what has been delivered as often as may be, to no avail."""
        if not queue.dead_letters:
            return
        now = clock.micros(clock.now())
        with self._database.transaction():
            rows = self._database.rows(
                "SELECT d.message, d.lease, m.body"
                " FROM pubsub_deliveries d JOIN pubsub_messages m ON m.id = d.message"
                " WHERE d.queue = ? AND d.acked IS NULL AND d.due <= ? AND d.lease >= ?"
                " ORDER BY d.message",
                *(queue.name, now, queue.most_attempts),
            )
            for row in rows:
                self._announce(queue.dead_letters, _dead_letter(row, queue.name))
            if rows:
                self.acknowledge(queue, [(row["message"], row["lease"]) for row in rows])

    def next_due(self, queue: str, *, after: int = -1, attempts: int = 0) -> int | None:
        """Tell when the next message is due; None if there is none.

        Args:
            queue: whose.
            after: of those that are due after this time; else the time may be past.
            attempts: of those that were delivered so often at least.

        """
        row = self._database.row(
            "SELECT min(due + delay) AS due FROM pubsub_deliveries"
            " WHERE queue = ? AND acked IS NULL AND due + delay > ? AND lease >= ?",
            *(queue, after, attempts),
        )
        return None if row is None else row["due"]

    def held(self, queue: str, holder: str) -> int:
        """Count the messages that a stream has."""
        row = self._database.row(
            "SELECT count(*) AS held FROM pubsub_deliveries"
            " WHERE queue = ? AND holder = ? AND acked IS NULL AND due > ?",
            *(queue, holder, clock.micros(clock.now())),
        )
        assert row is not None
        return int(row["held"])

    def _forget(self, number: int) -> None:
        self._database.run(
            "DELETE FROM pubsub_messages WHERE id = ? AND keep_until <= ?"
            " AND NOT EXISTS (SELECT 1 FROM pubsub_deliveries WHERE message = id)",
            *(number, clock.micros(clock.now())),
        )


def _fitting(rows: Iterable[Row], *, one_of_a_key: bool) -> Iterator[Row]:
    """Go through those rows that go into one answer."""
    size, keys = 0, set()
    for row in rows:
        key = row["ordering_key"]
        if one_of_a_key and key in keys:
            continue
        if key:
            keys.add(key)
        if size and size + len(row["body"]) > _MOST_BYTES:
            return
        size += len(row["body"])
        yield row


def _dead_letter(row: Row, subscription: str) -> Message:
    """Write what a message that could not be delivered is published as."""
    letter = message_of(row["body"])
    published = letter.publish_time.ToJsonString()
    _, project, _, name = subscription.split("/")
    letter.attributes.update(
        {
            "CloudPubSubDeadLetterSourceDeliveryCount": str(row["lease"]),
            "CloudPubSubDeadLetterSourceSubscription": name,
            "CloudPubSubDeadLetterSourceSubscriptionProject": project,
            "CloudPubSubDeadLetterSourceTopicPublishTime": published,
        }
    )
    return letter
