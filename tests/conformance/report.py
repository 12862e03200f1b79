"""What a run has shown: for machines, and for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conformance.runner import Outcome

_SHOWN = 2000


def as_json(outcomes: Sequence[Outcome], *, target: str, when: str) -> dict[str, Any]:
    """Give a record of a run. It holds no credentials: no header that was sent is in it.

    Args:
        outcomes: what came of each case.
        target: to whom they were put.
        when: an RFC 3339 time.

    """
    return {
        "target": target,
        "when": when,
        "counts": dict(Counter(outcome.result for outcome in outcomes)),
        "cases": [_entry(outcome) for outcome in outcomes],
    }


def as_text(outcomes: Sequence[Outcome]) -> str:
    """Give a table of what differs, or could not be put, and a line that counts."""
    lines = []
    for outcome in outcomes:
        left_out = outcome.reason.startswith("left out")
        if outcome.result == "agrees" or (outcome.result == "not run" and left_out):
            continue
        lines += [f"{outcome.result.upper()}  {outcome.case.name}", f"  {outcome.case.source}"]
        lines += [f"  {outcome.sent}"] if outcome.sent else []
        lines += [f"  {difference}" for difference in outcome.differences]
        lines += [f"  {outcome.reason}"] if outcome.reason else []
    lines += [
        f"LEFT BEHIND by {outcome.case.name}: {left}"
        for outcome in outcomes
        for left in outcome.left_behind
    ]
    counts = Counter(outcome.result for outcome in outcomes)
    told = ", ".join(f"{counts[result]} {result}" for result in ("agrees", "differs", "not run"))
    return "\n".join([*lines, told])


def _entry(outcome: Outcome) -> dict[str, Any]:
    answered = outcome.answered
    return {
        "name": outcome.case.name,
        "source": outcome.case.source,
        "result": outcome.result,
        "reason": outcome.reason,
        "request": outcome.sent,
        "status": answered.status if answered else None,
        "answer": answered.content[:_SHOWN].decode("utf-8", "replace") if answered else None,
        "differences": [vars(difference) for difference in outcome.differences],
        "left_behind": list(outcome.left_behind),
    }
