"""What a rollback does, as values: which entry each pipeline returns to."""

from dataclasses import dataclass
from typing import Any, Literal

from ecluse.ledger.records import Entry

Kind = Literal["rollback", "retire", "already", "stays"]
"""`already`: it went back before, and is only converged; `stays`: there is nothing to return to."""


@dataclass(frozen=True)
class Return:
    """What a rollback does with one pipeline.

    Attributes:
        pipeline: its name.
        kind: what happens to it.
        last: its last entry, before.
        target: the entry that it returns to; none where it is not live afterwards, or stays.
        restores: the sequence that the new entry says it restores.
        passed_over: entries nearer than the target that cannot be vouched for, and why.

    """

    pipeline: str
    kind: Kind
    last: Entry
    target: Entry | None = None
    restores: int = 0
    passed_over: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the ledger gets an entry."""
        return self.kind in ("rollback", "retire")

    @property
    def digest(self) -> str | None:
        """The digest that is live afterwards; none if nothing is."""
        if self.target is not None:
            return self.target.digest
        return self.last.digest if self.last.is_live and self.kind != "retire" else None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "pipeline": self.pipeline,
            "kind": self.kind,
            "from": _as_json(self.last),
            "to": _as_json(self.target) if self.target is not None else None,
            "restores": self.restores if self.changes else None,
            "passed_over": list(self.passed_over),
        }


@dataclass(frozen=True)
class ReturnPlan:
    """What a rollback does.

    Attributes:
        environment: where.
        words: what it undoes or returns to, in words.
        release: an entry of the release that it returns to, where somebody named one.
        returns: by pipeline.

    """

    environment: str
    words: str
    release: Entry | None
    returns: tuple[Return, ...]

    @property
    def changes(self) -> tuple[Return, ...]:
        """The pipelines that get an entry."""
        return tuple(back for back in self.returns if back.changes)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return {
            "environment": self.environment,
            "what": self.words,
            "returns": [back.as_json() for back in self.returns],
        }


def label(entry: Entry) -> str:
    """Call an entry's release by its version, and by the commit that it was made of."""
    commit = entry.commit[:12]
    return f"{entry.version} ({commit})" if entry.version else commit


def spelt(entry: Entry) -> str:
    """Return what `--to` calls an entry's release."""
    return entry.version or entry.commit[:12]


def _as_json(entry: Entry) -> dict[str, Any]:
    return {
        "sequence": entry.sequence,
        "digest": entry.digest if entry.is_live else None,
        "version": entry.version,
        "commit": entry.commit,
        "at": entry.model_dump(mode="json")["at"],
        "by": entry.by,
    }
