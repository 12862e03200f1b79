"""Uploads of load jobs: a job and its file in one request, or the file in pieces.

Source: https://cloud.google.com/bigquery/docs/reference/api-uploads.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.surface import Surface
from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.rpc.dispatch import parse_json
from gcp_local.storage.uploads import QUANTUM, ContentRange
from gcp_local.web.messages import Answer, Request
from gcp_local.web.multipart import related

if TYPE_CHECKING:
    from pathlib import Path

_RESUME_INCOMPLETE = 308
_ID = re.compile(r"[\w-]{32,128}")
_LOCKS = 64
_LIFETIME = timedelta(days=7)


class Starter(Protocol):
    """Starts a job."""

    def __call__(
        self, project: str, said: Mapping[str, Any], endpoint: str, file: Path
    ) -> dict[str, Any]:
        """Start the job of a request with what was uploaded; the file is the job's from then on."""
        ...


class UploadedJobs:
    """Takes the files of load jobs, and starts these.

    Args:
        folder: where files lie until their job is done.
        start: starts a job.

    """

    def __init__(self, folder: Path, start: Starter) -> None:
        self._folder = folder
        self._start = start
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    def recover(self) -> None:
        """Remove the files of jobs that were under way; sessions that wait for pieces go on.

        A session is kept for a week, and one whose file has been taken by a job that did not
        answer any more is over.
        """
        if not self._folder.is_dir():
            return
        oldest = (clock.now() - _LIFETIME).timestamp()
        for notes in self._folder.glob("*.json"):
            waiting = notes.with_suffix("").exists() or "answer" in json.loads(notes.read_text())
            if not waiting or notes.stat().st_mtime < oldest:
                notes.unlink()
        for path in self._folder.iterdir():
            if path.suffix != ".json" and not path.with_name(f"{path.name}.json").exists():
                path.unlink()

    def answer(self, request: Request, project: str) -> Answer:
        """Answer a request to the upload's URL."""
        identity = request.parameters.get("upload_id")
        if identity is not None:
            return self._piece(request, project, identity)
        if request.method != "POST":
            raise NotFound(f"Not found: {request.method} {request.path}")
        match request.parameters.get("uploadType"):
            case "multipart":
                return self._whole(request, project)
            case "resumable":
                return self._begin(request, project)
            case other:
                raise InvalidArgument(f"Invalid value for uploadType: {other!r}.")

    def _whole(self, request: Request, project: str) -> Answer:
        described, media = related(request.headers.get("content-type", ""), request.body)
        said = _job(described.content)
        path = self._file(secrets.token_urlsafe(32))
        path.write_bytes(media.content)
        return self._started(path, lambda: self._start(project, said, request.endpoint, path))

    def _begin(self, request: Request, project: str) -> Answer:
        said = _job(request.body)
        identity = secrets.token_urlsafe(32)
        path = self._file(identity)
        path.touch()
        path.with_suffix(".json").write_text(json.dumps({"project": project, "job": said}))
        location = (
            f"{request.endpoint}/upload/bigquery/v2/projects/{project}/jobs"
            f"?uploadType=resumable&upload_id={identity}"
        )
        return Answer(200, b"", {"location": location, "x-guploader-uploadid": identity})

    def _piece(self, request: Request, project: str, identity: str) -> Answer:
        with self._locks[hash(identity) % _LOCKS]:
            path = self._file(identity)
            notes = path.with_suffix(".json")
            if not _ID.fullmatch(identity) or not notes.exists():
                raise NotFound("No such upload session.")
            session = json.loads(notes.read_text())
            if session["project"] != project:
                raise NotFound("No such upload session.")
            if "answer" in session:
                return Answer.of_json(session["answer"])
            if not path.exists():  # its job was refused
                raise NotFound("No such upload session.")
            if request.method not in ("PUT", "POST"):
                raise NotFound(f"Not found: {request.method} {request.path}")
            header = request.headers.get("content-range")
            asked = ContentRange.parse(header, len(request.body))
            received = _append(path, asked, request.body)
            if asked.total is None or received < asked.total:
                headers = {"range": f"bytes=0-{received - 1}"} if received else {}
                return Answer(_RESUME_INCOMPLETE, b"", headers)
            taken = path.with_suffix(".taken")
            path.rename(taken)

            def start() -> dict[str, Any]:
                return self._start(project, session["job"], request.endpoint, taken)

            answer = self._started(taken, start)
            notes.write_text(json.dumps({**session, "answer": json.loads(bytes(answer.body))}))  # type: ignore[arg-type]
            return answer

    @staticmethod
    def _started(path: Path, start: Callable[[], dict[str, Any]]) -> Answer:
        try:
            return Answer.of_json(start())
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _file(self, identity: str) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / identity


def _job(body: bytes) -> dict[str, Any]:
    said = parse_json(body)
    if not isinstance(said, dict):
        raise InvalidArgument("Invalid JSON payload received. It must be an object.")
    job: dict[str, Any] = Surface.load().read("Job", said)
    if "load" not in job.get("configuration", {}):
        raise BigQueryError("invalid", "Only load jobs take an upload.")
    if job["configuration"]["load"].get("sourceUris"):
        message = "Cannot specify sourceUris for a load job with an upload."
        raise BigQueryError("invalid", message)
    return job


def _append(path: Path, asked: ContentRange, content: bytes) -> int:
    """Write a piece; give how many bytes there are."""
    received = path.stat().st_size
    if asked.first is None:
        return received
    if asked.first > received:
        message = f"The upload offset is {asked.first}, but {received} bytes have arrived."
        raise InvalidArgument(message)
    last = asked.total is not None and asked.first + len(content) >= asked.total
    if not last and len(content) % QUANTUM:
        message = f"The bytes of a piece but the last are a multiple of {QUANTUM}."
        raise InvalidArgument(message)
    with path.open("r+b") as file:
        file.seek(asked.first)
        file.write(content)
        file.truncate()
        return file.tell()
