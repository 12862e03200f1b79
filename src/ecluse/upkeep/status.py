"""The status: environments × pipelines, read from their ledgers alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecluse import clock
from ecluse.cloud import Cloud
from ecluse.ledger.records import Record


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
        activations: how often something went live here.

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
    activations: int

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain values."""
        return {**vars(self), "since": clock.rfc3339(self.since)}


def read_status(clouds: Iterable[Cloud]) -> tuple[StatusRow, ...]:
    """Read the ledgers of some environments."""
    return tuple(
        status_row(record)
        for cloud in clouds
        for _, record in sorted(cloud.ledger.read_all().items())
        if record.entries
    )


def status_row(record: Record) -> StatusRow:
    """Return what a record says of the present."""
    last = record.entries[-1]
    return StatusRow(
        environment=record.environment,
        pipeline=record.pipeline,
        digest=record.live.digest if record.live is not None else None,
        version=last.version,
        commit=last.commit,
        since=last.at,
        by=last.by,
        run=last.run.rsplit("/", 1)[-1],
        metrics=last.metrics,
        activations=sum(entry.action == "activate" for entry in record.entries),
    )
