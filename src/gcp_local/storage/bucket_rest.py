"""`/storage/v1/b`: buckets.

Source: https://cloud.google.com/storage/docs/json_api/v1/buckets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.resources.listing import make_token, read_token
from gcp_local.storage import bucket_json, wire
from gcp_local.storage.buckets import check_metageneration
from gcp_local.web.messages import Answer, Request

if TYPE_CHECKING:
    from gcp_local.resources.projects import Projects
    from gcp_local.storage.buckets import Bucket, BucketStore

_MAX_RESULTS = 1000


class BucketEndpoint:
    """Answers what is asked of buckets; the rules are the store's."""

    def __init__(self, buckets: BucketStore, projects: Projects) -> None:
        self._buckets = buckets
        self._projects = projects

    def page(self, request: Request) -> Answer:
        """List a project's buckets."""
        query, project = request.parameters, self._project(request)
        found = self._buckets.list(project, query.get("prefix", ""))
        size = wire.integer(query, "maxResults") or _MAX_RESULTS
        start = read_token(query.get("pageToken", ""), project)
        body: dict[str, Any] = {"kind": "storage#buckets"}
        if shown := found[start : start + size]:
            body["items"] = [self._written(bucket, request) for bucket in shown]
        if start + size < len(found):
            body["nextPageToken"] = make_token(start + size, project)
        return Answer.of_json(body)

    def create(self, request: Request) -> Answer:
        """Make a bucket."""
        body = wire.mapping(request.body)
        name, location = body.pop("name", None), body.pop("location", None) or "US"
        if not isinstance(name, str) or not isinstance(location, str):
            raise InvalidArgument("Required parameter: name", reason="required")
        changes = bucket_json.changes(body)
        created = self._buckets.create(name, self._project(request), location=location, **changes)
        return self._answer(created, request)

    def one(self, request: Request, name: str) -> Answer:
        """Get, change or delete a bucket."""
        conditions = wire.preconditions_of(request.parameters)
        match request.method:
            case "GET":
                bucket = self._buckets.get(name)
                check_metageneration(bucket, conditions, reading=True)
            case "PATCH" | "PUT" as method:
                body = wire.mapping(request.body)
                whole = method == "PUT"
                bucket = self._buckets.patch(
                    name, lambda now: bucket_json.changes(body, now, whole=whole), conditions
                )
            case "DELETE":
                self._buckets.delete(name, conditions)
                return Answer(204)
            case _:
                raise NotFound(f"Not found: {request.method} {request.path}")
        return self._answer(bucket, request)

    def lock(self, request: Request, name: str) -> Answer:
        """Lock a bucket's retention policy."""
        metageneration = wire.preconditions_of(request.parameters).if_metageneration_match
        if metageneration is None:
            message = "Required parameter: ifMetagenerationMatch"
            raise InvalidArgument(message, reason="required")
        return self._answer(self._buckets.lock_retention(name, metageneration), request)

    def _project(self, request: Request) -> str:
        project = request.parameters.get("project")
        if not project:
            raise InvalidArgument("Required parameter: project", reason="required")
        return self._projects.id(project)

    def _answer(self, bucket: Bucket, request: Request) -> Answer:
        return Answer.of_json(self._written(bucket, request))

    def _written(self, bucket: Bucket, request: Request) -> dict[str, Any]:
        number = self._projects.number(bucket.project)
        return bucket_json.written(bucket, number, request.endpoint)
