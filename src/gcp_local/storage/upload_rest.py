"""`/upload/storage/v1`: simple, multipart and resumable uploads.

Source: https://cloud.google.com/storage/docs/uploads-downloads.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gcp_local.errors import InvalidArgument, NotFound, UploadCancelled
from gcp_local.storage import object_json, wire
from gcp_local.storage.uploads import ContentRange
from gcp_local.storage.values import Description
from gcp_local.web.messages import Answer, Request
from gcp_local.web.multipart import related

if TYPE_CHECKING:
    from gcp_local.storage.buckets import BucketStore
    from gcp_local.storage.objects import ObjectStore
    from gcp_local.storage.uploads import Uploads
    from gcp_local.storage.values import Object

_RESUME_INCOMPLETE = 308


class UploadEndpoint:
    """Takes objects' bytes."""

    def __init__(self, buckets: BucketStore, objects: ObjectStore, uploads: Uploads) -> None:
        self._buckets = buckets
        self._objects = objects
        self._uploads = uploads

    def answer(self, request: Request, bucket: str) -> Answer:
        """Take an upload, by the way that `uploadType` names."""
        identity = request.parameters.get("upload_id")
        if identity is not None:
            return self._resume(request, identity)
        if request.method != "POST":
            raise NotFound(f"Not found: {request.method} {request.path}")
        match request.parameters.get("uploadType"):
            case "media":
                return self._media(request, bucket)
            case "multipart":
                return self._multipart(request, bucket)
            case "resumable":
                return self._start(request, bucket)
            case other:
                raise InvalidArgument(f"Invalid value for uploadType: {other!r}.")

    def _media(self, request: Request, bucket: str) -> Answer:
        said = Description(
            content_type=request.headers.get("content-type"),
            content_encoding=request.parameters.get("contentEncoding"),
        )
        name = request.parameters.get("name", "")
        return self._write(request, bucket, name, request.body, said)

    def _multipart(self, request: Request, bucket: str) -> Answer:
        described, media = related(request.headers.get("content-type", ""), request.body)
        body = wire.mapping(described.content)
        said = object_json.description_of(body)
        if said.content_type is None:
            said = replace(said, content_type=media.headers.get("content-type"))
        return self._write(request, bucket, _name(request, body), media.content, said)

    def _write(
        self, request: Request, bucket: str, name: str, content: bytes, said: Description
    ) -> Answer:
        written = self._objects.write(
            bucket,
            name,
            content,
            description=_with_sums(said, request),
            preconditions=wire.preconditions_of(request.parameters),
        )
        return self._described(written, request)

    def _start(self, request: Request, bucket: str) -> Answer:
        body = wire.mapping(request.body)
        said = object_json.description_of(body)
        if said.content_type is None:
            said = replace(said, content_type=request.headers.get("x-upload-content-type"))
        upload = self._uploads.start(
            bucket,
            _name(request, body),
            description=_with_sums(said, request),
            preconditions=wire.preconditions_of(request.parameters),
            total=wire.integer(request.headers, "x-upload-content-length"),
        )
        location = (
            f"{request.endpoint}/upload/storage/v1/b/{bucket}/o"
            f"?uploadType=resumable&upload_id={upload.id}"
        )
        return Answer(200, b"", {"location": location, "x-guploader-uploadid": upload.id})

    def _resume(self, request: Request, identity: str) -> Answer:
        if request.method == "DELETE":
            self._uploads.cancel(identity)
            raise UploadCancelled("The upload was cancelled.")
        if request.method not in ("PUT", "POST"):
            raise NotFound(f"Not found: {request.method} {request.path}")
        header = request.headers.get("content-range")
        asked = ContentRange.parse(header, len(request.body))
        sums = _with_sums(Description(), request)
        upload, written = self._uploads.receive(identity, asked, request.body, sums)
        if written is not None:
            return self._described(written, request)
        headers = {"range": f"bytes=0-{upload.received - 1}"} if upload.received else {}
        return Answer(_RESUME_INCOMPLETE, b"", headers)

    def _described(self, written: Object, request: Request) -> Answer:
        home = self._buckets.get(written.bucket)
        body = object_json.written(written, home, request.endpoint)
        return Answer.of_json(body, etag=written.etag)


def _name(request: Request, body: dict[str, Any]) -> str:
    name = body.get("name") or request.parameters.get("name", "")
    if not isinstance(name, str):
        raise InvalidArgument("Invalid value for: name is not a string.")
    return name


def _with_sums(said: Description, request: Request) -> Description:
    """Take the checksums of an `X-Goog-Hash` header, too."""
    sums = dict(
        part.strip().split("=", 1)
        for part in request.headers.get("x-goog-hash", "").split(",")
        if "=" in part
    )
    return replace(said, md5=sums.get("md5", said.md5), crc32c=sums.get("crc32c", said.crc32c))
