"""What a script does one after the other, each of which BigQuery keeps as a child job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.session import Outcome, Session


@dataclass(frozen=True)
class Frame:
    """Where in a script, or in a procedure that it called; lines and columns count from 1.

    Attributes:
        procedure: the procedure's id, empty in the script itself.

    """

    text: str
    start: tuple[int, int]
    end: tuple[int, int]
    procedure: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give the `ScriptStackFrame`."""
        said: dict[str, Any] = {
            "startLine": self.start[0],
            "startColumn": self.start[1],
            "endLine": self.end[0],
            "endColumn": self.end[1],
            "text": self.text,
        }
        return {**said, "procedureId": self.procedure} if self.procedure else said


@dataclass(frozen=True)
class Step:
    """One statement of a script, or one expression of it that is evaluated.

    Attributes:
        text: the statement, or `SELECT` and the expression.
        kind: STATEMENT or EXPRESSION.
        frames: where, the innermost first.

    """

    text: str
    kind: str
    frames: tuple[Frame, ...]

    @property
    def statistics(self) -> dict[str, Any]:
        """The `ScriptStatistics` of its job."""
        return {
            "evaluationKind": self.kind,
            "stackFrames": [frame.as_json() for frame in self.frames],
        }


class Children(Protocol):
    """Keeps a script's steps as child jobs."""

    def run(self, step: Step, session: Session, do: Callable[[Session], Outcome]) -> Outcome:
        """Do a step as a child job, whose id is in the session that it is done in.

        Whether it was done or failed, the job is kept and is DONE afterwards.

        Raises:
            BigQueryError: as `do`.

        """
        ...


class Unkept:
    """Does a script's steps without keeping them as jobs."""

    def run(self, step: Step, session: Session, do: Callable[[Session], Outcome]) -> Outcome:
        """Do a step; see `Children.run`."""
        del step
        return do(session)
