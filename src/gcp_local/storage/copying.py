"""Copies and rewrites of objects.

Source: https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite. Between places or
storage classes a rewrite goes on over several calls, if its caller bounds each; the rewrite token
says how far it is. The object is written by the last one, whole.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gcp_local.errors import InvalidArgument
from gcp_local.resources.listing import make_token, read_token
from gcp_local.storage import object_json, wire
from gcp_local.web.messages import Answer, Request

if TYPE_CHECKING:
    from gcp_local.storage.buckets import BucketStore
    from gcp_local.storage.objects import ObjectStore
    from gcp_local.storage.values import Description, Object

_MEBIBYTE = 1 << 20


class CopyEndpoint:
    """Answers `copyTo` and `rewriteTo`."""

    def __init__(self, buckets: BucketStore, objects: ObjectStore) -> None:
        self._buckets = buckets
        self._objects = objects

    def answer(
        self, request: Request, how: str, source: tuple[str, str], target: tuple[str, str]
    ) -> Answer:
        """Copy an object.

        Args:
            request: the request.
            how: `copyTo` or `rewriteTo`.
            source: bucket and name of what is copied.
            target: bucket and name of what is written.

        Raises:
            NotFound, ConditionNotMet, PermissionDenied: as reading and writing.
            InvalidArgument: a token of another rewrite, or a bound below 1 MiB.

        """
        query, body = request.parameters, wire.mapping(request.body)
        found, file = self._objects.open(
            *source,
            generation=wire.integer(query, "sourceGeneration"),
            preconditions=wire.preconditions_of(query, "ifSource"),
        )
        with file:
            said = object_json.description_of(body) if body else object_json.description_like(found)
            said = replace(said, md5=None, crc32c=None)
            conditions = wire.preconditions_of(query)
            if how == "rewriteTo":
                self._objects.check_writable(*target, conditions)
                mark = f"{found.generation}\n{source}\n{target}"
                done = self._progress(request, found, said, target[0], mark)
                if done < found.size:
                    return Answer.of_json(_rewriting(found, done, make_token(done, mark)))
            copied = self._objects.write(*target, file, description=said, preconditions=conditions)
        resource = object_json.written(copied, self._buckets.get(target[0]), request.endpoint)
        if how == "copyTo":
            return Answer.of_json(resource, etag=copied.etag)
        return Answer.of_json(
            {**_rewriting(copied, copied.size, None), "done": True, "resource": resource}
        )

    def _progress(
        self, request: Request, found: Object, said: Description, bucket: str, mark: str
    ) -> int:
        """Tell how many bytes are rewritten after this call."""
        query = request.parameters
        before = read_token(query.get("rewriteToken", ""), mark)
        bound = wire.integer(query, "maxBytesRewrittenPerCall")
        if bound is None:
            return found.size
        if bound < _MEBIBYTE:
            raise InvalidArgument(f"maxBytesRewrittenPerCall is at least {_MEBIBYTE}.")
        here, there = self._buckets.get(found.bucket), self._buckets.get(bucket)
        wanted = said.storage_class or there.storage_class
        if (here.location, found.storage_class) == (there.location, wanted):
            return found.size  # nothing moves, however large it is
        return min(found.size, before + bound)


def _rewriting(described: Object, done: int, token: str | None) -> dict[str, Any]:
    return {
        "kind": "storage#rewriteResponse",
        "totalBytesRewritten": str(done),
        "objectSize": str(described.size),
        "done": False,
        **({"rewriteToken": token} if token else {}),
    }
