"""The one thing of the XML API that Google's clients use: multipart uploads.

Source: https://cloud.google.com/storage/docs/xml-api/post-object-multipart and its neighbours.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from gcp_local.errors import ApiError, InvalidArgument, NotFound, Unimplemented
from gcp_local.storage import object_json
from gcp_local.storage.refusals import check_possible
from gcp_local.web.messages import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.storage.multipart_uploads import MultipartUpload, MultipartUploads
    from gcp_local.storage.values import Description, Object

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_SIGNED = {"x-goog-signature", "x-goog-algorithm", "signature", "googleaccessid"}
_ETAG = re.compile(r'"?([0-9a-f]{32})"?')
_HEADERS = {
    "content-type": "contentType",
    "content-encoding": "contentEncoding",
    "content-disposition": "contentDisposition",
    "content-language": "contentLanguage",
    "cache-control": "cacheControl",
    "x-goog-storage-class": "storageClass",
    "x-goog-custom-time": "customTime",
}
_CODES = {
    400: "InvalidArgument",
    403: "AccessDenied",
    404: "NoSuchKey",
    429: "SlowDown",
    501: "NotImplemented",
    503: "ServiceUnavailable",
}


def concerns(request: Request) -> bool:
    """Tell whether a request is one of the XML API's multipart uploads, or by a signed URL."""
    names = {name.lower() for name, _ in request.query}
    return bool(names & {"uploads", "uploadid", *_SIGNED})


def refusal(error: ApiError) -> Answer:
    """Answer an error in the XML API's form."""
    named = error.reason if error.reason[:1].isupper() else None
    if "bucket does not exist" in error.message:
        named = "NoSuchBucket"
    code = named or _CODES.get(error.code, "InternalError")
    parts = {"Code": code, "Message": error.message, "Details": error.message}
    return _xml("Error", parts, error.code)


class MultipartEndpoint:
    """Answers `/BUCKET/OBJECT?uploads` and `/BUCKET/OBJECT?uploadId=…`."""

    def __init__(self, uploads: MultipartUploads) -> None:
        self._uploads = uploads

    def answer(self, request: Request) -> Answer:
        """Answer a request; a refusal, too, is XML."""
        try:
            return self._answer(request)
        except ApiError as error:
            return refusal(error)

    def _answer(self, request: Request) -> Answer:
        if {name.lower() for name, _ in request.query} & _SIGNED:
            raise Unimplemented("The embedded cloud takes no signed URLs.")
        check_possible(request)
        bucket, name = request.segments[0], "/".join(request.segments[1:])
        identity = request.parameters.get("uploadId")
        match request.method:
            case "POST" if "uploads" in request.parameters:
                return self._start(request, bucket, name)
            case "PUT" if identity:
                return self._put(request, self._uploads.get(identity, bucket, name))
            case "POST" if identity:
                return self._complete(request, self._uploads.get(identity, bucket, name))
            case "GET" if identity:
                return self._list(self._uploads.get(identity, bucket, name))
            case "DELETE" if identity:
                self._uploads.abort(self._uploads.get(identity, bucket, name))
                return Answer(204)
        raise NotFound(f"Not found: {request.method} {request.path}")

    def _start(self, request: Request, bucket: str, name: str) -> Answer:
        upload = self._uploads.start(bucket, name, _description_of(request.headers))
        parts = {"Bucket": bucket, "Key": name, "UploadId": upload.id}
        return _xml("InitiateMultipartUploadResult", parts)

    def _put(self, request: Request, upload: MultipartUpload) -> Answer:
        number = request.parameters.get("partNumber", "")
        if not re.fullmatch(r"[0-9]{1,5}", number):
            raise InvalidArgument(f"Invalid part number: {number!r:.50}")
        sums = _sums_of(request.headers)
        part = self._uploads.put(upload, int(number), request.body, sums)
        hashes = f"crc32c={part.crc32c},md5={part.md5}"
        return Answer(200, b"", {"etag": f'"{_hexadecimal(part.md5)}"', "x-goog-hash": hashes})

    def _complete(self, request: Request, upload: MultipartUpload) -> Answer:
        written = self._uploads.complete(upload, _named(request.body))
        return _completed(written, request)

    def _list(self, upload: MultipartUpload) -> Answer:
        parts = {"Bucket": upload.bucket, "Key": upload.name, "UploadId": upload.id}
        listed = "".join(
            f"<Part><PartNumber>{part.number}</PartNumber>"
            f"<ETag>&quot;{_hexadecimal(part.md5)}&quot;</ETag><Size>{part.size}</Size></Part>"
            for part in self._uploads.parts(upload)
        )
        return _xml("ListPartsResult", {**parts, "IsTruncated": "false"}, inner=listed)


def _completed(written: Object, request: Request) -> Answer:
    place = f"{request.endpoint}{request.path}"
    parts = {
        "Location": place, "Bucket": written.bucket, "Key": written.name,
        "ETag": f'"{written.etag}"',
    }  # fmt: skip
    hashes = {"x-goog-hash": f"crc32c={written.crc32c}"}
    told = {**hashes, "x-goog-generation": str(written.generation)}
    return _xml("CompleteMultipartUploadResult", parts, headers=told)


def _named(body: bytes) -> list[tuple[int, str]]:
    """Read which parts are to be put together."""
    if b"<!" in body:  # a document type could define entities without end
        raise InvalidArgument(
            "The XML may hold no declaration.", reason="MalformedCompleteMultipart"
        )
    named = []
    try:
        for part in ET.fromstring(body):  # noqa: S314  (it declares no entities, see above)
            texts = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in part}
            etag = _ETAG.fullmatch(texts["ETag"])
            md5 = base64.b64encode(bytes.fromhex(etag[1])).decode() if etag else texts["ETag"]
            named.append((int(texts["PartNumber"][:6]), md5))
    except (ET.ParseError, KeyError, ValueError):
        raise InvalidArgument(
            "The XML you provided was not well-formed or did not validate.",
            reason="MalformedCompleteMultipartUploadRequest",
        ) from None
    return named


def _description_of(headers: Mapping[str, str]) -> Description:
    conditions = [name for name in headers if name.startswith("x-goog-if-")]
    if conditions:
        raise InvalidArgument(f"A multipart upload takes no precondition ({conditions[0]}).")
    said = {json_name: headers.get(name) for name, json_name in _HEADERS.items()}
    metadata = {
        name.removeprefix("x-goog-meta-"): value
        for name, value in headers.items()
        if name.startswith("x-goog-meta-")
    }
    return object_json.description_of({**said, "metadata": metadata})


def _sums_of(headers: Mapping[str, str]) -> dict[str, str]:
    said = [part.strip().split("=", 1) for part in headers.get("x-goog-hash", "").split(",")]
    sums = {pair[0]: pair[1] for pair in said if len(pair) == 2}
    if "content-md5" in headers:
        sums["md5"] = headers["content-md5"]
    try:
        for value in sums.values():
            base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        raise InvalidArgument("A checksum is not base64.", reason="InvalidDigest") from None
    return sums


def _hexadecimal(md5: str) -> str:
    return base64.b64decode(md5).hex()


def _xml(
    root: str,
    parts: Mapping[str, str],
    status: int = 200,
    *,
    inner: str = "",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    namespace = "" if root == "Error" else f' xmlns="{_NAMESPACE}"'
    written = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in parts.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?><{root}{namespace}>{written}{inner}</{root}>'
    kind = {"content-type": "application/xml; charset=UTF-8", **(headers or {})}
    return Answer(status, text.encode(), kind)
