"""Puts cases to a target, and cleans up behind each.

It changes and removes only what it has made itself: every name that it gives holds a mark of the
run, and a request that would change anything is not sent unless its path has such a mark, or an
identifier that an answer to an earlier request of the case has given.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import dataclass, field
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
from google.auth.exceptions import GoogleAuthError

from tests.conformance.corpus import Step, Until
from tests.conformance.matching import Answered, Difference, differences, value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tests.conformance.corpus import Case, Need
    from tests.conformance.targets import Target

_LONGEST_WAIT = 900.0
# No answer came; whether the request has had its effect nobody knows.
_LOST = (requests.RequestException, GoogleAuthError)
_CANCELLED_FIRST = re.compile(
    r".*/(customJobs|batchPredictionJobs|pipelineJobs|\w+TuningJobs|trainingPipelines)/[^/]+"
)
_ENDED = [
    f"{kind}_STATE_{end}"
    for kind in ("JOB", "PIPELINE")
    for end in ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")
]
_GONE = (404, 499)  # not there; an upload that was cancelled
_SHORTEST_MARK = 8  # of an identifier that an answer gave
# Calls that only ever make something new, whatever they name.
_MAKING = re.compile(
    r"/v1/projects/[^/]+/locations/[^/]+/[a-zA-Z]+(:upload)?(\?.*)?"
    r"|/storage/v1/b\?project=[^&]+"
    r"|/upload/storage/v1/b/[^/]+/o\?(.*&)?ifGenerationMatch=0(&.*)?"
)


class NotRunError(Exception):
    """A case could not be put: what it needs could not be made."""


class _UnsetError(NotRunError):
    """A variable that no answer has set."""


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


@dataclass
class _Run:
    """One case that is being put: its variables, its marks, and how to undo it."""

    target: Target
    variables: dict[str, str]
    marks: set[str]
    undo: list[tuple[str, Step]] = field(default_factory=list)
    pause: float = 1.0


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
        run = _Run(self._target, variables, marks, pause=self._pause)
        lost = False
        try:
            outcome = self._put(case, run)
        except NotRunError as error:
            outcome = Outcome(case, "not run", reason=str(error))
        except (*_LOST, KeyboardInterrupt) as error:
            lost, self._interrupted = True, isinstance(error, KeyboardInterrupt)
            outcome = Outcome(case, "not run", reason=str(error) or "interrupted")
        left = _clean_up(run, lost=lost)
        if not left:
            return outcome
        return Outcome(**{**outcome.__dict__, "left_behind": left})

    def _put(self, case: Case, run: _Run) -> Outcome:
        made: set[str] = set()
        for name in case.needs:
            self._make(name, run, made)
        run.undo += [(case.service, step) for step in reversed(case.undo)]
        for step in case.before:
            _succeed(step, case.service, run)
        answered, sent = _send(case.request, case.service, run)
        if case.request.method == "POST" and case.expect.status >= 400 > answered.status:
            _undo_unexpected(answered, case.service, run)
        expected = case.expect.model_validate(
            _filled(case.expect.model_dump(exclude_none=True), run.variables)
        )
        found = differences(expected, answered)
        result = "differs" if found else "agrees"
        return Outcome(case, result, found, sent=sent, answered=answered)

    def _make(self, name: str, run: _Run, made: set[str]) -> None:
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
            _succeed(step, need.service, run)

    def _marks_of(self, names: Iterable[str]) -> set[str]:
        needs = [self._needs[name] for name in names if name in self._needs]
        return {mark for need in needs for mark in (*need.marks, *self._marks_of(need.needs))}


def _succeed(step: Step, service: str, run: _Run) -> None:
    answered, sent = _send(step, service, run)
    if not 200 <= answered.status < 400 or _has_failed(answered):
        raise NotRunError(f"{sent} answered {answered.status}: {answered.content[:300]!r}")


def _send(step: Step, service: str, run: _Run) -> tuple[Answered, str]:
    """Send a step, with its variables; wait for what it waits for; keep what it keeps."""
    service = step.service or service
    path, body = _filled(step.path, run.variables), _filled(step.body, run.variables)
    headers = {name.lower(): _filled(value, run.variables) for name, value in step.headers.items()}
    content = _filled(step.content or "", run.variables).encode()
    if step.body is not None:
        content = json.dumps(body).encode()
        headers.setdefault("content-type", "application/json")
    _check_own(step.method, path, content, run)
    answered = run.target.send(service, step.method, path, headers, content)
    deadline = time.monotonic() + _LONGEST_WAIT
    while step.until and str(value_at(answered.body, step.until.field)) not in step.until.values:
        _check_time(answered, deadline, path)
        time.sleep(run.pause)
        answered = run.target.send(service, step.method, path, headers, content)
    operation = str(value_at(answered.body, "name"))
    while step.wait and "/operations/" in operation and not value_at(answered.body, "done"):
        _check_time(answered, deadline, path)
        time.sleep(run.pause)
        answered = run.target.send(service, "GET", f"/v1/{operation}", {}, b"")
    for name, field_path in step.keep.items():
        value = _kept(answered, field_path)
        run.variables[name] = value
        if step.method != "GET" and len(value) >= _SHORTEST_MARK:
            run.marks.add(value)
    return answered, f"{step.method} {path}"


def _kept(answered: Answered, path: str) -> str:
    if path.startswith("text:"):
        found = re.search(path.removeprefix("text:"), answered.content.decode("utf-8", "replace"))
        value = found[1] if found else None
    elif path.startswith("header:"):
        value = answered.headers.get(path.removeprefix("header:"))
    else:
        value = value_at(answered.body, path)
    if value is None:
        raise NotRunError(f"the answer has no {path!r}: {answered.content[:300]!r}")
    return str(value)


def _check_time(answered: Answered, deadline: float, path: str) -> None:
    if answered.status != 200 or time.monotonic() > deadline:
        raise NotRunError(f"{path} did not come to an end: {answered.content[:300]!r}")


def _check_own(method: str, path: str, content: bytes, run: _Run) -> None:
    """Refuse to change what this case has not made.

    A POST to a collection makes something new; what it is called is in the query or the body, or
    the service's to choose.
    """
    if method in ("GET", "HEAD") or any(mark in path for mark in run.marks):
        return
    new = method == "POST" and (
        any(mark.encode() in content for mark in run.marks) or _MAKING.fullmatch(path)
    )
    if not new:
        raise NotRunError(f"{method} {path} would change what this case has not made")


def _undo_unexpected(answered: Answered, service: str, run: _Run) -> None:
    """Arrange for the removal of what a request has made that was to be refused."""
    operation = str(value_at(answered.body, "name"))
    if "/operations/" in operation:
        run.marks.add(operation)
        answered, _ = _send(Step(call=f"GET /v1/{operation}", wait=True), service, run)
    body = answered.body if isinstance(answered.body, dict) else {}
    body = body.get("response", body)
    name = str(body.get("name") or body.get("model"))
    path = f"/v1/{name}"
    if body.get("kind") == "storage#bucket":
        path = f"/storage/v1/b/{name}"
    elif body.get("kind") == "storage#object":
        path = f"/storage/v1/b/{body['bucket']}/o/{quote(name, safe='')}"
    run.marks.add(path)
    run.undo.append((service, Step(call=f"DELETE {path}")))
    if _CANCELLED_FIRST.fullmatch(path):
        until = Until.model_validate({"field": "state", "in": _ENDED})
        run.undo.append((service, Step(call=f"GET {path}", until=until)))
        run.undo.append((service, Step(call=f"POST {path}:cancel", body={})))


def _clean_up(run: _Run, *, lost: bool) -> list[str]:
    """Undo in the opposite order; tell what could not be removed.

    What only prepares a removal (a cancellation, a hold's release) may come to nothing.

    Args:
        run: the case's.
        lost: an answer was, so that something may be there whose name nobody has heard.

    """
    left = []
    for service, step in reversed(run.undo):
        try:
            answered, sent = _send(step.model_copy(update={"wait": True}), service, run)
        except _UnsetError:
            if lost:
                left.append(f"{step.call}: unknown; look for {run.variables['unique']}")
            continue  # else what it would remove was never made
        except (NotRunError, *_LOST) as error:
            if step.method == "DELETE":
                left.append(f"{step.call}: {error}")
            continue
        refused = answered.status >= 400 and answered.status not in _GONE
        if step.method == "DELETE" and (refused or _has_failed(answered)):
            left.append(f"{sent} answered {answered.status}: {answered.content[:200]!r}")
    return left


def _has_failed(answered: Answered) -> bool:
    """Tell whether an answer is an operation that has come to an error."""
    return bool(value_at(answered.body, "done") and value_at(answered.body, "error"))


def _filled(part: Any, variables: Mapping[str, str]) -> Any:
    """Put variables into every string.

    Raises:
        NotRunError: one that nobody has set.

    """
    if isinstance(part, dict):
        return {_filled(name, variables): _filled(item, variables) for name, item in part.items()}
    if isinstance(part, list):
        return [_filled(item, variables) for item in part]
    if not isinstance(part, str):
        return part
    try:
        return Template(part).substitute(variables)
    except (KeyError, ValueError) as error:
        raise _UnsetError(f"{part!r}: {error!r}") from None
