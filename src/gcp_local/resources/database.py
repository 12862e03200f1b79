"""The state that survives: one SQLite database in the state folder.

Write-ahead logging keeps it whole through a `kill -9`. One connection serves all threads behind
one lock, so a transaction is also a critical section: what is read inside it cannot change before
what is written.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (number TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS resources (
    name TEXT PRIMARY KEY,      -- the full resource name
    kind TEXT NOT NULL,         -- the proto's full name
    parent TEXT NOT NULL,
    created INTEGER NOT NULL,   -- microseconds since the epoch
    body BLOB NOT NULL          -- the serialized proto
) STRICT;
CREATE INDEX IF NOT EXISTS resources_by_parent ON resources (kind, parent, created, name);
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, project TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (bucket, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS noncurrent (   -- objects' generations that are live no more
    bucket TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (bucket, name, generation)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS metadata_events (
    execution TEXT NOT NULL, artifact TEXT NOT NULL,
    body BLOB NOT NULL,         -- the serialized Event
    UNIQUE (execution, artifact)
) STRICT;
CREATE INDEX IF NOT EXISTS metadata_events_by_artifact ON metadata_events (artifact);
CREATE TABLE IF NOT EXISTS metadata_members (
    context TEXT NOT NULL, member TEXT NOT NULL, PRIMARY KEY (context, member)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS metadata_uris (
    artifact TEXT PRIMARY KEY, store TEXT NOT NULL, uri TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS metadata_uris_by_uri ON metadata_uris (store, uri);
CREATE TABLE IF NOT EXISTS tensorboard_points (
    series TEXT NOT NULL, step INTEGER NOT NULL,
    body BLOB NOT NULL,         -- the serialized TimeSeriesDataPoint
    PRIMARY KEY (series, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS metadata_members_by_member ON metadata_members (member);
CREATE TABLE IF NOT EXISTS multipart_uploads (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS pubsub_attachments (
    topic TEXT NOT NULL,
    queue TEXT NOT NULL,        -- a subscription, or the target of events
    PRIMARY KEY (topic, queue)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pubsub_messages (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    published INTEGER NOT NULL,     -- microseconds since the epoch, as all times here
    keep_until INTEGER NOT NULL,    -- by the topic, though no queue has it
    body BLOB NOT NULL              -- the serialized PubsubMessage
) STRICT;
CREATE INDEX IF NOT EXISTS pubsub_messages_by_topic ON pubsub_messages (topic, published);
CREATE TABLE IF NOT EXISTS pubsub_deliveries (
    queue TEXT NOT NULL,
    message INTEGER NOT NULL,
    ordering_key TEXT NOT NULL,     -- empty where order does not matter
    published INTEGER NOT NULL,
    due INTEGER NOT NULL,           -- while somebody has it: until when
    delay INTEGER NOT NULL,         -- how long after that it is delivered again
    lease INTEGER NOT NULL,         -- how often it was delivered
    holder TEXT NOT NULL,           -- the stream that it was delivered to
    acked INTEGER,
    PRIMARY KEY (queue, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pubsub_deliveries_by_message ON pubsub_deliveries (message);
CREATE INDEX IF NOT EXISTS pubsub_deliveries_by_key
    ON pubsub_deliveries (queue, ordering_key, message);
CREATE TABLE IF NOT EXISTS event_targets (
    name TEXT PRIMARY KEY, source TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS bucket_notifications (
    bucket TEXT NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (bucket, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS multipart_parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bigquery_datasets (
    project TEXT NOT NULL, dataset TEXT NOT NULL, uid TEXT NOT NULL,
    created INTEGER NOT NULL, modified INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (project, dataset)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bigquery_entries (   -- tables, models and routines
    noun TEXT NOT NULL, project TEXT NOT NULL, dataset TEXT NOT NULL, name TEXT NOT NULL,
    uid TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (noun, project, dataset, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bigquery_deleted (   -- what can be had back for some days
    noun TEXT NOT NULL, project TEXT NOT NULL, dataset TEXT NOT NULL, name TEXT NOT NULL,
    uid TEXT PRIMARY KEY, created INTEGER NOT NULL, modified INTEGER NOT NULL, body TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    home TEXT NOT NULL          -- the uid of the dataset that it was deleted with
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bigquery_deleted_by_age ON bigquery_deleted (deleted);
CREATE TABLE IF NOT EXISTS bigquery_policies (uid TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS bigquery_streamed (  -- files of rows that were streamed lately
    uid TEXT NOT NULL, file TEXT NOT NULL, moment INTEGER NOT NULL, PRIMARY KEY (uid, file)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bigquery_insert_ids (
    uid TEXT NOT NULL, id TEXT NOT NULL, moment INTEGER NOT NULL, PRIMARY KEY (uid, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bigquery_insert_ids_by_age ON bigquery_insert_ids (moment);
CREATE TABLE IF NOT EXISTS bigquery_versions (  -- of a table's rows
    uid TEXT NOT NULL, number INTEGER NOT NULL, committed INTEGER NOT NULL,
    files TEXT NOT NULL,        -- JSON: names, rows and bytes
    PRIMARY KEY (uid, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bigquery_jobs (
    project TEXT NOT NULL, location TEXT NOT NULL, id TEXT NOT NULL,
    parent TEXT, created INTEGER NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (project, id, location)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bigquery_jobs_by_age ON bigquery_jobs (project, created);
"""


class Database:
    """The source of truth for everything but the bytes of objects, images and keys."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)
        self._lock = threading.RLock()
        self._depth = 0
        self._afterwards: list[Callable[[], object]] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all or nothing, and nothing in between. An inner transaction joins the outer one."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
                self._afterwards = []
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self._connection.execute("COMMIT")
            except BaseException:
                # Of itself SQLite undoes what does not fit on the disk.
                if self._depth == 1 and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1
            if self._depth == 0:
                for action in self._afterwards:
                    action()

    def afterwards(self, action: Callable[[], object]) -> None:
        """Do something once the present transaction is committed, and never if it is not."""
        assert self._depth
        self._afterwards.append(action)

    def rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """Fetch the rows that a query gives."""
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, *parameters: Any) -> sqlite3.Row | None:
        """Fetch the first row that a query gives, if any."""
        with self._lock:
            row: sqlite3.Row | None = self._connection.execute(sql, parameters).fetchone()
            return row

    def run(self, sql: str, *parameters: Any) -> int:
        """Carry out one statement and count the rows that it changed."""
        with self._lock:
            return self._connection.execute(sql, parameters).rowcount

    def close(self) -> None:
        """Fold the write-ahead log into the database and close it."""
        with self._lock:
            self._connection.close()
