"""A difference between the ledger and the cloud: one thing that is not as the ledger says."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ecluse.canonical import short
from ecluse.ledger.records import Head

_LONGEST = 160
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Trouble = Literal["missing", "changed", "off", "on", "extra", "unknown"]
"""What is wrong with it: it is not there, or set to something else; it does not fire though it
should, or does though it should not; there is one too many; the ledger knows nothing of it."""

_SAID: dict[Trouble, str] = {
    "missing": "is not there",
    "changed": "is not as the ledger says",
    "off": "is paused",
    "on": "is on, and nothing is to run",
    "extra": "is one too many",
    "unknown": "is unknown to the ledger",
}


@dataclass(frozen=True)
class Change:
    """A setting that is not as it ought to be.

    Attributes:
        setting: its name, such as `cron` or `parameters.rounds`.
        found: what the cloud has; none if it has nothing there.
        wanted: what the ledger says; none if there ought to be nothing.

    """

    setting: str
    found: Any
    wanted: Any

    def __str__(self) -> str:
        """Return the change in words."""
        if self.found is None:
            return f"{self.setting}: `{_shown(self.wanted)}` is gone"
        if self.wanted is None:
            return f"{self.setting}: `{_shown(self.found)}` was added"
        return f"{self.setting}: `{_shown(self.wanted)}` became `{_shown(self.found)}`"


@dataclass(frozen=True)
class Difference:
    """One thing in the cloud that is not as the ledger says.

    Attributes:
        kind: what kind of thing it is: `schedule`, `live tag`, `template`, …
        pipeline: whose it is; where no pipeline is known, whatever it is called by.
        trouble: what is wrong.
        resource: its resource name, or its address where it is missing.
        changes: setting by setting, from what to what.
        fix: the command to type, where écluse cannot mend it; empty where it can.

    """

    kind: str
    pipeline: str
    trouble: Trouble
    resource: str
    changes: tuple[Change, ...] = ()
    fix: str = ""

    @property
    def mendable(self) -> bool:
        """Whether écluse can mend it by itself."""
        return not self.fix

    def __str__(self) -> str:
        """Return the difference as one sentence."""
        details = "; ".join(str(change) for change in self.changes)
        sentence = f"the {self.kind} {_SAID[self.trouble]}"
        return f"{sentence}: {details}" if details else sentence

    def as_json(self) -> dict[str, Any]:
        """Return the difference as plain values."""
        return {
            **vars(self),
            "changes": [vars(change) for change in self.changes],
            "what": str(self),
        }


class Keeper(Protocol):
    """Keeps one kind of thing in an environment's cloud as the ledger says.

    Reading and writing are apart: `differences` only reads, and `mend` does one thing about one
    difference, and finds it done if it was done already.
    """

    def differences(self, head: Head, pipelines: Collection[str] | None) -> Sequence[Difference]:
        """Return what is not as the ledger says, in the order in which it is to be mended.

        Args:
            head: what the ledger says.
            pipelines: look at what belongs to these only; none for everything that the environment
                has, what the ledger does not know included.

        """

    def mend(self, head: Head, difference: Difference) -> str:
        """Mend a difference and return in words what was done."""


def _shown(value: Any) -> str:
    """Return a value as a sentence can hold it; `as_json` has the whole of it."""
    text = _DIGEST.sub(lambda match: short(match[0]), str(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def compared(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[Change, ...]:
    """Compare two flat mappings of settings, value by value."""
    return tuple(
        Change(setting, found.get(setting), wanted.get(setting))
        for setting in sorted(found.keys() | wanted.keys())
        if found.get(setting) != wanted.get(setting)
    )
