"""Which datasets there are, and which tables, models and routines in them.

Each is kept as the JSON of its REST resource, without what can be computed (counts of rows, links).
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.schema import Schema, read_schema

if TYPE_CHECKING:
    from sqlite3 import Row

    from gcp_local.resources.database import Database

NOUNS = {"table": "Table", "model": "Model", "routine": "Routine"}


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
        if not self._database.run(
            "INSERT OR IGNORE INTO bigquery_datasets VALUES (?, ?, ?, ?, ?, ?)",
            ref.project,
            ref.dataset,
            *_columns(entry),
        ):
            raise BigQueryError.duplicate("Dataset", ref)
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

    def delete_dataset(self, ref: DatasetRef) -> None:
        """Forget a dataset, which is empty; errors as `dataset`."""
        self.dataset(ref)
        self._database.run(
            "DELETE FROM bigquery_datasets WHERE project = ? AND dataset = ?",
            ref.project,
            ref.dataset,
        )

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
        return _entry(row) if row else None

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
            yield ref.table(row["name"]), _entry(row)

    def add(self, ref: TableRef, body: dict[str, Any], noun: str = "table") -> Entry:
        """Keep a new table, model or routine.

        Raises:
            BigQueryError: `duplicate`; `notFound` of the dataset.

        """
        entry = _new(body)
        with self._database.transaction():
            self.dataset(ref.parent)
            if not self._database.run(
                "INSERT OR IGNORE INTO bigquery_entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                noun,
                ref.project,
                ref.dataset,
                ref.table,
                *_columns(entry),
            ):
                raise BigQueryError.duplicate(NOUNS[noun], ref)
        return entry

    def replace(self, ref: TableRef, body: dict[str, Any], noun: str = "table") -> Entry:
        """Keep another state of something; errors as `get`."""
        with self._database.transaction():
            entry = _changed(self.get(ref, noun), body)
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

    def delete(self, ref: TableRef, noun: str = "table") -> Entry:
        """Forget something, and give what it was; errors as `get`."""
        with self._database.transaction():
            entry = self.get(ref, noun)
            self._database.run(
                "DELETE FROM bigquery_entries WHERE noun = ? AND project = ? AND dataset = ?"
                " AND name = ?",
                noun,
                ref.project,
                ref.dataset,
                ref.table,
            )
        return entry


def _new(body: dict[str, Any]) -> Entry:
    now = clock.micros(clock.now())
    return Entry(uuid.uuid4().hex, now, now, body)


def _changed(before: Entry, body: dict[str, Any]) -> Entry:
    return Entry(before.uid, before.created, clock.micros(clock.now()), body)


def _columns(entry: Entry) -> tuple[str, int, int, str]:
    return entry.uid, entry.created, entry.modified, json.dumps(entry.body)


def _entry(row: Row) -> Entry:
    return Entry(row["uid"], row["created"], row["modified"], json.loads(row["body"]))
