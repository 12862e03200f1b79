"""BigQuery's REST API: `/bigquery/v2`, `/upload/bigquery/v2`, `/resumable/upload/bigquery/v2`.

Source: https://cloud.google.com/bigquery/docs/reference/rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from gcp_local.bigquery.call import Call
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.libraries import Libraries
from gcp_local.bigquery.partial import selected
from gcp_local.bigquery.surface import Method, Surface
from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.rpc.dispatch import parse_json
from gcp_local.web.messages import Answer, Request

if TYPE_CHECKING:
    from gcp_local.resources.projects import Projects

_PREFIX = "/bigquery/v2/"
_UPLOAD = re.compile(r"/(?:resumable/)?upload/bigquery/v2/projects/([^/]+)/jobs")
_JSON = {"content-type": "application/json; charset=UTF-8"}


class Uploads(Protocol):
    """Takes the bytes of load jobs."""

    def answer(self, request: Request, project: str) -> Answer:
        """Answer a request to `…/upload/bigquery/v2/projects/PROJECT/jobs`."""
        ...


class BigQueryEndpoint:
    """Finds who answers a request of BigQuery's.

    Args:
        parts: objects whose methods are BigQuery's: `def tables_insert(self, call) -> dict`; a
            method without an answer gives None. What they lack is answered with 501.
        projects: tells a project's id by its number.
        uploads: takes the bytes of load jobs.

    """

    def __init__(
        self, parts: Sequence[object], projects: Projects, uploads: Uploads | None = None
    ) -> None:
        self._parts = parts
        self._projects = projects
        self._uploads = uploads
        self._libraries = Libraries()

    @staticmethod
    def concerns(path: str) -> bool:
        """Tell whether a path, still encoded, is one of BigQuery's."""
        return path.startswith(_PREFIX)

    def implements(self, name: str) -> bool:
        """Tell whether a method, given by its full name, is implemented."""
        return self._handler(Surface.load().methods[name]) is not None

    def answer(self, request: Request) -> Answer:
        """Answer a request; errors as the methods raise them."""
        self._libraries.prepare()
        upload = _UPLOAD.fullmatch(request.path)
        if upload:
            if self._uploads is None:
                raise BigQueryError.lacking("uploads")
            return self._uploads.answer(request, self._projects.id(upload[1]))
        surface = Surface.load()
        if not self.concerns(request.path):
            raise NotFound(f"Not found: {request.path}")
        method, variables = surface.find(request.method, request.path.removeprefix(_PREFIX))
        handler = self._handler(method)
        if handler is None:
            raise BigQueryError.lacking(f"the method {method.name}")
        form = request.parameters.get("alt", "json")
        if form != "json":
            raise BigQueryError.lacking(f"answers in the form alt={form:.80}")
        call = Call(
            self._by_id(variables),
            surface.read_query(method, request.parameters),
            self._body(method, request),
            request.headers,
            request.endpoint,
        )
        answer = handler(call)
        if answer is None:
            return Answer(HTTPStatus.NO_CONTENT)
        if request.method == "GET" and "etag" in answer:
            call.check_changed(answer["etag"])
        fields = request.parameters.get("fields")
        if fields:
            answer = selected(answer, fields, method.response or "", surface)
        return _written(answer, request)

    def _handler(self, method: Method) -> Callable[[Call], dict[str, Any] | None] | None:
        for part in self._parts:
            handler: Callable[[Call], dict[str, Any] | None] | None = getattr(
                part, method.attribute, None
            )
            if handler is not None:
                return handler
        return None

    def _by_id(self, variables: dict[str, str]) -> dict[str, str]:
        if "projectId" not in variables:
            return variables
        return {**variables, "projectId": self._projects.id(variables["projectId"])}

    @staticmethod
    def _body(method: Method, request: Request) -> dict[str, Any]:
        if method.request is None or not request.body.strip():
            return {}
        said = parse_json(request.body)
        if not isinstance(said, dict):
            raise InvalidArgument("Invalid JSON payload received. It must be an object.")
        patch = request.method == "PATCH"
        read: dict[str, Any] = Surface.load().read(method.request, said, nulls=patch)
        return read


def _written(answer: dict[str, Any], request: Request) -> Answer:
    """Write an answer, for people unless `prettyPrint=false` as Google's clients ask."""
    if request.parameters.get("prettyPrint", "true").lower() == "false":
        return Answer.of_json(answer)
    return Answer(HTTPStatus.OK, json.dumps(answer, indent=2).encode(), _JSON)
