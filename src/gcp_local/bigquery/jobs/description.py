"""Jobs as the API answers them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gcp_local.bigquery.jobs.store import JobRef


def as_answer(ref: JobRef, body: Mapping[str, Any], endpoint: str) -> dict[str, Any]:
    """Give the `Job`."""
    mark = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:22]
    link = f"{endpoint}/bigquery/v2/projects/{ref.project}/jobs/{ref.id}?location={ref.location}"
    return {
        "kind": "bigquery#job",
        "etag": mark,
        "id": str(ref),
        "selfLink": link,
        "user_email": _user(ref),
        "principal_subject": f"serviceAccount:{_user(ref)}",
        **body,
    }


def as_item(ref: JobRef, body: Mapping[str, Any], *, full: bool) -> dict[str, Any]:
    """Give what a list has of a job; with `full`, its configuration too."""
    item = {
        "kind": "bigquery#job",
        "id": str(ref),
        "jobReference": ref.as_json(),
        "state": body["status"]["state"],
        "statistics": body["statistics"],
        "status": body["status"],
        "user_email": _user(ref),
        "principal_subject": f"serviceAccount:{_user(ref)}",
    }
    if "errorResult" in body["status"]:
        item["errorResult"] = body["status"]["errorResult"]
    return {**item, "configuration": body["configuration"]} if full else item


def _user(ref: JobRef) -> str:
    """Name who runs all jobs here: nobody is asked for credentials."""
    return f"local@{ref.project}.iam.gserviceaccount.com"
