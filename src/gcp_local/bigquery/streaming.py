"""What was streamed lately: BigQuery holds it in a buffer, where nothing can change it.

Sources: https://cloud.google.com/bigquery/docs/streaming-data-into-bigquery and
https://cloud.google.com/bigquery/docs/data-manipulation-language#limitations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcp_local import clock

if TYPE_CHECKING:
    from gcp_local.bigquery.warehouse import DataFile, Version
    from gcp_local.resources.database import Database

_MINUTE = 60_000_000
_IN_BUFFER = 30 * _MINUTE
_REMEMBERED = _MINUTE


@dataclass(frozen=True)
class Buffer:
    """What of a table is in the streaming buffer.

    Attributes:
        oldest: when the first of it came, microseconds since the epoch.

    """

    rows: int
    bytes: int
    oldest: int


class Streaming:
    """The source of truth for what was streamed when, and under which insert ids."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def buffer(self, uid: str, version: Version) -> Buffer | None:
        """Give what of a table's version is in the buffer still, if there is anything."""
        moments = self.files(uid, version)
        if not moments:
            return None
        files = [file for file in version.files if file.name in moments]
        return Buffer(
            sum(file.rows for file in files),
            sum(file.bytes for file in files),
            min(moments.values()),
        )

    def files(self, uid: str, version: Version) -> dict[str, int]:
        """Give those files of a version that are in the buffer, and when each came."""
        since = clock.micros(clock.now()) - _IN_BUFFER
        there = {file.name for file in version.files}
        rows = self._database.rows(
            "SELECT file, moment FROM bigquery_streamed WHERE uid = ? AND moment > ?", uid, since
        )
        return {row["file"]: row["moment"] for row in rows if row["file"] in there}

    def rows(self, uid: str, version: Version) -> tuple[range, ...]:
        """Tell which rows of a version, counted from 0, are in the buffer still."""
        moments = self.files(uid, version)
        found, start = [], 0
        for file in version.files:
            if file.name in moments:
                found.append(range(start, start + file.rows))
            start += file.rows
        return tuple(found)

    def known(self, uid: str, ids: Iterable[str]) -> set[str]:
        """Tell which insert ids a table had within the last minute."""
        since = clock.micros(clock.now()) - _REMEMBERED
        self._database.run("DELETE FROM bigquery_insert_ids WHERE moment <= ?", since)
        return {
            name
            for name in ids
            if self._database.row(
                "SELECT 1 FROM bigquery_insert_ids WHERE uid = ? AND id = ?", uid, name
            )
        }

    def note(self, uid: str, file: DataFile, ids: Sequence[str]) -> None:
        """Remember what was streamed; in the transaction that commits it."""
        now = clock.micros(clock.now())
        self._database.run("DELETE FROM bigquery_streamed WHERE moment <= ?", now - _IN_BUFFER)
        self._database.run("INSERT INTO bigquery_streamed VALUES (?, ?, ?)", uid, file.name, now)
        for name in ids:
            self._database.run(
                "INSERT OR IGNORE INTO bigquery_insert_ids VALUES (?, ?, ?)", uid, name, now
            )
