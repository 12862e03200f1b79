"""Which jobs there are, and how far they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    from sqlite3 import Row

    from gcp_local.resources.database import Database

_ID = re.compile(r"[A-Za-z0-9_-]{1,1024}")


@dataclass(frozen=True)
class JobRef:
    """A job's full name. Its location is part of it."""

    project: str
    location: str
    id: str

    def __str__(self) -> str:
        return f"{self.project}:{self.location}.{self.id}"

    def as_json(self) -> dict[str, str]:
        """Give the `JobReference`."""
        return {"projectId": self.project, "jobId": self.id, "location": self.location}


@dataclass(frozen=True)
class Question:
    """Which jobs are asked for.

    Attributes:
        parent: the id of the script whose steps are asked for; without, what has no parent.
        state: PENDING, RUNNING or DONE.
        since: the earliest creation, in microseconds since the epoch; `until` the latest.
        after: go on behind this one (from an earlier page).

    """

    parent: str | None = None
    state: str | None = None
    since: int = 0
    until: int = 2**62
    after: tuple[int, str] | None = None


class JobStore:
    """The source of truth for jobs. Each is kept as the JSON of its `Job`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, ref: JobRef, body: dict[str, Any], *, parent: str | None = None) -> None:
        """Keep a new job.

        Raises:
            BigQueryError: `duplicate`; an id that is none.

        """
        if not _ID.fullmatch(ref.id):
            message = (
                f'Invalid job ID "{ref.id}". Job IDs must be alphanumeric (plus underscores and'
                " dashes) and must be at most 1024 characters long."
            )
            raise BigQueryError("invalid", message)
        if not self.database.run(
            "INSERT OR IGNORE INTO bigquery_jobs VALUES (?, ?, ?, ?, ?, ?, ?)",
            ref.project,
            ref.location,
            ref.id,
            parent,
            clock.micros(clock.now()),
            body["status"]["state"],
            json.dumps(body),
        ):
            raise BigQueryError.duplicate("Job", ref)

    def find(
        self, project: str, name: str, location: str | None = None
    ) -> tuple[JobRef, dict[str, Any]]:
        """Give a job.

        Args:
            project: its project.
            name: its id.
            location: where it is; without, it is looked for everywhere.

        Raises:
            BigQueryError: `notFound`.

        """
        row = self.database.row(
            "SELECT * FROM bigquery_jobs WHERE project = ? AND id = ?"
            " AND (? IS NULL OR lower(location) = lower(?))",
            project,
            name,
            location,
            location,
        )
        if row is None:
            at = f"{location}." if location else ""
            raise BigQueryError.not_found("Job", f"{project}:{at}{name}")
        return _read(row)

    def replace(self, ref: JobRef, body: dict[str, Any]) -> None:
        """Keep another state of a job."""
        self.database.run(
            "UPDATE bigquery_jobs SET state = ?, body = ?"
            " WHERE project = ? AND id = ? AND location = ?",
            body["status"]["state"],
            json.dumps(body),
            ref.project,
            ref.id,
            ref.location,
        )

    def delete(self, ref: JobRef) -> None:
        """Forget a job and its children."""
        with self.database.transaction():
            self.database.run(
                "DELETE FROM bigquery_jobs WHERE project = ? AND location = ?"
                " AND (id = ? OR parent = ?)",
                ref.project,
                ref.location,
                ref.id,
                ref.id,
            )

    def page(
        self, project: str, asked: Question, size: int
    ) -> list[tuple[int, JobRef, dict[str, Any]]]:
        """Give the newest jobs that are asked for, each with the time of its creation."""
        created, name = asked.after or (2**62, "")
        rows = self.database.rows(
            "SELECT * FROM bigquery_jobs WHERE project = ? AND created BETWEEN ? AND ?"
            " AND parent IS ? AND (? IS NULL OR state = ?)"
            " AND (created < ? OR (created = ? AND id > ?))"
            " ORDER BY created DESC, id LIMIT ?",
            project,
            asked.since,
            asked.until,
            asked.parent,
            asked.state,
            asked.state,
            created,
            created,
            name,
            size,
        )
        return [(row["created"], *_read(row)) for row in rows]

    def all(self, project: str, location: str) -> Iterator[tuple[JobRef, dict[str, Any]]]:
        """Go through a project's jobs in a location, those of scripts' steps too, newest first."""
        for row in self.database.rows(
            "SELECT * FROM bigquery_jobs WHERE project = ? AND lower(location) = lower(?)"
            " ORDER BY created DESC, id",
            project,
            location,
        ):
            yield _read(row)

    def unfinished(self) -> Iterator[tuple[JobRef, dict[str, Any]]]:
        """Go through the jobs that are not DONE."""
        for row in self.database.rows("SELECT * FROM bigquery_jobs WHERE state <> 'DONE'"):
            yield _read(row)


def _read(row: Row) -> tuple[JobRef, dict[str, Any]]:
    return JobRef(row["project"], row["location"], row["id"]), json.loads(row["body"])
