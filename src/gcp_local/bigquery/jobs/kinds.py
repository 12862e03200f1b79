"""What a kind of jobs is: query, load, extract, copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from gcp_local.bigquery.engine import Cancellation

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.bigquery.jobs.store import JobRef


@dataclass(frozen=True)
class Job:
    """A job that is being done.

    Attributes:
        configuration: the `JobConfiguration`, as `Kind.check` gave it.
        file: what was uploaded with it.
        settle: for what changes something before `Kind.run` returns: called in the transaction of
            the change, it enters there that the job is done.

    """

    ref: JobRef
    configuration: dict[str, Any]
    cancellation: Cancellation = field(default_factory=Cancellation)
    file: Path | None = None
    settle: Callable[[Result], object] = lambda _: None


@dataclass(frozen=True)
class Checked:
    """A configuration that was held to the rules.

    Attributes:
        configuration: with what was left to say.
        location: where the job has to run; None if anywhere.

    """

    configuration: dict[str, Any]
    location: str | None = None


def nothing() -> None:
    """Enter nothing: the job did it itself, or only read."""


@dataclass(frozen=True)
class Result:
    """What came of a job.

    Attributes:
        statistics: its `JobStatistics`, without times.
        commit: enters what it wrote, in the transaction in which the job becomes DONE; the job
            fails with what it raises.
        errors: what went wrong without failing it: `ErrorProto`s.
        configuration: what it adds to the job's configuration, by the kind's own names.

    """

    statistics: Mapping[str, Any]
    commit: Callable[[], None] = nothing
    errors: Sequence[Mapping[str, Any]] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)


class Kind(Protocol):
    """Does what jobs of one kind are for."""

    def check(self, project: str, configuration: dict[str, Any]) -> Checked:
        """Hold a job's configuration to the rules before there is a job.

        Raises:
            BigQueryError: it breaks one that BigQuery answers at once.

        """
        ...

    def dry(self, job: Job) -> Mapping[str, Any]:
        """Give the `statistics` that a dry run answers.

        Raises:
            ApiError: the job would fail with this.

        """
        ...

    def run(self, job: Job) -> Result:
        """Do it.

        Raises:
            ApiError: the job fails with this.

        """
        ...
