"""How a promotion goes and ends: what is told on the way, and what remains of each pipeline."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ecluse.cloud.run import Run
from ecluse.errors import EcluseError
from ecluse.promotion.gates import Verdict

Ending = Literal["activated", "unchanged", "retired", "running", "held back", "refused", "failed"]
"""`running`: left to run, to be joined later; `held back`: not tried, or not to its end."""


class Watcher(Protocol):
    """Who is told how a promotion goes. Called from several threads."""

    def step(self, pipeline: str, text: str) -> None:
        """Take note of a step that was done."""

    def running(self, pipeline: str, run: Run) -> None:
        """Take note of how a run does."""

    def judged(self, pipeline: str, verdicts: tuple[Verdict, ...]) -> None:
        """Take note of what the gates said."""


@dataclass(frozen=True)
class Outcome:
    """How a promotion ended for one pipeline.

    Attributes:
        pipeline: its name.
        ending: what happened.
        digest: the digest that is live now.
        tried: the digest that was to go live.
        run: the qualifying run, if there was one.
        verdicts: what its gates said.
        error: why it was refused or failed.
        exceptions: what was done past a check to make live what is, in words.

    """

    pipeline: str
    ending: Ending
    digest: str | None
    tried: str | None
    run: Run | None = None
    verdicts: tuple[Verdict, ...] = ()
    error: EcluseError | None = None
    exceptions: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as plain values."""
        return {
            "pipeline": self.pipeline,
            "ending": self.ending,
            "digest": self.digest,
            "tried": self.tried,
            "run": self.run.name if self.run else None,
            "metrics": self.run.metrics if self.run else {},
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
            "error": str(self.error) if self.error else None,
            "exceptions": list(self.exceptions),
        }
