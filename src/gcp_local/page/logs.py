"""Logs: what a task has printed, while it runs and afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.containers.host import LOG_NAME
from gcp_local.errors import ApiError
from gcp_local.orchestrator.journal import Node
from gcp_local.page.names import parts_of, raw_object
from gcp_local.page.view import Link, Text

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.page.site import Sources
    from gcp_local.rpc.protos import Message

TAIL_BYTES = 32 * 1024


def log_uri(job: Message, task: Message) -> str:
    """Tell where the log of a task is kept when it has ended; see `orchestrator.container`."""
    root = job.runtime_config.gcs_output_directory.rstrip("/")
    if not root:
        default = job.pipeline_spec.fields["defaultPipelineRoot"].string_value
        root = default.rstrip("/")
    _, project, _, _, _, own = job.name.split("/")
    return f"{root}/{project}/{own}/{task.task_name}_{task.task_id}/{LOG_NAME}"


def log_of(sources: Sources, job: Message, task: Message) -> Text | None:
    """Show the end of a task's log, and lead to the whole; None if there is none."""
    running = _running_log(sources.work, job.name, task.task_id)
    if running is not None:
        try:
            return Text("Log", _tail(running), note="So far; it is still running.", end=True)
        except OSError:
            pass  # it has ended since
    return stored_log(sources, log_uri(job, task))


def stored_log(sources: Sources, uri: str, title: str = "Log") -> Text | None:
    """Show the end of a log in a bucket, and lead to the whole; None if there is none."""
    found = parts_of(uri)
    if found is None:
        return None
    try:
        described, file = sources.objects.open(*found)
    except ApiError:
        return None
    with file:
        file.seek(max(0, described.size - TAIL_BYTES))
        text = file.read(TAIL_BYTES).decode(errors="replace")
    whole = Link("the whole log", raw_object(*found, as_="text"), uri)
    if described.size > TAIL_BYTES:
        text = text.partition("\n")[2]
        return Text(title, text, [whole], note=f"The end of {described.size:,} bytes.", end=True)
    return Text(title, text or "It printed nothing.", [whole], end=True)


def _running_log(work: Path, job: str, task_id: int) -> Path | None:
    """Find the log of a task's present try, in the folder that the orchestrator gives it."""
    folder = work / "pipelines" / f"{Node(job, ()).id % 2**64:016x}"
    tries = sorted(
        folder.glob(f"{task_id % 2**64:016x}-*/{LOG_NAME}"),
        key=lambda found: int(found.parent.name.rpartition("-")[2]),
    )
    return tries[-1] if tries else None


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return file.read(TAIL_BYTES).decode(errors="replace") or "Nothing yet."
