"""What the doctor found: a sentence for each thing, and the command that mends it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["ok", "warning", "failed", "unchecked"]


@dataclass(frozen=True)
class Finding:
    """One sentence on one thing that a promotion needs.

    Attributes:
        need: what it is.
        resource: which one.
        verdict: `ok`; `warning`: a promotion goes through, but not as it should; `failed`: it would
            not; `unchecked`: nobody looked.
        said: the sentence.
        why: what it is needed for.
        fix: what to type, one command a line; empty where there is nothing to mend.

    """

    need: str
    resource: str
    verdict: Verdict
    said: str
    why: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the finding as plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Diagnosis:
    """All findings on one environment.

    Attributes:
        environment: its name.
        caller: whose permissions were looked at; empty if nobody knows.
        local: whether this is the embedded cloud, which no gcloud reaches.
        findings: in the order of the needs.

    """

    environment: str
    caller: str
    local: bool
    findings: Sequence[Finding]

    @property
    def ready(self) -> bool:
        """Whether nothing was found that would stop a promotion."""
        return self.count("failed") == 0

    def count(self, verdict: Verdict) -> int:
        """Return how many findings have a verdict."""
        return sum(finding.verdict == verdict for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the diagnosis as plain values."""
        return {
            "environment": self.environment,
            "caller": self.caller,
            "local": self.local,
            "ready": self.ready,
            "findings": [finding.as_json() for finding in self.findings],
        }
