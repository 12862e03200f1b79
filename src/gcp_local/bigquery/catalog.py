"""Which datasets there are, and which tables, models and routines in them.

Each is kept as the JSON of its REST resource, without what can be computed (counts of rows, links).
What has expired is deleted when it is next looked for. What was deleted is kept aside for as long
as time travel goes back, with its rows, so that it can be had back.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.schema import Schema, read_schema
from gcp_local.bigquery.tables.rules import prepared

if TYPE_CHECKING:
    from datetime import datetime
    from sqlite3 import Row

    from gcp_local.resources.database import Database

NOUNS = {"table": "Table", "model": "Model", "routine": "Routine"}
_HOUR = 3_600_000_000
# The longest time travel window there is; maxTimeTravelHours may make it shorter.
LONGEST_MEMORY_HOURS = 168


@dataclass(frozen=True)
class Entry:
    """A dataset, or something in one.

    Attributes:
        uid: never that of another, even one of the same name.
        created: microseconds since the epoch; `modified` likewise.
        body: the resource's JSON.

    """

    uid: str
    created: int
    modified: int
    body: dict[str, Any] = field(hash=False)

    @property
    def etag(self) -> str:
        """A mark of this very state."""
        text = json.dumps([self.uid, self.modified, self.body], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:22]

    @property
    def schema(self) -> Schema:
        """The columns of a table or view."""
        return read_schema(self.body.get("schema", {}).get("fields", ()))

    @property
    def kind(self) -> str:
        """What a table is: TABLE, VIEW, MATERIALIZED_VIEW, SNAPSHOT, EXTERNAL."""
        return str(self.body.get("type", "TABLE"))


class Catalog:
    """The source of truth for what there is and how it is described."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractContextManager[None]:
        """Do all or nothing, and nothing in between: what is read inside does not change."""
        return self._database.transaction()

    # Datasets

    def dataset(self, ref: DatasetRef) -> Entry:
        """Give a dataset.

        Raises:
            BigQueryError: `notFound`.

        """
        row = self._database.row(
            "SELECT * FROM bigquery_datasets WHERE project = ? AND dataset = ?",
            ref.project,
            ref.dataset,
        )
        if row is None:
            raise BigQueryError.not_found("Dataset", ref)
        return _entry(row)

    def datasets(self, project: str) -> Iterator[tuple[DatasetRef, Entry]]:
        """Go through a project's datasets by name."""
        for row in self._database.rows(
            "SELECT * FROM bigquery_datasets WHERE project = ? ORDER BY dataset", project
        ):
            yield DatasetRef(project, row["dataset"]), _entry(row)

    def add_dataset(self, ref: DatasetRef, body: dict[str, Any]) -> Entry:
        """Keep a new dataset.

        Raises:
            BigQueryError: `duplicate`.

        """
        entry = _new(body)
        self._insert_dataset(ref, entry)
        return entry

    def replace_dataset(self, ref: DatasetRef, body: dict[str, Any]) -> Entry:
        """Keep another state of a dataset; errors as `dataset`."""
        with self._database.transaction():
            entry = _changed(self.dataset(ref), body)
            self._database.run(
                "UPDATE bigquery_datasets SET modified = ?, body = ?"
                " WHERE project = ? AND dataset = ?",
                entry.modified,
                json.dumps(entry.body),
                ref.project,
                ref.dataset,
            )
        return entry

    def holds_any(self, ref: DatasetRef) -> bool:
        """Tell whether there is something in a dataset."""
        return any(next(self.entries(ref, noun), None) for noun in NOUNS)

    def delete_dataset(self, ref: DatasetRef) -> None:
        """Delete a dataset and all that is in it; errors as `dataset`."""
        with self._database.transaction():
            entry = self.dataset(ref)
            for noun in NOUNS:
                for name, member in list(self.entries(ref, noun)):
                    self._bury(noun, name.project, name.dataset, name.table, member, entry.uid)
            self._database.run(
                "DELETE FROM bigquery_entries WHERE project = ? AND dataset = ?",
                ref.project,
                ref.dataset,
            )
            self._database.run(
                "DELETE FROM bigquery_datasets WHERE project = ? AND dataset = ?",
                ref.project,
                ref.dataset,
            )
            self._bury("dataset", ref.project, ref.dataset, "", entry, entry.uid)

    def undelete_dataset(self, ref: DatasetRef, moment: datetime | None = None) -> Entry:
        """Bring back a dataset with all that was in it when it was deleted.

        Args:
            ref: the dataset.
            moment: when it was deleted; without, the last of that name is meant.

        Raises:
            BigQueryError: `duplicate`, there is a new one of that name; `notFound`, none was
                deleted, or its time travel window is over.

        """
        with self._database.transaction():
            row = self._database.row(
                "SELECT * FROM bigquery_deleted WHERE noun = 'dataset' AND project = ?"
                " AND dataset = ? AND (? IS NULL OR deleted / 1000 = ?)"
                " ORDER BY deleted DESC LIMIT 1",
                ref.project,
                ref.dataset,
                None if moment is None else 0,
                None if moment is None else clock.micros(moment) // 1000,
            )
            entry = None if row is None else _entry(row)
            if row is None or entry is None or not _remembered(row["deleted"], entry.body):
                raise BigQueryError.not_found("Dataset", ref)
            self._insert_dataset(ref, entry)
            for each in self._database.rows(
                "SELECT * FROM bigquery_deleted WHERE home = ? AND noun <> 'dataset'", entry.uid
            ):
                name = TableRef(ref.project, ref.dataset, each["name"])
                self._insert(name, _entry(each), each["noun"])
            self._database.run("DELETE FROM bigquery_deleted WHERE home = ?", entry.uid)
        return entry

    def deleted(self, ref: TableRef, moment: datetime, noun: str = "table") -> Entry | None:
        """Give what had that name at a time and was deleted since, if it is still remembered."""
        at = clock.micros(moment)
        row = self._database.row(
            "SELECT * FROM bigquery_deleted WHERE noun = ? AND project = ? AND dataset = ?"
            " AND name = ? AND created <= ? AND deleted > ? ORDER BY deleted LIMIT 1",
            noun,
            ref.project,
            ref.dataset,
            ref.table,
            at,
            at,
        )
        return _entry(row) if row else None

    def forget_deleted(self) -> list[str]:
        """Forget what was deleted too long ago to be had back; give the uids."""
        before = clock.micros(clock.now()) - LONGEST_MEMORY_HOURS * _HOUR
        with self._database.transaction():
            uids = [
                str(row["uid"])
                for row in self._database.rows(
                    "SELECT uid FROM bigquery_deleted WHERE deleted < ?", before
                )
            ]
            self._database.run("DELETE FROM bigquery_deleted WHERE deleted < ?", before)
            for uid in uids:
                self._database.run("DELETE FROM bigquery_policies WHERE uid = ?", uid)
        return uids

    def _bury(
        self, noun: str, project: str, dataset: str, name: str, entry: Entry, home: str
    ) -> None:
        self._database.run(
            "INSERT OR REPLACE INTO bigquery_deleted VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            noun,
            project,
            dataset,
            name,
            *_columns(entry),
            clock.micros(clock.now()),
            home,
        )

    def _insert_dataset(self, ref: DatasetRef, entry: Entry) -> None:
        if not self._database.run(
            "INSERT OR IGNORE INTO bigquery_datasets VALUES (?, ?, ?, ?, ?, ?)",
            ref.project,
            ref.dataset,
            *_columns(entry),
        ):
            raise BigQueryError.duplicate("Dataset", ref)

    # What is in them. A noun is `table`, `model` or `routine`.

    def find(self, ref: TableRef, noun: str = "table") -> Entry | None:
        """Give what has that name, if there is one."""
        row = self._database.row(
            "SELECT * FROM bigquery_entries WHERE noun = ? AND project = ? AND dataset = ?"
            " AND name = ?",
            noun,
            ref.project,
            ref.dataset,
            ref.table,
        )
        return None if row is None else self._unexpired(ref, _entry(row), noun)

    def _unexpired(self, ref: TableRef, entry: Entry, noun: str) -> Entry | None:
        end = entry.body.get("expirationTime")
        if end is None or int(end) * 1000 > clock.micros(clock.now()):
            return entry
        self._remove(ref, entry, noun)
        return None

    def get(self, ref: TableRef, noun: str = "table") -> Entry:
        """Give what has that name.

        Raises:
            BigQueryError: `notFound`, of the dataset or of the thing.

        """
        found = self.find(ref, noun)
        if found is None:
            self.dataset(ref.parent)
            raise BigQueryError.not_found(NOUNS[noun], ref)
        return found

    def entries(self, ref: DatasetRef, noun: str = "table") -> Iterator[tuple[TableRef, Entry]]:
        """Go through a dataset's tables, models or routines by name."""
        for row in self._database.rows(
            "SELECT * FROM bigquery_entries WHERE noun = ? AND project = ? AND dataset = ?"
            " ORDER BY name",
            noun,
            ref.project,
            ref.dataset,
        ):
            name = ref.table(row["name"])
            entry = self._unexpired(name, _entry(row), noun)
            if entry is not None:
                yield name, entry

    def add(self, ref: TableRef, body: dict[str, Any], noun: str = "table") -> Entry:
        """Keep a new table, model or routine; a table with its dataset's defaults.

        Raises:
            BigQueryError: `duplicate`; `notFound` of the dataset; a table that breaks BigQuery's
                rules.

        """
        with self._database.transaction():
            home = self.dataset(ref.parent)
            if noun == "table":
                body = prepared(ref, body, home.body)
            entry = _new(body)
            self.find(ref, noun)  # one that has expired goes
            self._insert(ref, entry, noun)
        return entry

    def _insert(self, ref: TableRef, entry: Entry, noun: str) -> None:
        if not self._database.run(
            "INSERT OR IGNORE INTO bigquery_entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            noun,
            ref.project,
            ref.dataset,
            ref.table,
            *_columns(entry),
        ):
            raise BigQueryError.duplicate(NOUNS[noun], ref)

    def replace(self, ref: TableRef, body: dict[str, Any], noun: str = "table") -> Entry:
        """Keep another state of something; errors as `get`, and as `add` has them for a table."""
        with self._database.transaction():
            before = self.get(ref, noun)
            if noun == "table":
                body = prepared(ref, body, {}, before.body)
            entry = _changed(before, body)
            self._database.run(
                "UPDATE bigquery_entries SET modified = ?, body = ?"
                " WHERE noun = ? AND project = ? AND dataset = ? AND name = ?",
                entry.modified,
                json.dumps(entry.body),
                noun,
                ref.project,
                ref.dataset,
                ref.table,
            )
        return entry

    def rename(self, ref: TableRef, name: str) -> None:
        """Give a table another name in its dataset; what is in it stays.

        Raises:
            BigQueryError: `notFound`; `duplicate`, there is one of the new name.

        """
        with self._database.transaction():
            entry = self.get(ref)
            new = ref.parent.table(name)
            self.find(new)  # one that has expired goes
            self._insert(new, _changed(entry, entry.body), "table")
            self._database.run(
                "DELETE FROM bigquery_entries WHERE noun = 'table' AND project = ?"
                " AND dataset = ? AND name = ?",
                ref.project,
                ref.dataset,
                ref.table,
            )

    def delete(self, ref: TableRef, noun: str = "table") -> Entry:
        """Delete something, and give what it was; errors as `get`."""
        with self._database.transaction():
            entry = self.get(ref, noun)
            self._remove(ref, entry, noun)
        return entry

    def _remove(self, ref: TableRef, entry: Entry, noun: str) -> None:
        with self._database.transaction():
            self._bury(noun, ref.project, ref.dataset, ref.table, entry, "")
            self._database.run(
                "DELETE FROM bigquery_entries WHERE noun = ? AND project = ? AND dataset = ?"
                " AND name = ?",
                noun,
                ref.project,
                ref.dataset,
                ref.table,
            )

    # Who may do what with it: kept, and enforced by nobody.

    def policy(self, entry: Entry) -> dict[str, Any]:
        """Give the access policy of a table or routine."""
        row = self._database.row("SELECT body FROM bigquery_policies WHERE uid = ?", entry.uid)
        return {} if row is None else dict(json.loads(row["body"]))

    def set_policy(self, entry: Entry, policy: dict[str, Any]) -> None:
        """Keep an access policy."""
        self._database.run(
            "INSERT OR REPLACE INTO bigquery_policies VALUES (?, ?)", entry.uid, json.dumps(policy)
        )


def _new(body: dict[str, Any]) -> Entry:
    now = clock.micros(clock.now())
    return Entry(uuid.uuid4().hex, now, now, body)


def _changed(before: Entry, body: dict[str, Any]) -> Entry:
    return Entry(before.uid, before.created, clock.micros(clock.now()), body)


def _columns(entry: Entry) -> tuple[str, int, int, str]:
    return entry.uid, entry.created, entry.modified, json.dumps(entry.body)


def _entry(row: Row) -> Entry:
    return Entry(row["uid"], row["created"], row["modified"], json.loads(row["body"]))


def _remembered(deleted: int, body: dict[str, Any]) -> bool:
    hours = int(body.get("maxTimeTravelHours", LONGEST_MEMORY_HOURS))
    return clock.micros(clock.now()) < deleted + hours * _HOUR
