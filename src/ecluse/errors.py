"""What can go wrong, as a tree. Catch exactly what you mean.

    EcluseError
    ├── InvalidInput                exit code 2: the command or a file is wrong; nothing was done
    │   ├── SettingsError           a field of an environments/*.yaml or pipeline.yaml
    │   ├── UnknownEnvironment
    │   ├── UnknownPipeline
    │   ├── CompilationError        a pipeline that does not compile, or to what Vertex AI refuses
    │   ├── UnusableData            a data file that the pipeline's own check refuses
    │   ├── UnknownMetric           a gate on a metric that no task of the run produced
    │   └── BrokenGate              a gate written in Python is missing, raises, or makes no sense
    └── Refused                     exit code 1: a check, a gate, a run or the cloud said no
        ├── ReleaseAltered          bytes, settings or manifest differ from what was built
        ├── NotQualified            no valid signed evidence from the environment below
        ├── RunFailed
        ├── GateRefused
        ├── LedgerMoved             somebody else changed what is live in the meantime
        ├── LeaseHeld               somebody else is at work in this environment
        ├── LeaseLost               ours ran out, and somebody else took over
        ├── PlanMoved               the world is not as it was when the plan was made
        ├── NotDescendant           the release is older than what is live, or beside it
        ├── Frozen                  nothing may go live here now
        ├── NoWayBack               a rollback finds nothing older that it could make live
        ├── HeldBack                a pipeline that waits for another one, which did not go live
        ├── CloudError              Google Cloud answered with an error
        └── Interrupted             the user stopped it

Every error says what was wrong, where (file and line, field, or resource name) and what to do.
"""

from typing import ClassVar


class EcluseError(Exception):
    """Something a user can understand and mend.

    Attributes:
        what: one sentence on what is wrong.
        where: `file:line`, a field or a resource name; empty where the command line is meant.
        fix: what to do now, ideally the next command to type.

    """

    exit_code: ClassVar[int] = 1

    # Whether a command that answers in JSON has said it in its answer already.
    answered = False

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def as_json(self) -> dict[str, str]:
        """Return the error as plain values."""
        return {"what": self.what, "where": self.where, "fix": self.fix}

    def __str__(self) -> str:
        """One line: where, what, and what to do."""
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line} → {self.fix}" if self.fix else line


class InvalidInput(EcluseError):
    """The command line or a file that the user wrote is wrong. Nothing was done."""

    exit_code = 2


class SettingsError(InvalidInput):
    """A field of a settings file is misspelt, missing, wrongly typed or contradictory."""


class UnknownEnvironment(InvalidInput):
    """There is no such file under environments/."""


class UnknownPipeline(InvalidInput):
    """There is no such folder under pipelines/."""


class CompilationError(InvalidInput):
    """A pipeline does not compile, or compiles to something that Vertex AI refuses."""


class UnusableData(InvalidInput):
    """A data file that the pipeline's own check refuses."""


class UnknownMetric(InvalidInput):
    """A gate names a metric that the finished task did not produce."""


class BrokenGate(InvalidInput):
    """A gate written in Python is not installed, raises, or returns no verdict."""


class Refused(EcluseError):
    """A check, a gate, a run or the cloud said no."""


class ReleaseAltered(Refused):
    """A release's bytes, settings or manifest are not what was built."""


class NotQualified(Refused):
    """There is no valid evidence that the environment below qualified this."""


class RunFailed(Refused):
    """A pipeline run did not succeed."""


class GateRefused(Refused):
    """A run succeeded, but its metrics do not pass the gates."""


class LedgerMoved(Refused):
    """The ledger changed between reading and writing: another promotion was quicker."""


class LeaseHeld(Refused):
    """Somebody else is changing this environment right now."""


class LeaseLost(Refused):
    """The lease ran out or was taken over: nothing more may be changed under it."""


class PlanMoved(Refused):
    """The plan that was made is not what a promotion would do now."""


class NotDescendant(Refused):
    """The release does not descend from what is live: promoting it would go backwards."""


class Frozen(Refused):
    """A freeze window of the environment's settings holds: nothing may go live."""


class NoWayBack(Refused):
    """There is nothing older that a rollback could make live again."""


class HeldBack(Refused):
    """A pipeline was not tried, because one that it waits for did not go live."""


class CloudError(Refused):
    """Google Cloud answered with an error that écluse cannot mend."""


class Interrupted(Refused):
    """The user stopped the command; what runs in the cloud goes on."""

    exit_code = 130
