"""The status: environments × pipelines, read from their ledgers alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecluse import clock
from ecluse.cloud import Cloud
from ecluse.ledger.records import Entry


@dataclass(frozen=True)
class StatusRow:
    """What is live of one pipeline in one environment.

    Attributes:
        environment, pipeline: which.
        digest: the live compiled bytes; none if the pipeline was retired.
        version, commit: what it was promoted from.
        since: since when.
        by: who made it so.
        run: the qualifying run's id.
        metrics: that run's metrics.
        changes: how often what is live changed here.

    """

    environment: str
    pipeline: str
    digest: str | None
    version: str | None
    commit: str
    since: datetime
    by: str
    run: str
    metrics: dict[str, float]
    changes: int

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain values."""
        return {**vars(self), "since": clock.rfc3339(self.since)}


def read_status(clouds: Iterable[Cloud]) -> tuple[StatusRow, ...]:
    """Read the ledgers of some environments."""
    return tuple(
        status_row(cloud.environment.name, name, entry)
        for cloud in clouds
        for name, entry in sorted(cloud.ledger.head().pipelines.items())
    )


def status_row(environment: str, pipeline: str, last: Entry) -> StatusRow:
    """Return what a pipeline's last entry says of the present."""
    return StatusRow(
        environment=environment,
        pipeline=pipeline,
        digest=last.digest if last.is_live else None,
        version=last.version,
        commit=last.commit,
        since=last.at,
        by=last.by,
        run=last.run.rsplit("/", 1)[-1],
        metrics=last.metrics,
        changes=last.sequence,
    )
