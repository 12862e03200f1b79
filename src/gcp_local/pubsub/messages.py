"""Messages: what was published, and to whom it goes.

All of it is rows of the database, so a server that is killed has lost nothing that it confirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.pubsub_v1.types import pubsub as types

from gcp_local import clock
from gcp_local.pubsub.filters import compile_filter
from gcp_local.rpc.protos import Message, copy_of, raw, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from gcp_local.pubsub.bell import Bell
    from gcp_local.pubsub.queues import Queue
    from gcp_local.resources.database import Database

PubsubMessage = raw(types.PubsubMessage)


class MessageStore:
    """The source of truth for which message is due where.

    Args:
        database: where the rows are.
        bell: wakes those who wait for a queue.
        queue: finds a queue by its name; None where it has gone.

    """

    def __init__(
        self, database: Database, bell: Bell, queue: Callable[[str], Queue | None]
    ) -> None:
        self._database = database
        self._bell = bell
        self._queue = queue

    # Who gets what

    def attach(self, queue: str, topic: str) -> None:
        """Let a queue have what is published on a topic from now on."""
        self._database.run("INSERT INTO pubsub_attachments VALUES (?, ?)", topic, queue)

    def detach(self, queue: str) -> None:
        """Let a queue have nothing more, and forget what it had."""
        with self._database.transaction():
            self._database.run("DELETE FROM pubsub_attachments WHERE queue = ?", queue)
            self._database.run("DELETE FROM pubsub_deliveries WHERE queue = ?", queue)

    def drop_topic(self, topic: str) -> None:
        """Attach nothing to a topic any more. What was delivered to its queues stays theirs."""
        with self._database.transaction():
            self._database.run("DELETE FROM pubsub_attachments WHERE topic = ?", topic)
            self._database.run("UPDATE pubsub_messages SET keep_until = 0 WHERE topic = ?", topic)
            self.sweep()

    def attached(self, topic: str) -> list[str]:
        """Name a topic's queues."""
        rows = self._database.rows(
            "SELECT queue FROM pubsub_attachments WHERE topic = ? ORDER BY queue", topic
        )
        return [row["queue"] for row in rows]

    # Publication

    def publish(
        self,
        topic: str,
        messages: Iterable[Message],
        *,
        retention: int = 0,
        only: Container[str] | None = None,
    ) -> list[str]:
        """Keep messages for all of a topic's queues whose filter lets them through.

        Joins the transaction that is under way: then they are published with the rest of it, or
        not at all.

        Args:
            topic: the topic's name.
            messages: in their order.
            retention: for how long the topic keeps them, for `Seek`; in microseconds.
            only: the queues that get them; without, all.

        Returns:
            The messages' ids.

        """
        now = clock.now()
        published = clock.micros(now)
        with self._database.transaction():
            names = [name for name in self.attached(topic) if only is None or name in only]
            queues = [queue for name in names if (queue := self._queue(name))]
            filters = [(queue, compile_filter(queue.filter)) for queue in queues]
            ids = []
            for message in messages:
                number = self._number()
                ids.append(str(number))
                kept = copy_of(message)
                kept.message_id = str(number)
                kept.publish_time.CopyFrom(timestamp(now))
                takers = [queue for queue, holds in filters if holds(kept.attributes)]
                if not takers and not retention:
                    continue
                self._database.run(
                    "INSERT INTO pubsub_messages VALUES (?, ?, ?, ?, ?)",
                    number,
                    topic,
                    published,
                    published + retention if retention else 0,
                    kept.SerializeToString(),
                )
                for queue in takers:
                    self._enqueue(queue, number, kept.ordering_key, published)
            self._database.afterwards(lambda: self._bell.ring(names))
        return ids

    def seek(self, queue: Queue, topic: str, moment: int) -> None:
        """Take for acknowledged what was published before a time, and for due what came later."""
        now = clock.micros(clock.now())
        holds = compile_filter(queue.filter)
        with self._database.transaction():
            before = "queue = ? AND published < ? AND acked IS NULL"
            if queue.keeps_acked:
                self._database.run(
                    f"UPDATE pubsub_deliveries SET acked = ? WHERE {before}",  # noqa: S608
                    *(now, queue.name, moment),
                )
            else:
                self._database.run(
                    f"DELETE FROM pubsub_deliveries WHERE {before}",  # noqa: S608
                    *(queue.name, moment),
                )
            self._database.run(
                "UPDATE pubsub_deliveries SET acked = NULL, due = ?, delay = 0, lease = lease + 1"
                " WHERE queue = ? AND published >= ? AND acked IS NOT NULL",
                *(now, queue.name, moment),
            )
            missing = self._database.rows(
                "SELECT * FROM pubsub_messages m WHERE topic = ? AND published >= ?"
                " AND keep_until > ? AND NOT EXISTS (SELECT 1 FROM pubsub_deliveries d"
                " WHERE d.queue = ? AND d.message = m.id)",
                *(topic, moment, now, queue.name),
            )
            for row in missing:
                message = message_of(row["body"])
                if holds(message.attributes):
                    self._enqueue(queue, row["id"], message.ordering_key, row["published"])
            self.sweep()
            self._database.afterwards(lambda: self._bell.ring([queue.name]))

    def sweep(self) -> None:
        """Forget messages that no queue has any more, and no topic keeps."""
        self._database.run(
            "DELETE FROM pubsub_messages WHERE keep_until <= ?"
            " AND id NOT IN (SELECT message FROM pubsub_deliveries)",
            clock.micros(clock.now()),
        )

    def expire(self, queue: Queue) -> None:
        """Forget what a queue has had for longer than it keeps messages."""
        self._database.run(
            "DELETE FROM pubsub_deliveries WHERE queue = ? AND published <= ?",
            *(queue.name, clock.micros(clock.now()) - queue.retention),
        )

    # Inside

    def _number(self) -> int:
        self._database.run(
            "INSERT INTO counters (name, value) VALUES ('message', 1)"
            " ON CONFLICT (name) DO UPDATE SET value = value + 1"
        )
        row = self._database.row("SELECT value FROM counters WHERE name = 'message'")
        assert row is not None
        return int(row["value"])

    def _enqueue(self, queue: Queue, number: int, key: str, published: int) -> None:
        self._database.run(
            "INSERT INTO pubsub_deliveries VALUES (?, ?, ?, ?, ?, 0, 0, '', NULL)",
            *(queue.name, number, key if queue.ordered else "", published, published),
        )


def waiting(database: Database, project: str) -> dict[str, int]:
    """Count what nobody has acknowledged yet, by the subscription, of a project given by its id."""
    parent = f"projects/{project}"
    rows = database.rows(
        "SELECT queue, count(*) AS many FROM pubsub_deliveries WHERE acked IS NULL"
        " AND queue >= ? AND queue < ? GROUP BY queue",
        f"{parent}/",
        f"{parent}0",  # "0" comes after "/"
    )
    return {row["queue"]: row["many"] for row in rows}


def message_of(body: bytes) -> Message:
    """Read a message's row."""
    message = PubsubMessage()
    message.ParseFromString(body)
    return message
