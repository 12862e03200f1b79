"""Cloud Storage's JSON API: `/storage/v1`, `/upload/storage/v1`, `/download/storage/v1`.

Source: https://cloud.google.com/storage/docs/json_api/v1.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from gcp_local.errors import InvalidArgument, NotFound, Unimplemented
from gcp_local.resources.listing import make_token, read_text_token, read_token
from gcp_local.rpc.dispatch import parse_json
from gcp_local.storage import download, iam, wire
from gcp_local.storage.buckets import check_metageneration
from gcp_local.storage.listing import Question, page_of
from gcp_local.storage.upload_rest import UploadEndpoint
from gcp_local.storage.values import Description
from gcp_local.web.messages import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.resources.projects import Projects
    from gcp_local.storage.buckets import Bucket, BucketStore
    from gcp_local.storage.objects import ObjectStore
    from gcp_local.storage.uploads import Uploads
    from gcp_local.storage.values import Object

_MAX_RESULTS = 1000
_MAX_COMPOSED = 32


class StorageEndpoint:
    """Answers the JSON API; the rules are the stores'."""

    def __init__(
        self, buckets: BucketStore, objects: ObjectStore, uploads: Uploads, projects: Projects
    ) -> None:
        self._buckets = buckets
        self._objects = objects
        self._projects = projects
        self._uploads = UploadEndpoint(objects, uploads)

    def answer(self, request: Request) -> Answer:
        """Find what the request's path asks for."""
        match request.segments:
            case ("upload", "storage", "v1", "b", bucket, "o"):
                return self._uploads.answer(request, bucket)
            case ("download", "storage", "v1", "b", bucket, "o", name):
                return download.answer(self._objects, request, bucket, name)
            case ("storage", "v1", "b", bucket, "iam", *_):
                return iam.answer(self._buckets, request, bucket)
            case ("storage", "v1", "b", *rest):
                return self._resource(request, rest)
            case ("batch", *_):
                raise Unimplemented("The embedded cloud takes no batch requests.")
        raise _unknown(request)

    def _resource(self, request: Request, rest: list[str]) -> Answer:
        match (request.method, rest):
            case ("GET", []):
                return self._list_buckets(request)
            case ("POST", []):
                return self._create_bucket(request)
            case (_, [bucket]):
                return self._bucket(request, bucket)
            case ("GET", [bucket, "o"]):
                return self._list_objects(request, bucket)
            case (_, [bucket, "o", name]):
                return self._object(request, bucket, name)
            case ("POST", [bucket, "o", name, *action]):
                return self._action(request, bucket, name, action)
        raise _unknown(request)

    # Buckets

    def _project(self, request: Request) -> str:
        project = request.parameters.get("project")
        if not project:
            raise InvalidArgument("Required parameter: project", reason="required")
        return self._projects.id(project)

    def _described(self, bucket: Bucket, request: Request) -> dict[str, Any]:
        return wire.bucket_json(bucket, self._projects.number(bucket.project), request.endpoint)

    def _list_buckets(self, request: Request) -> Answer:
        query, project = request.parameters, self._project(request)
        found = self._buckets.list(project, query.get("prefix", ""))
        size = wire.integer(query, "maxResults") or _MAX_RESULTS
        start = read_token(query.get("pageToken", ""), project)
        body: dict[str, Any] = {"kind": "storage#buckets"}
        if shown := found[start : start + size]:
            body["items"] = [self._described(bucket, request) for bucket in shown]
        if start + size < len(found):
            body["nextPageToken"] = make_token(start + size, project)
        return Answer.of_json(body)

    def _create_bucket(self, request: Request) -> Answer:
        body = _mapping(request)
        name, location = body.pop("name", None), body.pop("location", None) or "US"
        if not isinstance(name, str) or not isinstance(location, str):
            raise InvalidArgument("Required parameter: name", reason="required")
        changes = wire.bucket_changes(body, {})
        created = self._buckets.create(name, self._project(request), location=location, **changes)
        return Answer.of_json(self._described(created, request))

    def _bucket(self, request: Request, name: str) -> Answer:
        conditions = wire.preconditions_of(request.parameters)
        match request.method:
            case "GET":
                bucket = self._buckets.get(name)
                check_metageneration(bucket, conditions, reading=True)
            case "PATCH" | "PUT" as method:
                body = _mapping(request)
                bucket = self._buckets.patch(
                    name,
                    lambda now: wire.bucket_changes(body, {} if method == "PUT" else now.labels),
                    conditions,
                )
            case "DELETE":
                self._buckets.delete(name, conditions)
                return Answer(204)
            case _:
                raise _unknown(request)
        return Answer.of_json(self._described(bucket, request))

    # Objects

    def _list_objects(self, request: Request, bucket: str) -> Answer:
        query = request.parameters
        self._buckets.get(bucket)
        _refuse_what_lists_lack(query)
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        mark = f"{bucket}\n{prefix}\n{delimiter}"
        asked = Question(
            prefix=prefix,
            delimiter=delimiter,
            start=query.get("startOffset", ""),
            end=query.get("endOffset"),
            with_folders=query.get("includeTrailingDelimiter", "").lower() == "true",
            after=read_text_token(query["pageToken"], mark) if query.get("pageToken") else "",
            size=min(wire.integer(query, "maxResults") or _MAX_RESULTS, _MAX_RESULTS),
        )
        start = max(asked.start, asked.after)
        page = page_of(self._objects.scan(bucket, prefix, start), asked)
        body: dict[str, Any] = {"kind": "storage#objects"}
        if page.items:
            body["items"] = [wire.object_json(item, request.endpoint) for item in page.items]
        if page.prefixes:
            body["prefixes"] = page.prefixes
        if page.go_on_after is not None:
            body["nextPageToken"] = make_token(page.go_on_after, mark)
        return Answer.of_json(body)

    def _object(self, request: Request, bucket: str, name: str) -> Answer:
        query = request.parameters
        conditions = wire.preconditions_of(query)
        generation = wire.integer(query, "generation")
        match request.method:
            case "GET" if query.get("alt") == "media":
                return download.answer(self._objects, request, bucket, name)
            case "GET":
                found = self._objects.get(
                    bucket, name, generation=generation, preconditions=conditions
                )
            case "PATCH" | "PUT" as method:
                body = _mapping(request)
                found = self._objects.patch(
                    bucket,
                    name,
                    lambda now: wire.object_changes(body, now, whole=method == "PUT"),
                    generation=generation,
                    preconditions=conditions,
                )
            case "DELETE":
                self._objects.delete(bucket, name, generation=generation, preconditions=conditions)
                return Answer(204)
            case _:
                raise _unknown(request)
        return _answer_object(found, request)

    def _action(self, request: Request, bucket: str, name: str, action: list[str]) -> Answer:
        match action:
            case ["compose"]:
                return self._compose(request, bucket, name)
            case ["copyTo" | "rewriteTo" as how, "b", target, "o", target_name]:
                written = self._copy(request, (bucket, name), (target, target_name))
                if how == "copyTo":
                    return _answer_object(written, request)
                body = {
                    "kind": "storage#rewriteResponse",
                    "totalBytesRewritten": str(written.size),
                    "objectSize": str(written.size),
                    "done": True,
                    "resource": wire.object_json(written, request.endpoint),
                }
                return Answer.of_json(body)
        raise _unknown(request)

    def _copy(self, request: Request, source: tuple[str, str], target: tuple[str, str]) -> Object:
        query, body = request.parameters, _mapping(request)
        found, file = self._objects.open(
            *source,
            generation=wire.integer(query, "sourceGeneration"),
            preconditions=wire.preconditions_of(query, "ifSource"),
        )
        with file:
            said = wire.description_of(body) if body else _description_of(found)
            return self._objects.write(
                *target,
                file,
                description=replace(said, md5=None, crc32c=None),
                preconditions=wire.preconditions_of(query),
            )

    def _compose(self, request: Request, bucket: str, name: str) -> Answer:
        body = _mapping(request)
        named = body.get("sourceObjects")
        if not isinstance(named, list) or not 1 <= len(named) <= _MAX_COMPOSED:
            raise InvalidArgument(f"Between 1 and {_MAX_COMPOSED} sourceObjects are composed.")
        destination = body.get("destination") or {}
        if not isinstance(destination, dict):
            raise InvalidArgument("Invalid value for: destination is not an object.")
        with ExitStack() as files:
            sources = []
            for each in named:
                found, file = self._source(bucket, each)
                sources.append((found, files.enter_context(file)))
            written = self._objects.compose(
                bucket,
                name,
                sources,
                description=wire.description_of(destination),
                preconditions=wire.preconditions_of(request.parameters),
            )
        return _answer_object(written, request)

    def _source(self, bucket: str, said: Any) -> tuple[Object, BinaryIO]:
        if not isinstance(said, dict) or not isinstance(said.get("name"), str):
            raise InvalidArgument("Invalid value for: sourceObjects.")
        conditions = said.get("objectPreconditions") or {}
        if not isinstance(conditions, dict):
            raise InvalidArgument("Invalid value for: objectPreconditions is not an object.")
        query = {key: str(value) for key, value in (said | conditions).items()}
        return self._objects.open(
            bucket,
            said["name"],
            generation=wire.integer(query, "generation"),
            preconditions=wire.preconditions_of(query),
        )


def _answer_object(found: Object, request: Request) -> Answer:
    return Answer.of_json(wire.object_json(found, request.endpoint), etag=found.etag)


def _refuse_what_lists_lack(query: Mapping[str, str]) -> None:
    for name in ("matchGlob", "filter"):
        if query.get(name):
            raise Unimplemented(f"The embedded cloud does not list by {name!r}.")
    # `versions` needs no refusal: without versioned buckets there are only live generations.
    if query.get("softDeleted", "false").lower() == "true":
        raise Unimplemented("The embedded cloud keeps no deleted objects ('softDeleted').")


def _description_of(found: Object) -> Description:
    return Description(
        content_type=found.content_type,
        content_encoding=found.content_encoding,
        content_disposition=found.content_disposition,
        content_language=found.content_language,
        cache_control=found.cache_control,
        storage_class=found.storage_class,
        custom_time=found.custom_time,
        metadata=found.metadata,
    )


def _mapping(request: Request) -> dict[str, Any]:
    body = parse_json(request.body) if request.body.strip() else {}
    if not isinstance(body, dict):
        raise InvalidArgument("The body is not a JSON object.")
    return body


def _unknown(request: Request) -> NotFound | Unimplemented:
    known = ("acl", "defaultObjectAcl", "notificationConfigs", "anywhereCaches", "folders")
    if any(part in known for part in request.segments):
        return Unimplemented(f"{request.method} {request.path} is not implemented.")
    return NotFound(f"Not found: {request.method} {request.path}")
