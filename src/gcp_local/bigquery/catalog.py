"""Which datasets there are, and which tables, models and routines in them.

Each is kept as the JSON of its REST resource, without what can be computed (counts of rows, links).
What has expired is deleted when it is next looked for. What was deleted is kept aside for as long
as time travel goes back, with its rows, so that it can be had back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.deleted import Deleted
from gcp_local.bigquery.entries import Entry
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.tables.rules import prepared

if TYPE_CHECKING:
    from datetime import datetime

    from gcp_local.resources.database import Database

__all__ = ["NOUNS", "Catalog", "Entry"]

NOUNS = {"table": "Table", "model": "Model", "routine": "Routine"}


class Catalog:
    """The source of truth for what there is and how it is described.

    Attributes:
        deleted: what there was.
        expire: called with a table before it is given, so that rows whose time has come go.

    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.deleted = Deleted(database)
        self.expire: Callable[[Entry], object] = lambda _: None

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
        return Entry.of(row)

    def datasets(self, project: str) -> Iterator[tuple[DatasetRef, Entry]]:
        """Go through a project's datasets by name."""
        for row in self._database.rows(
            "SELECT * FROM bigquery_datasets WHERE project = ? ORDER BY dataset", project
        ):
            yield DatasetRef(project, row["dataset"]), Entry.of(row)

    def add_dataset(self, ref: DatasetRef, body: dict[str, Any]) -> Entry:
        """Keep a new dataset.

        Raises:
            BigQueryError: `duplicate`.

        """
        entry = Entry.new(body)
        self._insert_dataset(ref, entry)
        return entry

    def replace_dataset(self, ref: DatasetRef, body: dict[str, Any]) -> Entry:
        """Keep another state of a dataset; errors as `dataset`."""
        with self._database.transaction():
            entry = self.dataset(ref).changed(body)
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
                    self.deleted.keep(noun, name, member, home=entry.uid)
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
            self.deleted.keep("dataset", ref.table(""), entry, home=entry.uid)

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
            entry = self.deleted.dataset(ref, moment)
            if entry is None:
                raise BigQueryError.not_found("Dataset", ref)
            self._insert_dataset(ref, entry)
            for noun, name, member in self.deleted.members(ref, entry):
                self._insert(name, member, noun)
            self.deleted.release(entry)
        return entry

    def _insert_dataset(self, ref: DatasetRef, entry: Entry) -> None:
        if not self._database.run(
            "INSERT OR IGNORE INTO bigquery_datasets VALUES (?, ?, ?, ?, ?, ?)",
            ref.project,
            ref.dataset,
            *entry.columns,
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
        entry = None if row is None else self._unexpired(ref, Entry.of(row), noun)
        if entry is not None and "expirationMs" in entry.body.get("timePartitioning", {}):
            self.expire(entry)
        return entry

    def _unexpired(self, ref: TableRef, entry: Entry, noun: str) -> Entry | None:
        end = entry.body.get("expirationTime")
        if end is None or int(end) * 1000 > clock.micros(clock.now()):
            return entry
        self._remove(ref, entry, noun)
        return None

    def remove_expired(self) -> None:
        """Remove what has expired, though nobody has looked for it."""
        for row in self._database.rows(
            "SELECT noun, project, dataset, name FROM bigquery_entries"
            " WHERE CAST(json_extract(body, '$.expirationTime') AS INTEGER) * 1000 <= ?",
            clock.micros(clock.now()),
        ):
            self.find(TableRef(row["project"], row["dataset"], row["name"]), row["noun"])

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
            entry = self._unexpired(name, Entry.of(row), noun)
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
            entry = Entry.new(body)
            self.find(ref, noun)  # one that has expired goes
            if noun == "table" and self.find(ref, "model") is not None:
                raise BigQueryError.duplicate(NOUNS["model"], ref)
            self._insert(ref, entry, noun)
        return entry

    def _insert(self, ref: TableRef, entry: Entry, noun: str) -> None:
        if not self._database.run(
            "INSERT OR IGNORE INTO bigquery_entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            noun,
            ref.project,
            ref.dataset,
            ref.table,
            *entry.columns,
        ):
            raise BigQueryError.duplicate(NOUNS[noun], ref)

    def replace(self, ref: TableRef, body: dict[str, Any], noun: str = "table") -> Entry:
        """Keep another state of something; errors as `get`, and as `add` has them for a table."""
        with self._database.transaction():
            before = self.get(ref, noun)
            if noun == "table":
                body = prepared(ref, body, {}, before.body)
            entry = before.changed(body)
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
            self._insert(new, entry.changed(entry.body), "table")
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
            # By its uid too: somebody else may have put another in its place since it was read.
            if self._database.run(
                "DELETE FROM bigquery_entries WHERE noun = ? AND project = ? AND dataset = ?"
                " AND name = ? AND uid = ?",
                noun,
                ref.project,
                ref.dataset,
                ref.table,
                entry.uid,
            ):
                self.deleted.keep(noun, ref, entry)
