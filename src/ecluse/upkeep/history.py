"""The history of a pipeline in an environment: every activation, retirement and rollback."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from ecluse import clock
from ecluse.cloud import Cloud
from ecluse.errors import UnknownPipeline
from ecluse.ledger.records import Entry


@dataclass(frozen=True)
class HistoryRow:
    """One entry of a pipeline's history.

    Attributes:
        sequence: 1 for the first.
        at: when.
        action: activate, retire or rollback.
        digest: the compiled bytes that were live from then on; none after a retirement.
        version, commit: what they came from.
        by: who did it.
        run: the id of the run that qualified them here.
        metrics: that run's metrics.
        reason: why, where somebody said so.
        override: the reason with which a check was overridden, if one was.
        break_glass: the reason with which it was done past the usual way, if it was.

    """

    sequence: int
    at: datetime
    action: str
    digest: str | None
    version: str | None
    commit: str
    by: str
    run: str
    metrics: dict[str, float]
    reason: str
    override: str
    break_glass: str

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain values."""
        return {**asdict(self), "at": clock.rfc3339(self.at)}


def read_history(cloud: Cloud, pipeline: str, *, limit: int) -> tuple[HistoryRow, ...]:
    """Return the newest entries of a pipeline's history, the newest first.

    Raises:
        UnknownPipeline: nothing of that name was ever live here.

    """
    head = cloud.ledger.head()
    if pipeline not in head.pipelines:
        known = ", ".join(sorted(head.pipelines)) or "nothing yet"
        raise UnknownPipeline(
            f"`{pipeline}` was never live in {cloud.environment.name}",
            where=cloud.environment.ledger,
            fix=f"what was: {known}",
        )
    return tuple(islice(_rows(cloud.ledger.history(pipeline, head=head)), limit))


def _rows(entries: Iterator[Entry]) -> Iterator[HistoryRow]:
    for entry in entries:
        yield HistoryRow(
            sequence=entry.sequence,
            at=entry.at,
            action=entry.action,
            digest=entry.digest if entry.is_live else None,
            version=entry.version,
            commit=entry.commit,
            by=entry.by,
            run=entry.run.rsplit("/", 1)[-1],
            metrics=entry.metrics,
            reason=entry.reason,
            override=entry.override,
            break_glass=entry.break_glass,
        )
