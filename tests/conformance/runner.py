"""Puts cases to a target, and cleans up behind each.

It changes and removes only what it has made itself: every name that it gives holds a mark of the
run, and `sending` holds each request to that.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.conformance.matching import Answered, Difference, differences
from tests.conformance.removal import clean_up, undo_unexpected
from tests.conformance.sending import LOST, NotRunError, Run, filled, send, succeed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tests.conformance.corpus import Case, Need
    from tests.conformance.targets import Target


@dataclass(frozen=True)
class Outcome:
    """What came of a case: `agrees`, `differs`, or `not run`, with the reason."""

    case: Case
    result: str
    differences: Sequence[Difference] = ()
    reason: str = ""
    sent: str = ""
    answered: Answered | None = None
    left_behind: Sequence[str] = ()


class Runner:
    """Puts cases to one target.

    Args:
        target: whom.
        needs: what cases may need, by name.
        project: the project's id.
        location: the region.
        bucket: an existing bucket; only objects under the run's mark are touched.
        pause: seconds between two questions about an operation.

    """

    def __init__(
        self,
        target: Target,
        needs: Mapping[str, Need],
        *,
        project: str,
        location: str,
        bucket: str,
        pause: float = 1.0,
    ) -> None:
        self._target = target
        self._needs = needs
        self._place = {"project": project, "location": location, "bucket": bucket}
        self._mark = f"cnf{secrets.token_hex(4)}"
        self._pause = pause
        self._count = 0
        self._interrupted = False

    def run(self, cases: Iterable[Case], *, included: Iterable[str] = ()) -> Iterator[Outcome]:
        """Put cases, one after the other; an interrupt ends that after its case is undone.

        Args:
            cases: which.
            included: marks (`costs`, `slow`, `stays`) that are no reason to leave a case out.

        """
        allowed = set(included)
        for case in cases:
            marks = set(case.marks) | self._marks_of(case.needs)
            if left_out := marks - allowed:
                yield Outcome(case, "not run", reason=f"left out: {', '.join(sorted(left_out))}")
            else:
                yield self.put(case)
            if self._interrupted:
                return

    def put(self, case: Case) -> Outcome:
        """Put one case and clean up behind it."""
        self._count += 1
        unique = f"{self._mark}-{self._count}"
        variables = {**self._place, "unique": unique, "under": unique.replace("-", "_")}
        marks = {unique, variables["under"]}
        run = Run(self._target, variables, marks, pause=self._pause)
        lost = False
        try:
            outcome = self._put(case, run)
        except NotRunError as error:
            outcome = Outcome(case, "not run", reason=str(error))
        except (*LOST, KeyboardInterrupt) as error:
            lost, self._interrupted = True, isinstance(error, KeyboardInterrupt)
            outcome = Outcome(case, "not run", reason=str(error) or "interrupted")
        left = clean_up(run, lost=lost)
        if not left:
            return outcome
        return Outcome(**{**outcome.__dict__, "left_behind": left})

    def _put(self, case: Case, run: Run) -> Outcome:
        made: set[str] = set()
        for name in case.needs:
            self._make(name, run, made)
        run.undo += [(case.service, step) for step in reversed(case.undo)]
        for step in case.before:
            succeed(step, case.service, run)
        answered, sent = send(case.request, case.service, run)
        if case.request.method == "POST" and case.expect.status >= 400 > answered.status:
            undo_unexpected(answered, case.service, run)
        expected = case.expect.model_validate(
            filled(case.expect.model_dump(exclude_none=True), run.variables)
        )
        found = differences(expected, answered)
        result = "differs" if found else "agrees"
        return Outcome(case, result, found, sent=sent, answered=answered)

    def _make(self, name: str, run: Run, made: set[str]) -> None:
        if name in made:
            return
        made.add(name)
        if name not in self._needs:
            raise NotRunError(f"needs.yaml does not say how to make {name!r}")
        need = self._needs[name]
        for other in need.needs:
            self._make(other, run, made)
        run.undo += [(need.service, step) for step in reversed(need.undo)]
        for step in need.make:
            succeed(step, need.service, run)

    def _marks_of(self, names: Iterable[str]) -> set[str]:
        needs = [self._needs[name] for name in names if name in self._needs]
        return {mark for need in needs for mark in (*need.marks, *self._marks_of(need.needs))}
