"""What a pipeline job is called, and what it is found by."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.errors import InvalidArgument

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

_ID = re.compile(r"[a-z][-a-z0-9]{0,126}")
_LONGEST_NAME = 106  # so much of a pipeline's name leaves room for a time behind it


def pipeline_name(job: Message) -> str:
    """Give the name of the pipeline that a job runs, as its specification has it."""
    info = job.pipeline_spec.fields["pipelineInfo"].struct_value
    return str(info.fields["name"].string_value)


def job_id(given: str, job: Message) -> str:
    """Check a client's id, or make one as Vertex AI does: the pipeline's name and the time."""
    if given:
        if not _ID.fullmatch(given):
            message = (
                f"Invalid pipeline job id {given!r}: at most 127 characters of [a-z0-9-],"
                " the first a letter."
            )
            raise InvalidArgument.of_field("pipeline_job_id", message)
        return given
    name = re.sub(r"[^a-z0-9]+", "-", pipeline_name(job).lower()).lstrip("-0123456789")
    name = name[:_LONGEST_NAME].strip("-")
    return f"{name or 'pipeline'}-{clock.now():%Y%m%d%H%M%S%f}"


def billing_id(name: str) -> str:
    """Make the label by which Vertex AI attributes cost to a run; its value is opaque."""
    return str(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


FILTERABLE = {
    name: name
    for name in (
        "display_name", "state", "create_time", "update_time", "end_time", "labels",
        "template_uri", "template_metadata.version",
        "schedule_name",  # not documented; PipelineJobSchedule.list_jobs of the SDK asks by it
    )
} | {
    "pipeline_name": pipeline_name,
    "pipeline_job_user_id": lambda job: str(job.name.rpartition("/")[2]),
}  # fmt: skip
SORTABLE = {name: name for name in ("create_time", "start_time", "update_time", "end_time")}
