"""Sends the requests of one case: with its variables, with patience, and never where it must not.

A request that would change anything is not sent unless its path has a mark of the case, or an
identifier that an answer to an earlier request of the case has given.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from string import Template
from typing import TYPE_CHECKING, Any

import requests
from google.auth.exceptions import GoogleAuthError

from tests.conformance.matching import Answered, value_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conformance.corpus import Step
    from tests.conformance.targets import Target

_LONGEST_WAIT = 900.0
# No answer came; whether the request has had its effect nobody knows.
LOST = (requests.RequestException, GoogleAuthError)
_SHORTEST_MARK = 8  # of an identifier that an answer gave
# Calls that only ever make something new, whatever they name.
_MAKING = re.compile(
    r"/v1/projects/[^/]+/locations/[^/]+/[a-zA-Z]+(:upload)?(\?.*)?"
    r"|/storage/v1/b\?project=[^&]+"
    r"|/bigquery/v2/projects/[^/]+/datasets"
    r"|/upload/storage/v1/b/[^/]+/o\?(.*&)?ifGenerationMatch=0(&.*)?"
)


class NotRunError(Exception):
    """A case could not be put: what it needs could not be made."""


class UnsetError(NotRunError):
    """A variable that no answer has set."""


@dataclass
class Run:
    """One case that is being put: its variables, its marks, and how to undo it."""

    target: Target
    variables: dict[str, str]
    marks: set[str]
    undo: list[tuple[str, Step]] = field(default_factory=list)
    pause: float = 1.0


def send(step: Step, service: str, run: Run) -> tuple[Answered, str]:
    """Send a step, with its variables; wait for what it waits for; keep what it keeps."""
    service = step.service or service
    path, body = filled(step.path, run.variables), filled(step.body, run.variables)
    headers = {name.lower(): filled(value, run.variables) for name, value in step.headers.items()}
    content = filled(step.content or "", run.variables).encode()
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


def _check_own(method: str, path: str, content: bytes, run: Run) -> None:
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


def has_failed(answered: Answered) -> bool:
    """Tell whether an answer is an operation that has come to an error."""
    return bool(value_at(answered.body, "done") and value_at(answered.body, "error"))


def succeed(step: Step, service: str, run: Run) -> None:
    answered, sent = send(step, service, run)
    if not 200 <= answered.status < 400 or has_failed(answered):
        raise NotRunError(f"{sent} answered {answered.status}: {answered.content[:300]!r}")


def filled(part: Any, variables: Mapping[str, str]) -> Any:
    """Put variables into every string.

    Raises:
        NotRunError: one that nobody has set.

    """
    if isinstance(part, dict):
        return {filled(name, variables): filled(item, variables) for name, item in part.items()}
    if isinstance(part, list):
        return [filled(item, variables) for item in part]
    if not isinstance(part, str):
        return part
    try:
        return Template(part).substitute(variables)
    except (KeyError, ValueError) as error:
        raise UnsetError(f"{part!r}: {error!r}") from None
