"""Removes what a case has made, and tells what could not be removed."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from tests.conformance.corpus import Step, Until
from tests.conformance.matching import Answered, value_at
from tests.conformance.sending import LOST, NotRunError, Run, UnsetError, has_failed, send

_CANCELLED_FIRST = re.compile(
    r".*/(customJobs|batchPredictionJobs|pipelineJobs|\w+TuningJobs|trainingPipelines)/[^/]+"
)
_ENDED = [
    f"{kind}_STATE_{end}"
    for kind in ("JOB", "PIPELINE")
    for end in ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")
]
_GONE = (404, 499)  # not there; an upload that was cancelled


def undo_unexpected(answered: Answered, service: str, run: Run) -> None:
    """Arrange for the removal of what a request has made that was to be refused."""
    operation = str(value_at(answered.body, "name"))
    if "/operations/" in operation:
        run.marks.add(operation)
        answered, _ = send(Step(call=f"GET /v1/{operation}", wait=True), service, run)
    body = answered.body if isinstance(answered.body, dict) else {}
    body = body.get("response", body)
    if body.get("kind") == "bigquery#dataset":
        path = urlsplit(body["selfLink"]).path
        run.marks.add(path)
        run.undo.append((service, Step(call=f"DELETE {path}?deleteContents=true")))
        return
    name = body.get("name") or body.get("model")
    if not isinstance(name, str):
        return  # a deployment, say, which goes with what was made before
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


def clean_up(run: Run, *, lost: bool) -> list[str]:
    """Undo in the opposite order; tell what could not be removed.

    What only prepares a removal (a cancellation, a hold's release) may come to nothing.

    Args:
        run: the case's.
        lost: no answer came to a request, so what it made may be there under an unknown name.

    """
    left = []
    for service, step in reversed(run.undo):
        try:
            answered, sent = send(step.model_copy(update={"wait": True}), service, run)
        except UnsetError:
            if lost:
                left.append(f"{step.call}: unknown; look for {run.variables['unique']}")
            continue  # else what it would remove was never made
        except (NotRunError, *LOST) as error:
            if step.method == "DELETE":
                left.append(f"{step.call}: {error}")
            continue
        refused = answered.status >= 400 and answered.status not in _GONE
        if step.method == "DELETE" and (refused or has_failed(answered)):
            left.append(f"{sent} answered {answered.status}: {answered.content[:200]!r}")
    return left
