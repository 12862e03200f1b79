"""`/storage/v1/b/BUCKET/o`: objects.

Source: https://cloud.google.com/storage/docs/json_api/v1/objects.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO

from gcp_local.errors import InvalidArgument, NotFound, Unimplemented
from gcp_local.resources.listing import make_token, read_text_token
from gcp_local.storage import download, object_json, wire
from gcp_local.storage.copying import CopyEndpoint
from gcp_local.storage.glob import Glob
from gcp_local.storage.listing import Question, page_of
from gcp_local.web.messages import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.storage.buckets import BucketStore
    from gcp_local.storage.objects import ObjectStore
    from gcp_local.storage.values import Object

_MAX_RESULTS = 1000
_MAX_COMPOSED = 32


class ObjectEndpoint:
    """Answers what is asked of objects; the rules are the stores'."""

    def __init__(self, buckets: BucketStore, objects: ObjectStore) -> None:
        self._buckets = buckets
        self._objects = objects
        self._copies = CopyEndpoint(buckets, objects)

    def page(self, request: Request, bucket: str) -> Answer:
        """List a bucket's objects, a page of them."""
        home = self._buckets.get(bucket)
        asked, mark = _question(request.parameters, bucket)
        start = max(asked.start, asked.after[0] if asked.after else "")
        found = self._objects.scan(bucket, asked.prefix, start, versions=asked.versions)
        page = page_of(found, asked)
        body: dict[str, Any] = {"kind": "storage#objects"}
        if page.items:
            body["items"] = [
                object_json.written(item, home, request.endpoint) for item in page.items
            ]
        if page.prefixes:
            body["prefixes"] = page.prefixes
        if page.go_on_after is not None:
            name, generation = page.go_on_after
            body["nextPageToken"] = make_token(f"{generation}/{name}", mark)
        return Answer.of_json(body)

    def one(self, request: Request, bucket: str, name: str) -> Answer:
        """Get, download, change or delete an object."""
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
                body = wire.mapping(request.body)
                found = self._objects.patch(
                    bucket,
                    name,
                    lambda now: object_json.changes(body, now, whole=method == "PUT"),
                    generation=generation,
                    preconditions=conditions,
                )
            case "DELETE":
                self._objects.delete(bucket, name, generation=generation, preconditions=conditions)
                return Answer(204)
            case _:
                raise NotFound(f"Not found: {request.method} {request.path}")
        return self._answer(found, request)

    def action(self, request: Request, bucket: str, name: str, action: list[str]) -> Answer:
        """Compose, copy or rewrite."""
        match action:
            case ["compose"]:
                return self._compose(request, bucket, name)
            case ["copyTo" | "rewriteTo" as how, "b", target, "o", target_name]:
                return self._copies.answer(request, how, (bucket, name), (target, target_name))
        raise NotFound(f"Not found: {request.method} {request.path}")

    def _answer(self, found: Object, request: Request) -> Answer:
        home = self._buckets.get(found.bucket)
        body = object_json.written(found, home, request.endpoint)
        return Answer.of_json(body, etag=found.etag)

    def _compose(self, request: Request, bucket: str, name: str) -> Answer:
        body = wire.mapping(request.body)
        named = body.get("sourceObjects")
        if not isinstance(named, list) or not 1 <= len(named) <= _MAX_COMPOSED:
            raise InvalidArgument(f"Between 1 and {_MAX_COMPOSED} sourceObjects are composed.")
        with ExitStack() as files:
            sources = []
            for each in named:
                found, file = self._source(bucket, each)
                sources.append((found, files.enter_context(file)))
            composed = self._objects.compose(
                bucket,
                name,
                sources,
                description=object_json.description_of(wire.part(body, "destination")),
                preconditions=wire.preconditions_of(request.parameters),
            )
        return self._answer(composed, request)

    def _source(self, bucket: str, said: Any) -> tuple[Object, BinaryIO]:
        if not isinstance(said, dict) or not isinstance(said.get("name"), str):
            raise InvalidArgument("Invalid value for: sourceObjects.")
        conditions = wire.part(said, "objectPreconditions")
        named = {**said, **conditions}.items()
        query = {key: str(value) for key, value in named if value is not None}
        return self._objects.open(
            bucket,
            said["name"],
            generation=wire.integer(query, "generation"),
            preconditions=wire.preconditions_of(query),
        )


def _question(query: Mapping[str, str], bucket: str) -> tuple[Question, str]:
    """Read what is asked of a list, and the mark that its page tokens carry."""
    if query.get("filter"):
        raise Unimplemented("The embedded cloud does not list by 'filter'.")
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    glob = query.get("matchGlob", "")
    if glob and delimiter:
        raise Unimplemented("The embedded cloud takes 'matchGlob' without 'delimiter' only.")
    versions = wire.flag(query, "versions")
    mark = "\n".join((bucket, prefix, delimiter, glob, str(versions)))
    after = None
    if query.get("pageToken"):
        generation, _, name = read_text_token(query["pageToken"], mark).partition("/")
        after = (name, int(generation))
    asked = Question(
        prefix=prefix,
        delimiter=delimiter,
        start=query.get("startOffset", ""),
        end=query.get("endOffset"),
        with_folders=wire.flag(query, "includeTrailingDelimiter"),
        after=after,
        versions=versions,
        glob=Glob(glob) if glob else None,
        size=min(wire.integer(query, "maxResults") or _MAX_RESULTS, _MAX_RESULTS),
    )
    return asked, mark
