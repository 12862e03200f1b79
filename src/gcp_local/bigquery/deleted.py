"""What was deleted: kept aside for as long as time travel goes back, so that it can be had back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.entries import Entry
from gcp_local.bigquery.references import DatasetRef, TableRef

if TYPE_CHECKING:
    from datetime import datetime

    from gcp_local.resources.database import Database

_HOUR = 3_600_000_000
# The longest time travel window there is; maxTimeTravelHours may make a dataset's shorter.
_LONGEST_HOURS = 168


class Deleted:
    """The source of truth for which datasets, and tables and so on in them, there were."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, noun: str, ref: TableRef, entry: Entry, *, home: str = "") -> None:
        """Keep what is deleted now.

        Args:
            noun: `dataset`, `table`, `model` or `routine`.
            ref: its name; of a dataset, with an empty table.
            entry: what it was.
            home: the uid of the dataset with which it goes.

        """
        self._database.run(
            "INSERT OR REPLACE INTO bigquery_deleted VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            noun,
            ref.project,
            ref.dataset,
            ref.table,
            *entry.columns,
            clock.micros(clock.now()),
            home,
        )

    def dataset(self, ref: DatasetRef, moment: datetime | None = None) -> Entry | None:
        """Give a deleted dataset within its time travel window.

        Args:
            ref: its name.
            moment: when it was deleted, to the millisecond; without, the last of that name.

        """
        at = None if moment is None else clock.micros(moment) // 1000
        row = self._database.row(
            "SELECT * FROM bigquery_deleted WHERE noun = 'dataset' AND project = ?"
            " AND dataset = ? AND (? IS NULL OR deleted / 1000 = ?) ORDER BY deleted DESC LIMIT 1",
            ref.project,
            ref.dataset,
            at,
            at,
        )
        if row is None or not _remembered(row["deleted"], Entry.of(row).body):
            return None
        return Entry.of(row)

    def members(self, ref: DatasetRef, entry: Entry) -> Iterator[tuple[str, TableRef, Entry]]:
        """Go through what was deleted with a dataset: nouns, names, what each was."""
        for row in self._database.rows(
            "SELECT * FROM bigquery_deleted WHERE home = ? AND noun <> 'dataset'", entry.uid
        ):
            yield row["noun"], ref.table(row["name"]), Entry.of(row)

    def release(self, entry: Entry) -> None:
        """Keep a dataset, and what was deleted with it, no more: it is back."""
        self._database.run("DELETE FROM bigquery_deleted WHERE home = ?", entry.uid)

    def table(self, ref: TableRef, moment: datetime) -> Entry | None:
        """Give the table that had that name at a time and was deleted since, if still kept."""
        at = clock.micros(moment)
        row = self._database.row(
            "SELECT * FROM bigquery_deleted WHERE noun = 'table' AND project = ? AND dataset = ?"
            " AND name = ? AND created <= ? AND deleted > ? ORDER BY deleted LIMIT 1",
            ref.project,
            ref.dataset,
            ref.table,
            at,
            at,
        )
        return Entry.of(row) if row else None

    def forget(self) -> None:
        """Forget what was deleted too long ago to be had back."""
        before = clock.micros(clock.now()) - _LONGEST_HOURS * _HOUR
        self._database.run("DELETE FROM bigquery_deleted WHERE deleted < ?", before)


def _remembered(deleted: int, body: dict[str, Any]) -> bool:
    hours = int(body.get("maxTimeTravelHours", _LONGEST_HOURS))
    return clock.micros(clock.now()) < deleted + hours * _HOUR
