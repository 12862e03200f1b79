"""Which jobs there are, and how far they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    from gcp_local.resources.database import Database


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


class JobStore:
    """The source of truth for jobs. Each is kept as the JSON of its `Job`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, ref: JobRef, body: dict[str, Any], *, parent: str | None = None) -> None:
        """Keep a new job.

        Raises:
            BigQueryError: `duplicate`.

        """
        if not self._database.run(
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
        row = self._database.row(
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
        return JobRef(project, row["location"], name), json.loads(row["body"])

    def replace(self, ref: JobRef, body: dict[str, Any]) -> None:
        """Keep another state of a job."""
        self._database.run(
            "UPDATE bigquery_jobs SET state = ?, body = ?"
            " WHERE project = ? AND id = ? AND location = ?",
            body["status"]["state"],
            json.dumps(body),
            ref.project,
            ref.id,
            ref.location,
        )

    def unfinished(self) -> Iterator[tuple[JobRef, dict[str, Any]]]:
        """Go through the jobs that are not DONE."""
        for row in self._database.rows("SELECT * FROM bigquery_jobs WHERE state <> 'DONE'"):
            yield JobRef(row["project"], row["location"], row["id"]), json.loads(row["body"])
